"""Subscriptions between two stacks: under loss the last state arrives, and a restart of the notifier goes unnoticed."""

import random

import pytest

from sipcore.build import new_request, response_to
from sipcore.dialog.dialog import Dialog
from sipcore.dialog.subscription import Subscription, SubscriptionPolicy
from sipcore.events import DocumentWanted, RequestArrived, ResponseArrived, StackEvent
from sipcore.freeze import freeze, thaw
from sipcore.message import Request
from sipcore.stack import SipStack
from sipcore.uri import parse_uri
from tests.support.fakenet import FakeNet, Node, Route, impaired, perfect

POLICY = SubscriptionPolicy(min_s=5, rest_s=0.5)
SHIFT_S = 4096.0


class Lamp:
    """Alice watches a number at the server, whose state is a counter."""

    def __init__(self, route: Route = perfect, transport: str = "UDP") -> None:
        self.net, self.transport = FakeNet(route), transport
        self.alice = self.net.add("alice", self._alice)
        self.server = self.net.add("server", self._server)
        self.state = 0
        self.seen: list[Request] = []
        self.dialog: Dialog | None = None
        self.statuses: list[int] = []
        self.call_id = self.alice.stack.ids.call_id()

    def subscribe(self, expires_s: int = 60) -> None:
        extra = [("Event", "dialog"), ("Expires", str(expires_s)), ("Contact", "<sip:alice@alice>")]
        if self.dialog is not None:
            request = self.dialog.request("SUBSCRIBE", extra=extra)
        else:
            request = new_request(
                "SUBSCRIBE",
                parse_uri("sip:102@server"),
                from_="<sip:alice@server>;tag=a",
                to="<sip:102@server>",
                call_id=self.call_id,
                cseq=1,
                extra=extra,
            )
        flow = self.alice.flow_to("server", self.transport)
        self.alice.stack.send(request, flow, self.alice.now, user=request)
        self.net.settle()

    def change(self) -> None:
        self.state += 1
        stack, now = self.server.stack, self.server.now
        for machine in [each for each in stack.machines() if isinstance(each, Subscription)]:
            stack.perform(machine, machine.changed(now), now)
        self.net.settle()

    def restart(self) -> None:
        """The server goes on as another process with another clock."""
        old = self.server.stack
        frozen = [freeze(machine) for machine in old.machines()]
        self.server.shift_s += SHIFT_S
        self.server.stack = SipStack(old.config, old.ids)
        for data in frozen:
            self.server.stack.adopt(thaw(data, ids=old.ids, shift_s=SHIFT_S))
        self.net.settle()

    def _server(self, node: Node, event: StackEvent) -> None:
        if isinstance(event, RequestArrived):
            lifetime_s = POLICY.lifetime(event.request)
            assert lifetime_s is not None
            node.stack.accept_subscription(event.key, "<sip:102@server>", lifetime_s, POLICY, node.now)
        elif isinstance(event, DocumentWanted):
            actions = event.subscription.document("text/plain", str(self.state).encode(), node.now)
            node.stack.perform(event.subscription, actions, node.now)

    def _alice(self, node: Node, event: StackEvent) -> None:
        if isinstance(event, RequestArrived):
            self.seen.append(event.request)
            node.stack.respond(event.key, response_to(event.request, 200, to_tag="a"), node.now)
        elif isinstance(event, ResponseArrived):
            self.statuses.append(event.status)
            if event.status == 200 and self.dialog is None and event.response is not None:
                assert isinstance(event.user, Request)
                self.dialog = Dialog.as_uac(event.user, event.response, node.flow_to("server", self.transport))

    @property
    def told(self) -> list[int]:
        return [int(notify.body) for notify in self.seen]


def story(seed: int, restarts: tuple[float, ...] = (), route: Route | None = None) -> Lamp:
    chance = random.Random(seed)
    lamp = Lamp(route or impaired(seed, loss=0.2, copies=0.1, spread_s=0.2))
    lamp.subscribe()
    for _ in range(12):
        lamp.net.at(1.0 + chance.random() * 20.0, lamp.change)
    lamp.net.at(25.0, lamp.subscribe)
    lamp.net.at(40.0, lambda: lamp.subscribe(0))
    for at in restarts:
        lamp.net.at(at, lamp.restart)
    lamp.net.run_out()
    return lamp


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_subscription_lives_and_ends_between_two_stacks(transport: str) -> None:
    lamp = Lamp(transport=transport)
    lamp.subscribe()
    lamp.net.step_until(1.0)
    lamp.change()
    lamp.net.step_until(2.0)
    lamp.subscribe(0)
    lamp.net.run_out()
    assert lamp.statuses == [200, 200]
    assert lamp.told == [0, 1, 1]
    assert lamp.server.stack.is_idle()


@pytest.mark.parametrize("seed", range(40))
def test_under_loss_the_last_state_arrives_in_order_and_nothing_stays(seed: int) -> None:
    lamp = story(seed)
    numbers = [notify.cseq.number for notify in lamp.seen]
    assert numbers == sorted(set(numbers)), "each NOTIFY once, in order"
    assert lamp.told == sorted(lamp.told)
    assert lamp.told[-1] == lamp.state == 12
    assert (lamp.seen[-1].headers.get("subscription-state") or "").startswith("terminated")
    assert lamp.server.stack.is_idle()
    assert lamp.alice.stack.is_idle()


@pytest.mark.parametrize("seed", range(8))
def test_a_restart_in_the_middle_changes_no_message(seed: int) -> None:
    plain = story(seed)
    chance = random.Random(seed + 500)
    for at in (0.0, 0.005, 0.3, 1.2, 40.0, 40.01, *[chance.random() * 42.0 for _ in range(8)]):
        again = story(seed, (at,))
        ladder = [(round(packet.at, 6), packet.data) for packet in again.net.log]
        assert ladder == [(round(packet.at, 6), packet.data) for packet in plain.net.log], at


def test_a_connection_that_is_gone_ends_the_subscription_at_the_next_news() -> None:
    lamp = Lamp(transport="TCP")
    lamp.subscribe()
    lamp.net.step_until(2.0)
    lamp.net.cut("alice", "server")
    assert lamp.server.stack.describe()["subscriptions"] == 1
    lamp.change()
    lamp.net.step_until(3.0)
    assert lamp.server.stack.describe()["subscriptions"] == 0


def test_a_subscribe_with_a_foreign_tag_belongs_to_nobody() -> None:
    lamp = Lamp()
    lamp.subscribe()
    lamp.net.step_until(1.0)
    assert lamp.dialog is not None
    lamp.dialog.local = "<sip:alice@server>;tag=mallory"
    lamp.subscribe(0)
    lamp.net.step_until(2.0)
    assert lamp.statuses[-1] == 481
    assert lamp.server.stack.describe()["subscriptions"] == 1


def test_only_a_subscription_whose_end_is_to_be_told_is_waited_for_at_a_stop() -> None:
    lamp = Lamp()
    lamp.subscribe()
    lamp.net.step_until(1.0)
    assert lamp.server.stack.usages_alive == 0
    (found,) = [each for each in lamp.server.stack.machines() if isinstance(each, Subscription)]
    now = lamp.server.now
    lamp.server.stack.perform(found, found.end(now, "noresource"), now)
    assert lamp.server.stack.usages_alive == 1
    lamp.net.settle()
    lamp.net.step_until(2.0)
    assert lamp.server.stack.usages_alive == 0
