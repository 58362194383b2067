"""Contact bindings: RFC 3261 §10.3 step by step, RFC 5626 replacement, limits, NAT. Literal times."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.flow import Flow
from sipcore.headers import Contact, Path
from sipcore.register.binding import DEFAULT_POLICY, Binding, RegisterPolicy, RegisterResult, apply_register

NOW = 1000.0
UNCLAMPED = RegisterPolicy(clamp=False)


def register(
    current: tuple[Binding, ...] = (),
    *contacts: str,
    expires: int | None = None,
    call_id: str = "call-1",
    cseq: int = 1,
    now: float = NOW,
    policy: RegisterPolicy = DEFAULT_POLICY,
    received: tuple[str, int] | None = None,
) -> RegisterResult:
    return apply_register(
        current,
        contacts=[Contact.parse(text) for text in contacts],
        expires=expires,
        call_id=call_id,
        cseq=cseq,
        now=now,
        policy=policy,
        received=received,
    )


def hosts(bindings: Sequence[Binding]) -> list[str]:
    return [binding.contact.host for binding in bindings]


def test_a_new_contact_is_added_with_everything_that_came_with_it() -> None:
    flow = Flow("TCP", ("10.0.0.9", 5060), ("192.0.2.1", 40000), 7)
    path = (Path.parse("<sip:edge;lr>"),)
    result = apply_register(
        (),
        contacts=[Contact.parse('<sip:101@10.0.0.1:5062>;q=0.5;expires=600;reg-id=1;+sip.instance="<urn:uuid:a>"')],
        expires=60,
        call_id="c",
        cseq=9,
        now=NOW,
        received=("192.0.2.1", 40000),
        flow=flow,
        user_agent="phone/1",
        path=path,
        node="n1",
    )
    (binding,) = result.bindings
    assert result.status == 200
    assert result.added == result.bindings
    assert str(binding.contact) == "sip:101@10.0.0.1:5062"
    assert (binding.call_id, binding.cseq, binding.expires_at, binding.q) == ("c", 9, NOW + 600, 0.5)
    assert (binding.instance, binding.reg_id) == ("urn:uuid:a", 1)
    assert (binding.received, binding.flow, binding.path) == (("192.0.2.1", 40000), flow, path)
    assert (binding.user_agent, binding.node, binding.registered_at) == ("phone/1", "n1", NOW)
    assert binding.natted


def test_the_response_lists_contacts_with_the_seconds_left() -> None:
    result = register((), '<sip:101@a>;q=0.25;expires=100;reg-id=2;+sip.instance="<urn:x>"')
    contact = result.bindings[0].to_contact(NOW + 10.5)
    assert str(contact) == '<sip:101@a>;expires=90;q=0.25;+sip.instance="<urn:x>";reg-id=2'
    assert Contact.parse(str(contact)) == contact
    assert result.bindings[0].to_contact(NOW + 500).expires == 0


def test_a_query_changes_nothing_and_hides_what_has_expired() -> None:
    current = register((), "<sip:a>;expires=60", "<sip:b>;expires=600").bindings
    result = register(current, now=NOW + 60)
    assert result.status == 200
    assert hosts(result.bindings) == ["b"]
    assert result.added == result.refreshed == result.removed == ()


@pytest.mark.parametrize(
    ("contact", "expires", "lifetime_s"),
    [
        ("<sip:a>", None, 120),
        ("<sip:a>", 600, 600),
        ("<sip:a>;expires=300", 600, 300),
        ("<sip:a>;expires=10", None, 60),
        ("<sip:a>", 1, 60),
        ("<sip:a>;expires=86400", None, 3600),
        ("<sip:a>", 2**32 - 1, 3600),
        ("<sip:a>;expires=soon", None, 3600),
    ],
)
def test_the_lifetime_is_moved_into_its_limits(contact: str, expires: int | None, lifetime_s: int) -> None:
    assert register((), contact, expires=expires).bindings[0].expires_at == NOW + lifetime_s


def test_without_clamping_a_short_lifetime_is_refused_and_a_long_one_cut() -> None:
    current = register((), "<sip:a>").bindings
    refused = register(current, "<sip:b>;expires=600", "<sip:a>;expires=59", cseq=2, policy=UNCLAMPED)
    assert refused.status == 423
    assert refused.bindings == current
    assert register((), "<sip:a>;expires=60", policy=UNCLAMPED).bindings[0].expires_at == NOW + 60
    assert register((), "<sip:a>;expires=9999", policy=UNCLAMPED).bindings[0].expires_at == NOW + 3600
    assert register(current, "<sip:a>;expires=0", cseq=2, policy=UNCLAMPED).bindings == ()


def test_an_equivalent_contact_is_refreshed_in_place() -> None:
    current = register((), "<sip:101@HOST;x=1>", "<sip:b>").bindings
    result = register(current, "<sip:%3101@host;transport=udp>;expires=600", cseq=2, now=NOW + 30)
    assert len(result.bindings) == 3  # another transport is another contact
    result = register(current, "<sip:%3101@host>;expires=600", cseq=2, now=NOW + 30)
    assert hosts(result.bindings) == ["host", "b"]
    assert result.refreshed == result.bindings[:1]
    assert result.added == ()
    assert (result.bindings[0].registered_at, result.bindings[0].expires_at) == (NOW, NOW + 630)


@pytest.mark.parametrize(
    ("call_id", "cseq", "status"),
    [("call-1", 6, 200), ("call-1", 5, 500), ("call-1", 4, 500), ("other", 1, 200), ("other", 9, 200)],
)
@pytest.mark.parametrize("contact", ["<sip:a>", "<sip:a>;expires=0", "*"])
def test_requests_of_one_call_id_apply_in_cseq_order(call_id: str, cseq: int, status: int, contact: str) -> None:
    current = register((), "<sip:a>", cseq=5).bindings
    expires = 0 if contact == "*" else None
    result = register(current, contact, call_id=call_id, cseq=cseq, expires=expires)
    assert result.status == status
    if status == 200:
        assert len(result.bindings) == (1 if contact == "<sip:a>" else 0)
    else:
        assert result.bindings == current
        assert result.reason


def test_an_overtaken_request_changes_none_of_its_contacts() -> None:
    current = register((), "<sip:a>", cseq=5).bindings
    result = register(current, "<sip:b>", "<sip:a>;expires=0", cseq=5)
    assert result.status == 500
    assert result.bindings == current
    assert result.added == result.removed == ()


def test_expires_zero_removes_and_an_unknown_contact_is_no_error() -> None:
    current = register((), "<sip:a>", "<sip:b>").bindings
    result = register(current, "<sip:a>;expires=0", "<sip:unknown>;expires=0", cseq=2)
    assert hosts(result.bindings) == ["b"]
    assert hosts(result.removed) == ["a"]
    assert register(current, "<sip:a>", "<sip:b>", expires=0, cseq=2).bindings == ()


def test_star_removes_everything() -> None:
    current = register((), "<sip:a>", "<sip:b>").bindings
    result = register(current, "*", expires=0, cseq=2)
    assert result.bindings == ()
    assert hosts(result.removed) == ["a", "b"]


@pytest.mark.parametrize(("contacts", "expires"), [(["*"], None), (["*"], 60), (["*", "<sip:a>"], 0), (["*", "*"], 0)])
def test_star_stands_alone_and_with_expires_zero(contacts: list[str], expires: int | None) -> None:
    current = register((), "<sip:a>").bindings
    result = register(current, *contacts, expires=expires, cseq=2)
    assert result.status == 400
    assert result.bindings == current


def test_a_contact_that_is_no_sip_uri_is_refused() -> None:
    result = register((), "<sip:a>", "<mailto:a@b>")
    assert result.status == 400
    assert result.bindings == ()


def test_the_last_of_equivalent_contacts_in_one_request_counts() -> None:
    result = register((), "<sip:a>;q=0.1", "<sip:a>;q=0.9")
    assert [binding.q for binding in result.bindings] == [0.9]
    assert result.added == result.bindings
    before = result.bindings
    result = register(before, "<sip:a>;q=0.2", "<sip:a>;expires=0", cseq=2)
    assert result.bindings == ()
    assert result.removed == before
    result = register(before, "<sip:a>;expires=0", "<sip:a>", cseq=2)
    assert result.added == result.bindings
    assert result.removed == before
    assert register((), "<sip:a>", "<sip:a>;expires=0") == RegisterResult(())


def test_an_instance_replaces_its_flow_although_the_contact_moved() -> None:
    instance = '+sip.instance="<urn:uuid:a>"'
    current = register((), f"<sip:a@10.0.0.1:1000>;reg-id=1;{instance}").bindings
    moved = register(current, f"<sip:a@10.0.0.1:2000>;reg-id=1;{instance}", call_id="after reboot")
    assert [binding.contact.port for binding in moved.bindings] == [2000]
    assert moved.refreshed == moved.bindings
    second = register(moved.bindings, f"<sip:a@10.0.0.1:2000>;reg-id=2;{instance}", call_id="after reboot", cseq=2)
    assert [binding.reg_id for binding in second.bindings] == [1, 2]
    without = register(current, f"<sip:a@10.0.0.1:2000>;{instance}", cseq=2)
    assert len(without.bindings) == 2


def test_too_many_contacts_displace_unreachable_ones_then_those_that_expire_first() -> None:
    policy = RegisterPolicy(max_contacts=3)
    current = register((), "<sip:a>;expires=100", "<sip:b>;expires=200", "<sip:c>;expires=300", policy=policy).bindings
    result = register(current, "<sip:d>", cseq=2, policy=policy)
    assert hosts(result.bindings) == ["b", "c", "d"]
    assert hosts(result.displaced) == ["a"]
    a, b, c = current
    c = Binding(c.contact, c.call_id, c.cseq, c.expires_at, reachable=False)
    result = register((a, b, c), "<sip:d>", "<sip:e>", cseq=2, policy=policy)
    assert hosts(result.bindings) == ["b", "d", "e"]
    assert hosts(result.displaced) == ["c", "a"]
    refreshed = register((a, b, c), "<sip:c>", cseq=2, policy=policy)
    assert refreshed.bindings[2].reachable
    assert refreshed.displaced == ()


def test_with_one_contact_allowed_the_last_registered_device_receives() -> None:
    policy = RegisterPolicy(max_contacts=1)
    current = register((), "<sip:a>", policy=policy).bindings
    result = register(current, "<sip:b>", call_id="other", policy=policy)
    assert hosts(result.bindings) == ["b"]
    assert hosts(result.displaced) == ["a"]


def test_one_request_with_too_many_contacts_is_refused_whole() -> None:
    policy = RegisterPolicy(max_contacts=2)
    current = register((), "<sip:a>", policy=policy).bindings
    result = register(current, "<sip:b>", "<sip:c>", "<sip:d>", cseq=2, policy=policy)
    assert result.status == 403
    assert result.bindings == current


def test_phones_behind_two_routers_may_have_the_same_private_address() -> None:
    contact = "<sip:101@192.168.1.2:5060>"
    home = register((), contact, call_id="home", received=("198.51.100.1", 1024)).bindings
    both = register(home, contact, call_id="cottage", received=("203.0.113.9", 1024)).bindings
    assert [binding.received for binding in both] == [("198.51.100.1", 1024), ("203.0.113.9", 1024)]
    again = register(both, contact, call_id="home", cseq=2, received=("198.51.100.1", 2048))
    assert [binding.received for binding in again.bindings] == [("198.51.100.1", 2048), ("203.0.113.9", 1024)]
    assert len(again.refreshed) == 1


@pytest.mark.parametrize("outside", ["198.51.100.1", "192.168.1.2"])
def test_a_phone_behind_a_router_and_one_beside_the_server_are_two(outside: str) -> None:
    inside = {"198.51.100.1": "192.168.1.2", "192.168.1.2": "198.51.100.1"}[outside]
    first = register((), "<sip:101@192.168.1.2>", call_id="1", received=(outside, 5060)).bindings
    both = register(first, "<sip:101@192.168.1.2>", call_id="2", received=(inside, 5060)).bindings
    assert len(both) == 2
    assert [binding.natted for binding in both] == [outside != "192.168.1.2", inside != "192.168.1.2"]


def test_a_phone_keeps_its_binding_when_its_router_gets_another_address() -> None:
    contact = "<sip:101@192.168.1.2:5060>"
    before = register((), contact, received=("198.51.100.1", 1024)).bindings
    after = register(before, contact, cseq=2, received=("203.0.113.9", 1024)).bindings
    assert [binding.received for binding in after] == [("203.0.113.9", 1024)]


def test_a_phone_without_nat_may_change_its_call_id() -> None:
    before = register((), "<sip:101@10.0.0.1>", received=("10.0.0.1", 5060)).bindings
    after = register(before, "<sip:101@10.0.0.1>", call_id="rebooted", received=("10.0.0.1", 5060)).bindings
    assert [binding.call_id for binding in after] == ["rebooted"]


CONTACTS = st.lists(
    st.builds(
        "<sip:{}@{}>{}".format,
        st.sampled_from(["1", "2"]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["", ";expires=0", ";expires=70", ';reg-id=1;+sip.instance="<x>"', ";q=0.1"]),
    ),
    max_size=4,
)
REQUESTS = st.lists(
    st.tuples(
        st.one_of(CONTACTS, st.just(["*"])), st.sampled_from([None, 0, 60]), st.sampled_from("xy"), st.integers(1, 5)
    ),
    max_size=12,
)


@given(REQUESTS, st.sampled_from([RegisterPolicy(max_contacts=3), RegisterPolicy(max_contacts=2, clamp=False)]))
def test_whatever_is_registered_the_result_is_consistent(
    requests: list[tuple[list[str], int | None, str, int]], policy: RegisterPolicy
) -> None:
    current: tuple[Binding, ...] = ()
    now = NOW
    for contacts, expires, call_id, cseq in requests:
        now += 7.0
        live = tuple(binding for binding in current if binding.expires_at > now)
        result = register(current, *contacts, expires=expires, call_id=call_id, cseq=cseq, now=now, policy=policy)
        assert len(result.bindings) <= policy.max_contacts
        assert all(binding.expires_at > now for binding in result.bindings)
        if result.status != 200 or not contacts:
            assert result.bindings == live
            assert result.added == result.refreshed == result.removed == result.displaced == ()
        else:
            assert set(result.added) | set(result.refreshed) <= set(result.bindings)
            assert set(result.removed) | set(result.displaced) <= set(live)
            assert not (set(result.removed) | set(result.displaced)) & set(result.bindings)
        current = result.bindings
