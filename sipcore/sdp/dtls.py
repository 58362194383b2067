"""DTLS-SRTP in descriptions (RFC 5763, RFC 8122, RFC 8842): fingerprints of certificates and who begins."""

import re
from enum import StrEnum

from frozen import dataclass
from sipcore.sdp.model import Attributes, first_attribute

# RFC 8122 §5 with lengths in bytes; MD2 and MD5 are no proof of anything (§5.1), SHA-1 is not enough either.
_HASHES = {"sha-224": 28, "sha-256": 32, "sha-384": 48, "sha-512": 64}
_HEX = re.compile(r"[0-9A-F]{2}(?::[0-9A-F]{2})*")
_MOST = 8


class Setup(StrEnum):
    """RFC 4145 §4: who sends the first message."""

    ACTPASS = "actpass"
    ACTIVE = "active"
    PASSIVE = "passive"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Of a certificate: `algorithm` in small, `value` in capital letters with colons."""

    algorithm: str
    value: str

    def __str__(self) -> str:
        return f"{self.algorithm} {self.value}"


def read_fingerprint(value: str) -> Fingerprint | None:
    """`sha-256 AB:CD:…`; None for what is malformed or of a hash that proves nothing."""
    algorithm, _, digits = value.partition(" ")
    algorithm, digits = algorithm.lower(), digits.strip().upper()
    length = _HASHES.get(algorithm)
    if length is None or len(digits) != 3 * length - 1 or not _HEX.fullmatch(digits):
        return None
    return Fingerprint(algorithm, digits)


def fingerprints_in(section: Attributes, session: Attributes) -> tuple[Fingerprint, ...]:
    """Those of the section, else those of the session (RFC 8122 §5)."""
    for attributes in (section, session):
        values = [value for name, value in attributes if name == "fingerprint"][:_MOST]
        if values:
            return tuple([found for each in values if (found := read_fingerprint(each)) is not None])
    return ()


def setup_in(section: Attributes, session: Attributes, default: Setup) -> Setup | None:
    """The stated role, `default` where none is; None for `holdconn` and nonsense."""
    stated = first_attribute(section, "setup") or first_attribute(session, "setup") or default.value
    return Setup(stated.lower()) if stated.lower() in set(Setup) else None
