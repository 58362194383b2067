"""Who signs for the number of a caller: the token of an Identity header (RFC 8224 §4, RFC 8225), as SHAKEN has it
(RFC 8588). Pure: nothing is believed here.
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import Any, Self

from frozen import dataclass
from sipcore.errors import ParseError

ALGORITHM, EXTENSION = "ES256", "shaken"
LEVELS = ("A", "B", "C")
_LONGEST = 4096
_PARAM = re.compile(r"[ \t]*+;[ \t]*+([a-z]++)[ \t]*+=[ \t]*+(\"[^\"]*+\"|<[^<>]*+>|[^;<>\" \t]++)", re.IGNORECASE)
_URL = re.compile(r"https://[!-~]{1,1000}")
_NUMBER = re.compile(r"[0-9*#]{1,32}")


@dataclass(frozen=True, slots=True)
class Passport:
    """`orig` calls `dest` (digits, without a +); signed at `iat` (seconds of the epoch). `attest`: A, the signer knows
    that the caller may use the number; B, it knows the caller; C, it knows neither (RFC 8588 §4). `origid` names the
    origin of the call, `x5u` where the certificate is."""

    orig: str
    dest: tuple[str, ...]
    iat: int
    attest: str
    origid: str
    x5u: str

    def signing_input(self) -> bytes:
        """What the signature is made of (RFC 8225 §5, §9: keys in their order, no spaces)."""
        head = {"alg": ALGORITHM, "ppt": EXTENSION, "typ": "passport", "x5u": self.x5u}
        claims = {
            "attest": self.attest,
            "dest": {"tn": list(self.dest)},
            "iat": self.iat,
            "orig": {"tn": self.orig},
            "origid": self.origid,
        }
        return b".".join(_coded(json.dumps(each, separators=(",", ":")).encode()) for each in (head, claims))


@dataclass(frozen=True, slots=True)
class SignedPassport:
    """A passport as it came: `signed` are the octets that `signature` (r and s, 64 octets) is of."""

    passport: Passport
    signed: bytes
    signature: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value of an Identity header; raises ParseError, also for another kind of passport and its short form."""
        if len(text) > _LONGEST:
            raise ParseError("the Identity is too long")
        token, semicolon, rest = text.strip(" \t").partition(";")
        parts = token.strip(" \t").split(".")
        if len(parts) != 3 or not all(parts):
            raise ParseError("the Identity holds no whole passport")
        head, claims, signature = (_decoded(each) for each in parts)
        params = _params(semicolon + rest)
        passport = _passport(_object(head), _object(claims))
        if params.get("info", f"<{passport.x5u}>") != f"<{passport.x5u}>" or len(signature) != 64:
            raise ParseError("the Identity contradicts its passport")
        if params.get("ppt", EXTENSION) != EXTENSION or params.get("alg", ALGORITHM) != ALGORITHM:
            raise ParseError("the Identity is of another kind")
        return cls(passport, f"{parts[0]}.{parts[1]}".encode("ascii"), signature)

    def __str__(self) -> str:
        token = f"{self.signed.decode('ascii')}.{_coded(self.signature).decode('ascii')}"
        return f"{token};info=<{self.passport.x5u}>;alg={ALGORITHM};ppt={EXTENSION}"


def digits(number: str) -> str:
    """A number as passports have it (RFC 8224 §8.3): without a + and what people write between the digits."""
    return re.sub(r"[^0-9*#]", "", number)


def _passport(head: dict[str, Any], claims: dict[str, Any]) -> Passport:
    orig, dest = claims.get("orig"), claims.get("dest")
    numbers = dest.get("tn") if isinstance(dest, dict) else None
    number = orig.get("tn") if isinstance(orig, dict) else None
    iat, attest, origid, x5u = (claims.get("iat"), claims.get("attest"), claims.get("origid"), head.get("x5u"))
    if (head.get("alg"), head.get("ppt"), head.get("typ")) != (ALGORITHM, EXTENSION, "passport"):
        raise ParseError("the passport is of another kind")
    if not isinstance(x5u, str) or not _URL.fullmatch(x5u):
        raise ParseError("the passport does not say where its certificate is")
    if attest not in LEVELS or not isinstance(origid, str) or type(iat) is not int or not 0 <= iat < 2**53:
        raise ParseError("the passport lacks a claim")
    if not _is_number(number) or not isinstance(numbers, list) or not 0 < len(numbers) <= 16:
        raise ParseError("the passport is for no telephone numbers")
    if not all(map(_is_number, numbers)):
        raise ParseError("the passport is for no telephone numbers")
    return Passport(str(number), tuple(numbers), iat, str(attest), origid[:128], x5u)


def _is_number(value: object) -> bool:
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None


def _params(text: str) -> dict[str, str]:
    found, at = dict[str, str](), 0
    while at < len(text):
        match = _PARAM.match(text, at)
        if match is None:
            if text[at:].strip(" \t"):
                raise ParseError("the parameters of the Identity are malformed")
            break
        found.setdefault(match[1].lower(), match[2].strip('"'))
        at = match.end()
    return found


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise ParseError("the passport holds no JSON") from None
    if not isinstance(found, dict):
        raise ParseError("the passport holds no JSON object")
    return found


def _coded(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _decoded(text: str) -> bytes:
    if not re.fullmatch(r"[A-Za-z0-9_-]++", text):
        raise ParseError("the passport is not base64url")
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (Base64Error, ValueError):
        raise ParseError("the passport is not base64url") from None
