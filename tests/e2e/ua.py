"""A scripted phone for end-to-end tests: the test says every message, nothing happens by itself.

`expect` waits for the next message that matters: retransmissions of what was already seen, 100 Trying and the
server's own OPTIONS are passed over, anything else that was not expected fails the test.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from bench.wire import Address, Message, audio_of, build, challenges, credentials, sdp, tag_of, token, uri_of
from pbx.addressing import bracketed

Expected = str | int
AGENT = "Scripted phone"
ExtraHeaders = Iterable[tuple[str, str]]


class Phone:
    """One SIP account at one UDP, TCP or TLS socket."""

    def __init__(
        self,
        server: Address,
        number: str,
        password: str = "",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        transport: str = "udp",
        domain: str = "",
        login: str = "",
    ) -> None:
        """`login`: the user name of the digest, where it is not the number."""
        self.server, self.number, self.password, self.transport = server, number, password, transport
        self.login = login or number
        self.domain = domain or bracketed(server[0])
        self.address = self._connect(host, port)
        self._stream = b""
        self._waiting: list[Message] = []
        self._seen: set[bytes] = set()
        self._over: set[str] = set()
        self.log: list[Message] = []

    def _connect(self, host: str, port: int) -> Address:
        kind = socket.SOCK_DGRAM if self.transport == "udp" else socket.SOCK_STREAM
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
        self._socket.bind((host, port))
        if self.transport != "udp":
            self._socket.settimeout(3)
            self._socket.connect(self.server)
        if self.transport == "tls":
            self._socket = unverified().wrap_socket(self._socket)
        own_host, own_port = self._socket.getsockname()[:2]
        return own_host, own_port

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    # --- names that go into messages ---------------------------------------------------------------------------------

    @property
    def aor(self) -> str:
        return f"sip:{self.number}@{self.domain}"

    @property
    def contact(self) -> str:
        transport = "" if self.transport == "udp" else f";transport={self.transport}"
        return f"<sip:{self.number}@{bracketed(self.address[0])}:{self.address[1]}{transport}>"

    def via(self, branch: str) -> str:
        host, port = self.address
        return f"SIP/2.0/{self.transport.upper()} {bracketed(host)}:{port};branch={branch};rport"

    # --- sending and receiving ---------------------------------------------------------------------------------------

    def send(self, message: bytes) -> None:
        if self.transport == "udp":
            self._socket.sendto(message, self.server)
        else:
            self._socket.sendall(message)

    def _read(self, timeout_s: float) -> Message | None:
        self._socket.settimeout(max(timeout_s, 0.001))
        try:
            if self.transport == "udp":
                raw, source = self._socket.recvfrom(65535)
                return Message.parse(raw, source) if raw.strip(b"\0\r\n") else None  # a keep-alive
            return self._read_stream()
        except TimeoutError:
            return None

    def _read_stream(self) -> Message:
        while (message := self._cut()) is None:
            data = self._socket.recv(65535)
            if not data:
                raise AssertionError(f"phone {self.number}: the server closed the connection")
            self._stream += data
        return message

    def _cut(self) -> Message | None:
        stream = self._stream.lstrip(b"\r\n")
        head, end, rest = stream.partition(b"\r\n\r\n")
        if not end:
            return None
        length = int(Message.parse(head).first("content-length") or 0)
        if len(rest) < length:
            return None
        self._stream = rest[length:]
        return Message.parse(head + end + rest[:length], self.server)

    def receive(self, timeout_s: float = 3.0, *, repeats: bool = False) -> Message | None:
        """The next message, None when nothing came in time; `repeats` also gives retransmissions."""
        if self._waiting:
            return self._waiting.pop(0)
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            message = self._read(left)
            if message is None:
                continue
            is_repeat = message.raw in self._seen
            self._seen.add(message.raw)
            self.log.append(message)
            if message.method == "OPTIONS" and not message.status:
                self.reply(message, 200)
            elif message.call_id in self._over:
                self._answer_for_what_is_over(message)
            elif not is_repeat or repeats:
                return message
        return None

    def expect(self, *wanted: Expected, timeout_s: float = 4.0, passing: tuple[Expected, ...] = (100,)) -> Message:
        """The next message, which must be one of `wanted` (a method or a status); `passing` may come before it."""
        deadline = time.monotonic() + timeout_s
        while (message := self.receive(deadline - time.monotonic())) is not None:
            kind = message.status or message.method
            if kind in wanted:
                return message
            if kind not in passing:
                raise AssertionError(f"phone {self.number}: expected {wanted}, got {message}\n{message.raw.decode()}")
        raise AssertionError(
            f"phone {self.number}: expected {wanted}, nothing came in {timeout_s} s; so far: {self.heard}"
        )

    def expect_all(self, *wanted: Expected, passing: tuple[Expected, ...] = (100,)) -> list[Message]:
        """Messages that belong to different transactions and so may come in any order: each of `wanted` once."""
        found: dict[Expected, Message] = {}
        while left := tuple(each for each in wanted if each not in found):
            message = self.expect(*left, passing=passing)
            found[message.status or message.method] = message
        return [found[each] for each in wanted]

    def forget_calls(self) -> None:
        """All calls so far are over for this phone, however a test left them: what still comes of them meets a phone
        that knows them no more, and disturbs nobody."""
        self._over |= {message.call_id for message in self.log}
        self._waiting.clear()

    def _answer_for_what_is_over(self, message: Message) -> None:
        if not message.status and message.method != "ACK":
            self.reply(message, 481)

    def expect_silence(self, seconds: float) -> None:
        message = self.receive(seconds)
        assert message is None, f"phone {self.number}: expected silence, got {message}"

    def put_back(self, message: Message) -> None:
        self._waiting.insert(0, message)

    @property
    def heard(self) -> str:
        return ", ".join(str(message) for message in self.log) or "nothing at all"

    # --- requests outside a dialog -----------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        uri: str,
        *,
        to: str = "",
        headers: ExtraHeaders = (),
        body: str = "",
        cseq: int = 1,
        call_id: str = "",
        branch: str = "",
        from_uri: str = "",
    ) -> bytes:
        """A request outside any dialog, not sent yet."""
        fields = [
            ("Via", self.via(branch or token("z9hG4bK"))),
            ("From", f"<{from_uri or self.aor}>;tag={token()}"),
            ("To", f"<{to or uri}>"),
            ("Call-ID", call_id or token()),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", self.contact),
            ("Max-Forwards", "70"),
            *headers,
        ]
        return build(f"{method} {uri} SIP/2.0", fields, body)

    def register(self, *, expires_s: int = 120, algorithm: str = "", password: str | None = None) -> Message:
        """Register this phone; the final answer, whatever it is. `algorithm` picks one of several challenges."""
        uri, call_id = f"sip:{self.domain}", token()

        def attempt(cseq: int, headers: ExtraHeaders = ()) -> Message:
            expires = ("User-Agent", AGENT), ("Expires", str(expires_s))
            self.send(
                self.request("REGISTER", uri, to=self.aor, headers=[*expires, *headers], cseq=cseq, call_id=call_id)
            )
            return self.final_answer("REGISTER")

        answer = attempt(1)
        if answer.status != 401 or (password is None and not self.password):
            return answer
        offered = [challenge for challenge in challenges(answer) if algorithm in ("", challenge.algorithm)]
        assert offered, f"no challenge for {algorithm or 'any algorithm'} in {answer.all('www-authenticate')}"
        secret = self.password if password is None else password
        return attempt(2, [credentials(offered[0], self.login, secret, "REGISTER", uri)])

    def final_answer(self, method: str, timeout_s: float = 4.0) -> Message:
        """The next final response to `method`; provisional ones are passed over."""
        deadline = time.monotonic() + timeout_s
        while (message := self.receive(deadline - time.monotonic())) is not None:
            if message.status >= 200 and message.method == method:
                return message
        raise AssertionError(f"phone {self.number}: no answer to {method}; so far: {self.heard}")

    # --- calls -------------------------------------------------------------------------------------------------------

    def dial(self, number: str, media: Address = ("127.0.0.1", 9), *, offer: str = "", uri: str = "") -> "Call":
        """Send an INVITE, answering a challenge when there is one."""
        call = Call.outgoing(self, uri or f"sip:{number}@{self.domain}", offer or sdp(media))
        call.send_invite()
        if self.password:
            call.answer_challenge()
        return call

    def wait_for_call(self, timeout_s: float = 4.0) -> "Call":
        """The next INVITE, as a call that rings nowhere yet."""
        return Call.incoming(self, self.expect("INVITE", timeout_s=timeout_s))

    def reply(
        self, request: Message, status: int, body: str = "", *, tag: str = "", headers: ExtraHeaders = ()
    ) -> None:
        """Answer a request; `tag` is put on To unless it has one."""
        to = request.first("to")
        if tag and not tag_of(to):
            to += f";tag={tag}"
        fields = [("Via", via) for via in request.all("via")]
        fields += [("Record-Route", route) for route in request.all("record-route")]
        fields += [("From", request.first("from")), ("To", to), ("Call-ID", request.call_id)]
        fields += [("CSeq", request.first("cseq")), ("Contact", self.contact), *headers]
        self.send(build(f"SIP/2.0 {status} Whatever", fields, body))


class Call:
    """One dialog as its phone sees it."""

    def __init__(self, phone: Phone, call_id: str, local: str, remote: str, target: str) -> None:
        self.phone, self.call_id, self.local, self.remote, self.target = phone, call_id, local, remote, target
        self.routes: list[str] = []
        self.cseq = 1
        self.branch = ""
        self.offer = ""
        self.invite: Message | None = None

    @classmethod
    def outgoing(cls, phone: Phone, uri: str, offer: str) -> "Call":
        call = cls(phone, token(), f"<{phone.aor}>;tag={token()}", f"<{uri}>", uri)
        call.offer = offer
        return call

    @classmethod
    def incoming(cls, phone: Phone, invite: Message) -> "Call":
        local = f"{invite.first('to')};tag={token()}"
        call = cls(phone, invite.call_id, local, invite.first("from"), uri_of(invite.first("contact")))
        call.routes = invite.all("record-route")
        call.invite, call.cseq = invite, 0
        return call

    def _request(self, method: str, *, cseq: int, branch: str, body: str = "", headers: ExtraHeaders = ()) -> bytes:
        fields = [
            ("Via", self.phone.via(branch)),
            *(("Route", route) for route in self.routes),
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", self.phone.contact),
            ("Max-Forwards", "70"),
            *headers,
        ]
        return build(f"{method} {self.target} SIP/2.0", fields, body)

    # --- as caller ---------------------------------------------------------------------------------------------------

    def send_invite(self, headers: ExtraHeaders = ()) -> None:
        self.branch = token("z9hG4bK")
        self.phone.send(
            self._request("INVITE", cseq=self.cseq, branch=self.branch, body=self.offer, headers=list(headers))
        )

    def answer_challenge(self) -> None:
        """Wait for the first real response; when it is a challenge, answer it with a new INVITE."""
        first = self.phone.receive()
        while first is not None and first.status == 100:
            first = self.phone.receive()
        assert first is not None, f"phone {self.phone.number}: no response to INVITE"
        if first.status not in (401, 407):
            self.phone.put_back(first)
            return
        self.acknowledge_refusal(first)
        self.cseq += 1
        header = credentials(challenges(first)[0], self.phone.login, self.phone.password, "INVITE", self.target)
        self.send_invite([header])

    def expect(self, *wanted: Expected, timeout_s: float = 4.0) -> Message:
        """The next response to our INVITE, one of `wanted`; 1xx may come before a final one. A refusal is ACKed, a 2xx
        establishes the dialog."""
        passing: tuple[Expected, ...] = (100,)
        if all(isinstance(status, int) and status >= 200 for status in wanted):
            passing = (100, 180, 183)
        response = self.phone.expect(*wanted, timeout_s=timeout_s, passing=passing)
        if tag_of(response.first("to")):
            self.remote = response.first("to")
        if 200 <= response.status < 300 and response.method == "INVITE":
            self.target = uri_of(response.first("contact"))
            self.routes = self.routes or list(reversed(response.all("record-route")))  # set once (RFC 3261 §12.2)
        elif response.status >= 300:
            self.acknowledge_refusal(response)
        return response

    def acknowledge_refusal(self, response: Message) -> None:
        """ACK of a non-2xx final response: same branch as the INVITE (RFC 3261 §17.1.1.3)."""
        remote, self.remote = self.remote, response.first("to")
        self.phone.send(self._request("ACK", cseq=self.cseq, branch=self.branch))
        self.remote = remote

    def acknowledge(self) -> None:
        """ACK of a 2xx: a request of its own (RFC 3261 §13.2.2.4)."""
        self.phone.send(self._request("ACK", cseq=self.cseq, branch=token("z9hG4bK")))

    def cancel(self) -> None:
        """CANCEL of the INVITE, with the To that it had: without the tag of the callee (RFC 3261 §9.1)."""
        remote, self.remote = self.remote, self.remote.partition(";tag=")[0]
        self.phone.send(self._request("CANCEL", cseq=self.cseq, branch=self.branch))
        self.remote = remote

    def give_up(self) -> None:
        """CANCEL while it rings: 200 to that and 487 to the INVITE, which come in any order (two transactions)."""
        self.cancel()
        _, refusal = self.phone.expect_all(200, 487, passing=(100, 180, 183))
        assert refusal.method == "INVITE", refusal
        self.acknowledge_refusal(refusal)

    # --- as callee ---------------------------------------------------------------------------------------------------

    def reply(self, status: int, body: str = "", headers: ExtraHeaders = ()) -> None:
        """Answer the INVITE that brought this call."""
        assert self.invite is not None
        self.phone.reply(self.invite, status, body, tag=tag_of(self.local), headers=headers)

    @property
    def offered(self) -> Address:
        """Where the INVITE says that our audio should go."""
        assert self.invite is not None
        return audio_of(self.invite.body).address

    # --- inside the dialog -------------------------------------------------------------------------------------------

    def request(self, method: str, body: str = "", headers: ExtraHeaders = ()) -> None:
        self.cseq += 1
        self.branch = token("z9hG4bK")
        self.phone.send(self._request(method, cseq=self.cseq, branch=self.branch, body=body, headers=headers))

    def hang_up(self) -> None:
        """BYE and its 200."""
        self.request("BYE")
        self.phone.expect(200)

    def expect_hang_up(self, timeout_s: float = 4.0) -> Message:
        bye = self.phone.expect("BYE", timeout_s=timeout_s)
        self.phone.reply(bye, 200)
        return bye


@contextmanager
def registered(
    server: Address, number: str, password: str = "", *, host: str = "127.0.0.1", transport: str = "udp"
) -> Iterator[Phone]:
    """A phone that is registered while the block runs."""
    with Phone(server, number, password, host=host, transport=transport) as phone:
        answer = phone.register()
        assert answer.status == 200, answer.raw.decode()
        try:
            yield phone
        finally:  # also after a failure: the next test must not ring a phone that is gone
            answer = phone.register(expires_s=0)
        assert answer.status == 200


@contextmanager
def registered_port(server: Address, number: str, host: str) -> Iterator[int]:
    """A UDP port registered for a trusted terminal and left free for another program to listen on."""
    with Phone(server, number, host=host) as phone:
        assert phone.register().status == 200, phone.heard
        port = phone.address[1]
    try:
        yield port
    finally:
        with Phone(server, number, host=host, port=port) as phone:
            phone.register(expires_s=0)


def unverified() -> ssl.SSLContext:
    """As desk phones come out of the box: any certificate will do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def connect(
    caller: Phone, callee: Phone, media: tuple[Address, Address], *, payloads: Iterable[int] = (8, 0, 101)
) -> tuple[Call, Call]:
    """An established call between two phones; media addresses of caller and callee, payload types of the answer."""
    outgoing = caller.dial(callee.number, media[0])
    incoming = callee.wait_for_call()
    incoming.reply(180)
    outgoing.expect(180)
    incoming.reply(200, sdp(media[1], payloads))
    outgoing.expect(200)
    outgoing.acknowledge()
    callee.expect("ACK")
    return outgoing, incoming


def eventually(condition: Callable[[], bool], what: str, timeout_s: float = 4.0) -> None:
    """Wait until `condition` holds; fail with `what` when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)
