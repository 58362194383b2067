"""Which ways lead to a number outside: rules of the office in their order, who may use them, what is sent, who is shown
(OUT-*, GRP-5, GRP-6). Pure: what of it works now is looked at by who dials."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from conf.dial_template import DialTemplate, dialled_only
from conf.office_ways import ALL_ROUTES
from frozen import dataclass
from pbx.said import Said, say
from storage.records import EmployeeGroup, ExternalNumber, Office, OutboundRoute, Provider, fits

Load = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class WayOut:
    """One attempt to reach a number outside: by the rule `route` over an account, where `number` is dialled for the
    caller `caller_id` ("": as the account and its settings say). `is_last`: no other one is tried after it."""

    route: str
    provider: Provider
    number: str
    caller_id: str = ""
    is_last: bool = False
    is_emergency: bool = False

    @property
    def shown(self) -> str:
        """By which number the caller is known there: the account's where nothing else may be shown; "" its own."""
        provider = self.provider
        account = provider.from_user or provider.login
        if provider.show_caller or not account:
            return self.caller_id
        return (self.caller_id if provider.identity != "none" else "") or account

    @property
    def way(self) -> Said:
        """The end of a sentence about the number that is dialled."""
        return say("over {provider} as {shown}", provider=self.provider.id, shown=self.shown or say("who calls"))


@dataclass(frozen=True, slots=True)
class Considered:
    """A rule that was looked at for a number, why it holds or not, and the ways that it gives. `is_barred`: it would,
    for somebody else."""

    rule: str
    why: Said
    ways: tuple[WayOut, ...] = ()
    is_barred: bool = False


@dataclass(frozen=True)
class WaysOut:
    """The rules of one office."""

    office: Office

    @cached_property
    def _providers(self) -> dict[str, Provider]:
        return {each.id: each for each in self.office.providers if not each.disabled}

    @cached_property
    def _routes(self) -> Sequence[tuple[OutboundRoute, DialTemplate]]:
        routes = (each for each in self.office.outbound_routes if not each.disabled)
        return [(each, DialTemplate.of(each.prefix, each.rest, each.rest_to)) for each in routes]

    @cached_property
    def _lines(self) -> dict[str, ExternalNumber]:
        return {each.number: each for each in self.office.external_numbers if not each.disabled}

    def is_emergency(self, number: str) -> bool:
        """Everybody may call it (OUT-10)."""
        return any(fits(number, pattern) for pattern in self.office.outbound.emergency)

    def leads(self, number: str) -> bool:
        """Whether some rule is for the number, whoever may use it."""
        if self.is_emergency(number):
            return bool(self._providers)
        return any(template.fits(_matched(number, route)) for route, template in self._routes)

    def consider(
        self, number: str, group: EmployeeGroup | None, load: Load, own_line: str = ""
    ) -> Iterator[Considered]:
        """Each rule in its order. `group`: of the employee for whom the call goes out, None where nothing is barred;
        `load`: how many calls an account carries now; `own_line`: that of the employee's terminal."""
        is_emergency = self.is_emergency(number)
        if own_line:
            yield self._over_own_line(number, group, own_line, is_emergency=is_emergency)
        for route, template in self._routes:
            rule, matched = f"outbound {route.name}", _matched(number, route)
            if not template.fits(matched):
                yield Considered(rule, say("its template does not fit {number}", number=matched))
            elif not is_emergency and group is not None and not may_use(group, route):
                yield Considered(rule, say("the group {group} may not use it", group=group.id), is_barred=True)
            else:
                yield self._considered(route, matched, _caller_id(group, route), load, is_emergency=is_emergency)
        if is_emergency:
            ways = [WayOut("", each, number, is_emergency=True) for each in self._providers.values()]
            yield Considered("emergency", say("everybody may call it over any provider"), tuple(ways))

    def _over_own_line(self, number: str, group: EmployeeGroup | None, line: str, *, is_emergency: bool) -> Considered:
        """EXT-17: the number is sent as a rule for that account would send it. Who may call inside only is barred."""
        rule, found = f"own line {line}", self._lines.get(line)
        account = self._providers.get(found.provider) if found is not None else None
        if account is None:
            return Considered(rule, say("it is disabled, or its provider is"))
        if group is not None and not group.routes and not is_emergency:
            return Considered(rule, say("the group {group} may not call outside", group=group.id), is_barred=True)
        way = WayOut("", account, self._sent_to(account, number), line, is_emergency=is_emergency)
        return Considered(rule, say("{number} is dialled {ways}", number=way.number, ways=way.way), (way,))

    def _sent_to(self, account: Provider, number: str) -> str:
        """What this account is given of the number: by the first rule that would send it there, else all of it."""
        for route, template in self._routes:
            matched = _matched(number, route)
            if account.id in (route.provider, *route.providers) and template.fits(matched):
                return dialled_only(route.prepend + matched[route.strip :]) or dialled_only(number)
        return dialled_only(number)

    def _considered(
        self, route: OutboundRoute, matched: str, caller_id: str, load: Load, *, is_emergency: bool
    ) -> Considered:
        rule = f"outbound {route.name}"
        named = dict.fromkeys((route.provider, *route.providers))
        accounts = [self._providers[id] for id in named if id in self._providers]
        if not accounts:
            return Considered(rule, say("its provider is disabled"))
        if route.order == "least_used":
            accounts.sort(key=lambda each: load(each.id))
        sent = dialled_only(route.prepend + matched[route.strip :])
        if not sent:
            return Considered(rule, say("nothing is left of {number} to dial", number=matched))
        ways = [
            WayOut(
                route.name,
                each,
                sent,
                caller_id,
                is_last=not is_emergency and (each.only or (route.only and each is accounts[-1])),
                is_emergency=is_emergency,
            )
            for each in accounts
        ]
        return Considered(rule, say("{number} is dialled {ways}", number=sent, ways=_all(ways)), tuple(ways))


def _all(ways: Sequence[WayOut]) -> Said:
    """Each way by which a number is dialled."""
    found = ways[0].way
    for each in ways[1:]:
        found = say("{ways}, {way}", ways=found, way=each.way)
    return found


def _matched(number: str, route: OutboundRoute) -> str:
    """What the template sees: without the + before it, unless the rule wants it (OUT-7)."""
    number = dialled_only(number)
    return number if route.keep_plus else number.removeprefix("+")


def may_use(group: EmployeeGroup, route: OutboundRoute) -> bool:
    """GRP-5."""
    return ALL_ROUTES in group.routes or route.name in group.routes


def _caller_id(group: EmployeeGroup | None, route: OutboundRoute) -> str:
    if group is None:
        return route.caller_id
    return group.caller_ids.get(route.name) or group.caller_id or route.caller_id
