"""Calls of a real provider, a second Zvon: the time of a rule, the hours, missed calls, reports."""

import re
from contextlib import closing
from pathlib import Path

from bench.wire import sdp
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Site, password_of, running, terminal
from tests.e2e.test_api import Webhook, signed_in
from tests.e2e.test_lines import provider, wait_for
from tests.e2e.ua import Call, Phone, eventually, registered

RULES = """
[[calendars]]
id = "hours"
weekly = { mon-sun = ["00:00-24:00"] }
switch = "*60"

[[external_numbers]]
number = "555"
provider = "telco"
target = "401"
timeout = 2
calendar = "hours"
closed_target = "busy"

[[inbound_rules]]
id = "second"
provider = "telco"
target = "402"
timeout = 30

[features]
masked = ["402"]
"""


def stops_ringing(ring: Call) -> None:
    """Its CANCEL comes, and the phone obeys."""
    ring.phone.reply(ring.phone.expect("CANCEL", timeout_s=6.0), 200)
    ring.reply(487)
    ring.phone.expect("ACK")


def test_a_call_of_a_provider_meets_rules_hours_and_leaves_a_missed_call_and_reports(tmp_path: Path) -> None:
    operator = f"{terminal('555', password=password_of('555'), max_calls=9)}\n{terminal('301', trust=CALLER)}"
    people = "\n".join(terminal(number, trust=CALLEE) for number in ("401", "402"))
    with running(Site.write(tmp_path / "operator", operator, rtp_ports=(13000, 13099))) as telco:
        host, port = telco.address
        entry = provider(host=host, port=port, login="555", password=password_of("555"))
        with (
            running(
                Site.write(tmp_path / "office", f"{people}\n{entry}\n{RULES}", sip="qualify = 0", web=True)
            ) as server,
            closing(signed_in(server)) as api,
            Webhook() as hook,
            Phone(telco.address, "301", host=CALLER) as client,
            registered(server.address, "401", host=CALLEE) as first,
            registered(server.address, "402", host=CALLEE) as second,
        ):
            wait_for(server, "registered")
            wanted = {"url": hook.url, "kinds": ["call_missed", "missed_call_closed"]}
            assert api.post("/webhooks", json=wanted).status_code == 201
            said = server.command("explain", "301", "555").stdout
            assert "yes external number 555  goes to 401 for 2 s" in said
            assert said.splitlines()[-1].startswith("final target: 401 rings at")

            call = client.dial("555")
            ring = first.wait_for_call()
            ring.reply(180)
            stops_ringing(ring)
            ring = second.wait_for_call()
            assert ring.invite is not None
            assert re.match(r"<sip:301\*[0-9]{6}@", ring.invite.first("from")), "402 does not see who calls"
            ring.reply(200, sdp(second.address))
            call.expect(200, timeout_s=6.0)
            call.acknowledge()
            second.expect("ACK")
            call.hang_up()
            ring.expect_hang_up()

            server.command("calendar", "close", "hours")
            call = client.dial("555")
            call.acknowledge_refusal(call.expect(486, timeout_s=6.0))
            server.command("calendar", "hours", "hours")

            call = client.dial("555")
            ring = first.wait_for_call()
            ring.reply(180)
            call.expect(180)
            call.give_up()
            stops_ringing(ring)
            eventually(lambda: len(server.json("missed", "list")) == 2, "two calls were missed")
            closed, given_up = server.json("missed", "list")
            assert (closed["stage"], closed["at_number"]) == ("dial", "busy")
            assert (given_up["number"], given_up["line"], given_up["at_number"]) == ("301", "555", "401")
            server.command("missed", "close", closed["id"])
            assert len(server.json("missed", "list")) == 1
            heard = ["call_missed", "call_missed", "missed_call_closed"]
            eventually(lambda: hook.kinds == heard, "the webhook has heard of what was missed", 10)

            (quality,) = server.json("report", "quality")["rows"]
            assert (quality["calls"], quality["answered"], quality["missed"]) == (3, 1, 2)
            (line,) = server.json("report", "lines")["rows"]
            assert (line["provider"], line["line"], line["calls_in"], line["peak_channels"]) == ("telco", "555", 3, 1)
            book = tmp_path / "events.xlsx"
            server.command("report", "events", "--xlsx", str(book))
            assert book.read_bytes()[:2] == b"PK"
            kinds = {row["kind"] for row in server.json("report", "events")["rows"]}
            assert {"call_missed", "missed_call_closed", "calendar_switched", "provider_up"} <= kinds
