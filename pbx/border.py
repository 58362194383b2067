"""Who is heard at all: the networks that may reach the server (SEC-1…SEC-5), and those who are banned (SEC-10).

Nobody is banned who would lock the office out: this machine, the networks and addresses that the settings name,
trusted terminals, edges, providers, and every address from where a phone has proved who it is. Such a source is slowed
down when it guesses (`pbx.guard`), one account at a time.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from conf.fields import Network
from conf.networks import NetworkRule, NetworkRules, address_of, has, is_here
from pbx.bans import Ban, Bans
from pbx.states import States

if TYPE_CHECKING:
    from pbx.admission import Admission

WRONG_PASSWORD, UNKNOWN_ACCOUNT, NOT_FROM_THERE = "wrong password", "unknown account", "not allowed from there"
NUMBER_FOR_LOGIN = "the number instead of the login"  # told of the account; of the source it is an unknown one
_SERVICES = {"WS": "webrtc", "WSS": "webrtc"}  # the other transports are those of phones
WRONG_SSH = "wrong SSH sign-in"
UNKNOWN_NUMBER, SCANNER = "call to an unknown number", "scanner"


class Border:
    """Without rules everybody is heard; with some, whoever none of them names is not. `allow`: never banned
    (SEC-13)."""

    def __init__(
        self, bans: Bans, admission: "Admission", rules: Sequence[NetworkRule] = (), allow: Sequence[Network] = ()
    ) -> None:
        self.bans, self._admission, self._allow = bans, admission, tuple(allow)
        self.web_bans, self.ssh_bans = bans.beside("web"), bans.beside("ssh")
        self._all_bans = (bans, self.web_bans, self.ssh_bans)
        self.rules = NetworkRules(rules)
        self.on_rules: list[Callable[[], None]] = []
        self.dropped = 0

    def apply(self, rules: Iterable[NetworkRule]) -> None:
        """Other networks count from now on."""
        self.rules = NetworkRules(rules)
        for told in self.on_rules:
            told()

    def refuses(self, source: str, transport: str = "UDP") -> bool:
        """Whether nothing that comes from an address is looked at; counted."""
        if not self.rules.all and not self.bans.are_any:
            return False
        if self.bans.is_banned(source) or not self._may_reach(source, _SERVICES.get(transport, "sip")):
            self.dropped += 1
            return True
        return False

    def failed(self, source: str, reason: str) -> None:
        """What is counted against an address (SEC-12)."""
        if not self._is_exempt(source):
            self.bans.failed(source, reason)

    def failed_web(self, source: str, reason: str) -> bool:
        """What is counted against an address on the web: sign-ins, API keys, looking for ways in (SEC-12, SEC-15).
        Whether it is banned there: who has attacked SIP still reaches the web, and the other way round (SEC-10)."""
        return not self._is_exempt(source) and self.web_bans.failed(source, reason)

    def failed_ssh(self, source: str) -> None:
        """The same for the SSH server of this machine, which the kernel closes to it."""
        if not self._is_exempt(source):
            self.ssh_bans.failed(source, WRONG_SSH)

    def tell(self, told: Callable[[Ban], None]) -> None:
        """Who hears of every new ban."""
        for each in self._all_bans:
            each.told = told

    def table(self) -> Sequence[Ban]:
        """The bans of all services, newest first (SEC-14)."""
        return sorted(
            (ban for each in self._all_bans for ban in each.table()), key=lambda ban: ban.since_at, reverse=True
        )

    def let_in(self, source: str) -> bool:
        """Let an address in again everywhere; False when it is not banned."""
        removed = [each.remove(source) for each in self._all_bans]
        return any(removed)

    def restore(self, states: States) -> None:
        """Take up the bans of before the restart."""
        for each in self._all_bans:
            each.restore(states)

    def sweep(self) -> None:
        for each in self._all_bans:
            each.sweep()

    def describe(self) -> dict[str, object]:
        return {"dropped": self.dropped, **self.bans.describe()}

    def _may_reach(self, source: str, service: str) -> bool:
        """The order of SEC-3: networks, then providers and this machine, then a rule for all."""
        if not self.rules.all:
            return True
        rule = self.rules.of(source)
        may = rule is not None and service in rule.services
        return may or ((rule is None or rule.is_for_all) and self._is_known(source))

    def _is_exempt(self, source: str) -> bool:
        rule = self.rules.of(source)
        if (rule is not None and rule.never_block) or self._is_known(source) or self._admission.rate.is_proven(source):
            return True
        address = address_of(source)
        return address is None or any(has(network, address) for network in self._allow)

    def _is_known(self, source: str) -> bool:
        """This machine, a trusted terminal, an edge, a provider (SEC-7)."""
        admission = self._admission
        if is_here(source):
            return True
        is_line = admission.lines is not None and admission.lines.is_line(source)
        return is_line or admission.sources.is_edge(source) or bool(admission.directory.trusts(source))
