"""Whether somebody who is trusted signs for the number of a caller (RFC 8224 §6.2, RFC 8588)."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from cryptography import x509

from frozen import dataclass
from pbx.calendars.fetch import Wanted, fetch
from pbx.control.messages import ControlError
from pbx.stir.credentials import Credential, Untrusted
from pbx.stir.passport import Passport, SignedPassport, digits
from sipcore.errors import ParseError

FRESH_S = 60.0  # RFC 8224 §6.2.1
FETCH_S = 3.0  # a caller hears nothing meanwhile
KEPT_S = 3600.0
MOST_KEPT = 1000
MOST_SIGNATURES = 4

Fetch = Callable[[str], Awaitable[bytes]]
"""The file at a URL; raises ValueError with a sentence."""


class Validation(StrEnum):
    """As 3GPP TS 24.229 §7.2A.20 calls it."""

    PASSED = "TN-Validation-Passed"
    FAILED = "TN-Validation-Failed"
    NONE = "No-TN-Validation"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`attest` is what the signer says it knows, "" without a good signature; `why` there is none."""

    validation: Validation
    attest: str = ""
    why: str = ""


class Verifier:
    """Judges signatures. `authorities` are the certificates that are believed."""

    def __init__(self, authorities: Sequence[x509.Certificate], fetched: Fetch | None = None) -> None:
        self._authorities, self._fetched = tuple(authorities), fetched or from_the_web
        self._kept: OrderedDict[str, tuple[Credential, float]] = OrderedDict()

    @classmethod
    def load(cls, authorities: Path) -> "Verifier":
        """Raises ControlError."""
        try:
            return cls(x509.load_pem_x509_certificates(authorities.read_bytes()))
        except OSError as error:
            raise ControlError(f"the authorities {authorities} of [stir] cannot be read: {error.strerror}") from None
        except ValueError:
            raise ControlError(f"{authorities} of [stir] holds no certificates in PEM form") from None

    async def judge(
        self, identities: Sequence[str], callers: Collection[str], called: Collection[str], wall: float
    ) -> Verdict:
        """`identities` are Identity headers; `callers` and `called` all that the INVITE says of the two numbers. One
        good signature is enough."""
        verdict = Verdict(Validation.NONE, why="nobody signs for the number" if not identities else "")
        for text in identities[:MOST_SIGNATURES]:
            try:
                given = SignedPassport.parse(text)
            except ParseError as error:
                verdict = Verdict(Validation.FAILED, why=str(error))
                continue
            verdict = await self._judge(given, set(map(digits, callers)), set(map(digits, called)), wall)
            if verdict.validation is Validation.PASSED:
                return verdict
        return verdict

    async def _judge(self, given: SignedPassport, callers: set[str], called: set[str], wall: float) -> Verdict:
        wrong = _contradiction(given.passport, callers, called, wall)
        if wrong:
            return Verdict(Validation.FAILED, why=wrong)
        try:
            credential = await self._credential(given.passport.x5u, wall)
        except ValueError as error:  # nothing is known of the signature then
            return Verdict(Validation.NONE, why=f"its certificate cannot be had: {error}")
        except Untrusted as error:
            return Verdict(Validation.FAILED, why=str(error))
        if not credential.has_signed(given.signed, given.signature):
            return Verdict(Validation.FAILED, why="the signature is not of its certificate")
        if not credential.covers(given.passport.orig):
            return Verdict(Validation.FAILED, why="the certificate is not for that number")
        return Verdict(Validation.PASSED, given.passport.attest)

    async def _credential(self, url: str, wall: float) -> Credential:
        at = datetime.fromtimestamp(wall, UTC)
        kept = self._kept.get(url)
        if kept is not None and wall < kept[1] and not kept[0].expired(at):
            return kept[0]
        try:
            async with asyncio.timeout(FETCH_S):
                pem = await self._fetched(url)
        except TimeoutError:
            raise ValueError("nobody answered in time") from None
        found = Credential.of(pem, self._authorities, at)
        self._kept[url] = (found, wall + KEPT_S)
        self._kept.move_to_end(url)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return found


async def from_the_web(url: str) -> bytes:
    return (await asyncio.to_thread(fetch, Wanted(url))).body or b""


def _contradiction(passport: Passport, callers: set[str], called: set[str], wall: float) -> str:
    """Why the passport is not one of this call, "" when it may be."""
    if abs(wall - passport.iat) > FRESH_S:
        return "it was signed at another time"
    if passport.orig not in callers:
        return "it is for another caller"
    if not called & set(passport.dest):
        return "it is for another number"
    return ""
