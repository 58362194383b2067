"""Who is heard at all: the networks that may reach the server (SEC-1…SEC-5), and those who are banned (SEC-10).

Nobody is banned who would lock the office out: this machine, the networks and addresses that the settings name,
trusted terminals, edges, providers, and every address from where a phone has proved who it is. Such a source is slowed
down when it guesses (`pbx.guard`), one account at a time.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from conf.fields import Network
from frozen import dataclass
from pbx.bans import Ban, Bans
from pbx.states import States

if TYPE_CHECKING:
    from pbx.admission import Admission

WRONG_PASSWORD, UNKNOWN_ACCOUNT, NOT_FROM_THERE = "wrong password", "unknown account", "not allowed from there"
NUMBER_FOR_LOGIN = "the number instead of the login"  # told of the account; of the source it is an unknown one
UNKNOWN_NUMBER, SCANNER = "call to an unknown number", "scanner"


@dataclass(frozen=True, slots=True)
class NetworkRule:
    """`sip`: phones there may reach us, `web`: browsers and other programs may (SEC-2); `never_block`: nobody there is
    banned (SEC-5)."""

    network: Network
    sip: bool = True
    never_block: bool = False
    web: bool = True


class Border:
    """`rules` in any order: the one of the smallest network that has an address decides. Without any, everybody is
    heard; with some, whoever none of them names is not. `allow`: never banned (SEC-13)."""

    def __init__(
        self, bans: Bans, admission: "Admission", rules: Sequence[NetworkRule] = (), allow: Sequence[Network] = ()
    ) -> None:
        self.bans, self._admission, self._allow = bans, admission, tuple(allow)
        self.web_bans = bans.beside("web")
        self._rules = sorted(rules, key=lambda rule: rule.network.prefixlen, reverse=True)
        self._rule_of = lru_cache(maxsize=4096)(self._find)
        self.dropped = 0

    def refuses(self, source: str) -> bool:
        """Whether nothing that comes from an address is looked at; counted."""
        if not self._rules and not self.bans.are_any:
            return False
        if self.bans.is_banned(source) or not self._may_reach(source):
            self.dropped += 1
            return True
        return False

    def failed(self, source: str, reason: str) -> None:
        """What is counted against an address (SEC-12)."""
        if not self._is_exempt(source):
            self.bans.failed(source, reason)

    def refuses_web(self, source: str) -> bool:
        """The same for HTTP (SEC-18): who has attacked SIP still reaches the web, and the other way round (SEC-10).
        Of those that no network names only this machine is let in: providers have nothing to do there."""
        rule = self._rule_of(source)
        is_outside = bool(self._rules) and not _is_here(source) and (rule is None or not rule.web)
        if is_outside or self.web_bans.is_banned(source):
            self.dropped += 1
            return True
        return False

    def failed_web(self, source: str, reason: str) -> None:
        """What is counted against an address on the web: sign-ins, API keys, looking for ways in (SEC-12, SEC-15)."""
        if not self._is_exempt(source):
            self.web_bans.failed(source, reason)

    def table(self) -> Sequence[Ban]:
        """The bans of all services, newest first (SEC-14)."""
        return sorted((*self.bans.table(), *self.web_bans.table()), key=lambda ban: ban.since_at, reverse=True)

    def let_in(self, source: str) -> bool:
        """Let an address in again everywhere; False when it is not banned."""
        removed = [each.remove(source) for each in (self.bans, self.web_bans)]
        return any(removed)

    def restore(self, states: States) -> None:
        """Take up the bans of before the restart."""
        for each in (self.bans, self.web_bans):
            each.restore(states)

    def sweep(self) -> None:
        for each in (self.bans, self.web_bans):
            each.sweep()

    def describe(self) -> dict[str, object]:
        return {"dropped": self.dropped, **self.bans.describe()}

    def _may_reach(self, source: str) -> bool:
        """The order of SEC-3: networks, then providers and this machine, then a rule for all."""
        if not self._rules:
            return True
        rule = self._rule_of(source)
        if rule is not None and rule.network.prefixlen:
            return rule.sip
        return self._is_known(source) or (rule is not None and rule.sip)

    def _is_exempt(self, source: str) -> bool:
        rule = self._rule_of(source)
        if (rule is not None and rule.never_block) or self._is_known(source) or self._admission.rate.is_proven(source):
            return True
        address = _address(source)
        return address is None or any(_has(network, address) for network in self._allow)

    def _is_known(self, source: str) -> bool:
        """This machine, a trusted terminal, an edge, a provider (SEC-7)."""
        admission = self._admission
        if _is_here(source):
            return True
        is_line = admission.lines is not None and admission.lines.is_line(source)
        return is_line or admission.sources.is_edge(source) or bool(admission.directory.trusts(source))

    def _find(self, source: str) -> NetworkRule | None:
        address = _address(source)
        if address is None:
            return None
        return next((rule for rule in self._rules if _has(rule.network, address)), None)


def _is_here(source: str) -> bool:
    address = _address(source)
    return address is not None and address.is_loopback


def _address(source: str) -> IPv4Address | IPv6Address | None:
    """An IPv4 address written as IPv6 is the former."""
    try:
        found = ip_address(source.partition("%")[0].strip("[]"))
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _has(network: Network, address: IPv4Address | IPv6Address) -> bool:
    return address.version == network.version and address in network
