"""The office as call control looks things up in it: an index over one immutable snapshot."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from conf.networks import is_within, network_of
from conf.office_namespace import is_outside
from pbx.party import Party, display_name
from pbx.phonebook import Phonebook
from pbx.routing import WaysOut
from sipcore.auth.digest import Ha1, ha1
from storage.records import (
    OFFICE_LISTS,
    EmployeeGroup,
    Entry,
    ExternalNumber,
    NetworkFilter,
    Office,
    Provider,
    Terminal,
    User,
    VoicemailBox,
    login_of,
)

_SOURCES_KEPT = 10_000
TWIN = "-WS"  # behind the user name of an account: its browser
_OF_OTHERS = (VoicemailBox, ExternalNumber)  # their numbers are dialled for something else, or outside
Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Directory:
    """`realm` is that of the digest secrets. Replaced as a whole when the office changes."""

    office: Office
    realm: str
    _secrets: dict[tuple[str, str], Ha1] = field(default_factory=dict, repr=False)
    _trusting: dict[str, dict[str, Terminal]] = field(default_factory=dict, repr=False)
    _parties: dict[str, Party] = field(default_factory=dict, repr=False)

    @cached_property
    def _terminals(self) -> dict[str, Terminal]:
        return {terminal.number: terminal for terminal in self.office.terminals}

    @cached_property
    def _numbered(self) -> dict[str, Entry]:
        lists = (each for each in OFFICE_LISTS if each.key == "number" and each.record not in _OF_OTHERS)
        return {each.key_of(entry): entry for each in lists for entry in each.of(self.office)}

    @cached_property
    def _users(self) -> dict[str, User]:
        return {user.id: user for user in self.office.users}

    @cached_property
    def _lamp_lists(self) -> dict[str, tuple[str, ...]]:
        return {each.id: each.members for each in self.office.lamp_lists}

    @cached_property
    def _lists_with(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for each in self.office.lamp_lists:
            for number in each.members:
                found.setdefault(number, []).append(each.id)
        return found

    @cached_property
    def _trusts(self) -> list[tuple[Network, Terminal]]:
        return [(ip_network(t.trust, strict=False), t) for t in self.office.terminals if t.trust and not t.disabled]

    @cached_property
    def _filters(self) -> dict[str, list[tuple[Network | None, bool]]]:
        """Networks of accounts, the smallest first, and whether they may come from there; of two alike what denies."""
        accounts = (*self.office.terminals, *(account for _, account in self._devices.values()))
        found = {each.number: _rules(each, self.office.networks) for each in accounts}
        return {number: rules for number, rules in found.items() if rules}

    def terminal(self, number: str) -> Terminal | None:
        """The enabled terminal with that number (EXT-21)."""
        found = self._terminals.get(number)
        return None if found is None or found.disabled else found

    @cached_property
    def _devices(self) -> dict[str, tuple[Provider, Terminal]]:
        """Accounts of devices that register here to carry calls (PRV-3), by login."""
        wanted = (each for each in self.office.providers if each.kind == "inbound_register" and not each.disabled)
        return {each.login: (each, self.account_of(each)) for each in wanted}

    @staticmethod
    def account_of(provider: Provider) -> Terminal:
        """What a device has to prove that registers here for a provider."""
        return Terminal(
            provider.login,
            login=provider.login,
            password=provider.password,
            transport=provider.transport,
            dtmf=provider.dtmf,
            srtp=provider.srtp,
            network=provider.network,
        )

    def account(self, login: str) -> Terminal | None:
        """Who may register with that login: a terminal, or the device of a provider."""
        found, device = self._logins.get(login), self._devices.get(login)
        if self.is_twin(login):
            found = self._logins[login.removesuffix(TWIN)]
        if found is not None and not found.disabled:
            return found
        return device[1] if device is not None else None

    @cached_property
    def _logins(self) -> dict[str, Terminal]:
        return {login_of(self.office, terminal): terminal for terminal in self.office.terminals}

    def is_twin(self, login: str) -> bool:
        """Whether it is the user name by which a browser may sign in for a terminal beside its phones (EXT-14)."""
        return login.endswith(TWIN) and login not in self._logins and login.removesuffix(TWIN) in self._logins

    def is_account(self, number: str) -> bool:
        """Whether phones may be registered under that number, or the login of a device."""
        return self.terminal(number) is not None or number in self._devices

    def provider_behind(self, account: Terminal) -> Provider | None:
        """The provider whose device it is that has proved to be `account`; None for a terminal."""
        device = self._devices.get(account.number)
        return device[0] if device is not None and device[1] is account else None

    @property
    def numbers(self) -> Collection[str]:
        """Every number that somebody or something of the office has, those of disabled terminals too."""
        return self._numbered.keys()

    def entry(self, number: str) -> Entry | None:
        """What the office has under that number: an enabled terminal, a queue, … (one namespace)."""
        found = self._numbered.get(number)
        return None if isinstance(found, Terminal) and found.disabled else found

    def party(self, terminal: Terminal) -> Party:
        """Who is at a terminal: its number, and its owner's name (USR-3)."""
        found = self._parties.get(terminal.number)
        if found is None:
            owner = self._users.get(terminal.owner)
            language = (owner.language if owner is not None else "") or self.office.language
            found = self._parties[terminal.number] = Party.of_terminal(terminal, owner, language)
        return found

    def owner(self, terminal: Terminal) -> User | None:
        """The person that a terminal belongs to."""
        return self._users.get(terminal.owner)

    def outside(self, number: str) -> Party | None:
        """Who is at a number that is one outside: the mobile of a person (USR-4), one that a rule leads to, or one that
        no office could have."""
        person = self._mobiles.get(number.lstrip("+"))
        if person is None and not is_outside(number) and not self.ways.leads(number):
            return None
        return Party.outside(number, person.name if person is not None else "")

    @cached_property
    def ways(self) -> WaysOut:
        """The rules for numbers outside."""
        return WaysOut(self.office)

    def is_mobile(self, number: str) -> bool:
        """Whether it is that of a person of the office."""
        return number.lstrip("+") in self._mobiles

    def dial_string(self, number: str) -> str:
        """What is dialled for a number outside: that of a person may be another one (USR-5)."""
        person = self._mobiles.get(number.lstrip("+"))
        return (person.mobile_dial if person is not None else "") or number

    @cached_property
    def phonebook(self) -> Phonebook:
        """People by their numbers."""
        return Phonebook.of(self.office)

    def named(self, caller: Party) -> Party:
        """Somebody outside, named as in the directory: a provider knows no more than the number (USR-15)."""
        name = "" if caller.is_private else self.phonebook.find(caller.shown_number)
        return replace(caller, name=display_name(name)) if name else caller

    @cached_property
    def _mobiles(self) -> dict[str, User]:
        return {user.mobile.lstrip("+"): user for user in self.office.users if user.mobile}

    def employee_group(self, terminal: Terminal) -> EmployeeGroup | None:
        """The group of a terminal's owner; the default one for everybody else (GRP-9)."""
        return self._group_of.get(terminal.owner) or self._default_group

    @cached_property
    def _group_of(self) -> dict[str, EmployeeGroup]:
        return {user: group for group in self.office.employee_groups for user in group.members}

    @cached_property
    def _default_group(self) -> EmployeeGroup | None:
        return next((group for group in self.office.employee_groups if group.is_default), None)

    def members_of(self, lamp_list: str) -> tuple[str, ...] | None:
        """The numbers of a list of lamps."""
        return self._lamp_lists.get(lamp_list)

    def lists_with(self, number: str) -> Sequence[str]:
        """The lists of lamps that have the number."""
        return self._lists_with.get(number, ())

    def trusts(self, source: str) -> dict[str, Terminal]:
        """The terminals that trust a source address, by number; not to be changed."""
        if not self._trusts:
            return {}
        found = self._trusting.get(source)
        if found is None:
            address = ip_address(source)
            if len(self._trusting) >= _SOURCES_KEPT:
                self._trusting.clear()
            found = self._trusting[source] = {t.number: t for network, t in self._trusts if address in network}
        return found

    def trusted(self, source: str, number: str) -> Terminal | None:
        """The terminal that may use this source address without a password: the one named `number`, or the only one
        that trusts the source. Who gives the number of another terminal has to prove it: behind one proxy there are
        phones with passwords and gateways."""
        found = self.trusts(source)
        if number in found or number in self._terminals:
            return found.get(number)
        return next(iter(found.values())) if len(found) == 1 else None

    def may_use(self, terminal: Terminal, source: str) -> bool:
        """Whether the terminal's network filter lets this source in (EXT-11, EXT-12)."""
        rules = self._filters.get(terminal.number)
        if rules is None:
            return True
        return next((may for network, may in rules if is_within(source, network)), not any(may for _, may in rules))

    def secret(self, terminal: Terminal, login: str, algorithm: str) -> Ha1:
        """The digest secret of a terminal under one of its user names, computed once."""
        key = (login, algorithm)
        found = self._secrets.get(key)
        if found is None:
            found = self._secrets[key] = ha1(login, self.realm, terminal.password, algorithm)
        return found


def _rules(account: Terminal, networks: Sequence[NetworkFilter]) -> list[tuple[Network | None, bool]]:
    rules: list[tuple[Network | None, bool]] = (
        [(network_of(account.network, networks), True)] if account.network else []
    )
    rules += [(ip_network(each), True) for each in account.permit]
    rules += [(ip_network(each), False) for each in account.deny]
    return sorted(rules, key=lambda rule: (-rule[0].prefixlen if rule[0] is not None else 0, rule[1]))
