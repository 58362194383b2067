"""Torture messages of RFC 4475 that only call control and the registrar can judge: each gets the answer the RFC names.

The vectors are sent by a trusted terminal as they are; only the users that they name are ones that exist here.
"""

import re
from pathlib import Path

import pytest

from sipcore.headers import Contact
from sipcore.message import Response
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office

FOLDER = Path(__file__).parents[1] / "vectors" / "torture" / "rfc4475"
HOST = "10.0.9.9"
ECHO = b"10003246"


def vector(name: str) -> bytes:
    """The message, from terminal 101, an INVITE for the echo."""
    data = (FOLDER / f"{name}.dat").read_bytes()
    data = re.sub(rb"^INVITE sip:user@", b"INVITE sip:" + ECHO + b"@", data)
    data = re.sub(rb"From: sip:[a-z._]+@", b"From: sip:101@", data)
    return re.sub(rb"To: sip:[a-z._]+@", b"To: sip:101@", data) if data.startswith(b"REGISTER") else data


async def answer_to(office: VirtualOffice, name: str) -> Response:
    """Its final answer; a call that came of it is ended."""
    raw = office.raw("101", HOST)
    raw.send(vector(name))
    final = await raw.expect_final(10)
    for call in list(office.pbx.calls):
        office.pbx.hangup(call)
    return final


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("regbadct", 400),  # §3.1.2.13: a `?` outside brackets
        ("unksm2", 400),  # §3.3.4: the To of a REGISTER is no SIP URI
        ("unkscm", 416),
        ("novelsc", 416),
        ("bext01", 420),
        ("invut", 415),
        ("sdp01", 406),  # §3.3.8: an answer in SDP is not wanted
        ("zeromf", 200),  # §3.3.11: an endpoint takes it as if there were hops left
        ("regaut01", 200),  # §3.3.7: this registrar does not care about credentials of a trusted address
        ("baddate", 200),  # §3.1.2.12: a Date that no one needs
        ("escruri", 200),  # §3.1.2.11: headers of a Request-URI are ignored
    ],
)
async def test_the_answer_is_the_one_the_rfc_asks_for(name: str, status: int) -> None:
    async with open_office(terminal("101", trust=HOST)) as office:
        assert (await answer_to(office, name)).status == status


async def test_a_refusal_of_types_says_what_would_do() -> None:
    async with open_office(terminal("101", trust=HOST)) as office:
        assert (await answer_to(office, "invut")).headers.get("accept") == "application/sdp, multipart/mixed"
    async with open_office(terminal("101", trust=HOST)) as office:
        assert (await answer_to(office, "sdp01")).headers.raw("warning")[0].startswith("399 ")


async def test_a_caller_without_credentials_is_challenged_whatever_scheme_it_tried() -> None:
    async with open_office(terminal("101")) as office:
        assert (await answer_to(office, "regaut01")).status == 401


@pytest.mark.parametrize(("name", "is_of_the_uri"), [("cparam01", False), ("cparam02", True)])
async def test_a_parameter_belongs_to_the_contact_or_to_its_uri_as_the_brackets_say(
    name: str, is_of_the_uri: bool
) -> None:
    async with open_office(terminal("101", trust=HOST)) as office:
        contact = (await answer_to(office, name)).headers.first(Contact)
        assert contact is not None
        assert contact.sip_uri is not None
        assert ("unknownparam" in contact.sip_uri.params) is is_of_the_uri


async def test_an_escaped_header_of_a_contact_is_kept() -> None:
    async with open_office(terminal("101", trust=HOST)) as office:
        contact = (await answer_to(office, "regescrt")).headers.first(Contact)
        assert contact is not None
        assert contact.sip_uri is not None
        assert contact.sip_uri.headers == (("Route", "<sip:sip.example.com>"),)
