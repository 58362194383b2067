"""A challenge costs the server nothing and a forged source no more than one datagram."""

import asyncio

from sipcore.message import Response
from tests.support.builders import sdp, terminal
from tests.support.office import open_office

HOST = "10.0.9.9"


async def test_a_challenged_invite_is_answered_once_and_forgotten() -> None:
    """Whoever writes a victim's address into an INVITE must not have the server repeat its answer for half a minute."""
    async with open_office(terminal("101"), terminal("102")) as office:
        raw = office.raw("101", HOST)
        raw.send(raw.request("INVITE", "102", 1, body=sdp(HOST, 41000), branch="once"))
        assert (await raw.expect_final(1)).status == 401
        assert office.stack.describe()["server_transactions"] == 0
        await asyncio.sleep(40)
        assert len(raw.received) == 1


async def test_a_repeated_invite_gets_a_challenge_of_the_same_dialog_and_its_ack_is_no_stray() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        raw = office.raw("101", HOST)
        invite = raw.request("INVITE", "102", 1, body=sdp(HOST, 41000), branch="twice")
        raw.send(invite)
        first = await raw.expect_final(1)
        raw.send(invite)
        second = await raw.expect_final(1)
        assert isinstance(first, Response)
        assert first.to.tag == second.to.tag
        raw.send(raw.request("ACK", "102", 1, branch="twice", to_tag=first.to.tag))
        await asyncio.sleep(1)
        assert "stray_ack" not in office.stack.drops
