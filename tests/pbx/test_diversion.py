"""Phones that send calls on, what the next one is told, and loops that come to an end."""

import pytest

from pbx.diversion import MOST, Way
from sipcore.build import response_to
from sipcore.headers import HistoryInfo
from sipcore.uri import parse_uri
from tests.pbx.test_identity import invite
from tests.support.builders import sdp, terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone, PhoneCall

OFFICE = tuple(terminal(number) for number in ("101", "102", "103", "104"))


def redirect(ring: PhoneCall, contact: str, status: int = 302) -> None:
    ring._do(lambda now: ring.on.reject(status, now, extra=[("Contact", contact)]))


async def four(office: VirtualOffice) -> list[Phone]:
    return [await office.registered(number) for number in ("101", "102", "103", "104")]


async def test_rfc_5359_2_7_call_forwarding_by_the_phone() -> None:
    async with open_office(*OFFICE) as office:
        a, b, c, _ = await four(office)
        call = a.dial("102")
        redirect(await b.rung(), "<sip:103@10.0.0.1>")
        ring = await c.rung()
        assert ring.invite is not None
        assert ring.invite.headers.raw("diversion") == ["<sip:102@10.0.0.1>;reason=unconditional;counter=1;privacy=off"]
        assert ring.invite.headers.values("history-info") == [
            "<sip:102@10.0.0.1?Reason=SIP%3Bcause%3D302>;index=1",
            "<sip:103@10.0.0.1>;index=1.1;mp=1",
        ]
        ring.answer()
        await call.until_answered()
        assert a.responses(200)[-1].headers.get("p-asserted-identity") == "<sip:103@10.0.0.1>"
        assert office.hears("101") == "103"
        call.hangup()
        await ring.until_over()
    assert [(row.to_number, row.disposition, row.cause) for row in office.rows] == [
        ("102", "FAILED", "redirected"),
        ("103", "ANSWERED", "normal"),
    ]


async def test_a_phone_that_rang_first_deflects_and_the_next_may_send_on_too() -> None:
    async with open_office(*OFFICE) as office:
        a, b, c, d = await four(office)
        call = a.dial("102")
        first = await b.rung()
        first.ring()
        await call.until_ringing()
        redirect(first, "<tel:103>")
        redirect(await c.rung(), "<sip:104@10.0.0.1>", 301)
        ring = await d.rung()
        assert ring.invite is not None
        assert [each.partition(";")[2].partition(";")[0] for each in ring.invite.headers.values("diversion")] == [
            "reason=unconditional",
            "reason=deflection",
        ]
        assert [HistoryInfo.parse(each).index for each in ring.invite.headers.values("history-info")] == [
            "1",
            "1.1",
            "1.1.1",
        ]
        ring.reject(486)
        assert await call.until_over() == 486


async def test_phones_that_redirect_to_each_other_make_no_loop() -> None:
    async with open_office(*OFFICE) as office:
        a, b, c, _ = await four(office)
        call = a.dial("102")
        redirect(await b.rung(), "<sip:103@10.0.0.1>")
        redirect(await c.rung(), "<sip:102@10.0.0.1>")
        assert await call.until_over() == 482
        assert not b.is_ringing


async def test_a_phone_that_redirects_to_itself_is_given_up() -> None:
    async with open_office(*OFFICE) as office:
        a, b, *_ = await four(office)
        call = a.dial("102")
        redirect(await b.rung(), "<sip:102@10.0.0.1>")
        assert await call.until_over() == 482


@pytest.mark.parametrize("contact", ["<sip:103@evil.example>", "<sip:+4930123456@10.0.0.1>", "<<>>", "*", "<mailto:x>"])
async def test_nobody_is_redirected_out_of_the_office(contact: str) -> None:
    async with open_office(*OFFICE) as office:
        a, b, c, _ = await four(office)
        call = a.dial("102")
        redirect(await b.rung(), contact)
        assert await call.until_over() == 480
        assert not c.is_ringing


async def test_one_phone_decides_for_all_of_its_number() -> None:
    async with open_office(*OFFICE) as office:
        a, b, c, _ = await four(office)
        twin = await office.registered("102", "10.0.7.7")
        call = a.dial("102")
        other = await twin.rung()
        other.ring()
        redirect(await b.rung(), "<sip:103@10.0.0.1>")
        assert await other.until_over() == 487
        (await c.rung()).reject(603)
        assert await call.until_over() == 603


async def test_a_call_without_hops_left_goes_nowhere() -> None:
    async with open_office(terminal("101", trust="10.0.9.9"), *OFFICE[1:]) as office:
        b = await office.registered("102")
        raw = office.raw("101", "10.0.9.9")
        body = sdp("10.0.9.9", 40000)
        text = raw.request("INVITE", "102", 1, body=body).replace(b"Max-Forwards: 70", b"Max-Forwards: 0")
        raw.send(text)
        assert (await raw.expect_final()).status == 483
        assert not b.is_ringing
        raw.send(raw.request("ACK", "102", 1, branch="raw101-1"))


async def test_hops_become_fewer_through_us() -> None:
    async with open_office(terminal("101", trust="10.0.9.9"), *OFFICE[1:]) as office:
        b = await office.registered("102")
        raw = office.raw("101", "10.0.9.9")
        body = sdp("10.0.9.9", 40000)
        raw.send(raw.request("INVITE", "102", 1, body=body).replace(b"Max-Forwards: 70", b"Max-Forwards: 7"))
        ring = await b.rung()
        assert ring.invite is not None
        assert ring.invite.headers.get("max-forwards") == "6"
        ring.reject(486)
        await raw.expect(486)
        raw.send(raw.request("ACK", "102", 1, branch="raw101-1"))


@pytest.mark.parametrize(("breadth", "told"), [("5", "2"), ("2", "1"), ("x", None), ("", None)])
async def test_the_phones_of_a_terminal_share_the_breadth_that_is_left(breadth: str, told: str | None) -> None:
    """RFC 5393 §5.3.3: a call that others count is not multiplied here without being counted."""
    async with open_office(terminal("101", trust="10.0.9.9"), *OFFICE[1:]) as office:
        phones = [await office.registered("102", f"10.0.5.{at}") for at in (1, 2)]
        raw = office.raw("101", "10.0.9.9")
        extra = (f"Max-Breadth: {breadth}",) if breadth else ()
        raw.send(raw.request("INVITE", "102", 1, *extra, body=sdp("10.0.9.9", 40000)))
        rings = [await phone.rung() for phone in phones]
        assert [ring.invite and ring.invite.headers.get("max-breadth") for ring in rings] == [told, told]
        for ring in rings:
            ring.reject(486)
        await raw.expect(486)
        raw.send(raw.request("ACK", "102", 1, branch="raw101-1"))


@pytest.mark.parametrize("breadth", [0, 1])
async def test_a_call_that_may_not_be_forked_so_far_is_refused(breadth: int) -> None:
    async with open_office(terminal("101", trust="10.0.9.9"), *OFFICE[1:]) as office:
        phones = [await office.registered("102", f"10.0.5.{at}") for at in (1, 2)]
        raw = office.raw("101", "10.0.9.9")
        raw.send(raw.request("INVITE", "102", 1, f"Max-Breadth: {breadth}", body=sdp("10.0.9.9", 40000)))
        assert (await raw.expect_final()).status == 440
        assert not any(phone.is_ringing for phone in phones)
        raw.send(raw.request("ACK", "102", 1, branch="raw101-1"))
    assert [row.cause for row in office.rows] == ["too_many_phones_at_once"]


async def test_an_invite_of_ours_that_comes_back_is_a_loop() -> None:
    async with open_office(terminal("101", trust="10.0.9.9"), terminal("102", trust="10.0.9.9")) as office:
        raw = office.raw("102", "10.0.9.9")
        a = office.raw("101", "10.0.9.9", 5070)
        a.send(a.request("INVITE", "102", 1, body=sdp("10.0.9.9", 40000)))
        theirs = await raw.expect_request("INVITE")
        back = raw.request("INVITE", "102", 1, f"Via: {theirs.via}", body=sdp("10.0.9.9", 40000))
        raw.send(back)
        assert (await raw.expect_final()).status == 482
        raw.send(raw.request("ACK", "102", 1, branch="raw102-1"))
        raw.send(bytes(response_to(theirs, 486, to_tag="x")))
        await a.expect(486)
        a.send(a.request("ACK", "102", 1, branch="raw101-1"))


def test_only_a_trusted_source_is_believed_about_the_way() -> None:
    lines = ("Diversion: <sip:500@gw>;reason=user-busy", "History-Info: <sip:500@gw>;index=1")
    assert Way.of(invite(*lines), is_trusted=False).fields("h") == []
    told = Way.of(invite(*lines), is_trusted=True).fields("h")
    assert told == [("Diversion", "<sip:500@gw>;reason=user-busy"), ("History-Info", "<sip:500@gw>;index=1")]


@pytest.mark.parametrize("line", ["Diversion: <sip:", "History-Info: ,<<", "Diversion: \x00"])
def test_a_way_that_cannot_be_read_says_nothing(line: str) -> None:
    assert Way.of(invite("Subject: x") if "\x00" in line else invite(line), is_trusted=True).fields("h") == []


def test_a_call_that_went_on_too_often_elsewhere_goes_no_further() -> None:
    lines = [f"Diversion: <sip:50{n}@gw>" for n in range(MOST + 5)]
    way = Way.of(invite(*lines), is_trusted=True)
    assert len(way.diversions) == MOST
    assert way.refusal("103", "102", MOST) is not None
    assert Way().refusal("103", "102", MOST) is None


@pytest.mark.parametrize(
    ("text", "index"), [(";index=1.2.1", "1.2.1"), ("", "1"), (";index=x", "1"), (";index=1..2", "1")]
)
def test_the_index_of_a_history_entry(text: str, index: str) -> None:
    found = HistoryInfo.parse(f"<sip:102@h>{text}")
    assert (found.uri, found.index) == (parse_uri("sip:102@h"), index)
