"""The quick challenge is the one that the stack would give, and is given to nobody else."""

import re

import pytest

from sipcore.message import Response
from tests.support.builders import sdp, terminal
from tests.support.office import VirtualOffice, open_office

HOST = "10.0.9.9"
_NONCE = re.compile(r'nonce="[^"]*"')
METHODS = ["REGISTER", "INVITE", "SUBSCRIBE", "PUBLISH", "MESSAGE", "REFER"]


async def challenges(office: VirtualOffice, number: str, *extra: str, method: str = "REGISTER") -> list[bytes]:
    """What a request is answered with, nonces left out: before it is parsed, and by the stack."""
    raw, found = office.raw(number, HOST), []
    for gate in (office.driver.gate, None):
        office.driver.gate = gate
        raw.send(raw.request(method, "102", 1, *extra, body=sdp(HOST, 41000), branch="same", to_tag=""))
        response = await raw.expect_final(1)
        assert isinstance(response, Response)
        found.append(_NONCE.sub("", bytes(response).decode()).encode())
    return found


@pytest.mark.parametrize("method", METHODS)
async def test_it_is_what_the_stack_says(method: str) -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        quick, of_stack = await challenges(office, "101", method=method)
        assert quick == of_stack
        assert quick.startswith(b"SIP/2.0 401 Unauthorized\r\n")


async def test_it_is_counted_and_traced_like_any_other() -> None:
    async with open_office(terminal("101")) as office:
        seen: list[tuple[bytes, bool]] = []
        office.stack.tap = lambda data, _, inbound: seen.append((data, inbound))
        raw = office.raw("101", HOST)
        data = raw.request("REGISTER", "101", 1)
        raw.send(data)
        answer = await raw.expect(401)
        assert seen == [(data, True), (bytes(answer), False)]
        assert office.stack.counts["REGISTER"] == 1


@pytest.mark.parametrize(
    ("method", "extra", "status"),
    [
        ("OPTIONS", "Subject: nobody is asked who wants to know", 200),
        ("REGISTER", "Require: unheard-of", 420),
        ("PUBLISH", "Max-Forwards: x", 400),
        ("INVITE", "Authorization: Basic x", 401),
    ],
)
async def test_what_has_to_be_looked_at_is_left_to_the_stack(method: str, extra: str, status: int) -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        raw = office.raw("101", HOST)
        data = raw.request(method, "102", 1, extra)
        if extra.startswith("Max-Forwards"):
            data = data.replace(b"Max-Forwards: 70\r\n", b"")
        assert office.gate.judge(data, office.udp.flow_to(*raw.address)) is None
        raw.send(data)
        assert (await raw.expect_final(1)).status == status


async def test_a_trusted_address_is_not_asked() -> None:
    async with open_office(terminal("101", trust=HOST)) as office:
        raw = office.raw("101", HOST)
        raw.send(raw.request("REGISTER", "101", 1))
        assert (await raw.expect_final(1)).status == 200


async def test_a_request_inside_a_dialog_is_not_asked() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        raw = office.raw("101", HOST)
        raw.send(raw.request("INVITE", "102", 2, body=sdp(HOST, 41000), to_tag="nobody's"))
        assert (await raw.expect_final(1)).status == 481
