"""Who is believed about a caller, who sees it, and displays that follow (RFC 3323, RFC 3325, RFC 4916)."""

import asyncio
from dataclasses import replace

import pytest

from pbx.identity import PrivacyUnavailable, calling
from pbx.party import Party
from pbx.transfer import EXTENSIONS
from sipcore.message import Request
from sipcore.parse import parse_message
from sipcore.stack import StackConfig
from storage.records import User
from tests.support.builders import terminal
from tests.support.office import open_office
from tests.support.referrer import Referrer
from tests.support.ua import PhoneCall
from tests.support.watcher import Watcher

ANNA, BORIS = User("anna", "Anna"), User("boris", "Boris")
OFFICE = (terminal("101", owner="anna"), terminal("102", owner="boris"), terminal("103"))
GATE = terminal("301", trust="10.0.3.1", max_calls=9)


def invite(*lines: str, source: str = "sip:301@zvon") -> Request:
    fixed = ["INVITE sip:102@zvon SIP/2.0", "Via: SIP/2.0/UDP h;branch=z9hG4bK1", f"From: <{source}>;tag=1"]
    text = [*fixed, "To: <sip:102@zvon>", "Call-ID: 1", "CSeq: 1 INVITE", "Max-Forwards: 70", *lines, "", ""]
    found = parse_message("\r\n".join(text).encode())
    assert isinstance(found, Request)
    return found


def who(*lines: str, source: str = "sip:301@zvon", is_trusted: bool = True) -> tuple[str, str, bool]:
    found = calling(invite(*lines, source=source), Party.unknown("301"), is_trusted=is_trusted, number_length=3)
    assert found.number == "301", "who is responsible never changes"
    return found.shown_number, found.name, found.is_private


@pytest.mark.parametrize(
    ("lines", "seen"),
    [
        ((), ("301", "", False)),
        (('P-Asserted-Identity: "Kim" <sip:+493012345@gw>',), ("+493012345", "Kim", False)),
        (("P-Asserted-Identity: <tel:+49-30-12345>",), ("+493012345", "", False)),
        (("P-Asserted-Identity: <sip:bad", "Remote-Party-ID: <sip:555123@gw>;party=calling"), ("555123", "", False)),
        (("Remote-Party-ID: <sip:555123@gw>;party=called",), ("301", "", False)),
        (("Remote-Party-ID: <sip:555123@gw>;privacy=full",), ("555123", "", True)),
        (("P-Asserted-Identity: <sip:555123@gw>", "Privacy: id"), ("555123", "", True)),
        (("P-Asserted-Identity: <sip:555123@gw>", "Privacy: none"), ("555123", "", False)),
        (("P-Asserted-Identity: <sip:102@gw>",), ("301", "", False)),
        (("P-Asserted-Identity: <sip:a%00b12345@gw>",), ("301", "", False)),
        (("Privacy: critical;id",), ("301", "", True)),
        (("Privacy: ;;;",), ("301", "", False)),
    ],
)
def test_a_trusted_source_speaks_for_the_caller_beyond_it(lines: tuple[str, ...], seen: tuple[str, str, bool]) -> None:
    assert who(*lines) == seen


def test_a_phone_is_who_it_is_whatever_it_asserts() -> None:
    lines = ('P-Asserted-Identity: "Boss" <sip:+4930999@x>', "Remote-Party-ID: <sip:+4930999@x>")
    assert who(*lines, source="sip:+4930999@x", is_trusted=False) == ("301", "", False)


def test_the_from_of_a_trusted_source_counts_when_it_asserts_nothing() -> None:
    assert who(source="sip:+4930555@gw") == ("+4930555", "", False)


def test_an_anonymous_from_asks_for_privacy() -> None:
    assert who(source="sip:anonymous@anonymous.invalid") == ("301", "", True)


def test_a_privacy_that_is_critical_and_unknown_is_refused() -> None:
    with pytest.raises(PrivacyUnavailable):
        who("Privacy: critical;invisible")
    assert who("Privacy: invisible") == ("301", "", False)


async def test_who_wants_privacy_is_anonymous_to_phones_and_to_lamps() -> None:
    async with open_office(*OFFICE, GATE, users=(ANNA, BORIS)) as office:
        a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
        watched = await Watcher(c).watch("102")
        call = a.dial("102", extra=(("Privacy", "id"),))
        ring = await b.rung()
        assert ring.invite is not None
        text = bytes(ring.invite).decode()
        assert "anonymous.invalid" in (ring.invite.headers.get("from") or "")
        assert "101" not in text.replace("10.0.1.101", "").partition("\r\n\r\n")[0].replace("@10.0.1.", "")
        assert "Anna" not in text
        ring.ring()
        await asyncio.sleep(1)
        assert b"anonymous.invalid" in watched.bodies[-1]
        assert b"Anna" not in watched.bodies[-1]
        ring.reject(486)
        await call.until_over()
        await watched.subscribe(0)
    assert office.row.from_number == "101", "the office knows"


async def test_a_trusted_terminal_hears_who_wants_privacy() -> None:
    async with open_office(*OFFICE, GATE, users=(ANNA,)) as office:
        a = await office.registered("101")
        gate = await office.registered("301", "10.0.3.1")
        call = a.dial("301", extra=(("Privacy", "id"),))
        ring = await gate.rung()
        assert ring.invite is not None
        assert ring.invite.headers.get("p-asserted-identity") == '"Anna" <sip:101@10.0.0.1>'
        assert ring.invite.headers.get("privacy") == "id"
        assert "anonymous.invalid" in (ring.invite.headers.get("from") or "")
        ring.reject(486)
        await call.until_over()


async def test_a_critical_privacy_that_we_do_not_know_is_refused_to_the_phone() -> None:
    async with open_office(*OFFICE) as office:
        a = await office.registered("101")
        assert await a.dial("102", extra=(("Privacy", "critical;invisible"),)).until_over() == 500


async def test_the_number_beyond_a_gateway_is_shown_and_kept() -> None:
    async with open_office(*OFFICE, GATE) as office:
        b = await office.registered("102")
        gate = await office.registered("301", "10.0.3.1")
        call = gate.dial("102", extra=(("P-Asserted-Identity", '"Kim" <sip:+493012345@gw>'),))
        ring = await b.rung()
        assert ring.invite is not None
        assert ring.invite.headers.get("p-asserted-identity") == '"Kim" <sip:+493012345@10.0.0.1>'
        assert "sip:+493012345@" in (ring.invite.headers.get("from") or "")
        ring.reject(486)
        await call.until_over()
    assert (office.row.from_number, office.row.external_number, office.row.from_name) == ("301", "+493012345", "Kim")


async def test_the_caller_learns_who_rings_and_who_answered() -> None:
    async with open_office(*OFFICE, users=(ANNA, BORIS)) as office:
        a, b = [await office.registered(number) for number in ("101", "102")]
        call, ring = await office.connect(a, b)
        for status in (180, 200):
            said = next(each for each in a.responses(status) if each.cseq.method == "INVITE")
            assert said.headers.get("p-asserted-identity") == '"Boris" <sip:102@10.0.0.1>'
            assert "party=called" in (said.headers.get("remote-party-id") or "")
        call.hangup()
        await ring.until_over()


def shown(call: PhoneCall, method: str) -> list[str]:
    """Whom that phone was told to talk to, inside its dialog."""
    said = [each for each in call.phone.requests(method) if each.to.tag]
    return [each.headers.get("p-asserted-identity") or "" for each in said]


@pytest.mark.parametrize("updates", [True, False])
async def test_displays_follow_a_transfer_by_update_or_reinvite(updates: bool) -> None:
    async with open_office(*OFFICE, users=(ANNA, BORIS), stack=StackConfig(extensions=EXTENSIONS)) as office:
        a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
        if not updates:
            for phone in (a, b, c):
                old = phone.stack.profile
                phone.stack.profile = lambda contact, old=old: replace(old(contact), allow="INVITE, ACK, BYE, CANCEL")  # type: ignore[method-assign, misc]
        call, ring = await office.connect(a, b)
        await Referrer(a).refer(call, "103")
        third = await c.rung()
        assert shown(ring, "UPDATE") == shown(ring, "INVITE") == [], "not before somebody answers"
        third.answer()
        await call.until_over()
        await asyncio.sleep(3)
        method = "UPDATE" if updates else "INVITE"
        assert shown(ring, method) == ["<sip:103@10.0.0.1>"]
        assert shown(third, method) == [], "it rang for this party already"
        assert (office.hears("102"), office.hears("103")) == ("103", "102")
        ring.hangup()
        await third.until_over()


async def test_a_phone_that_knows_from_change_sees_the_new_party_in_from() -> None:
    """RFC 4916 §4.3."""
    async with open_office(*OFFICE, stack=StackConfig(extensions=EXTENSIONS)) as office:
        a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
        b.stack._supported = "from-change"
        call, ring = await office.connect(a, b)
        await Referrer(a).refer(call, "103")
        (await c.rung()).answer()
        await call.until_over()
        await asyncio.sleep(2)
        (update,) = b.requests("UPDATE")
        assert "sip:103@" in (update.headers.get("from") or "")
        ring.hangup()
        assert await c.calls[-1].until_over() == 200, "the dialog is still known"


async def test_who_picks_up_is_shown_with_the_answer() -> None:
    async with open_office(*OFFICE) as office:
        a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
        call = a.dial("102")
        ring = await b.rung()
        ring.ring()
        await call.until_ringing()
        dialog = ring.on.dialog
        assert dialog is not None
        wanted = f"{ring.on.request.call_id};to-tag={dialog.remote_tag};from-tag={dialog.local_tag}"
        picked = c.dial("102", extra=(("Replaces", wanted),))
        await call.until_answered()
        assert a.responses(200)[-1].headers.get("p-asserted-identity") == "<sip:103@10.0.0.1>"
        call.hangup()
        await picked.until_over()
