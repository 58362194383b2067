"""Whatever the network does between two proxies: nothing leaks, and both people agree on the outcome."""

import random

import pytest

from sipcore.dialog.session import InviteSession
from tests.support.callers import ring
from tests.support.fakenet import FakeNet, Node, impaired
from tests.support.proxies import Callee, ProxyNode, call_over

SEEDS = range(120)


class People:
    """Alice behind one proxy calls Bob, who has two phones behind another one."""

    def __init__(self, seed: int) -> None:
        chance = self.chance = random.Random(seed)
        loss, copies = chance.choice((0.0, 0.1, 0.25)), chance.choice((0.0, 0.2))
        self.net = FakeNet(impaired(seed, loss=loss, copies=copies, spread_s=chance.choice((0.0, 0.3, 1.5))))
        self.alice = self.net.add("alice")
        one, two = ProxyNode(self.net, "one"), ProxyNode(self.net, "two")
        self.phones = [Callee(self.net, name, self._called) for name in ("desk", "mobile")]
        one.serve("bob", one.router.to("two"))
        two.serve("bob", two.router.to("desk", "mobile"))

    def _called(self, node: Node, session: InviteSession) -> None:
        chance = self.chance
        if chance.random() < 0.8:
            ring(node, session)
        what, when_s = chance.choice(("answer", "answer", "reject", "leave")), chance.random() * 12
        if what == "answer":
            self.net.after(when_s, lambda: self._do(node, session, "answer", b"v=0\r\n"))
        elif what == "reject":
            status = chance.choice((486, 480, 603, 503))
            self.net.after(when_s, lambda: self._do(node, session, "reject", status))

    @staticmethod
    def _do(node: Node, session: InviteSession, verb: str, *args: object) -> None:
        if session.state.name == "INCOMING":
            node.perform(session, verb, *args)

    def run(self) -> None:
        call = call_over(self.alice, "one")
        self.net.after(self.chance.random() * 60, lambda: self._hang_up(call))
        self.net.run_out()
        sessions = [call, *(session for phone in self.phones for session in phone.bobs)]
        assert {session.state.name for session in sessions} == {"ENDED"}
        for name, node in self.net.nodes.items():
            assert node.stack.is_idle(), (name, node.stack.describe())

    def _hang_up(self, call: InviteSession) -> None:
        if call.state.name != "ENDED":
            self.alice.perform(call, "end")


@pytest.mark.parametrize("seed", SEEDS)
def test_every_call_over_two_proxies_ends_for_everybody(seed: int) -> None:
    People(seed).run()
