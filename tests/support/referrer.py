"""A phone that transfers: REFER inside its call, NOTIFYs taken as they come."""

import asyncio

from sipcore.build import response_to
from sipcore.events import ResponseArrived
from sipcore.flow import Flow
from sipcore.headers import SubscriptionState
from sipcore.message import Request, Response
from sipcore.parse import parse_message
from tests.support.ua import Phone, PhoneCall


class Referrer:
    """`notes` are the outcomes that the phone was told: `active 100`, `terminated 200`. `answers` is its response to
    a NOTIFY; 0 is none."""

    def __init__(self, phone: Phone) -> None:
        self.phone, self.answers = phone, 200
        self.notes: list[str] = []
        self.notifies: list[Request] = []
        self._told = asyncio.Event()
        self._receive = phone.stack.receive
        phone.stack.receive = self._take  # type: ignore[method-assign]

    async def refer(self, call: PhoneCall, target: str, *extra: tuple[str, str]) -> Response:
        """Send a REFER in the dialog of the call; its final response. `target`: a number, or a whole Refer-To value."""
        arrived = await self.start(call, target, *extra)
        assert arrived.response is not None, arrived.status
        return arrived.response

    def start(self, call: PhoneCall, target: str, *extra: tuple[str, str]) -> "asyncio.Future[ResponseArrived]":
        where = target if "<" in target else f"<sip:{target}@{self.phone.server[0]}>"
        return self.send(call, ("Refer-To", where), *extra)

    def send(self, call: PhoneCall, *extra: tuple[str, str]) -> "asyncio.Future[ResponseArrived]":
        """A REFER with exactly these headers of its own."""
        phone, dialog = self.phone, call.on.dialog
        assert dialog is not None
        request = dialog.request("REFER", extra=[("Contact", phone.contact), *extra])
        done: asyncio.Future[ResponseArrived] = asyncio.get_running_loop().create_future()
        phone.stack.send(request, call.on.flow, phone.driver.now(), user=done)
        phone.driver.kick()
        self._told.clear()
        return done

    async def until_told(self, within_s: float = 700.0) -> int:
        """The final status of the transfer."""
        async with asyncio.timeout(within_s):
            await self._told.wait()
        return int(self.notes[-1].split()[1])

    def _take(self, data: bytes, flow: Flow, now: float) -> None:
        if not data.startswith(b"NOTIFY "):
            self._receive(data, flow, now)
            return
        request = parse_message(data)
        assert isinstance(request, Request)
        if self.answers:
            self.phone.stack._send(bytes(response_to(request, self.answers)), flow)
        if request.cseq.number in [each.cseq.number for each in self.notifies if each.call_id == request.call_id]:
            return
        self.notifies.append(request)
        state = request.headers.first(SubscriptionState)
        assert state is not None
        assert request.content_type.startswith("message/sipfrag")
        if state.state == "terminated":
            self._told.set()
        self.notes.append(f"{state.state} {request.body.split()[1].decode()}")
