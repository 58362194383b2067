"""Target selection (RFC 3263) without a network: questions asked, order of targets, weights, dead targets."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.locate import (
    MOST_TARGETS,
    DeadTargets,
    Kind,
    Naptr,
    NextHop,
    Question,
    Record,
    Srv,
    Target,
    Wanted,
    by_weight,
    locate,
)
from sipcore.uri import SipUri
from tests.support.ids import CountingIds

ALL = ("UDP", "TCP", "TLS")
Zone = Mapping[tuple[str, str], Sequence[Record]]


def found(text: str, zone: Zone, transports: Sequence[str] = ALL) -> tuple[list[str], list[str]]:
    """The targets of a URI as `transport host port`, and everything that was asked, in order."""
    known: dict[Question, Sequence[Record]] = {}
    asked: list[str] = []
    hop = NextHop.of(SipUri.parse(text))
    while isinstance(plan := locate(hop, known, transports=transports, fraction=CountingIds().fraction), Wanted):
        for question in plan.questions:
            asked.append(f"{question.kind} {question.name}")
            known[question] = zone.get((question.kind, question.name), ())
    return [f"{each.transport} {each.host} {each.port}" for each in plan], asked


ZONE: Zone = {
    ("NAPTR", "example.com"): [
        Naptr(90, 50, "s", "SIP+D2T", "_sip._tcp.example.com"),
        Naptr(100, 50, "s", "SIP+D2U", "_sip._udp.example.com"),
        Naptr(50, 50, "s", "SIPS+D2T", "_sips._tcp.example.com"),
        Naptr(10, 10, "u", "E2U+sip", "nothing.example.com"),
    ],
    ("SRV", "_sip._tcp.example.com"): [Srv(0, 1, 5060, "one.example.com"), Srv(1, 1, 5070, "two.example.com")],
    ("SRV", "_sip._udp.example.com"): [Srv(0, 1, 5080, "one.example.com")],
    ("SRV", "_sips._tcp.example.com"): [Srv(0, 1, 5061, "one.example.com")],
    ("A", "one.example.com"): ["192.0.2.1"],
    ("A", "two.example.com"): ["192.0.2.2"],
    ("AAAA", "one.example.com"): ["2001:db8::1"],
    ("A", "example.com"): ["192.0.2.9"],
}


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("sip:a@192.0.2.5", "UDP 192.0.2.5 5060"),
        ("sip:a@192.0.2.5:5099", "UDP 192.0.2.5 5099"),
        ("sip:a@192.0.2.5;transport=tcp", "TCP 192.0.2.5 5060"),
        ("sip:a@[2001:db8::5];transport=tls", "TLS 2001:db8::5 5061"),
        ("sips:a@192.0.2.5", "TLS 192.0.2.5 5061"),
        ("sips:a@192.0.2.5;transport=tcp", "TLS 192.0.2.5 5061"),
        ("sip:a@example.com;maddr=192.0.2.7", "UDP 192.0.2.7 5060"),
    ],
)
def test_a_literal_address_asks_nothing(uri: str, target: str) -> None:
    assert found(uri, ZONE) == ([target], [])


def test_naptr_says_which_transport_the_host_prefers_and_srv_where_it_is() -> None:
    targets, asked = found("sip:a@example.com", ZONE)
    assert targets == [
        "TLS 192.0.2.1 5061", "TLS 2001:db8::1 5061",
        "TCP 192.0.2.1 5060", "TCP 2001:db8::1 5060", "TCP 192.0.2.2 5070",
        "UDP 192.0.2.1 5080", "UDP 2001:db8::1 5080",
    ]  # fmt: skip
    assert "A nothing.example.com" not in asked


def test_transports_that_we_cannot_use_are_passed_over() -> None:
    assert found("sip:a@example.com", ZONE, ("UDP",))[0] == ["UDP 192.0.2.1 5080", "UDP 2001:db8::1 5080"]


def test_a_sips_uri_goes_over_tls_only() -> None:
    assert {each.split()[0] for each in found("sips:a@example.com", ZONE)[0]} == {"TLS"}
    assert found("sips:a@example.com", ZONE, ("UDP", "TCP")) == ([], found("sips:a@example.com", ZONE, ("UDP",))[1])


def test_without_naptr_every_transport_has_its_srv_name() -> None:
    zone = {key: value for key, value in ZONE.items() if key[0] != "NAPTR"}
    targets, _ = found("sip:a@example.com", zone, ("TCP", "UDP"))
    assert [each.split()[0] for each in targets] == ["TCP", "TCP", "TCP", "UDP", "UDP"]


def test_without_srv_the_host_itself_is_asked_for_at_the_default_port() -> None:
    zone: Zone = {("A", "example.com"): ["192.0.2.9", "192.0.2.8"]}
    assert found("sip:a@example.com", zone)[0] == ["UDP 192.0.2.9 5060", "UDP 192.0.2.8 5060"]
    assert found("sip:a@example.com", zone, ("TCP",))[0] == ["TCP 192.0.2.9 5060", "TCP 192.0.2.8 5060"]
    assert found("sips:a@example.com", zone)[0] == ["TLS 192.0.2.9 5061", "TLS 192.0.2.8 5061"]


def test_a_port_in_the_uri_means_addresses_only() -> None:
    assert found("sip:a@Example.COM.:5099", ZONE) == (["UDP 192.0.2.9 5099"], ["A example.com", "AAAA example.com"])


def test_a_transport_in_the_uri_means_its_srv_name_only() -> None:
    targets, asked = found("sip:a@example.com;transport=udp", ZONE)
    assert targets == ["UDP 192.0.2.1 5080", "UDP 2001:db8::1 5080"]
    assert asked[0] == "SRV _sip._udp.example.com"
    assert not [each for each in asked if each.startswith("NAPTR")]


def test_a_service_that_says_it_does_not_exist_has_no_targets_of_its_own() -> None:
    zone: Zone = {("SRV", "_sip._udp.example.com"): [Srv(0, 0, 0, ".")]}
    assert found("sip:a@example.com;transport=udp", zone)[0] == []


def test_a_zone_of_endless_lists_is_cut() -> None:
    many = [f"192.0.2.{number}" for number in range(250)]
    assert len(found("sip:a@example.com", {("A", "example.com"): many})[0]) == MOST_TARGETS


def test_the_name_that_was_asked_for_stays_with_the_target() -> None:
    known: dict[Question, Sequence[Record]] = {
        Question(Kind.SRV, "_sips._tcp.example.com"): [Srv(0, 0, 5061, "node7.example.net")],
        Question(Kind.A, "node7.example.net"): ["192.0.2.7"],
        Question(Kind.AAAA, "node7.example.net"): [],
    }
    hop = NextHop("example.com", transport="TLS")
    assert locate(hop, known, transports=ALL, fraction=lambda: 0.0) == (
        Target("TLS", "192.0.2.7", 5061, "example.com"),
    )


# --- weights --------------------------------------------------------------------------------------------------------


def evenly(count: int) -> Iterator[float]:
    for index in range(count):
        yield index / count


def test_weights_share_the_first_place() -> None:
    records = [Srv(0, 30, 1, "a"), Srv(0, 10, 2, "b"), Srv(0, 0, 3, "c"), Srv(1, 99, 4, "backup")]
    firsts: Counter[str] = Counter()
    for share in evenly(400):
        ordered = by_weight(records, lambda share=share: share)  # type: ignore[misc]
        assert ordered[-1].target == "backup"
        firsts[ordered[0].target] += 1
    assert 270 < firsts["a"] < 310
    assert 80 < firsts["b"] < 110
    assert 0 < firsts["c"] < 20  # "a very small chance"


@given(st.lists(st.builds(Srv, st.integers(0, 3), st.integers(0, 65535), st.integers(0, 65535), st.text())), st.data())
def test_weighing_loses_nothing_and_keeps_priorities(records: list[Srv], data: st.DataObject) -> None:
    shares = st.floats(0, 1, exclude_max=True)
    ordered = by_weight(records, lambda: data.draw(shares))
    assert Counter(ordered) == Counter(records)
    assert [each.priority for each in ordered] == sorted(each.priority for each in records)


# --- the dead -------------------------------------------------------------------------------------------------------


def test_dead_targets_come_last_until_their_time_is_over() -> None:
    one, two = Target("UDP", "192.0.2.1", 5060, "x"), Target("UDP", "192.0.2.2", 5060, "x")
    dead = DeadTargets()
    assert dead.ordered([one, two], 0.0) == (one, two)
    dead.note("UDP", "192.0.2.1", 5060, 0.0, 60.0)
    assert dead.ordered([one, two], 59.0) == (two, one)
    assert dead.ordered([one, two], 60.0) == (one, two)
    dead.note("UDP", "192.0.2.1", 5060, 60.0)
    dead.forget("UDP", "192.0.2.1", 5060)
    assert dead.ordered([one, two], 61.0) == (one, two)


def test_the_memory_of_dead_targets_is_bounded() -> None:
    dead = DeadTargets()
    for number in range(5000):
        dead.note("UDP", f"10.0.{number // 250}.{number % 250}", 5060, 0.0)
    assert len(dead._until) <= 1000
