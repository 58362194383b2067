"""Security descriptions of SRTP (RFC 4568): a=crypto lines read and written."""

import binascii
from base64 import b64decode, b64encode
from dataclasses import field

from frozen import dataclass
from sipcore.sdp.model import Attributes

# Master key and salt in bytes (RFC 4568 §6.2, RFC 6188 §4.2, RFC 7714 §14.2). The first one is what every phone knows;
# many look no further than the first line they understand.
SUITES = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AEAD_AES_256_GCM": 44,
    "AEAD_AES_128_GCM": 28,
    "AES_256_CM_HMAC_SHA1_80": 46,
    "AES_CM_128_HMAC_SHA1_32": 30,
    "AES_256_CM_HMAC_SHA1_32": 46,
}
_OLD_NAMES = {
    "AES_CM_256_HMAC_SHA1_80": "AES_256_CM_HMAC_SHA1_80",
    "AES_CM_256_HMAC_SHA1_32": "AES_256_CM_HMAC_SHA1_32",
}
_HARMLESS = ("KDR=0", "WSH=")  # session parameters that change nothing for the receiver (§6.3)
_MOST_LINES = 32


@dataclass(frozen=True, slots=True)
class Crypto:
    """One line: `key` is master key and salt of whoever wrote it."""

    tag: int
    suite: str
    key: bytes = field(repr=False)


def read_crypto(value: str) -> Crypto | None:
    """`1 AES_CM_128_HMAC_SHA1_80 inline:… [session parameters]`; None for what is malformed or not to be done here:
    unknown suites, several keys, key identifiers (MKI), streams that are not encrypted or not authenticated."""
    words = value.split()
    if len(words) < 3 or len(words[0]) > 9 or not (words[0].isascii() and words[0].isdigit()):
        return None
    tag, suite, params, *session = words
    suite = _OLD_NAMES.get(suite.upper(), suite.upper())
    length = SUITES.get(suite)
    if length is None or not all(each.upper().startswith(_HARMLESS) for each in session):
        return None
    key = _inline(params)
    return Crypto(int(tag), suite, key) if key is not None and len(key) == length else None


def _inline(params: str) -> bytes | None:
    """`inline:KEY[|lifetime]` (§6.1). The lifetime is no promise that would have to be kept: it is never reached."""
    method, _, info = params.partition(":")
    key, *more = info.split("|")
    if method.lower() != "inline" or len(more) > 1 or any(":" in each for each in more) or len(key) > 64:
        return None
    try:
        return b64decode(key + "=" * (-len(key) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def cryptos_in(attributes: Attributes) -> tuple[Crypto, ...]:
    """The lines that can be used, in the order of the peer's preference."""
    values = [value for name, value in attributes if name == "crypto"][:_MOST_LINES]
    return tuple([found for each in values if (found := read_crypto(each)) is not None])


def write_crypto(crypto: Crypto) -> tuple[str, str]:
    """The attribute of one line."""
    return "crypto", f"{crypto.tag} {crypto.suite} inline:{b64encode(crypto.key).decode()}"
