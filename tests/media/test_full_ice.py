"""A full ICE agent: two of ours over a network that loses packets, and through the engine against aioice."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import aioice
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.api import ConfigureEndpoint, HostPort, IceSpec, JoinRoom
from media.webrtc.full_ice import CONSENT_LOST_S, MOST_PAIRS, FullAgent
from media.webrtc.ice import LiteAgent
from media.webrtc.stun import ERROR, ERROR_CODE, read_stun, write_stun
from tests.media.peer import Peer, accept, embedded, open_endpoint, peers
from tests.media.test_webrtc import browser

A, B, C = HostPort("192.0.2.1", 1000), HostPort("192.0.2.2", 2000), HostPort("192.0.2.3", 3000)
ONE = IceSpec("aaaa", "a" * 24, "bbbb", "b" * 24, True, True, (C, B))  # C is nobody
TWO = IceSpec("bbbb", "b" * 24, "aaaa", "a" * 24, True, False, (A,))


def chances(first: int) -> Callable[[int], bytes]:
    numbers = itertools.count(first)
    return lambda size: next(numbers).to_bytes(2, "big").rjust(size, b"\7") if size == 12 else bytes([first]) * size


class Net:
    """Two agents and the packets between them; virtual time."""

    def __init__(
        self, one: FullAgent, two: FullAgent | LiteAgent, lost: Callable[[int], bool] = lambda _: False
    ) -> None:
        self.agents: dict[HostPort, FullAgent | LiteAgent] = {A: one, B: two}
        self.now, self.count, self.lost, self.cut = 0.0, 0, lost, False

    @property
    def ways(self) -> list[HostPort | None]:
        """What each of them has chosen."""
        return [agent.chosen for agent in self.agents.values()]

    def run(self, until: float) -> None:
        while True:
            due = [a.deadline for a in self.agents.values() if isinstance(a, FullAgent) and a.deadline is not None]
            if not due or min(due) > until:
                self.now = until
                return
            self.now = max(self.now, min(due))
            for at, agent in self.agents.items():
                if isinstance(agent, FullAgent):
                    agent.expire(self.now)
                    self._deliver(at, agent)

    def _deliver(self, at: HostPort, agent: FullAgent) -> None:
        while agent.outgoing:
            packet, to = agent.outgoing.pop(0)
            self._send(packet, at, to)

    def _send(self, packet: bytes, source: HostPort, to: HostPort) -> None:
        self.count += 1
        target = self.agents.get(to)
        if target is None or self.cut or self.lost(self.count):
            return
        if isinstance(target, FullAgent):
            outcome = target.receive_at(packet, source, self.now)
        else:
            outcome = target.receive(packet, source)
        if outcome.reply:
            self._send(outcome.reply, to, source)


def pair(one: IceSpec = ONE, two: IceSpec = TWO) -> tuple[FullAgent, FullAgent]:
    return FullAgent(one, 0.0, chances(1)), FullAgent(two, 0.0, chances(100))


def test_two_agents_find_the_way_and_agree_on_it() -> None:
    one, two = pair()
    Net(one, two).run(2.0)
    assert (one.chosen, two.chosen) == (B, A)


def test_an_agent_without_candidates_is_found_by_its_own_checks() -> None:
    one, two = pair(replace(ONE, candidates=()), TWO)
    Net(one, two).run(2.0)
    assert (one.chosen, two.chosen) == (B, A)


@pytest.mark.parametrize("both", [True, False])
def test_two_that_want_the_same_role_come_to_terms(both: bool) -> None:
    one, two = pair(replace(ONE, is_controlling=both), replace(TWO, is_controlling=both))
    Net(one, two).run(5.0)
    assert (one.chosen, two.chosen) == (B, A)
    assert one.is_controlling is not two.is_controlling
    assert two.is_controlling  # who has the larger number


def test_a_lite_peer_is_found_and_told() -> None:
    one, two = FullAgent(ONE, 0.0, chances(1)), LiteAgent(TWO)
    Net(one, two).run(2.0)
    assert (one.chosen, two.chosen) == (B, A)


@settings(deadline=None, max_examples=40)
@given(st.sets(st.integers(1, 12), max_size=5))
def test_lost_packets_delay_it_and_no_more(lost: set[int]) -> None:
    one, two = pair()
    Net(one, two, lambda number: number in lost).run(40.0)
    assert (one.chosen, two.chosen) == (B, A)


def test_a_way_that_falls_silent_is_none_any_more() -> None:
    one, two = pair()
    net = Net(one, two)
    net.run(60.0)
    assert net.ways == [B, A]
    net.cut = True
    net.run(60.0 + CONSENT_LOST_S + 6)
    assert net.ways == [None, None]
    assert one.deadline is None


def test_a_restart_keeps_the_way_until_another_one_is_found() -> None:
    one, two = pair()
    net = Net(one, two)
    net.run(2.0)
    one.restart_at(replace(ONE, ufrag="cccc", password="c" * 24, peer_ufrag="dddd", peer_password="d" * 24), net.now)
    assert one.chosen == B
    two.restart_at(replace(TWO, ufrag="dddd", password="d" * 24, peer_ufrag="cccc", peer_password="c" * 24), net.now)
    net.run(20.0)
    assert (one.chosen, two.chosen) == (B, A)


def test_answers_that_are_not_from_the_peer_are_passed_over() -> None:
    one, _ = pair()
    one.expire(0.0)
    one.expire(0.06)
    checks = {to: read_stun(packet) for packet, to in one.outgoing}
    found = checks[B]
    assert found is not None
    for password, source in (("x" * 24, B), ("b" * 24, A), ("b" * 24, C)):
        one.receive_at(write_stun(0x0101, found.transaction, {}, password.encode()), source, 0.1)
        assert not one.checked
    one.receive_at(write_stun(ERROR, found.transaction, {ERROR_CODE: b"\0\0\4\1"}), B, 0.1)  # 401: no use to go on
    assert one.chosen is None


def test_a_flood_of_sources_is_bounded() -> None:
    one, two = pair()
    for port in range(1, 200):
        two.expire(0.0)
        for packet, _ in two.outgoing[:1]:
            one.receive_at(packet, HostPort("192.0.2.9", port), 0.0)
    assert len(one._pairs) <= MOST_PAIRS


@pytest.mark.real_loop
@pytest.mark.parametrize("is_controlling", [True, False])
async def test_the_engine_finds_a_full_agent_and_talks_to_it(is_controlling: bool) -> None:
    async with peers(Peer()) as (phone,), embedded() as engine, browser(engine, is_client=True) as (page, made):
        page.ice.ice_controlling = not is_controlling
        await page.ice.gather_candidates()
        (candidate,) = page.ice.local_candidates
        spec = page.spec()
        assert spec.ice is not None
        ice = replace(spec.ice, is_full=True, is_controlling=is_controlling)
        ice = replace(ice, candidates=(HostPort(candidate.host, candidate.port),))
        await open_endpoint(engine, 2, phone.spec())
        page.ice.remote_username, page.ice.remote_password = "ours", "p" * 24
        # When we take the decisions it does not know where we are, either: our checks tell.
        port = 9 if is_controlling else made.rtp.port
        line = f"1 1 udp 2130706431 {made.rtp.host} {port} typ host"
        await page.ice.add_remote_candidate(aioice.Candidate.from_sdp(line))
        await page.ice.add_remote_candidate(None)
        await accept(engine, ConfigureEndpoint(1, replace(spec, ice=ice)), JoinRoom(1, 1), JoinRoom(1, 2))
        await page.ice.connect()
        await page.shake()
        await page.say(1, b"sound" * 32)
        assert (await phone.receive()).payload == b"sound" * 32
