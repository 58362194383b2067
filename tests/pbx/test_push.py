"""Phones that sleep (RFC 8599): the call waits for them, nobody else waits, nothing goes out without a gateway."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pbx.events import RegistrationChange
from pbx.push import HttpPushSender, Wake, Waker
from pbx.registrar import RegistrationExtras
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone

WAIT_S = 15.0
Heard = tuple[str, str, dict[str, str]]  # path, content type, body


class Notes:
    """Notes who is to be woken."""

    def __init__(self) -> None:
        self.asked: list[Wake] = []

    async def notify(self, wake: Wake) -> None:
        self.asked.append(wake)

    def describe(self) -> dict[str, int]:
        return {"sent": len(self.asked)}


def with_gateway(office: VirtualOffice) -> Notes:
    gateway = Notes()
    office.pbx.waker = Waker(gateway, office.bus, WAIT_S)
    office.registrar._extras = RegistrationExtras(wakes_phones=True)
    return gateway


def sleeper(phone: Phone) -> str:
    host, port = phone.address
    return f"<sip:{phone.number}@{host}:{port};pn-provider=apns;pn-prid=device1;pn-param=team.app>"


async def test_the_call_waits_until_the_phone_has_registered_again() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        gateway = with_gateway(office)
        asleep = office.phone("101")
        answer = await asleep.register(contact=sleeper(asleep))
        assert answer.headers.get("feature-caps") == '*;+sip.pns="apns"'
        caller = await office.registered("102")
        call = caller.dial("101")
        await asyncio.sleep(3)
        assert not asleep.requests("INVITE")
        (wake,) = gateway.asked
        assert (wake.provider, wake.prid, wake.param) == ("apns", "device1", "team.app")
        assert (wake.number, wake.caller) == ("101", "102")
        await asleep.register(contact=sleeper(asleep))
        (await asleep.rung()).reject(486)
        assert await call.until_over() == 486


async def test_a_phone_that_wakes_up_elsewhere_is_rung_there_and_nowhere_else() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        with_gateway(office)
        before, after = office.phone("101", "10.0.2.1"), office.phone("101", "10.0.2.2")
        await before.register(contact=sleeper(before))
        caller = await office.registered("102")
        call = caller.dial("101")
        await asyncio.sleep(2)
        await after.register(contact=sleeper(after))
        (await after.rung()).reject(603)
        assert await call.until_over() == 603
        assert len(office.location.bindings("101")) == 1
        assert not before.requests("INVITE")


async def test_a_phone_that_does_not_wake_up_is_unavailable() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        with_gateway(office)
        asleep = office.phone("101")
        await asleep.register(contact=sleeper(asleep))
        caller = await office.registered("102")
        call, began = caller.dial("101"), office.clock.now()
        assert await call.until_over() == 480
        assert office.clock.now() - began == pytest.approx(WAIT_S, abs=1.0)


async def test_the_desk_phone_rings_at_once_and_the_sleeper_joins() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        with_gateway(office)
        desk, asleep = await office.registered("101", "10.0.2.1"), office.phone("101", "10.0.2.2")
        await asleep.register(contact=sleeper(asleep))
        caller = await office.registered("102")
        call = caller.dial("101")
        ringing = await desk.rung()
        ringing.ring()
        await call.until_ringing()
        await asleep.register(contact=sleeper(asleep))
        woken = await asleep.rung()
        woken.answer()
        await call.until_answered()
        assert await ringing.until_over() == 487
        call.hangup()
        await woken.until_over()


async def test_the_desk_phone_may_refuse_while_the_other_wakes_up() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        with_gateway(office)
        desk, asleep = await office.registered("101", "10.0.2.1"), office.phone("101", "10.0.2.2")
        await asleep.register(contact=sleeper(asleep))
        caller = await office.registered("102")
        call = caller.dial("101")
        (await desk.rung()).reject(486)
        await asyncio.sleep(2)
        assert not call.is_over
        assert await call.until_over() == 486  # nobody woke up


async def test_a_caller_who_gives_up_leaves_nothing_behind() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        with_gateway(office)
        asleep = office.phone("101")
        await asleep.register(contact=sleeper(asleep))
        caller = await office.registered("102")
        call = caller.dial("101")
        await asyncio.sleep(1)
        call.hangup()
        assert await call.until_over() == 487
        await asyncio.sleep(0.1)
        assert office.pbx.waker.describe()["waiting"] == 0
        await asleep.register(contact=sleeper(asleep))
        assert not asleep.is_ringing


async def test_without_a_gateway_nothing_goes_out_and_the_phone_rings_as_any() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        asleep = office.phone("101")
        answer = await asleep.register(contact=sleeper(asleep))
        assert answer.headers.get("feature-caps") is None
        caller = await office.registered("102")
        call = caller.dial("101")
        (await asleep.rung()).reject(486)
        assert await call.until_over() == 486
        assert RegistrationChange.ADDED in [event.change for event in office.events if hasattr(event, "change")]


@contextmanager
def web_server(status: int) -> Iterator[tuple[str, list[Heard]]]:
    """A gateway on a loopback port that answers with `status`."""
    heard: list[Heard] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append((self.path, self.headers["Content-Type"], json.loads(body)))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/wake", heard
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.real_loop
@pytest.mark.parametrize(("status", "counts"), [(200, (1, 0)), (503, (0, 1))])
async def test_the_gateway_is_asked_over_http(status: int, counts: tuple[int, int]) -> None:
    with web_server(status) as (url, heard):
        gateway = HttpPushSender(url)
        await gateway.notify(Wake("fcm", "token", "project", "101", "102", "zvon-1.1"))
    wanted = {"provider": "fcm", "prid": "token", "param": "project", "number": "101", "caller": "102"}
    assert heard == [("/wake", "application/json", {**wanted, "call": "zvon-1.1"})]
    assert gateway.describe() == dict(zip(("sent", "failed"), counts, strict=True))


@pytest.mark.real_loop
@pytest.mark.parametrize("url", ["http://127.0.0.1:1/wake", "http://[::1/wake"])
async def test_a_gateway_that_is_not_there_is_counted_and_nothing_else(url: str) -> None:
    gateway = HttpPushSender(url)
    await gateway.notify(Wake("fcm", "token", "", "101", "102", "zvon-1.1"))
    assert gateway.describe() == {"sent": 0, "failed": 1}
