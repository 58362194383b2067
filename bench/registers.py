"""Load: REGISTER, 401, REGISTER with digest, 200, for many accounts at a fixed rate. One line of JSON at the end.

python -m bench.registers HOST PORT --rate 1000 --seconds 5 --accounts 1000 --algorithm MD5
"""

import argparse
import hashlib
import heapq
import json
import re
import selectors
import socket
import time
from collections import deque
from dataclasses import asdict, dataclass, field

from bench.wire import Address, token

FIRST_NUMBER = 20000
PASSWORD = "Bench-Word_1"
RETRY_S, MOST_RETRY_S = 0.5, 4.0  # T1 and T2 (RFC 3261 §17.1.2.2)
GRACE_S = 2.0
SOCKETS = 16
_BUFFER = 4 << 20
_CALL_ID = re.compile(rb"\r\nCall-ID: *([^\r]+)\r\n", re.IGNORECASE)
_RETRY_AFTER = re.compile(rb"\r\nRetry-After: *(\d+)", re.IGNORECASE)
_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


@dataclass(frozen=True, slots=True)
class Load:
    """How much of what, against which server."""

    server: Address
    accounts: int = 1000
    contacts: int = 1
    rate: float = 1000.0
    total: int = 5000
    algorithm: str = "MD5"
    expires_s: int = 600
    hosts: tuple[str, ...] = ("127.0.0.1",)
    same_contact: bool = False  # the phones of an account take each other's place, so that bindings do not pile up
    seconds: float = 3600.0  # at most so long
    most_at_once: int = 1_000_000  # a small number never overloads the server, whatever the rate


@dataclass(slots=True)
class Result:
    """What happened; latencies are from the first REGISTER to its 200. `in_time`: those of the registered that were so
    within `seconds`; the others were under way when it was over."""

    started: int = 0
    registered: int = 0
    in_time: int = 0
    refused: int = 0
    postponed: int = 0
    unanswered: int = 0
    retransmissions: int = 0
    seconds: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    first_refusal: str = ""


@dataclass(slots=True)
class Account:
    """One contact of one account: a phone that registers again and again."""

    number: str
    contact: int
    endpoint: socket.socket
    call_id: str = field(default_factory=token)
    cseq: int = 0
    started_at: float = 0.0
    retry_at: float = 0.0
    retry_s: float = RETRY_S
    pending: bytes = b""
    tried: bool = False


def _challenge_of(algorithm: str) -> re.Pattern[bytes]:
    """Finds the challenge with this algorithm; MD5 is also what a challenge without one means (RFC 7616 §3.3)."""
    named = rf'[^\r]*algorithm="?{algorithm}\b'
    condition = rf"(?:(?={named})|(?![^\r]*algorithm=))" if algorithm == "MD5" else rf"(?={named})"
    return re.compile(rf"WWW-Authenticate: *Digest {condition}([^\r]*)".encode(), re.IGNORECASE)


class Registrations:
    """Drives every account; at most one REGISTER of an account is under way."""

    def __init__(self, load: Load) -> None:
        self.load, self.result = load, Result()
        self._hash = _HASHES[load.algorithm]
        self._challenge = _challenge_of(load.algorithm)
        self._selector = selectors.DefaultSelector()
        self._sockets = [self._open(load.hosts[index % len(load.hosts)]) for index in range(SOCKETS)]
        phones = range(load.accounts * load.contacts)
        self._idle = deque(
            Account(str(FIRST_NUMBER + index % load.accounts), index, self._sockets[index % SOCKETS])
            for index in phones
        )
        self._by_call_id = {account.call_id.encode(): account for account in self._idle}
        self._busy: dict[str, Account] = {}
        self._postponed: list[tuple[float, str, Account]] = []
        self._times: list[float] = []

    def _open(self, host: str) -> socket.socket:
        endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        endpoint.setblocking(False)
        endpoint.bind((host, 0))
        endpoint.connect(self.load.server)
        self._selector.register(endpoint, selectors.EVENT_READ)
        return endpoint

    def run(self) -> Result:
        """Start all REGISTERs at the rate, wait for the last answers."""
        begin = time.monotonic()
        next_retry = begin + RETRY_S
        while self.result.started < self.load.total:
            now = time.monotonic()
            if now - begin > self.load.seconds:
                break
            while self._postponed and self._postponed[0][0] <= now:
                self._idle.append(heapq.heappop(self._postponed)[2])
            due = min(int((now - begin) * self.load.rate) + 1, self.load.total)
            while self.result.started < due and self._idle and len(self._busy) < self.load.most_at_once:
                self._start(self._idle.popleft(), now)
            self._receive(min(max(begin + due / self.load.rate - time.monotonic(), 0), 0.01))
            if now >= next_retry:
                self._retry(now)
                next_retry = now + RETRY_S / 5
        self.result.seconds = time.monotonic() - begin
        self.result.in_time = self.result.registered
        self._finish()
        return self.result

    def _finish(self) -> None:
        deadline = time.monotonic() + GRACE_S
        while self._busy and time.monotonic() < deadline:
            self._receive(0.05)
            self._retry(time.monotonic())
        self.result.unanswered = len(self._busy)
        self._times.sort()
        if self._times:
            self.result.p50_ms = self._times[len(self._times) // 2] * 1000
            self.result.p99_ms = self._times[int(len(self._times) * 0.99)] * 1000
        for endpoint in self._sockets:
            endpoint.close()
        self._selector.close()

    def _start(self, account: Account, now: float) -> None:
        account.started_at, account.tried = now, False
        self._busy[account.call_id] = account
        self.result.started += 1
        self._send(account, "", now)

    def _send(self, account: Account, authorization: str, now: float) -> None:
        account.cseq += 1
        host, port = account.endpoint.getsockname()
        line = 0 if self.load.same_contact else account.contact
        aor = f"sip:{account.number}@{self.load.server[0]}"
        account.pending = (
            f"REGISTER sip:{self.load.server[0]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{account.call_id}{account.cseq};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <{aor}>;tag={account.call_id}\r\nTo: <{aor}>\r\n"
            f"Call-ID: {account.call_id}\r\nCSeq: {account.cseq} REGISTER\r\n"
            f"Contact: <sip:{account.number}@{host}:{port};line={line}>\r\n"
            f"Expires: {self.load.expires_s}\r\n{authorization}User-Agent: bench\r\nContent-Length: 0\r\n\r\n"
        ).encode()
        account.retry_s = RETRY_S
        account.retry_at = now + RETRY_S
        account.endpoint.send(account.pending)

    def _retry(self, now: float) -> None:
        for account in self._busy.values():
            if now >= account.retry_at:
                account.retry_s = min(2 * account.retry_s, MOST_RETRY_S)
                account.retry_at = now + account.retry_s
                self.result.retransmissions += 1
                account.endpoint.send(account.pending)

    def _receive(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            endpoint = key.fileobj
            assert isinstance(endpoint, socket.socket)
            for _ in range(64):
                try:
                    self._answer(endpoint.recv(8192))
                except BlockingIOError:
                    break

    def _answer(self, data: bytes) -> None:
        found = _CALL_ID.search(data)
        account = self._by_call_id.get(found[1]) if found else None
        if account is None or f"CSeq: {account.cseq} ".encode() not in data or account.call_id not in self._busy:
            return
        now, status = time.monotonic(), data[8:11]
        if status == b"401" and not account.tried:
            self._authorize(account, data, now)
            return
        if status == b"200":
            self.result.registered += 1
            self._times.append(now - account.started_at)
        elif status == b"503" and (after := _RETRY_AFTER.search(data)):
            self.result.postponed += 1
            del self._busy[account.call_id]
            heapq.heappush(self._postponed, (now + int(after[1]), account.call_id, account))
            return
        else:
            self.result.refused += 1
            self.result.first_refusal = self.result.first_refusal or data.decode(errors="replace")
        del self._busy[account.call_id]
        self._idle.append(account)

    def _authorize(self, account: Account, data: bytes, now: float) -> None:
        offered = self._challenge.search(data)
        if offered is None:
            raise SystemExit(f"the server offers no {self.load.algorithm}: {data.decode(errors='replace')}")
        params = dict(re.findall(r'(\w+)="([^"]*)"', offered[1].decode()))
        account.tried = True
        self._send(account, self._credentials(account, params["realm"], params["nonce"]), now)

    def _credentials(self, account: Account, realm: str, nonce: str) -> str:
        def hexhash(text: str) -> str:
            return self._hash(text.encode()).hexdigest()

        uri = f"sip:{self.load.server[0]}"
        secret, request = hexhash(f"{account.number}:{realm}:{PASSWORD}"), hexhash(f"REGISTER:{uri}")
        response = hexhash(f"{secret}:{nonce}:00000001:{account.call_id}:auth:{request}")
        return (
            f'Authorization: Digest username="{account.number}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
            f'response="{response}", algorithm={self.load.algorithm}, qop=auth, nc=00000001, '
            f'cnonce="{account.call_id}"\r\n'
        )


def main() -> int:
    parser = argparse.ArgumentParser(description="REGISTER with digest, for many accounts at a fixed rate")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--contacts", type=int, default=1)
    parser.add_argument("--algorithm", choices=sorted(_HASHES), default="MD5")
    options = parser.parse_args()
    total = int(options.rate * options.seconds)
    load = Load(
        (options.host, options.port), options.accounts, options.contacts, options.rate, total, options.algorithm
    )
    print(json.dumps(asdict(Registrations(load).run())))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
