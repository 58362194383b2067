"""What the server does about signatures of numbers (`[stir]`): it signs for callers who go outside, and looks at those
that providers bring.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from conf.schema import StirSettings
from pbx.cause import FORGED_NUMBER
from pbx.party import PartyKind
from pbx.stir.passport import digits
from pbx.stir.signer import Signer
from pbx.stir.verifier import Validation, Verifier
from sipcore.errors import ParseError
from sipcore.headers import NameAddr, PAssertedIdentity
from sipcore.message import Request
from sipcore.uri import SipUri, TelUri

if TYPE_CHECKING:
    from pbx.api import App, AppContext, Next
    from pbx.arrival import Arrival
    from pbx.call import Call
    from pbx.identity import Fields
    from pbx.party import Party
    from pbx.routing import WayOut

VERSTAT, ATTEST = "verstat", "attest"  # variables of a call


class Signatures:
    """Nothing is signed without a `signer`, nothing looked at without a `verifier`. `refuses`: a call with a wrong
    signature ends with 438; one without any never does, for most calls have none."""

    def __init__(
        self, signer: Signer | None = None, verifier: Verifier | None = None, *, refuses: bool = False
    ) -> None:
        self._signer, self._verifier, self._refuses = signer, verifier, refuses

    @classmethod
    def of(cls, stir: StirSettings, data: Path) -> "Signatures":
        """As the settings say; raises ControlError."""
        signer = Signer.load(data / stir.key, stir.certificate_url) if stir.key else None
        verifier = Verifier.load(data / stir.authorities) if stir.authorities else None
        return cls(signer, verifier, refuses=stir.verify == "refuse")

    # --- out ------------------------------------------------------------------------------------------------------

    def fields(self, call: "Call", party: "Party", way: "WayOut", own: Iterable[str]) -> "Fields":
        """Who signs for the number that `party` is shown as: whoever did so for a call that only passes through, else
        we. `own` are the numbers of the office outside."""
        shown = digits(way.shown or party.shown_number)
        if call.arrival is not None and digits(call.arrival.caller.number) == shown and call.carried.signatures:
            return call.carried.signatures
        if self._signer is None:
            return []
        account = (way.provider.login, way.provider.from_user)
        is_ours = shown in {digits(each) for each in (*own, *account) if each}
        attest = "A" if is_ours else "B" if party.kind is PartyKind.TERMINAL else "C"
        value = self._signer.identity(shown, way.number, attest, call.services.clock.wall())
        return [("Identity", value)] if value else []

    # --- in -------------------------------------------------------------------------------------------------------

    def before(self, app: "App", request: Request, arrival: "Arrival") -> "App":
        """`app`, once the signature of the call has been looked at."""
        if self._verifier is None:
            return app
        return cast("App", Examined(self._verifier, app, request, arrival, refuses=self._refuses))


class Examined:
    """An app behind the examination of a signature. What came of it are variables of the call: `verstat`, and `attest`
    where it is good."""

    def __init__(self, verifier: Verifier, app: "App", request: Request, arrival: "Arrival", *, refuses: bool) -> None:
        self._verifier, self._app, self._refuses = verifier, app, refuses
        self._identities = request.headers.raw("identity")
        self._callers = {arrival.caller.shown_number, _user(request.from_), *_asserted(request)}
        self._called = {arrival.called, _user(request.to), _number(request.uri)}
        self.name, self.stage = app.name, app.stage

    async def run(self, call: "Call", ctx: "AppContext") -> "Next":
        wall = call.services.clock.wall()
        verdict = await self._verifier.judge(self._identities, self._callers - {""}, self._called - {""}, wall)
        call.variables[VERSTAT], call.variables[ATTEST] = str(verdict.validation), verdict.attest
        call.log.info("the signature of a number", verstat=str(verdict.validation), why=verdict.why)
        if self._refuses and verdict.validation is Validation.FAILED:
            return FORGED_NUMBER
        return await self._app.run(call, ctx)


def _user(address: NameAddr) -> str:
    return _number(address.uri)


def _number(uri: object) -> str:
    if isinstance(uri, TelUri):
        return uri.number
    return (uri.user or "").partition(";")[0] if isinstance(uri, SipUri) else ""


def _asserted(request: Request) -> set[str]:
    """Of P-Asserted-Identity, whose number a signature is of where there is one (RFC 8224 §4)."""
    try:
        return set(map(_user, request.headers.all(PAssertedIdentity)))
    except ParseError:
        return set()
