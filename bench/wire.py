"""The least SIP that a load generator or a scripted test phone needs: read, write, digest, SDP.

Deliberately apart from `sipcore`: what measures and checks the server shares no code with it.
"""

import hashlib
import itertools
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

Address = tuple[str, int]
Headers = list[tuple[str, str]]
SDP_TYPE = "application/sdp"

_COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length"} | {
    "c": "content-type",
    "s": "subject",
    "k": "supported",
}
_HASHES: dict[str, Callable[[bytes], "hashlib._Hash"]] = {
    "MD5": hashlib.md5,
    "SHA-256": hashlib.sha256,
    "SHA-512-256": lambda data: hashlib.new("sha512_256", data),
}
_PARAM = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')
_unique = itertools.count()


def token(prefix: str = "") -> str:
    """A name that no other call of this process, nor of another one, has."""
    return f"{prefix}{os.getpid():x}-{next(_unique):x}-{os.urandom(3).hex()}"


@dataclass(slots=True)
class Message:
    """One SIP message as it was on the wire; header names in lower case, long form."""

    start: str
    headers: Headers
    body: str = ""
    raw: bytes = b""
    source: Address = ("", 0)

    @classmethod
    def parse(cls, raw: bytes, source: Address = ("", 0)) -> "Message":
        head, _, body = raw.decode("utf-8", "replace").partition("\r\n\r\n")
        start, *lines = head.split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = [(_long_form(name), value.strip()) for name, _, value in pairs]
        return cls(start, headers, body, raw, source)

    @property
    def status(self) -> int:
        """Status code of a response, 0 for a request."""
        return int(self.start.split(" ", 2)[1]) if self.start.startswith("SIP/2.0") else 0

    @property
    def method(self) -> str:
        """Method of the request, or of the request that this response answers."""
        return self.first("cseq").rpartition(" ")[2] if self.status else self.start.partition(" ")[0]

    @property
    def call_id(self) -> str:
        return self.first("call-id")

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def first(self, name: str) -> str:
        """The first header of that name, "" when there is none."""
        return next((value for key, value in self.headers if key == name), "")

    def __str__(self) -> str:
        return f"{self.start} ({self.first('cseq')})"


def _long_form(name: str) -> str:
    name = name.strip().lower()
    return _COMPACT.get(name, name)


def build(
    start: str, headers: Iterable[tuple[str, str]], body: str = "", content_type: str = "application/sdp"
) -> bytes:
    """A message with Content-Length (and Content-Type when there is a body)."""
    lines = [start, *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines.append(f"Content-Type: {content_type}")
    lines += [f"Content-Length: {len(body.encode())}", "", body]
    return "\r\n".join(lines).encode()


def uri_of(value: str) -> str:
    """The URI inside a name-addr."""
    match = re.search(r"<([^>]*)>", value)
    return match[1] if match else value.split(";")[0].strip()


def tag_of(value: str) -> str:
    match = re.search(r";\s*tag=([^;>\s]+)", value)
    return match[1] if match else ""


# --- digest (RFC 7616) -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Challenge:
    """One WWW-Authenticate or Proxy-Authenticate value; `counts` the uses of its nonce."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: str = ""
    opaque: str = ""
    stale: bool = False
    proxy: bool = False
    uses: int = field(default=0)

    @classmethod
    def parse(cls, value: str, *, proxy: bool = False) -> "Challenge":
        params = {name.lower(): quoted or plain for name, quoted, plain in _PARAM.findall(value)}
        qop = "auth" if "auth" in params.get("qop", "").split(",") else ""
        stale = params.get("stale", "").lower() == "true"
        algorithm = params.get("algorithm", "MD5").upper()
        return cls(params["realm"], params["nonce"], algorithm, qop, params.get("opaque", ""), stale, proxy)


def challenges(response: Message) -> list[Challenge]:
    """Every challenge of a 401 or 407 that we can answer, in the server's order of preference."""
    found = [Challenge.parse(value) for value in response.all("www-authenticate")]
    found += [Challenge.parse(value, proxy=True) for value in response.all("proxy-authenticate")]
    return [challenge for challenge in found if challenge.algorithm in _HASHES]


def credentials(challenge: Challenge, user: str, password: str, method: str, uri: str) -> tuple[str, str]:
    """The Authorization or Proxy-Authorization header that answers the challenge."""
    digest = _HASHES[challenge.algorithm]

    def hexhash(text: str) -> str:
        return digest(text.encode()).hexdigest()

    challenge.uses += 1
    count, client_nonce = f"{challenge.uses:08x}", token()
    secret, request = hexhash(f"{user}:{challenge.realm}:{password}"), hexhash(f"{method}:{uri}")
    proof = f"{challenge.nonce}:{count}:{client_nonce}:auth" if challenge.qop else challenge.nonce
    value = (
        f'Digest username="{user}", realm="{challenge.realm}", nonce="{challenge.nonce}", uri="{uri}", '
        f'response="{hexhash(f"{secret}:{proof}:{request}")}", algorithm={challenge.algorithm}'
    )
    if challenge.qop:
        value += f', qop=auth, nc={count}, cnonce="{client_nonce}"'
    if challenge.opaque:
        value += f', opaque="{challenge.opaque}"'
    return ("Proxy-Authorization" if challenge.proxy else "Authorization", value)


# --- SDP (RFC 8866) --------------------------------------------------------------------------------------------------

_NAMES = {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000", 18: "G729/8000", 101: "telephone-event/8000"}


def sdp(media: Address, payloads: Iterable[int] = (8, 0, 101), direction: str = "sendrecv", version: int = 1) -> str:
    """A session with one audio stream."""
    numbers = list(payloads)
    where = f"IN IP{6 if ':' in media[0] else 4} {media[0]}"
    lines = ["v=0", f"o=- 1 {version} {where}", "s=-", f"c={where}", "t=0 0"]
    lines.append(f"m=audio {media[1]} RTP/AVP {' '.join(map(str, numbers))}")
    lines += [f"a=rtpmap:{number} {_NAMES[number]}" for number in numbers if number in _NAMES]
    return "\r\n".join([*lines, f"a={direction}", ""])


@dataclass(frozen=True, slots=True)
class Audio:
    """What an SDP says about its audio stream."""

    address: Address
    payloads: tuple[int, ...]
    direction: str


def audio_of(body: str) -> Audio:
    """The audio stream of an SDP; raises ValueError when there is none."""
    media = re.search(r"^m=audio (\d+) \S+ ([\d ]+)\r?$", body, re.MULTILINE)
    if media is None:
        raise ValueError(f"no audio stream in {body!r}")
    hosts = re.findall(r"^c=IN IP[46] (\S+)", body, re.MULTILINE)
    direction = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)", body, re.MULTILINE)
    payloads = tuple(int(number) for number in media[2].split())
    return Audio((hosts[-1], int(media[1])), payloads, direction[1] if direction else "sendrecv")
