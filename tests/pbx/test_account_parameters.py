"""What may be said of one account alone, where the office says otherwise (EXT-12)."""

import pytest

from pbx.directory import Directory
from sipcore.sdp.parse import parse_sdp
from storage.records import Office
from tests.support.builders import terminal
from tests.support.office import open_office

EVENT = "telephone-event"


@pytest.mark.row("EXT-12")
@pytest.mark.parametrize(
    ("settings", "let_in", "kept_out"),
    [
        ({"deny": ("10.9.0.0/16",)}, ("10.1.0.1", "192.0.2.1"), ("10.9.0.1",)),
        ({"permit": ("10.9.0.0/16", "192.0.2.7/32")}, ("10.9.0.1", "192.0.2.7"), ("10.1.0.1", "192.0.2.8")),
        ({"deny": ("0.0.0.0/0",), "permit": ("10.9.0.0/16",)}, ("10.9.0.1",), ("10.1.0.1", "192.0.2.1")),
        ({"permit": ("10.0.0.0/8",), "deny": ("10.9.0.0/16",)}, ("10.1.0.1",), ("10.9.0.1", "192.0.2.1")),
        ({"permit": ("10.0.0.0/8",), "deny": ("10.0.0.0/8",)}, (), ("10.1.0.1",)),
        ({"network": "10.0.0.0/8", "permit": ("192.0.2.0/24",)}, ("10.1.0.1", "192.0.2.1"), ("203.0.113.1",)),
    ],
)
def test_of_networks_that_permit_and_deny_the_smallest_decides(
    settings: dict[str, object], let_in: tuple[str, ...], kept_out: tuple[str, ...]
) -> None:
    own, other = terminal("101", **settings), terminal("102")
    directory = Directory(Office(terminals=(own, other)), "realm")
    found = {source: directory.may_use(own, source) for source in (*let_in, *kept_out)}
    assert found == dict.fromkeys(let_in, True) | dict.fromkeys(kept_out, False)
    assert all(directory.may_use(other, source) for source in found)


@pytest.mark.row("EXT-12")
async def test_phones_of_an_account_are_offered_its_codecs_and_header_fields_and_those_of_others_are_not() -> None:
    headers = {"X-Room": "12", "Alert-Info": "<http://127.0.0.1/bell>;info=bell-core-dr3"}
    own = terminal("102", codecs=("G722",), headers=headers)
    async with open_office(terminal("101"), own, terminal("103")) as office:
        a = await office.registered("101", codecs=("opus", "G722", "PCMU", EVENT))
        for number in ("102", "103"):
            phone = await office.registered(number, codecs=("opus", "G722", "PCMU", EVENT))
            call, ring = await office.connect(a, phone)
            assert ring.invite is not None
            offered = {each.name for each in parse_sdp(ring.invite.body).media[0].formats if each.is_audio}
            assert ("opus" in offered) is (number == "103")
            assert ring.invite.headers.get("x-room") == ("12" if number == "102" else None)
            call.hangup()
            await ring.until_over()
        assert ring.invite is not None
        assert ring.invite.headers.get("alert-info") is None


@pytest.mark.row("EXT-12")
async def test_an_account_that_calls_uses_its_codecs_and_brings_its_variables() -> None:
    own = terminal("101", codecs=("PCMA",), variables={"branch": "north"})
    async with open_office(own, terminal("102")) as office:
        a = await office.registered("101", codecs=("opus", "G722", "PCMA", EVENT))
        b = await office.registered("102", codecs=("opus", "G722", "PCMA", EVENT))
        call, ring = await office.connect(a, b)
        spec = office.endpoint_of("101").spec
        assert spec is not None
        assert spec.payloads[0].name == "PCMA"
        (running,) = office.pbx.calls.values()
        assert running.variables == {"branch": "north"}
        call.hangup()
        await ring.until_over()


async def test_who_has_none_of_the_codecs_of_an_account_is_heard_all_the_same() -> None:
    async with open_office(terminal("101"), terminal("102", codecs=("G722",))) as office:
        a = await office.registered("101", codecs=("iLBC", EVENT))
        b = await office.registered("102", codecs=("iLBC", EVENT))
        call, ring = await office.connect(a, b)
        call.hangup()
        await ring.until_over()
