"""What `[security]` means: the border of a server, made of its settings (SEC-11)."""

from dataclasses import replace

from conf.networks import NetworkRule
from conf.schema import SecuritySettings, SipSettings
from pbx.admission import Admission
from pbx.bans import PRESETS, BanPolicy, Bans
from pbx.border import Border
from pbx.clock import Clock
from storage.records import Office

MANY_TERMINALS = 200  # whole offices behind single addresses: no rate is right for them


def policy_of(security: SecuritySettings) -> BanPolicy | None:
    """The preset, with what the settings say otherwise; None where nobody is banned."""
    preset = PRESETS.get(security.protection)
    if preset is None:
        return None
    return replace(
        preset,
        attempts=security.attempts or preset.attempts,
        within_s=float(security.within or preset.within_s),
        ban_s=float(security.ban or preset.ban_s),
    )


def rate_of(sip: SipSettings, security: SecuritySettings, terminals: int = 0) -> int:
    """Requests that a stranger may bring in a second, 0 = any number."""
    if isinstance(sip.source_rate, int):
        return sip.source_rate
    policy = policy_of(security)
    return policy.rate if policy is not None and terminals <= MANY_TERMINALS else 0


def unprotected(security: SecuritySettings) -> str:
    """What is advised where the one switch of networks and bans is off, "" where it is on (SEC-6)."""
    if security.protection != "off":
        return ""
    return (
        'the server is not protected: [security] protection = "off" bans nobody, and networks keep nobody out; '
        'set "weak" or more, and allow = […] for addresses that must never be banned'
    )


def rules_of(security: SecuritySettings, office: Office) -> list[NetworkRule]:
    """The networks of the office, none where protection is off."""
    return [] if security.protection == "off" else [NetworkRule.of(each) for each in office.networks]


def border_of(security: SecuritySettings, admission: Admission, clock: Clock) -> Border:
    """Without rules and bans where protection is off."""
    rules = rules_of(security, admission.directory.office)
    border = Border(Bans(policy_of(security), clock), admission, rules, security.allow)
    admission.border = border
    return border
