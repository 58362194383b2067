"""Two offices over real sockets: one registers at the other over TLS with two accounts, sound is encrypted, numbers
lead to people, hours are not asked, and what is spent is cut."""

import json
from pathlib import Path

import pytest

from bench.wire import sdp
from tests.e2e.harness import Server, Site, free_port, running, terminal
from tests.e2e.test_lines import provider
from tests.e2e.test_outside import answered, route
from tests.e2e.test_tls import tls_address
from tests.e2e.ua import Call, Phone, eventually

HERE, THERE = "127.0.0.3", "127.0.0.4"
PASSWORD = "Trunk-Pass_1"


def entry(section: str, **settings: object) -> str:
    return "\n".join([f"[[{section}]]", *(f"{key} = {json.dumps(value)}" for key, value in settings.items()), ""])


def masked(id: str, provider: str, mask: str) -> str:
    """Calls for numbers like this of our own go to whoever has them."""
    return entry("inbound_rules", id=id, provider=provider, number=mask, target="did2user")


def headquarters() -> str:
    """Always closed for callers from outside, but not for the branch, which registers here."""
    accounts = [
        provider(id=name, kind="inbound_register", login=name, password=PASSWORD, show_caller=True, host="branch.test")
        for name in ("branch", "second")
    ]
    people = [terminal("201", trust=HERE, max_calls=4)]
    rules = [
        route("Branch", "branch", prefix="3", rest=2),
        route("Second", "second", prefix="9", rest=3, strip=1),
        masked("people", "branch", "2XX"),
        entry("off_hours", id="closed", target="busy"),
        '[inbound]\nalways_open_providers = ["branch", "second"]\n',
    ]
    return "\n".join([*people, *accounts, *rules])


def branch(hq: Server) -> str:
    host, port = tls_address(hq)
    accounts = [
        provider(
            id=f"hq-{name}", host=host, port=port, transport="tls", srtp="required", login=name, password=PASSWORD,
            qualify=10, show_caller=True,
        )
        for name in ("branch", "second")
    ]  # fmt: skip
    people = [terminal(number, trust=THERE, max_calls=4) for number in ("301", "302")]
    rules = [
        route("Headquarters", "hq-branch", prefix="2", rest=2),
        masked("people", "hq-branch", "3XX"),
    ]
    return "\n".join([*people, *accounts, *rules])


def connected(caller: Phone, number: str, callee: Phone) -> tuple[Call, Call]:
    call = caller.dial(number)
    ring = callee.wait_for_call()
    ring.reply(200, sdp(callee.address))
    call.expect(200)
    call.acknowledge()
    callee.expect("ACK")
    return call, ring


@pytest.mark.row("PRV-17")
def test_offices_call_each_other_s_people_by_their_numbers_encrypted_and_at_all_hours(tmp_path: Path) -> None:
    def tls() -> str:
        return f'tls = ["127.0.0.1:{free_port()}"]\nqualify = 0'

    with running(Site.write(tmp_path / "hq", headquarters(), sip=tls())) as hq:
        site = Site.write(tmp_path / "branch", branch(hq), rtp_ports=(13000, 13099), sip=tls())
        with (
            running(site) as other,
            Phone(hq.address, "201", host=HERE) as here,
            Phone(other.address, "301", host=THERE) as there,
        ):
            assert here.register().status == 200
            assert there.register().status == 200
            eventually(lambda: {each["state"] for each in other.json("lines")} == {"registered"}, "both are registered")
            assert {each["transport"] for each in hq.json("lines")} == {"tls"}
            call = here.dial("301")
            ring = there.wait_for_call()
            assert ring.invite is not None
            assert "<sip:201@" in ring.invite.first("from")
            answered(call, ring)
            answered(here.dial("9301"), there.wait_for_call())
            answered(there.dial("201"), here.wait_for_call())
            call = there.dial("299")
            call.acknowledge_refusal(call.expect(404, timeout_s=6.0))

            document = hq.site.office
            tariff = entry("tariffs", id="branch", provider="branch", prefix="3", minute=6000, step=1)
            limit = "[outbound]\nmoney_a_call = 200\nwarn_before = 0\n"
            document.write_text(f"{document.read_text()}\n{tariff}\n{limit}")
            hq.command("apply", str(document))
            assert "the call is cut when it has cost 200 hundredths" in hq.command("explain", "201", "301").stdout
            call, ring = connected(here, "301", there)
            ring.expect_hang_up(timeout_s=6.0)
            call.expect_hang_up(timeout_s=8.0)
            eventually(lambda: hq.json("history")[0]["cause"] == "limit_reached", "the history says why")
            rows = hq.json("history")
            cut, out = rows[0], [each for each in rows[1:] if each["provider_out"]]
            wrong, in_ = (
                next(each for each in rows if each["external_number"] == number and each["provider_in"])
                for number in ("299", "201")
            )
            assert 1.5 < cut["talk_seconds"] < 4.5
            assert wrong["disposition"] == "FAILED"
            assert [each["provider_out"] for each in out] == ["second", "branch"]
            assert (in_["provider_in"], in_["from_number"], in_["to_number"]) == ("branch", "301", "201")
            first = other.json("history")[-1]
            assert (first["provider_in"], first["from_number"], first["to_number"]) == ("hq-branch", "201", "301")
            health = hq.json("report", "line-health")["rows"]
            assert [each["availability_percent"] for each in health] == [100.0, 100.0]
