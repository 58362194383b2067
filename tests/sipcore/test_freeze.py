"""Machines as bytes and back: they go on as if nothing had happened, on another clock; garbage is refused."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.dialog.dialog import Dialog
from sipcore.dialog.offer_answer import OfferAnswer, On
from sipcore.dialog.refer import ReferSubscription
from sipcore.dialog.reliable import ReliableProvisional
from sipcore.dialog.session import InviteSession
from sipcore.dialog.session_early import EarlyDialog
from sipcore.dialog.session_timer import SessionTimer
from sipcore.dialog.subscription import Subscription, SubscriptionPolicy
from sipcore.dialog.success import SuccessRetransmission
from sipcore.dialog.update import PlainUpdate
from sipcore.errors import LocalProtocolError, ParseError
from sipcore.events import OfferReceived, StackEvent
from sipcore.flow import Flow
from sipcore.freeze import _FORMS, VERSION, Machine, freeze, thaw
from sipcore.headers import Path
from sipcore.register.binding import Binding
from sipcore.stack import SipStack
from sipcore.timers import DEFAULT_TIMERS
from sipcore.transaction.base import Transaction
from sipcore.transaction.client import ClientTransaction
from sipcore.transaction.invite_client import InviteClientTransaction
from sipcore.transaction.invite_server import InviteServerTransaction
from sipcore.transaction.server import ServerTransaction
from sipcore.uri import SipUri, TelUri
from tests.support.callers import Pair, ring, short
from tests.support.fakenet import ANSWER, OFFER, Node, impaired
from tests.support.ids import CountingIds
from tests.support.schedule import START_S, TCP, UDP, request, response, run_out

SHIFT_S = 4096.0  # a power of two: sums with it are exact


def again(machine: Machine, shift_s: float = 0.0) -> Any:
    return thaw(freeze(machine), ids=CountingIds("w9"), shift_s=shift_s)


def content(machine: Machine) -> Any:
    return json.loads(freeze(machine))["data"]


# --- each kind ------------------------------------------------------------------------------------------------------


def client(flow: Flow = UDP) -> ClientTransaction:
    machine = ClientTransaction(("b", "OPTIONS"), request("OPTIONS"), flow)
    machine.start(START_S)
    return machine


def invite_client() -> InviteClientTransaction:
    machine = InviteClientTransaction(("b", "INVITE"), request("INVITE"), TCP)
    machine.start(START_S)
    machine.receive(response(machine.request, 180), START_S + 1.0)
    machine.abandon(START_S + 2.0)
    return machine


def invite_server() -> InviteServerTransaction:
    machine = InviteServerTransaction(("b", "x"), request("INVITE"), UDP)
    machine.start(START_S)
    machine.respond(response(machine.request, 486), START_S)
    return machine


def server() -> ServerTransaction:
    machine = ServerTransaction(("b", "x"), request("OPTIONS"), UDP)
    machine.respond(response(machine.request, 200), START_S)
    return machine


def success() -> SuccessRetransmission:
    return SuccessRetransmission(b"SIP/2.0 200 OK\r\n\r\n", 7, UDP, START_S, DEFAULT_TIMERS)


def session() -> InviteSession:
    pair = Pair(bob={"session_expires_s": 1800})
    pair.dial()
    pair.net.step_until(0.012)
    return pair.b


def dialog() -> Dialog:
    found = session().dialog
    assert found is not None
    return found


def subscription() -> Subscription:
    arrived = request("SUBSCRIBE", extra="Event: dialog;id=7\r\nContact: <sip:alice@10.0.0.2>\r\n")
    policy = SubscriptionPolicy(rest_s=0.5)
    machine = Subscription(arrived, UDP, "<sip:bob@10.0.0.1>", "Zvon", policy, CountingIds("w0"))
    machine.accept(("b", "x"), arrived, 60, START_S)
    machine.document("text/plain", b"one", START_S)
    machine.changed(START_S)
    machine.receive_response(arrived, response(arrived, 200), START_S + 0.1)
    return machine


def refer() -> ReferSubscription:
    made = session()
    assert made.dialog is not None
    arrived = request("REFER")
    machine = ReferSubscription(arrived, made.dialog, UDP, made.profile, CountingIds("w0"))
    machine.accept(("b", "x"), arrived, START_S)
    machine.report(180, START_S + 1.0)
    return machine


def offers() -> OfferAnswer:
    machine = OfferAnswer()
    machine.on(On.OFFER_SENT)
    machine.on(On.ANSWER_RECEIVED)
    return machine


def session_timer() -> SessionTimer:
    machine = SessionTimer(1800, 90)
    machine.accept(request("INVITE", extra="Supported: timer\r\nSession-Expires: 600;refresher=uas\r\n"), START_S)
    return machine


def plain_update() -> PlainUpdate:
    machine = PlainUpdate()
    machine.ask((("Subject", "one"),), START_S, is_possible=True)
    machine.ask((("Subject", "two"),), START_S, is_possible=True)
    machine.busy(START_S + 3.0)
    return machine


def reliable() -> ReliableProvisional:
    machine = ReliableProvisional(UDP, 7)
    machine.sent(response(request("INVITE"), 183), START_S, DEFAULT_TIMERS)
    machine.say_later(180, ANSWER, (("Alert-Info", "<urn:x>"),), START_S)
    return machine


def early() -> EarlyDialog:
    pair = Pair(taken=ring)
    pair.dial()
    pair.net.step_until(1.0)
    return pair.a._early[pair.b.local_tag]


def binding() -> Binding:
    contact = SipUri.parse("sip:101@[2001:db8::1]:5070;transport=tcp")
    path = (Path.parse("<sip:edge;lr>"),)
    return Binding(contact, "c", 3, 1060.5, 0.7, "urn:uuid:1", 2, path, ("203.0.113.7", 4000), TCP, 'Phone "é"', 1000.5)


MAKERS: dict[str, Callable[[], Machine]] = {
    "ClientTransaction": client,
    "InviteClientTransaction": invite_client,
    "InviteServerTransaction": invite_server,
    "ServerTransaction": server,
    "SuccessRetransmission": success,
    "InviteSession": session,
    "Dialog": dialog,
    "Subscription": subscription,
    "SessionTimer": session_timer,
    "PlainUpdate": plain_update,
    "ReliableProvisional": reliable,
    "EarlyDialog": early,
    "ReferSubscription": refer,
    "OfferAnswer": offers,
    "Binding": binding,
}
each_kind = pytest.mark.parametrize("kind", MAKERS)


def slots_of(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        yield from getattr(base, "__slots__", ())


def test_every_kind_of_machine_is_tried_here() -> None:
    assert set(MAKERS) == set(_FORMS)


@each_kind
def test_everything_a_machine_holds_is_frozen_or_belongs_to_its_user(kind: str) -> None:
    form = _FORMS[kind]
    assert sorted(slots_of(form.kind)) == sorted([*form.codecs, *form.users])


@each_kind
def test_a_thawed_machine_holds_the_same(kind: str) -> None:
    machine = MAKERS[kind]()
    thawed = again(machine)
    assert type(thawed) is type(machine)
    assert content(thawed) == content(machine)


def test_records_are_equal_to_what_they_were() -> None:
    assert again(binding()) == binding()
    assert again(dialog()) == dialog()


def test_a_dialog_with_somebody_who_has_a_telephone_number() -> None:
    machine = dialog()
    machine.remote_target = TelUri.parse("tel:+123;phone-context=x")
    machine.route_set = ("<sip:p1;lr>", "<sip:p2;lr>")
    assert again(machine) == machine


@each_kind
def test_moments_move_to_the_other_clock(kind: str) -> None:
    machine = MAKERS[kind]()
    moved, plain = again(machine, SHIFT_S), again(machine)
    for name in ("deadline", "_give_up_at", "expires_at", "registered_at"):
        if (at := getattr(plain, name, None)) is not None:
            assert getattr(moved, name) == at + SHIFT_S


@pytest.mark.parametrize("kind", ["ClientTransaction", "InviteClientTransaction", "InviteServerTransaction"])
def test_a_thawed_transaction_keeps_its_schedule(kind: str) -> None:
    original, thawed = MAKERS[kind](), again(MAKERS[kind]())
    assert isinstance(original, Transaction)
    assert run_out(thawed) == run_out(original)


def test_a_session_needs_a_source_of_ids() -> None:
    with pytest.raises(LocalProtocolError, match="ids"):
        thaw(freeze(session()))


def test_only_machines_can_be_frozen() -> None:
    for thing in ("text", 1, None, DEFAULT_TIMERS, UDP):
        with pytest.raises(LocalProtocolError):
            freeze(thing)  # type: ignore[arg-type]


# --- garbage --------------------------------------------------------------------------------------------------------


@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace"))))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        thaw(data)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place inside a JSON value."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from places(item, (*path, at))


@given(st.sampled_from(sorted(MAKERS)), st.data())
@settings(max_examples=400, deadline=None)
def test_a_document_with_one_value_changed_is_a_machine_or_refused(kind: str, data: st.DataObject) -> None:
    document = json.loads(freeze(MAKERS[kind]()))
    path = data.draw(st.sampled_from(list(places(document))[1:]))
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = data.draw(JSON)
    try:
        machine = thaw(json.dumps(document).encode(), ids=CountingIds())
    except ParseError:
        return
    assert type(machine).__name__ in MAKERS
    freeze(machine)


@each_kind
def test_what_lacks_something_or_holds_too_much_is_refused(kind: str) -> None:
    whole = json.loads(freeze(MAKERS[kind]()))
    for name in [*whole["data"], None]:
        data = {key: value for key, value in whole["data"].items() if key != name} | ({} if name else {"more": 1})
        with pytest.raises(ParseError):
            thaw(json.dumps(whole | {"data": data}).encode(), ids=CountingIds())


@pytest.mark.parametrize(
    "change", [{"version": VERSION + 1}, {"kind": "SipStack"}, {"kind": ["Dialog"]}, {"kind": None}]
)
def test_another_version_or_kind_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ParseError):
        thaw(json.dumps(json.loads(freeze(offers())) | change).encode())


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400, "true", '"1"'])
def test_moments_are_numbers(number: str) -> None:
    data = freeze(success()).replace(b'"_give_up_at":1032.0', f'"_give_up_at":{number}'.encode())
    with pytest.raises(ParseError):
        thaw(data)


def test_a_bottomless_document_is_refused() -> None:
    with pytest.raises(ParseError):
        thaw(b"[" * 100_000)


# --- calls that outlive their stacks --------------------------------------------------------------------------------


def restart(pair: Pair, node: Node, shift_s: float) -> None:
    """A new stack takes over everything that the node's stack holds, on another clock."""
    old, ids = node.stack, node.stack.ids
    frozen = [freeze(machine) for machine in old.machines()]
    node.stack = SipStack(old.config, ids)
    node.shift_s += shift_s
    for data in frozen:
        machine = thaw(data, ids=ids, shift_s=shift_s)
        node.stack.adopt(machine)
        if isinstance(machine, InviteSession):
            if node is pair.alice:
                pair.call = machine
            else:
                pair.bobs[0] = machine


def early_media(node: Node, session: InviteSession) -> None:
    node.perform(session, "progress", 183, sdp=ANSWER)


class Story:
    """A call with two changes and an end, on a seeded network, perhaps with restarts in the middle."""

    def __init__(self, seed: int, restarts: list[tuple[float, str]]) -> None:
        self.chance = random.Random(seed)
        config: dict[str, Any] = {"session_expires_s": 20, "min_se_s": 10} if seed % 2 else {}
        self.reliable = seed % 3 == 0
        taken = ring
        if self.reliable:
            config["extensions"], taken = frozenset({"100rel"}), early_media
        self.pair = Pair(impaired(seed, loss=0.15, copies=0.1, spread_s=0.3), taken=taken, alice=config, bob=config)
        pair, net = self.pair, self.pair.net
        for node in (pair.alice, pair.bob):
            node.handler = self._watch(node.handler)
        pair.dial()
        net.at(1.5, lambda: self._use(pair.bob, "answer", ANSWER))
        for at, node in ((0.6, pair.bob), (5.0, pair.alice), (9.0, pair.bob), (9.01, pair.alice)):
            net.at(at + self.chance.random(), lambda node=node: self._change(node))  # type: ignore[misc]
        leaver = self.chance.choice((pair.alice, pair.bob))
        net.at(self.chance.choice((0.5, 6.0, 20.0)), lambda: self._use(leaver, "end"))
        net.at(100.0, lambda: self._use(pair.alice, "end"))
        for at, name in restarts:
            net.at(at, lambda name=name: restart(pair, net.nodes[name], SHIFT_S))  # type: ignore[misc]
        net.run_out()

    def _watch(self, inner: Callable[[Node, StackEvent], None] | None) -> Callable[[Node, StackEvent], None]:
        def handle(node: Node, event: StackEvent) -> None:
            if inner is not None:
                inner(node, event)
            if isinstance(event, OfferReceived):
                node.net.after(0.5, lambda: self._use(node, "accept_offer", ANSWER))

        return handle

    def _use(self, node: Node, verb: str, *args: object) -> None:
        sessions = [self.pair.call] if node is self.pair.alice else self.pair.bobs
        found = sessions[0] if sessions else None
        if found is not None and not (verb == "end" and found.state.name == "INCOMING"):
            node.perform(found, verb, *args)

    def _change(self, node: Node) -> None:
        sessions = [self.pair.call] if node is self.pair.alice else self.pair.bobs
        found = sessions[0] if sessions else None
        if found is not None and self.reliable and found.may_update_offer:
            node.perform(found, "update", sdp=OFFER)
            node.perform(found, "update", extra=[("Subject", "news")])
        elif found is not None and found.may_modify:
            node.perform(found, "modify", OFFER)

    def told(self) -> list[list[str]]:
        events = [[event for event in node.events if hasattr(event, "session")] for node in self._nodes]
        return [short(each) for each in events]  # type: ignore[arg-type]

    def ladder(self) -> list[tuple[float, bytes]]:
        return [(round(packet.at, 6), packet.data) for packet in self.pair.net.log]

    @property
    def _nodes(self) -> tuple[Node, Node]:
        return self.pair.alice, self.pair.bob


@pytest.mark.parametrize("seed", range(12))
def test_a_restart_in_the_middle_changes_no_message_and_no_event(seed: int) -> None:
    plain = Story(seed, [])
    chance = random.Random(seed + 1000)
    moments = [0.0, 0.005, 0.3, 1.2, *[chance.random() * 12.0 for _ in range(8)], 21.0, 30.0]
    for at in moments:
        name = chance.choice(("alice", "bob"))
        story = Story(seed, [(at, name)])
        assert story.ladder() == plain.ladder(), (seed, at, name)
        assert story.told() == plain.told(), (seed, at, name)
        assert story.pair.alice.stack.is_idle()
        assert story.pair.bob.stack.is_idle()


def test_both_sides_may_restart_again_and_again() -> None:
    plain = Story(3, [])
    restarts = [(step / 4.0, name) for step in range(100) for name in ("alice", "bob")]
    story = Story(3, restarts)
    assert story.ladder() == plain.ladder()
    assert story.told() == plain.told()


def test_the_stories_hold_what_a_restart_could_break() -> None:
    labels = {packet.label for seed in range(12) for packet in Story(seed, []).pair.net.log}
    assert {"INVITE", "CANCEL", "ACK", "BYE", "200 INVITE", "487 INVITE", "491 INVITE", "100 INVITE"} <= labels
    assert {"PRACK", "200 PRACK", "UPDATE", "200 UPDATE", "183 INVITE"} <= labels
