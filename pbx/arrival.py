"""A call that a provider brings: over which account, which number was called there, who calls (INB-21)."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from frozen import dataclass
from pbx.addressing import dialled
from pbx.identity import calling_outside
from pbx.number_rules import normalised
from pbx.party import Party
from sipcore.message import Request
from storage.records import NumberRule, Provider


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
        """What an INVITE of one of these accounts says; raises `PrivacyUnavailable`. The caller's number is written as
        `rules` have it. Who calls with a number that somebody of the office has is never taken for that one."""
        provider, *siblings = providers
        caller = calling_outside(request)
        caller = replace(caller, number=normalised(caller.number, provider.id, rules))
        if caller.number in office_numbers:
            caller = replace(caller, number=f"+{caller.number}", presented=caller.number)
        return cls(provider, dialled(request).removeprefix("+"), caller, tuple(siblings))
