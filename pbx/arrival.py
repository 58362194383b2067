"""A call that a provider brings: over which account, which number was called there, who calls (INB-21)."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import structlog

from frozen import dataclass
from pbx.addressing import dialled
from pbx.header_source import called_said, caller_said, raw
from pbx.identity import calling_outside
from pbx.number_rules import normalised
from pbx.party import Party
from sipcore.message import Request
from storage.records import NumberRule, Provider

log = structlog.get_logger("line")


@dataclass(frozen=True, slots=True)
class Arrival:
    """`provider` is the account, `siblings` are others at the same server that the call may be meant for as well
    (INB-25). `called`: the number that was called, without a +; the login of the account where the provider says no
    more (INB-24). `caller`: an outside party, its number without a + too."""

    provider: Provider
    called: str
    caller: Party
    siblings: tuple[Provider, ...] = ()

    @classmethod
    def of(
        cls,
        request: Request,
        providers: tuple[Provider, ...],
        office_numbers: Collection[str],
        rules: Sequence[NumberRule] = (),
    ) -> "Arrival":
        """What an INVITE of one of these accounts says; raises `PrivacyUnavailable`. Where the office looks for numbers
        is read before all else, so lists, hours and rules have those that count (INB-21). The caller's number is
        written as `rules` have it. Who calls with a number that somebody of the office has is never taken for that.
        """
        provider, *siblings = providers
        caller = calling_outside(request, caller_said(request, provider))
        caller = replace(caller, number=normalised(caller.number, provider.id, rules))
        if caller.number in office_numbers:
            caller = replace(caller, number=f"+{caller.number}", presented=caller.number)
        said = called_said(request, provider)
        called = dialled(request) if said is None else said.number
        return cls(provider, called.removeprefix("+"), caller, tuple(siblings))

    def log_sources(self, request: Request) -> None:
        """What the fields said that the office looks at, and what was read out of them (INB-23)."""
        provider = self.provider
        log.info(
            "what a provider says of a call",
            provider=provider.id,
            uri=str(request.uri),
            cid=raw(request, provider.cid_source),
            did=raw(request, provider.did_source),
            caller=self.caller.number,
            called=self.called,
        )
