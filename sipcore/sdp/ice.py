"""ICE in descriptions (RFC 8839): credentials and candidates; candidates sent later (RFC 8840)."""

import re
from dataclasses import field
from ipaddress import ip_address

from frozen import dataclass
from sipcore.errors import ParseError
from sipcore.sdp.model import Attributes, first_attribute

_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_FOUNDATION = re.compile(r"[A-Za-z0-9+/]{1,32}")
_KINDS = ("host", "srflx", "prflx", "relay")
_MOST_CANDIDATES = 64
_LONGEST_FRAGMENT = 16384
HOST_PRIORITY = (126 << 24) + (65535 << 8) + 255  # RFC 8445 §5.1.2.1: one host candidate of component 1


@dataclass(frozen=True, slots=True)
class Candidate:
    """One UDP address for component 1: the only one there is with rtcp-mux."""

    host: str
    port: int
    priority: int = HOST_PRIORITY
    kind: str = "host"
    foundation: str = "1"


@dataclass(frozen=True, slots=True)
class Ice:
    """What one side says of itself."""

    ufrag: str
    password: str = field(repr=False)
    lite: bool = False
    candidates: tuple[Candidate, ...] = ()

    @property
    def credentials(self) -> tuple[str, str]:
        return self.ufrag, self.password


def read_candidate(value: str) -> Candidate | None:
    """`1 1 udp 2130706431 192.0.2.1 5000 typ host …`; None for malformed ones and for what cannot be used here: TCP,
    further components, host names (mDNS: the address shows itself when the peer checks)."""
    words = value.split(None, 8)
    if len(words) < 8 or words[6].lower() != "typ" or words[7].lower() not in _KINDS:
        return None
    foundation, component, transport, priority, host, port = words[:6]
    if component != "1" or transport.lower() != "udp" or not _FOUNDATION.fullmatch(foundation):
        return None
    if not (_is_number(priority, 10) and _is_number(port, 5)) or not 0 < int(priority) < 1 << 31:
        return None
    if not 0 < int(port) < 65536 or not _is_address(host):
        return None
    return Candidate(host, int(port), int(priority), words[7].lower(), foundation)


def write_candidate(candidate: Candidate) -> str:
    c = candidate
    return f"{c.foundation} 1 udp {c.priority} {c.host} {c.port} typ {c.kind}"


def ice_in(section: Attributes, session: Attributes) -> Ice | None:
    """What the peer says of its ICE agent; None when it has none, or says nonsense."""
    ufrag = first_attribute(section, "ice-ufrag") or first_attribute(session, "ice-ufrag") or ""
    password = first_attribute(section, "ice-pwd") or first_attribute(session, "ice-pwd") or ""
    if not _UFRAG.fullmatch(ufrag) or not _PASSWORD.fullmatch(password):
        return None
    values = [value for name, value in section if name == "candidate"][:_MOST_CANDIDATES]
    found = tuple([each for value in values if (each := read_candidate(value)) is not None])
    return Ice(ufrag, password, ("ice-lite", "") in session, found)


def read_fragment(body: bytes) -> tuple[Candidate, ...]:
    """The candidates that a peer sends later (RFC 8840 §9); raises ParseError."""
    text = body.decode("utf-8", "replace")
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    if len(body) > _LONGEST_FRAGMENT or any(len(line) < 3 or line[1] != "=" for line in lines):
        raise ParseError("the fragment of a description is malformed")
    names = [line[2:].partition(":")[::2] for line in lines if line.startswith("a=")]
    if not {"ice-ufrag", "ice-pwd"} <= {name for name, _ in names}:
        raise ParseError("the fragment of a description does not say which candidates it goes on with")
    values = [value for name, value in names if name == "candidate"][:_MOST_CANDIDATES]
    return tuple([found for value in values if (found := read_candidate(value)) is not None])


def ice_attributes(ice: Ice) -> Attributes:
    """Of a media section; `a=ice-lite` belongs to the session (RFC 8839 §5.3). All candidates are there."""
    credentials = (("ice-ufrag", ice.ufrag), ("ice-pwd", ice.password))
    return (*credentials, *(("candidate", write_candidate(each)) for each in ice.candidates), ("end-of-candidates", ""))


def _is_number(text: str, most_digits: int) -> bool:
    return 0 < len(text) <= most_digits and text.isascii() and text.isdigit()


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return "%" not in host
