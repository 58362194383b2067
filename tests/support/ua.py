"""A scripted phone: a `SipStack` of its own on the in-memory network, driven by the test ("ring, after 2 s answer").

`Phone` behaves as a good phone does (transactions, retransmissions, digest); `RawPhone` sends the bytes it is told.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from sipcore.auth.digest import answer, choose
from sipcore.build import new_request
from sipcore.dialog.session import InviteSession
from sipcore.events import (
    InviteArrived,
    OfferReceived,
    RequestArrived,
    ResponseArrived,
    SessionAnswered,
    SessionConfirmed,
    SessionEnded,
    SessionEvent,
    SessionModified,
    SessionProgress,
    StackEvent,
)
from sipcore.flow import Flow
from sipcore.headers import WwwAuthenticate
from sipcore.message import Request, Response
from sipcore.parse import MalformedMessage, parse_message
from sipcore.stack import SipStack, StackConfig
from sipcore.transport.driver import SipDriver
from sipcore.uri import SipUri
from tests.support.builders import BASIC, answer_sdp, sdp
from tests.support.ids import CountingIds
from tests.support.wire import Address, Datagrams, Wire

PATIENCE_S = 700.0  # longer than the longest ringing
T = TypeVar("T")
Event = TypeVar("Event", bound=SessionEvent)


class PhoneCall:
    """A call as its phone sees it."""

    def __init__(self, phone: "Phone", session: InviteSession | None = None) -> None:
        self.phone = phone
        self.session = session
        self.version = 1
        self.statuses: list[int] = []
        self.tags: list[str] = []
        self.heard: list[SessionEvent] = []
        self.ended: SessionEnded | None = None
        self.is_answered = False
        self.invite: Request | None = None
        self.refuse_offers: int = 0
        self.answers_offers = True
        self._inbox: deque[SessionEvent] = deque()
        self._news = asyncio.Event()

    # --- acting -----------------------------------------------------------------------------------------------------

    @property
    def on(self) -> InviteSession:
        assert self.session is not None
        return self.session

    @property
    def is_over(self) -> bool:
        return self.ended is not None

    def ring(self, *, early: bytes = b"", status: int = 0) -> None:
        self._do(lambda now: self.on.progress(status or (183 if early else 180), now, sdp=early))

    def answer(self, description: bytes | None = None) -> None:
        self._do(lambda now: self.on.answer(self.my_answer() if description is None else description, now))

    def reject(self, status: int) -> None:
        self._do(lambda now: self.on.reject(status, now))

    def hangup(self) -> None:
        """CANCEL or BYE, whatever the state demands."""
        self._do(lambda now: self.on.end(now))

    def modify(self, description: bytes) -> None:
        """Send a re-INVITE."""
        self._do(lambda now: self.on.modify(description, now))

    def inform(self, digit: str) -> None:
        """Press a key, told by INFO."""
        self._do(lambda now: self.on.inform(now, digit, 160))

    def hold(self, direction: str = "sendonly", *, connection: str = "") -> None:
        self.modify(self.my_offer(direction=direction, connection=connection))

    def resume(self) -> None:
        self.modify(self.my_offer())

    def my_offer(self, *codecs: str, direction: str = "sendrecv", connection: str = "") -> bytes:
        self.version += 1
        phone = self.phone
        return sdp(
            phone.host,
            phone.rtp_port,
            codecs or phone.codecs,
            direction=direction,
            version=self.version,
            connection=connection,
        )

    def my_answer(self) -> bytes:
        """The answer to the INVITE's offer (or our offer when it had none)."""
        assert self.invite is not None
        phone = self.phone
        if not self.invite.body:
            return self.my_offer()
        found = answer_sdp(self.invite.body, phone.host, phone.rtp_port, phone.codecs)
        assert found is not None, "no codec in common"
        return found

    def _do(self, step: Callable[[float], object]) -> None:
        driver = self.phone.driver
        now = driver.now()
        driver.stack.perform(self.on, step(now), now)  # type: ignore[arg-type]
        driver.kick()

    # --- watching ---------------------------------------------------------------------------------------------------

    async def next(self, kind: type[Event], within_s: float = PATIENCE_S) -> Event:
        """The next event of that kind; those before it are dropped."""
        async with asyncio.timeout(within_s):
            while True:
                while self._inbox:
                    event = self._inbox.popleft()
                    if isinstance(event, kind):
                        return event
                self._news.clear()
                await self._news.wait()

    async def until_ringing(self, within_s: float = PATIENCE_S) -> SessionProgress:
        return await self.next(SessionProgress, within_s)

    async def until_answered(self, within_s: float = PATIENCE_S) -> SessionAnswered:
        return await self.next(SessionAnswered, within_s)

    async def until_confirmed(self) -> SessionConfirmed:
        return await self.next(SessionConfirmed)

    async def next_offer(self) -> OfferReceived:
        """What the other side wants to change; for who has `answers_offers` off."""
        return await self.next(OfferReceived)

    def accept(self, description: bytes) -> None:
        self._do(lambda now: self.on.accept_offer(description, now))

    async def until_modified(self) -> SessionModified:
        return await self.next(SessionModified)

    async def until_over(self, within_s: float = PATIENCE_S) -> int:
        """Wait for the end; returns the status."""
        if self.ended is None:
            await self.next(SessionEnded, within_s)
        assert self.ended is not None
        return self.ended.status

    async def until_settled(self, within_s: float = PATIENCE_S) -> None:
        """Wait until the call is answered or over, whichever it will be."""
        async with asyncio.timeout(within_s):
            while not (self.is_answered or self.is_over):
                self._news.clear()
                await self._news.wait()

    def tell(self, event: SessionEvent) -> None:
        self.heard.append(event)
        match event:
            case SessionProgress():
                self.statuses.append(event.status)
                self.tags.append(event.tag)
            case SessionAnswered() | SessionConfirmed():
                self.is_answered = True
            case SessionEnded():
                self.ended = event
            case OfferReceived():
                self._take_offer(event)
            case _:
                pass
        self._inbox.append(event)
        self._news.set()

    def _take_offer(self, event: OfferReceived) -> None:
        if not self.answers_offers:
            return
        self.version += 1
        phone = self.phone
        mine: bytes | None = self.my_offer()
        if event.sdp:
            mine = answer_sdp(event.sdp, phone.host, phone.rtp_port, phone.codecs, version=self.version)
        refusal = self.refuse_offers or (488 if mine is None else 0)
        if refusal or mine is None:
            self._do(lambda now: self.on.refuse_offer(refusal, now))
        else:
            accepted = mine
            self._do(lambda now: self.on.accept_offer(accepted, now))


class Phone:
    """One device: an account, an address, codecs in order of liking."""

    def __init__(
        self,
        wire: Wire,
        number: str,
        address: Address,
        server: Address,
        *,
        password: str = "",
        codecs: tuple[str, ...] = BASIC,
        transport: str = "UDP",
        algorithm: str = "",
        extensions: frozenset[str] = frozenset(),
    ) -> None:
        self.wire, self.number, self.address, self.server = wire, number, address, server
        self.password, self.codecs, self.transport, self.algorithm = password, codecs, transport, algorithm
        self.host, self.rtp_port = address[0], 40000 + address[1] % 1000 * 2
        self.stack = SipStack(
            StackConfig(agent=f"Phone-{number}", extensions=extensions),
            CountingIds(f"p{number}-{address[0]}-{address[1]}"),
        )
        self.driver = SipDriver(self.stack, self._handle)
        self.stack.tap = self._tap
        self.received: list[Request | Response] = []
        self.sent: list[Request | Response] = []
        self.calls: list[PhoneCall] = []
        self.on_ring: Callable[[PhoneCall], None] | None = None
        self.on_request: Callable[[RequestArrived], None] | None = None
        self.user_agent = ""
        self.is_gone = False
        self.flow = self._open()
        self._rings: asyncio.Queue[PhoneCall] = asyncio.Queue()
        self._call_id = f"reg-{number}-{address[0]}-{address[1]}"
        self._cseq = 0
        self._challenge: WwwAuthenticate | None = None
        self._nc = 0

    def _open(self) -> Flow:
        if self.transport == "TCP":
            stream = self.wire.connect(self.address, self.server)
            assert stream is not None, "the server does not listen"
            self.stream = stream
            return stream.serve(self.driver)
        return Datagrams(self.wire, self.driver, self.address).flow_to(*self.server)

    @property
    def contact(self) -> str:
        suffix = "" if self.transport == "UDP" else f";transport={self.transport.lower()}"
        return f"<sip:{self.number}@{self.address[0]}:{self.address[1]}{suffix}>"

    @property
    def aor(self) -> str:
        return f"<sip:{self.number}@{self.server[0]}>"

    # --- registering ------------------------------------------------------------------------------------------------

    async def register(self, expires: int | None = 3600, *, contact: str | None = None, to: str = "") -> Response:
        """Register (answering one challenge); returns the last response."""
        response = await self.ask_register(expires, contact=contact, to=to)
        if response.status == 401:
            self._learn(response)
            response = await self.ask_register(expires, contact=contact, to=to, authorize=True)
        return response

    async def ask_register(
        self, expires: int | None = 3600, *, contact: str | None = None, to: str = "", authorize: bool = False
    ) -> Response:
        """One REGISTER as it is, and its final response."""
        self._cseq += 1
        extra: list[tuple[str, object]] = [] if expires is None else [("Expires", expires)]
        where = self.contact if contact is None else contact
        extra += [("Contact", where)] if where else []
        if self.user_agent:
            extra.append(("User-Agent", self.user_agent))
        return await self.ask("REGISTER", f"sip:{self.server[0]}", to or self.aor, extra, authorize=authorize)

    async def ask(
        self, method: str, uri: str, to: str, extra: list[tuple[str, object]] | None = None, *, authorize: bool = False
    ) -> Response:
        """Send a request outside dialogs and wait for its final response."""
        fields = list(extra or ())
        if authorize:
            fields.append(("Authorization", self.credentials(method, uri)))
        request = new_request(
            method,
            SipUri.parse(uri),
            from_=f"{self.aor};tag={self.stack.ids.tag()}",
            to=to,
            call_id=self._call_id,
            cseq=self._cseq,
            extra=fields,
        )
        done: asyncio.Future[ResponseArrived] = asyncio.get_running_loop().create_future()
        self.stack.send(request, self.flow, self.driver.now(), user=done)
        self.driver.kick()
        arrived = await done
        assert arrived.response is not None, f"no response to {method}: {arrived.status}"
        return arrived.response

    def _learn(self, response: Response) -> None:
        challenges = [
            each
            for each in response.headers.all(WwwAuthenticate)
            if not self.algorithm or each.algorithm == self.algorithm
        ]
        challenge = choose(challenges)
        assert isinstance(challenge, WwwAuthenticate)
        self._challenge, self._nc = challenge, 0

    def credentials(self, method: str, uri: str) -> object:
        assert self._challenge is not None
        self._nc += 1
        return answer(self._challenge, self.number, self.password, method, uri, "c0ffee", self._nc)

    # --- calling ----------------------------------------------------------------------------------------------------

    def dial(
        self, number: str, description: bytes | None = None, *codecs: str, extra: tuple[tuple[str, str], ...] = ()
    ) -> PhoneCall:
        """Send an INVITE; a challenge is answered."""
        call = PhoneCall(self)
        body = sdp(self.host, self.rtp_port, codecs or self.codecs) if description is None else description
        uri = SipUri.parse(f"sip:{number}@{self.server[0]}")
        call.invite = new_request(
            "INVITE",
            uri,
            from_=f"{self.aor};tag={self.stack.ids.tag()}",
            to=f"<{uri}>",
            call_id=self.stack.ids.call_id(),
            cseq=1,
            extra=extra,
            body=body,
        )
        self.calls.append(call)
        self._send_invite(call, call.invite)
        return call

    def dial_uri(self, text: str) -> PhoneCall:
        """Call a URI as it is written."""
        call = PhoneCall(self)
        call.invite = new_request(
            "INVITE",
            SipUri.parse(text),
            from_=f"{self.aor};tag={self.stack.ids.tag()}",
            to=f"<{text}>",
            call_id=self.stack.ids.call_id(),
            cseq=1,
            body=sdp(self.host, self.rtp_port, self.codecs),
        )
        self.calls.append(call)
        self._send_invite(call, call.invite)
        return call

    def _send_invite(self, call: PhoneCall, request: Request) -> None:
        fresh = Request(request.method, request.uri, request.headers.copy(), request.body)
        call.session = self.stack.invite(fresh, self.flow, self.contact, self.driver.now(), user=call)
        self.driver.kick()

    async def rung(self, within_s: float = PATIENCE_S) -> PhoneCall:
        """The next call that arrives."""
        async with asyncio.timeout(within_s):
            return await self._rings.get()

    @property
    def is_ringing(self) -> bool:
        return not self._rings.empty()

    # --- events -----------------------------------------------------------------------------------------------------

    def _handle(self, event: StackEvent) -> None:
        match event:
            case InviteArrived():
                self._invited(event)
            case RequestArrived():
                if self.on_request is not None:
                    self.on_request(event)
            case ResponseArrived():
                assert isinstance(event.user, asyncio.Future)
                event.user.set_result(event)
            case _ if isinstance(event, SessionEvent):
                call = event.session.user
                if isinstance(call, PhoneCall) and not self._retried(call, event):
                    call.tell(event)

    def _invited(self, event: InviteArrived) -> None:
        session = self.stack.accept_session(event.key, self.contact)
        if session is None:
            return
        call = PhoneCall(self, session)
        call.invite = event.request
        session.user = call
        self.calls.append(call)
        if self.on_ring is not None:
            self.on_ring(call)
        else:
            self._rings.put_nowait(call)

    def _retried(self, call: PhoneCall, event: SessionEvent) -> bool:
        """Answer the challenge to an INVITE, once."""
        if not isinstance(event, SessionEnded) or event.status != 401 or event.response is None:
            return False
        assert call.invite is not None
        if "authorization" in call.invite.headers or not self.password:
            return False
        self._learn(event.response)
        call.invite.headers.set("cseq", "2 INVITE")
        call.invite.headers.add("authorization", self.credentials("INVITE", str(call.invite.uri)))
        self._send_invite(call, call.invite)
        return True

    # --- what went over the wire ------------------------------------------------------------------------------------

    def _tap(self, data: bytes, flow: Flow, incoming: bool) -> None:
        with suppress(MalformedMessage):  # an answer has in it what was wrong with the request
            (self.received if incoming else self.sent).append(parse_message(data))

    def requests(self, method: str) -> list[Request]:
        """Requests of that method as they came, copies included."""
        return [each for each in self.received if isinstance(each, Request) and each.method == method]

    def responses(self, status: int) -> list[Response]:
        return [each for each in self.received if isinstance(each, Response) and each.status == status]


class RawPhone:
    """Sends and receives text; what it says is up to the test."""

    def __init__(self, wire: Wire, number: str, address: Address, server: Address) -> None:
        self._wire, self.number, self.address, self.server = wire, number, address, server
        self.received: list[Request | Response] = []
        self._inbox: asyncio.Queue[Request | Response] = asyncio.Queue()
        self._count = 0
        self.call_id, self.from_tag, self.to_tag = f"raw-{number}", f"tag-{number}", ""
        wire.attach(address, self._received)

    def _received(self, data: bytes, source: Address) -> None:
        message = parse_message(data)
        self.received.append(message)
        self._inbox.put_nowait(message)

    def send(self, data: bytes) -> None:
        self._wire.send(self.address, self.server, data)

    def request(
        self,
        method: str,
        number: str,
        cseq: int,
        *extra: str,
        body: bytes = b"",
        branch: str = "",
        from_number: str = "",
        to_tag: str | None = None,
    ) -> bytes:
        """The text of a request of this phone's dialog; `extra` are whole header lines."""
        self._count += 1
        host, port = self.address
        tag = self.to_tag if to_tag is None else to_tag
        lines = [
            f"{method} sip:{number}@{self.server[0]} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{branch or f'raw{self.number}-{self._count}'};rport",
            f"From: <sip:{from_number or self.number}@{self.server[0]}>;tag={self.from_tag}",
            f"To: <sip:{number}@{self.server[0]}>" + (f";tag={tag}" if tag else ""),
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}",
            "Max-Forwards: 70",
            f"Contact: <sip:{self.number}@{host}:{port}>",
            *extra,
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body

    async def expect(self, status: int, within_s: float = PATIENCE_S) -> Response:
        """The next response with that status; others are dropped."""
        async with asyncio.timeout(within_s):
            while True:
                message = await self._inbox.get()
                if isinstance(message, Response) and message.status == status:
                    self.to_tag = message.to.tag or self.to_tag
                    return message

    async def expect_final(self, within_s: float = PATIENCE_S) -> Response:
        """The next final response, whatever it says."""
        async with asyncio.timeout(within_s):
            while True:
                message = await self._inbox.get()
                if isinstance(message, Response) and message.status >= 200:
                    self.to_tag = message.to.tag or self.to_tag
                    return message

    async def expect_request(self, method: str, within_s: float = PATIENCE_S) -> Request:
        async with asyncio.timeout(within_s):
            while True:
                message = await self._inbox.get()
                if isinstance(message, Request) and message.method == method:
                    return message

    def close(self) -> None:
        self._wire.detach(self.address)
