"""What is negotiated between phones with different codecs, and what each side learns of the other."""

import asyncio

import pytest

from media.api import Payload
from tests.support.builders import codecs_of, terminal
from tests.support.office import SERVER, VirtualOffice, open_office

EVENT = "telephone-event"


def sends(office: VirtualOffice, number: str) -> list[tuple[int, str]]:
    spec = office.endpoint_of(number).spec
    assert spec is not None
    return [(payload.number, payload.name) for payload in spec.payloads]


@pytest.mark.parametrize(
    ("caller", "callee", "at_caller", "at_callee"),
    [
        (("PCMA", EVENT), ("PCMU", EVENT), "PCMA", "PCMU"),
        (("PCMU", EVENT), ("PCMA", EVENT), "PCMU", "PCMA"),
        (("PCMU", "PCMA", EVENT), ("PCMA", "PCMU", EVENT), "PCMA", "PCMA"),
        (("G722", "PCMA", EVENT), ("PCMA", EVENT), "PCMA", "PCMA"),
        (("G722", "PCMA", EVENT), ("PCMU", EVENT), "PCMA", "PCMU"),
        (("G722", EVENT), ("G722", "PCMA", EVENT), "G722", "G722"),
        (("G722", EVENT), ("PCMA", EVENT), "G722", "PCMA"),
        (("opus", "PCMA", EVENT), ("G722", EVENT), "opus", "G722"),
        (("PCMA", "opus", EVENT), ("opus", "PCMA", EVENT), "opus", "opus"),
        (("iLBC", "PCMA", EVENT), ("iLBC", EVENT), "iLBC", "iLBC"),
        (("opus", "PCMA", EVENT), ("opus", EVENT), "opus", "opus"),
    ],
)
async def test_both_sides_get_a_codec_that_they_know_and_that_reaches_the_other(
    caller: tuple[str, ...], callee: tuple[str, ...], at_caller: str, at_callee: str
) -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101", codecs=caller)
        b = await office.registered("102", codecs=callee)
        call, ring = await office.connect(a, b)
        assert sends(office, "101")[0][1] == at_caller
        assert sends(office, "102")[0][1] == at_callee
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        call.hangup()
        await ring.until_over()


@pytest.mark.parametrize(
    ("caller", "callee"),
    [(("iLBC", EVENT), ("PCMA", EVENT)), (("iLBC", EVENT), ("G722", EVENT)), (("PCMA", EVENT), ("iLBC", EVENT))],
)
async def test_phones_without_a_way_to_each_other_are_told_so(caller: tuple[str, ...], callee: tuple[str, ...]) -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101", codecs=caller)
        b = await office.registered("102", codecs=callee)
        call = a.dial("102")
        (await b.rung()).reject(488)
        assert await call.until_over() == 488
    assert (office.row.cause, office.row.disposition) == ("not_acceptable", "FAILED")


async def test_an_answer_without_a_codec_of_the_offer_ends_the_call_on_both_sides() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102")
        ring = await b.rung()
        ring.answer(ring.my_offer("iLBC"))
        assert await ring.until_over() == 200
        assert await call.until_over() >= 400
    assert office.row.disposition == "FAILED"


async def test_an_answer_that_refuses_the_stream_ends_the_call_on_both_sides() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102")
        ring = await b.rung()
        ring.answer(ring.my_answer().replace(b"m=audio 40", b"m=audio 0 ").replace(b"m=audio 0 120", b"m=audio 0"))
        assert await ring.until_over() == 200
        assert await call.until_over() >= 400


async def test_digits_travel_as_events_in_the_payload_number_of_each_side() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102")
        ring = await b.rung()
        assert ring.invite is not None
        assert EVENT in codecs_of(ring.invite.body)
        ring.answer(ring.my_answer().replace(b"101", b"96"))
        answered = await call.until_answered()
        assert EVENT in codecs_of(answered.sdp)
        await asyncio.sleep(0.1)
        assert sends(office, "101") == [(8, "PCMA"), (101, EVENT)]
        assert sends(office, "102") == [(8, "PCMA"), (96, EVENT)]
        call.hangup()
        await ring.until_over()


async def test_a_caller_without_events_does_not_get_them() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101", codecs=("PCMA",))
        b = await office.registered("102")
        call = a.dial("102")
        ring = await b.rung()
        ring.answer()
        assert codecs_of((await call.until_answered()).sdp) == ["PCMA"]
        call.hangup()
        await ring.until_over()


async def test_digits_pressed_during_a_call_are_kept_with_it() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        office.engine.press(office.leg_of("101").media.endpoint, "12#")
        (live,) = office.pbx.calls.values()
        assert live.digits == "12#"
        call.hangup()
        await ring.until_over()


@pytest.mark.row("REG-12")
async def test_neither_side_sees_the_address_or_the_headers_of_the_other() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101", "10.11.11.11")
        b = await office.registered("102", "10.22.22.22")
        call, ring = await office.connect(a, b)
        call.hold()
        await call.until_modified()
        call.resume()
        await call.until_modified()
        ring.hangup()
        await call.until_over()
        for phone, other in ((a, b), (b, a)):
            for message in phone.received:
                text = bytes(message).decode()
                assert other.host not in text, text
                assert f"Phone-{other.number}" not in text, text
                assert all(str(leaked) not in text for leaked in _tokens(other)), text


def _tokens(phone: object) -> set[str]:
    from tests.support.ua import Phone

    assert isinstance(phone, Phone)
    return {message.call_id for message in phone.sent if "register" not in str(message.cseq).lower()}


@pytest.mark.row("REG-19")
async def test_the_callee_is_told_the_callers_number_by_us_whatever_the_caller_claims() -> None:
    async with open_office(terminal("101", trust="10.0.9.9"), terminal("102")) as office:
        b = await office.registered("102")
        raw = office.raw("101", "10.0.9.9")
        claims = ('P-Asserted-Identity: "Boss" <sip:100@evil.example>', "Remote-Party-ID: <sip:100@evil.example>")
        raw.send(raw.request("INVITE", "102", 1, *claims))
        ring = await b.rung()
        assert ring.invite is not None
        assert ring.invite.headers.raw("p-asserted-identity") == [f"<sip:101@{SERVER[0]}>"]
        assert "evil" not in bytes(ring.invite).decode()
        ring.reject(486)
        refusal = await raw.expect(486)
        raw.to_tag = refusal.to.tag or ""
        raw.send(raw.request("ACK", "102", 1, branch="raw101-1"))


def test_a_payload_is_written_for_the_engine_with_all_it_needs() -> None:
    from pbx.media_endpoint import payloads_of
    from tests.support.builders import FORMATS

    assert payloads_of((FORMATS["opus"],)) == (Payload(111, "opus", 48000, 2),)
