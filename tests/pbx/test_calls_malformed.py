"""Requests that are wrong in a place where only call control looks: answered, never an exception, nothing kept."""

import pytest

from tests.support.builders import sdp, terminal
from tests.support.office import open_office
from tests.support.ua import RawPhone

HOST = "10.0.9.9"
MALFORMED = (
    "Contact: <sip:",
    "Contact: *",
    "Contact: nonsense",
    "Contact: <urn:x>",
    "Contact: <sip:101@>",
    "Record-Route: <sip:",
    "Record-Route: nonsense",
    "Record-Route: <sip:10.0.0.9>",
    "Record-Route: <nonsense>",
    "Route: <sip:",
    "P-Asserted-Identity: <<<",
    "Supported: \x07",
    "Expires: x",
    "Session-Expires: x",
    "Reason: x",
    "Replaces: x",
    "Content-Type: ",
    "Authorization: x",
    "User-Agent: \x01\xff",
    "Timestamp: x",
    "Max-Forwards: 0",
)


def text(raw: RawPhone, header: str, number: str = "10003246") -> bytes:
    """An INVITE with one header replaced or added."""
    name = header.partition(":")[0].encode()
    request = raw.request("INVITE", number, 1, body=sdp(HOST, 41000), branch="odd")
    kept = [line for line in request.split(b"\r\n") if not line.startswith(name + b":")]
    kept.insert(1, header.encode("latin-1"))
    return b"\r\n".join(kept)


@pytest.mark.parametrize("number", ["10003246", "102", "999"])
@pytest.mark.parametrize("header", MALFORMED)
async def test_a_malformed_header_of_an_invite_gets_an_answer_and_leaves_nothing(header: str, number: str) -> None:
    async with open_office(terminal("101", trust=HOST), terminal("102")) as office:
        raw = office.raw("101", HOST)
        raw.send(text(raw, header, number))
        final = await raw.expect_final(10)
        if final.status == 200:
            raw.send(raw.request("ACK", number, 1))
            raw.send(raw.request("BYE", number, 2))
        else:
            raw.send(raw.request("ACK", number, 1, branch="odd"))


@pytest.mark.parametrize("header", MALFORMED)
async def test_a_malformed_header_of_an_answer_ends_the_call_or_does_not_matter(header: str) -> None:
    async with open_office(terminal("101"), terminal("102", trust=HOST)) as office:
        a, raw = await office.registered("101"), office.raw("102", HOST)
        call = a.dial("102")
        invite = await raw.expect_request("INVITE")
        lines = bytes(invite).split(b"\r\n")
        kept = [line for line in lines if line.lower().startswith((b"via:", b"from:", b"call-id:", b"cseq:"))]
        body = sdp(HOST, 41000, ("PCMA",))
        answer = [
            b"SIP/2.0 200 OK",
            *kept,
            b"To: " + (invite.headers.get("to") or "").encode() + b";tag=odd",
            *([] if header.startswith("Contact") else [f"Contact: <sip:102@{HOST}>".encode()]),
            header.encode("latin-1"),
            *([] if header.startswith("Content-Type") else [b"Content-Type: application/sdp"]),
            f"Content-Length: {len(body)}".encode(),
            b"",
            body,
        ]
        raw.send(b"\r\n".join(answer))
        await call.until_settled(40)
        if not call.is_over:
            call.hangup()
            await call.until_over()


async def test_a_request_inside_a_call_with_a_malformed_contact_is_answered() -> None:
    async with open_office(terminal("101", trust=HOST)) as office:
        raw = office.raw("101", HOST)
        raw.send(raw.request("INVITE", "10003246", 1, body=sdp(HOST, 41000)))
        await raw.expect(200)
        raw.send(raw.request("ACK", "10003246", 1))
        odd = raw.request("INVITE", "10003246", 2, body=sdp(HOST, 41000, version=2), branch="odd")
        raw.send(odd.replace(f"Contact: <sip:101@{HOST}:5060>".encode(), b"Contact: <sip:"))
        final = await raw.expect_final(10)
        assert final.status in (200, 400)
        raw.send(raw.request("ACK", "10003246", 2, branch="odd" if final.status >= 300 else ""))
        raw.send(raw.request("BYE", "10003246", 3))
        while (await raw.expect(200)).cseq.method != "BYE":
            pass
