"""Many calls at once through a server: one socket calls, one socket answers, both for trusted terminals.

Needs two terminals that the server trusts at their addresses, with enough `max_calls`. The callee is registered by
`CallSet` itself. Every call carries an audio stream each way whose ports are known afterwards.
"""

import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from bench.native import Stream
from bench.wire import Address, Message, audio_of, build, sdp, tag_of, token, uri_of

RETRY_S = 1.0
SET_UP_S = 20.0
BYES_AT_ONCE = 50  # an ended call is to be answered, not to overload the server
_BUFFER = 4 << 20


@dataclass(slots=True)
class Outgoing:
    """One call as its caller sees it."""

    call_id: str
    tag: str
    branch: str
    media: Address
    sent_at: float = 0.0
    first_sent_at: float = 0.0
    answered_at: float = 0.0
    answer: Message | None = None
    remote_media: Address | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """A terminal that the server trusts at `host`; its media ports are even, from `first_port` on."""

    number: str
    host: str
    first_port: int = 40000


@dataclass(slots=True)
class CallSet:
    """Calls from one trusted terminal to another, all open at the same time; leaving the block ends them."""

    server: Address
    caller: Side = field(default_factory=lambda: Side("301", "127.0.0.3"))
    callee: Side = field(default_factory=lambda: Side("401", "127.0.0.2"))
    calls: dict[str, Outgoing] = field(default_factory=dict)
    answered: dict[str, Stream] = field(default_factory=dict)
    _sockets: dict[str, socket.socket] = field(default_factory=dict)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _replies: dict[bytes, bytes] = field(default_factory=dict)
    _registered: int = 0

    def __post_init__(self) -> None:
        for name, side, handler in (("caller", self.caller, self._at_caller), ("callee", self.callee, self._at_callee)):
            endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            endpoint.bind((side.host, 0))
            self._sockets[name] = endpoint
            self._selector.register(endpoint, selectors.EVENT_READ, handler)

    # --- steps -------------------------------------------------------------------------------------------------------

    def open(self, count: int, *, per_second: float = 200.0) -> list[Stream]:
        """Register the callee, set up `count` more calls; the audio streams of all calls, both directions."""
        self._register(600)
        start, made, wanted = time.monotonic(), 0, len(self.calls) + count
        while len(self.answered) < wanted or any(call.answer is None for call in self.calls.values()):
            now = time.monotonic()
            if now - start > SET_UP_S + count / per_second:
                raise RuntimeError(f"only {len(self.answered)} of {wanted} calls were answered")
            while made < count and now >= start + made / per_second:
                self._invite(len(self.calls))
                made += 1
            self._serve(0.002)
            self._repeat(now)
        return self.streams()

    def streams(self) -> list[Stream]:
        """The audio of every answered call, seen from our side."""
        ours = [Stream(c.media, c.remote_media) for c in self.calls.values() if c.remote_media and not c.ended]
        return ours + list(self.answered.values())

    def close(self) -> None:
        """End every call, unregister the callee."""
        for sent, call in enumerate(self.calls.values(), 1):
            self._send_in_dialog(call, "BYE", 2)
            if sent % BYES_AT_ONCE == 0:
                self._wait_for_ends(sent)
        self._wait_for_ends(len(self.calls))
        self._register(0)

    def _wait_for_ends(self, count: int) -> None:
        self._wait(lambda: sum(call.ended for call in self.calls.values()) >= count, "every BYE to be answered", 5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            for endpoint in self._sockets.values():
                endpoint.close()
            self._selector.close()

    @property
    def set_up_s(self) -> list[float]:
        """INVITE to 200 of every call."""
        return sorted(call.answered_at - call.first_sent_at for call in self.calls.values() if call.answered_at)

    # --- caller ------------------------------------------------------------------------------------------------------

    def _fields(
        self, side: Side, name: str, call: Outgoing, method: str, cseq: int, branch: str
    ) -> list[tuple[str, str]]:
        host, port = self._sockets[name].getsockname()
        return [
            ("Via", f"SIP/2.0/UDP {host}:{port};branch={branch};rport"),
            ("From", f"<sip:{side.number}@{self.server[0]}>;tag={call.tag}"),
            ("To", call.answer.first("to") if call.answer else f"<sip:{self.callee.number}@{self.server[0]}>"),
            ("Call-ID", call.call_id),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", f"<sip:{side.number}@{host}:{port}>"),
            ("Max-Forwards", "70"),
        ]

    def _invite(self, index: int) -> None:
        now = time.monotonic()
        media = (self.caller.host, self.caller.first_port + 2 * index)
        call = Outgoing(token(), token(), token("z9hG4bK"), media, now, now)
        self.calls[call.call_id] = call
        self._send_invite(call)

    def _send_invite(self, call: Outgoing) -> None:
        uri = f"sip:{self.callee.number}@{self.server[0]}:{self.server[1]}"
        fields = self._fields(self.caller, "caller", call, "INVITE", 1, call.branch)
        self._send("caller", build(f"INVITE {uri} SIP/2.0", fields, sdp(call.media, (8, 101))))

    def _repeat(self, now: float) -> None:
        for call in self.calls.values():
            if call.answer is None and now - call.sent_at > RETRY_S:
                call.sent_at = now
                self._send_invite(call)

    def _postpone(self, call: Outgoing, after_s: int) -> None:
        """The server has no time for it now: call anew when it says so."""
        del self.calls[call.call_id]
        call.call_id, call.branch = token(), token("z9hG4bK")
        call.sent_at = time.monotonic() + after_s - RETRY_S
        self.calls[call.call_id] = call

    def _send_in_dialog(self, call: Outgoing, method: str, cseq: int) -> None:
        assert call.answer is not None
        fields = self._fields(self.caller, "caller", call, method, cseq, token("z9hG4bK"))
        routes = [("Route", route) for route in reversed(call.answer.all("record-route"))]
        self._send("caller", build(f"{method} {uri_of(call.answer.first('contact'))} SIP/2.0", [*routes, *fields]))

    def _at_caller(self, message: Message) -> None:
        call = self.calls.get(message.call_id)
        if call is None or message.status < 200:
            return
        if message.status == 503 and (after := message.first("retry-after")):
            self._postpone(call, int(after))
            return
        if message.status >= 300:
            raise RuntimeError(f"a call was refused: {message.raw.decode(errors='replace')}")
        if message.method == "BYE":
            call.ended = True
        elif message.method == "INVITE":
            if call.answer is None:
                call.answer, call.answered_at = message, time.monotonic()
                call.remote_media = audio_of(message.body).address
            self._send_in_dialog(call, "ACK", 1)

    # --- callee ------------------------------------------------------------------------------------------------------

    def _register(self, expires_s: int) -> None:
        host, port = self._sockets["callee"].getsockname()
        aor = f"sip:{self.callee.number}@{self.server[0]}"
        fields = [
            ("Via", f"SIP/2.0/UDP {host}:{port};branch={token('z9hG4bK')};rport"),
            ("From", f"<{aor}>;tag={token()}"),
            ("To", f"<{aor}>"),
            ("Call-ID", token()),
            ("CSeq", "1 REGISTER"),
            ("Contact", f"<sip:{self.callee.number}@{host}:{port}>"),
            ("Expires", str(expires_s)),
            ("Max-Forwards", "70"),
        ]
        before = self._registered
        self._send("callee", build(f"REGISTER sip:{self.server[0]} SIP/2.0", fields))
        self._wait(lambda: self._registered > before, f"terminal {self.callee.number} to be registered", 3)

    def _at_callee(self, message: Message) -> None:
        if message.status:
            if message.method == "REGISTER":
                if message.status != 200:
                    raise RuntimeError(f"terminal {self.callee.number} is not trusted at {self.callee.host}: {message}")
                self._registered += 1
            return
        if message.method == "ACK":
            return
        key = f"{message.first('via')} {message.first('cseq')}".encode()
        if key not in self._replies:
            self._replies[key] = self._answer(message)
        self._send("callee", self._replies[key])

    def _answer(self, request: Message) -> bytes:
        host, port = self._sockets["callee"].getsockname()
        to, body = request.first("to"), ""
        if request.method == "INVITE" and not tag_of(to):
            to += f";tag={token()}"
            media = (host, self.callee.first_port + 2 * len(self.answered))
            self.answered[request.call_id] = Stream(media, audio_of(request.body).address)
            body = sdp(media, (8, 101))
        fields = [(name.title(), value) for name, value in request.headers if name in ("via", "record-route")]
        fields += [("From", request.first("from")), ("To", to), ("Call-ID", request.call_id)]
        fields += [("CSeq", request.first("cseq")), ("Contact", f"<sip:{self.callee.number}@{host}:{port}>")]
        return build("SIP/2.0 200 OK", fields, body)

    # --- sockets -----------------------------------------------------------------------------------------------------

    def _send(self, name: str, message: bytes) -> None:
        self._sockets[name].sendto(message, self.server)

    def _serve(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            endpoint = key.fileobj
            assert isinstance(endpoint, socket.socket)
            for _ in range(64):
                try:
                    data = endpoint.recv(65535, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    break
                key.data(Message.parse(data))

    def _wait(self, condition: Callable[[], bool], what: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"waited {timeout_s} s in vain for {what}")
            self._serve(0.01)
