"""Two hundred callers and twenty agents for a minute: everybody is served, once."""

import json
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Site, free_port, running, terminal
from tests.e2e.sipp import Plan, Sipp
from tests.e2e.ua import Phone, eventually

AGENTS = tuple(str(number) for number in range(401, 421))
CALLERS, A_SECOND, TALK_MS, LONGEST_S = 200, 4, 4400, 75  # for 50 seconds nearly all agents have work
OFFICE = "\n".join(
    [
        terminal("301", trust=CALLER, max_calls=CALLERS),
        *(terminal(number, trust=CALLEE) for number in AGENTS),
        "[recording]\nenabled = false",
        f'[[queues]]\nnumber = "500"\nagents = {json.dumps(AGENTS)}\nstrategy = "leastrecent"\nwrap_up = 0',
    ]
)


def test_two_hundred_callers_are_answered_once_each_by_twenty_agents(tmp_path: Path) -> None:
    """SIPp calls and SIPp answers. An agent has one caller at a time, and all agents have work."""
    with running(Site.write(tmp_path, OFFICE, sip="qualify = 0")) as server:
        port = free_port(CALLEE)
        for agent in AGENTS:
            with Phone(server.address, agent, host=CALLEE, port=port) as phone:
                assert phone.register().status == 200
        agents = Plan("callee_answers_and_hangs_up", server.address, CALLEE, port, {"number": AGENTS[0]})
        agents = replace(agents, calls=CALLERS, talk_ms=TALK_MS, timeout_s=LONGEST_S)
        callers = Plan(
            *("caller_is_answered_and_callee_hangs_up", server.address, CALLER),
            keys={"from": "301", "to": "500"},
            calls=CALLERS,
            rate=A_SECOND,
            timeout_s=LONGEST_S,
        )
        began = time.monotonic()
        answering, calling = Sipp(agents, tmp_path), Sipp(callers, tmp_path)
        try:
            calling.finish()
            answering.finish()
        finally:
            calling.end()
            answering.end()
        assert CALLERS / A_SECOND <= time.monotonic() - began <= LONGEST_S
        eventually(lambda: not server.json("calls"), "every call is over")
        rows = server.json("history")
    talks = [row for row in rows if row["stage"] == "dial" and row["disposition"] == "ANSWERED"]
    assert len(talks) == len({row["linkedid"] for row in talks}) == CALLERS
    by_agent = Counter(row["to_number"] for row in talks)
    assert set(by_agent) == set(AGENTS)
    for agent in AGENTS:
        mine = sorted((row["answered_at"], row["ended_at"]) for row in talks if row["to_number"] == agent)
        assert all(end <= start for (_, end), (start, _) in pairwise(mine)), agent
