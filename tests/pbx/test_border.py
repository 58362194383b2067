"""Who is heard at all: bans of attackers, networks, and nobody of the office locked out."""

import asyncio
import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from conf.fields import PortRange
from conf.load import parse_settings
from conf.networks import NetworkRule, NetworkRules
from pbx.admission import Admission
from pbx.bans import KEEP_S, PRESETS, BanPolicy, Bans
from pbx.border import NOT_FROM_THERE, SCANNER, UNKNOWN_ACCOUNT, UNKNOWN_NUMBER, WRONG_PASSWORD, Border
from pbx.cli_check import check_file
from pbx.clock import Clock
from pbx.directory import Directory
from pbx.firewall import Ports, _element, _rules, _table
from pbx.own_networks import own_networks
from pbx.protection import border_of, policy_of, rate_of
from pbx.source import Sources
from pbx.states import States
from sipcore.message import Request
from storage.memory import MemoryKept
from storage.records import SERVICES, NetworkFilter, Office, Provider, StoredState
from tests.support.builders import terminal
from tests.support.office import NONCE_KEY, REALM, VirtualOffice, open_office

BAD, OTHER, HOME = "203.0.113.66", "198.51.100.1", "192.0.2.8"
THREE = BanPolicy(3, 60.0, 600.0)


@dataclass
class Rig:
    """A border with a clock that moves by hand."""

    policy: BanPolicy | None = THREE
    rules: tuple[NetworkRule, ...] = ()
    allow: tuple[str, ...] = ()
    store: MemoryKept[StoredState] = field(default_factory=MemoryKept)
    at: float = 1000.0

    def __post_init__(self) -> None:
        self.clock = clock = Clock(self, lambda: 1_700_000_000.0 + self.at)  # type: ignore[arg-type]
        office = Office("Test", terminals=(terminal("101", trust="192.0.2.50"), terminal("102")))
        self.admission = Admission(Directory(office, REALM), NONCE_KEY, clock, sources=Sources(EDGES))
        self.bans = Bans(self.policy, clock)
        allow = [ipaddress.ip_network(each) for each in self.allow]
        self.border = Border(self.bans, self.admission, self.rules, allow)

    def time(self) -> float:
        """As the loop's clock."""
        return self.at

    def fails(self, times: int, source: str = BAD, reason: str = WRONG_PASSWORD) -> bool:
        for _ in range(times):
            self.border.failed(source, reason)
        return self.border.refuses(source)


def refuses_web(border: Border, source: str) -> bool:
    """As the web process does with what it is told."""
    return not border.rules.let_in(source, "web") or border.web_bans.is_banned(source)


EDGES = (ipaddress.ip_network("192.0.2.60/32"),)


def rule(network: str, *, sip: bool = True, never_block: bool = False, web: bool = True) -> NetworkRule:
    services = [name for name, may in (("sip", sip), ("web", web)) if may]
    return NetworkRule(ipaddress.ip_network(network), services, never_block=never_block)


@pytest.mark.row("SEC-10")
def test_so_many_failures_in_so_short_a_time_ban_an_address_and_no_other() -> None:
    rig = Rig()
    assert not rig.fails(2)
    assert rig.fails(1)
    assert not rig.border.refuses(OTHER)
    rig.at += 599
    assert rig.border.refuses(BAD)
    rig.at += 1
    assert not rig.border.refuses(BAD)
    assert not rig.fails(2), "it begins anew"


def test_failures_far_apart_ban_nobody() -> None:
    rig = Rig()
    for _ in range(10):
        assert not rig.fails(1)
        rig.at += 31


def test_an_ipv6_host_is_its_64() -> None:
    rig = Rig()
    for host in ("2001:db8::1", "2001:db8::2", "2001:db8::3"):
        rig.border.failed(host, WRONG_PASSWORD)
    assert rig.border.refuses("2001:db8::99")
    assert not rig.border.refuses("2001:db8:0:1::1")


@pytest.mark.parametrize(
    "source", ["127.0.0.1", "::1", "192.0.2.50", "192.0.2.60", HOME, "10.1.2.3", "::ffff:10.1.2.3"]
)
def test_nobody_of_the_office_is_locked_out(source: str) -> None:
    """This machine, a trusted terminal, an edge, where a phone proved itself, what the settings name."""
    rig = Rig(allow=("10.0.0.0/8",))
    rig.admission.rate.proved(HOME)
    assert not rig.fails(50, source)


class Lines:
    """Providers whose server is at one address."""

    def is_line(self, source: str) -> bool:
        return source == HOME

    def accounts_of(self, request: Request, source: str) -> tuple[Provider, ...]:
        return ()


@pytest.mark.row("SEC-7")
def test_providers_are_heard_whatever_the_networks_say_and_never_banned() -> None:
    rig = Rig(rules=(rule("203.0.113.0/24"), rule("0.0.0.0/0", sip=False)))
    assert rig.border.refuses(HOME)
    rig.admission.lines = Lines()
    assert not rig.fails(50, HOME)
    assert rig.border.refuses(OTHER)


@pytest.mark.row("SEC-5")
@pytest.mark.row("SEC-13")
def test_the_white_list_and_networks_that_are_never_blocked() -> None:
    rig = Rig(allow=("203.0.113.0/24",), rules=(rule("0.0.0.0/0"), rule("198.51.100.0/24", never_block=True)))
    assert not rig.fails(50, BAD)
    assert not rig.fails(50, OTHER)
    assert rig.fails(3, "192.0.2.99")


@pytest.mark.row("SEC-3")
@pytest.mark.parametrize(
    ("networks", "heard"),
    [
        ((), (BAD, OTHER, HOME)),
        (("203.0.113.0/24",), (BAD,)),
        (("0.0.0.0/0", "-203.0.113.0/24"), (OTHER, HOME)),
        (("-0.0.0.0/0", "203.0.113.0/24"), (BAD,)),
        (("-203.0.113.0/24", "203.0.113.66/32"), (BAD,)),
    ],
)
def test_the_smallest_network_decides_and_without_any_everybody_is_heard(
    networks: tuple[str, ...], heard: tuple[str, ...]
) -> None:
    rules = tuple(rule(each.removeprefix("-"), sip=not each.startswith("-")) for each in networks)
    border = Rig(rules=rules).border
    assert tuple(source for source in (BAD, OTHER, HOME) if not border.refuses(source)) == heard
    assert not any(border.refuses(source) for source in ("127.0.0.1", "192.0.2.50", "192.0.2.60"))


@pytest.mark.row("SEC-14")
def test_the_table_has_reasons_survives_a_restart_and_lets_addresses_go() -> None:
    rig = Rig()
    rig.bans.restore(States(rig.store))
    rig.fails(2)
    assert rig.fails(1, reason=UNKNOWN_ACCOUNT)
    (ban,) = rig.bans.table()
    assert (ban.source, ban.until_at - ban.since_at) == (BAD, 600)
    assert dict(ban.reasons) == {WRONG_PASSWORD: 2, UNKNOWN_ACCOUNT: 1}
    again = Rig(store=rig.store, at=rig.at + 100)
    asyncio.run(_restored(again))
    assert again.bans.table() == [ban]
    assert again.border.refuses(BAD)
    assert not again.bans.remove(OTHER)
    assert again.bans.remove(BAD)
    assert not again.border.refuses(BAD)
    assert asyncio.run(rig.store.load()) == []


def test_an_attack_on_one_service_closes_that_one_alone_over_a_restart_too() -> None:
    rig = Rig()
    rig.border.restore(States(rig.store))
    for _ in range(3):
        rig.border.failed_web(BAD, "wrong sign-in")
    assert (refuses_web(rig.border, BAD), rig.border.refuses(BAD)) == (True, False)
    assert rig.fails(3, OTHER)
    assert not refuses_web(rig.border, OTHER)
    assert {(ban.source, ban.service) for ban in rig.border.table()} == {(BAD, "web"), (OTHER, "sip")}
    again = Rig(store=rig.store, at=rig.at + 100)
    asyncio.run(_restored(again))
    assert (refuses_web(again.border, BAD), refuses_web(again.border, OTHER)) == (True, False)
    assert again.border.let_in(BAD)
    assert not refuses_web(again.border, BAD)


@pytest.mark.row("SEC-6")
def test_networks_and_bans_are_one_switch_that_is_on_by_default_and_advised_when_off(tmp_path: Path) -> None:
    office = Office(networks=(NetworkFilter("site", "198.51.100.0/24"),))

    def notes(switch: str) -> str:
        file = tmp_path / "zvon.toml"
        file.write_text(switch)
        return " ".join(check_file(file, {}).notes)

    def refused(switch: str, source: str) -> tuple[bool, bool]:
        rig = Rig()
        rig.admission.directory = Directory(office, REALM)
        border = border_of(parse_settings(switch).security, rig.admission, rig.clock)
        for _ in range(20):
            border.failed(source, WRONG_PASSWORD)
            border.failed_web(source, WRONG_PASSWORD)
        return border.refuses(source), refuses_web(border, source)

    off = '[security]\nprotection = "off"\n'
    assert refused("", BAD) == refused("", OTHER) == (True, True), "outside of the networks; banned"
    assert refused(off, BAD) == refused(off, OTHER) == (False, False)
    kept = Rig()
    kept.border.restore(States(kept.store))
    assert kept.fails(3)
    again = Rig(policy=None, store=kept.store)
    asyncio.run(_restored(again))
    assert not again.border.refuses(BAD), "bans of before it was switched off count no more"
    assert "is not protected" in notes(off)
    assert "is not protected" not in notes("")


def test_networks_say_who_reaches_the_web_and_this_machine_always_does() -> None:
    rig = Rig(rules=(rule("203.0.113.0/24", web=False), rule("198.51.100.0/24", sip=False)))
    heard = [each for each in (BAD, OTHER, HOME, "127.0.0.1", "192.0.2.60") if not refuses_web(rig.border, each)]
    assert heard == [each for each in (BAD, OTHER, HOME, "127.0.0.1", "192.0.2.60")
                     if each.startswith(("198.51.100.", "127."))]  # fmt: skip
    assert not refuses_web(Rig().border, HOME), "without networks everybody is heard"


def test_bans_that_are_over_are_kept_for_ninety_days() -> None:
    rig = Rig()
    rig.bans.restore(States(rig.store))
    assert rig.fails(3)
    rig.at += KEEP_S
    rig.bans.sweep()
    assert len(rig.bans.table()) == 1
    rig.at += 601
    rig.bans.sweep()
    assert rig.bans.table() == []
    assert asyncio.run(rig.store.load()) == []


def test_what_nobody_can_read_is_no_ban() -> None:
    rig = Rig()
    rig.store.put("bans/1.2.3.4", StoredState("bans/1.2.3.4", "bans", "1.2.3.4", "{"))
    asyncio.run(_restored(rig))
    assert rig.bans.table() == []


async def _restored(rig: Rig) -> None:
    states = States(rig.store)
    await states.restore()
    rig.border.restore(states)


def test_memory_is_bounded() -> None:
    rig = Rig()
    rig.bans._most = 100
    for count in range(500):
        rig.fails(1 if count % 2 else 3, f"198.18.{count // 250}.{count % 250}")
    assert len(rig.bans.table()) <= 100
    assert rig.bans.describe()["watched"] == 100


@pytest.mark.row("SEC-11")
@pytest.mark.parametrize(
    ("preset", "numbers"),
    [
        ("weak", (20, 600, 600, 500)),
        ("normal", (10, 3600, 86_400, 300)),
        ("enhanced", (5, 21_600, 604_800, 150)),
        ("paranoid", (3, 86_400, 2_592_000, 100)),
    ],
)
def test_presets_set_failures_times_and_the_rate(preset: str, numbers: tuple[int, ...]) -> None:
    settings = parse_settings(f'[security]\nprotection = "{preset}"')
    policy = policy_of(settings.security)
    assert policy is not None
    assert policy == PRESETS[preset]
    assert policy == BanPolicy(*numbers)
    assert rate_of(settings.sip, settings.security, 200) == numbers[3]
    assert rate_of(settings.sip, settings.security, 201) == 0, "none for large offices"
    rig = Rig()
    border = border_of(settings.security, rig.admission, rig.clock)
    for _ in range(numbers[0] - 1):
        border.failed(BAD, WRONG_PASSWORD)
    assert not border.refuses(BAD)
    border.failed(BAD, WRONG_PASSWORD)
    assert border.refuses(BAD)


def test_own_values_take_the_place_of_the_preset_and_off_bans_nobody() -> None:
    settings = parse_settings(
        '[sip]\nsource_rate = 7\n[security]\nprotection = "normal"\nattempts = 2\nwithin = 9\nban = 5'
    )
    assert policy_of(settings.security) == BanPolicy(2, 9.0, 5.0, 300)
    assert rate_of(settings.sip, settings.security) == 7
    assert policy_of(parse_settings('[security]\nprotection = "off"').security) is None
    assert not Rig(policy=None).fails(1000)


# --- what counts (SEC-12), over the whole path ----------------------------------------------------------------------


@contextmanager
def guarded(office: VirtualOffice, policy: BanPolicy = THREE) -> Iterator[Border]:
    border = Border(Bans(policy, office.clock), office.admission)
    office.admission.border = border
    office.gate._border = border
    office.gate._scanners = (b"friendly-scanner",)
    yield border


@pytest.mark.row("SEC-12")
@pytest.mark.parametrize(
    ("number", "password", "reason"), [("102", "wrong", WRONG_PASSWORD), ("555", "wrong", UNKNOWN_ACCOUNT)]
)
async def test_a_guesser_is_banned_with_its_reason_while_others_register(
    number: str, password: str, reason: str
) -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        with guarded(office) as border:
            guesser = office.phone(number, BAD, password=password)
            for _ in range(3):
                assert (await guesser.register()).status == 401
            (ban,) = border.bans.table()
            assert (ban.source, dict(ban.reasons)) == (BAD, {reason: 3})
            assert (
                office.gate.judge(b"OPTIONS sip:x SIP/2.0\r\n\r\n", guesser.flow.__class__("UDP", ("", 0), (BAD, 5060)))
                == b""
            )
            assert (await office.phone("101").register()).status == 200
            office.unplug(guesser)


async def test_one_phone_with_a_wrong_password_does_not_lock_out_the_office_behind_the_same_address() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        with guarded(office) as border:
            assert (await office.phone("101", HOME, 5061).register()).status == 200
            wrong = office.phone("102", HOME, 5062, password="wrong")
            for _ in range(9):
                assert (await wrong.register()).status == 401
            assert border.bans.table() == []
            assert (await office.phone("101", HOME, 5063).register()).status == 200


@pytest.mark.row("SEC-12")
async def test_an_account_from_a_network_that_may_not_use_it_counts() -> None:
    async with open_office(terminal("101", network="10.0.0.0/8")) as office:
        with guarded(office) as border:
            away = office.phone("101", BAD)
            for _ in range(3):
                assert (await away.register()).status == 403
            assert dict(border.bans.table()[0].reasons) == {NOT_FROM_THERE: 3}
            office.unplug(away)


@pytest.mark.row("SEC-12")
@pytest.mark.parametrize(
    ("text", "reason"),
    [("INVITE sip:00441234567@10.0.0.1 SIP/2.0", UNKNOWN_NUMBER), ("User-Agent: friendly-scanner", SCANNER)],
)
async def test_scanners_and_calls_to_unknown_numbers_count(text: str, reason: str) -> None:
    async with open_office(terminal("101")) as office:
        with guarded(office) as border:
            raw = office.raw("900", BAD)
            for count in range(3):
                number = "00441234567" if text.startswith("INVITE") else "101"
                extra = () if text.startswith("INVITE") else (text,)
                raw.send(raw.request("INVITE", number, 1, *extra, branch=f"b{count}", to_tag=""))
                await asyncio.sleep(1)
            assert dict(border.bans.table()[0].reasons) == {reason: 3}
            before = len(raw.received)
            raw.send(raw.request("OPTIONS", "101", 1, branch="after", to_tag=""))
            await asyncio.sleep(1)
            assert len(raw.received) == before, "nothing is answered any longer"


async def test_calls_to_numbers_that_exist_do_not_count_before_somebody_registers() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        with guarded(office) as border:
            raw = office.raw("900", BAD)
            for count in range(9):
                raw.send(raw.request("INVITE", "101", 1, branch=f"b{count}", to_tag=""))
                await asyncio.sleep(1)
            assert border.bans.table() == []


def test_the_table_of_the_kernel_names_the_ports_and_both_families() -> None:
    script = _table([5060, 5061], 2222)
    assert script.count("th dport { 5060, 5061 }") == 2
    assert script.count("tcp dport 2222 ip") == 2
    assert _element("sip", BAD, " timeout 60s") == f"inet zvon sip4 {{ {BAD} timeout 60s }}"
    assert _element("ssh", "2001:db8::/64") == "inet zvon ssh6 { 2001:db8::/64 }"


# --- networks (SEC-1, SEC-2) ----------------------------------------------------------------------------------------


def test_the_lower_priority_decides_before_the_smaller_network_and_what_is_for_all_comes_last() -> None:
    wide, small = NetworkFilter("wide", "10.0.0.0/8", priority=1), NetworkFilter("small", "10.1.0.0/16", priority=2)
    everybody = NetworkFilter("all", "0.0.0.0/0", sip=False)
    for named, heard in (
        ((replace(small, sip=False), wide, everybody), True),
        ((replace(small, sip=False, priority=0), wide, everybody), False),
        ((replace(small, sip=False), replace(wide, priority=2), everybody), False),
    ):
        rig = Rig(rules=tuple(map(NetworkRule.of, named)))
        assert rig.border.refuses("10.1.2.3") is not heard
        assert rig.border.refuses(BAD)


def test_each_tick_opens_its_own_service_and_a_new_network_has_phones_the_web_and_ping() -> None:
    assert NetworkRule.of(NetworkFilter("new", "10.0.0.0/8")).services == {"sip", "web", "icmp"}
    for service in SERVICES:
        closed = NetworkFilter("one", "203.0.113.0/24", sip=False, web=False, icmp=False)
        rig = Rig(rules=(NetworkRule.of(replace(closed, **{service: True})),))  # type: ignore[arg-type]
        heard = {each for each in SERVICES if rig.border.rules.let_in(BAD, each)}
        assert heard == {service}
        phones = {name for name, transport in (("sip", "TLS"), ("webrtc", "WSS"))
                  if not rig.border.refuses(BAD, transport)}  # fmt: skip
        assert phones == heard & {"sip", "webrtc"}


def test_the_kernel_has_a_rule_for_each_service_of_each_network_on_the_ports_of_the_settings() -> None:
    rules = NetworkRules(
        NetworkRule.of(each)
        for each in (
            NetworkFilter("all", "0.0.0.0/0", sip=False, web=False, icmp=False),
            NetworkFilter("site", "10.0.0.0/8", ssh=True),
            NetworkFilter("guests", "2001:db8::/32", sip=False, web=False, api=True),
        )
    )
    said = list(_rules(rules.all, Ports((5060, 5061), (8089,), PortRange(10000, 10999), 8443, 2222)))
    assert said[:2] == ["ct state established,related accept", "iif lo accept"]
    sip = "meta l4proto { tcp, udp } th dport { 5060, 5061 }"
    assert [each for each in said if each.startswith(sip)] == [
        f"{sip} ip6 saddr 2001:db8::/32 drop", f"{sip} ip saddr 10.0.0.0/8 accept"
    ], "the server itself knows providers, so the kernel leaves the rest to it"  # fmt: skip
    assert [each.removeprefix("tcp dport 2222 ") for each in said if " 2222 " in each] == [
        "ip6 saddr 2001:db8::/32 drop", "ip saddr 10.0.0.0/8 accept", "meta nfproto ipv4 drop", "drop"
    ]  # fmt: skip
    assert "tcp dport 8443 ip6 saddr 2001:db8::/32 accept" in said, "by API keys"
    assert "udp dport 10000-10999 ip6 saddr 2001:db8::/32 drop" in said
    assert "tcp dport { 8089 } ip saddr 10.0.0.0/8 drop" in said
    assert list(_rules((), Ports((5060,), (), PortRange(10000, 10999), None, 22))) == []


def test_the_networks_of_this_machine_are_read_from_the_kernel(tmp_path: Path) -> None:
    routes, addresses = tmp_path / "route", tmp_path / "if_inet6"
    routes.write_text(
        "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
        "eth0 00000000 0132A8C0 0003 0 0 0 00000000 0 0 0\n"
        "eth0 0032A8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n"
    )
    addresses.write_text(
        "fe800000000000000000000000000001 02 40 20 80 eth0\n20010db8000000000000000000000005 02 40 00 80 eth0\n"
    )
    assert own_networks(routes, addresses) == ["192.168.50.0/24", "2001:db8::/64"]
    assert own_networks(tmp_path / "none", tmp_path / "none") == []
