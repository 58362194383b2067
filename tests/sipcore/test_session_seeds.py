"""Whatever the network does: nothing leaks, and both sides agree on the outcome.

Each seed draws a network (loss, copies, delays, hence reordering) and a script of what both people do when. A message
may take longer than the patience of a person, never longer than a timer of 64*T1. What is not covered: a network that
loses everything for ever (`test_session_calls` has that), and more than two parties.
"""

import random

import pytest

from sipcore.dialog.session import InviteSession
from sipcore.events import OfferReceived, SessionEvent, StackEvent
from tests.support.callers import Pair, short
from tests.support.fakenet import ANSWER, OFFER, Node, impaired

SEEDS = range(400)
TALK_S = 40.0


class People:
    """Two people with random habits on a random network."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        harsh = self.chance.random()
        route = impaired(
            seed,
            loss=self.chance.choice((0.0, 0.05, 0.2, 0.35)) * harsh,
            copies=self.chance.choice((0.0, 0.1, 0.3)),
            spread_s=self.chance.choice((0.0, 0.05, 0.8, 2.0)),
        )
        habits = {"extensions": frozenset({"100rel"}) if self.chance.random() < 0.6 else frozenset()}
        self.pair = Pair(route, taken=self._taken, alice=habits, bob=habits)
        self.cancelled = False
        self._watch(self.pair.alice, None)
        self._watch(self.pair.bob, self.pair.bob.handler)

    def _watch(self, node: Node, inner: object) -> None:
        def handle(node: Node, event: StackEvent) -> None:
            if callable(inner):
                inner(node, event)
            if isinstance(event, OfferReceived):
                self.pair.net.after(self._soon(), lambda: self._decide(node, event))

        node.handler = handle

    def _soon(self) -> float:
        return self.chance.choice((0.0, 0.05, 1.0, 6.0)) * self.chance.random()

    def _taken(self, node: Node, session: InviteSession) -> None:
        """Bob rings, then answers, refuses or never does either."""
        for _ in range(self.chance.choice((0, 1, 1, 1, 3))):
            node.perform(session, "progress", self.chance.choice((180, 183)), sdp=self.chance.choice((b"", ANSWER)))
        what = self.chance.choices(("answer", "reject"), (0.8, 0.2))[0]
        argument = ANSWER if what == "answer" else self.chance.choice((480, 486, 603))
        self.pair.net.after(self._soon() * 3, lambda: node.perform(session, what, argument))

    def _decide(self, node: Node, event: OfferReceived) -> None:
        if self.chance.random() < 0.7:
            node.perform(event.session, "accept_offer", ANSWER)
        else:
            node.perform(event.session, "refuse_offer", 488)

    def _change(self, node: Node) -> None:
        session, how = self._session(node), self.chance.randrange(3)
        if session is None:
            return
        if how == 0 and session.may_modify:
            node.perform(session, "modify", OFFER)
        elif how == 1 and session.may_update_offer:
            node.perform(session, "update", sdp=OFFER)
        elif how == 2 and session.may_update:
            node.perform(session, "update", extra=[("Subject", "news")])

    def _hang_up(self, node: Node) -> None:
        session = self._session(node)
        if session is None or session.state.name == "INCOMING":
            return
        if session.state.name in ("CALLING", "PROCEEDING"):
            self.cancelled = True
        node.perform(session, "end", "Q.850;cause=16")

    def _session(self, node: Node) -> InviteSession | None:
        if node is self.pair.alice:
            return self.pair.call
        return self.pair.bobs[0] if self.pair.bobs else None

    def live(self) -> None:
        """The whole call, and whatever timers leave after it."""
        pair, chance = self.pair, self.chance
        pair.dial()
        for node in (pair.alice, pair.bob):
            for _ in range(chance.choice((0, 0, 1, 2, 4))):
                pair.net.at(chance.random() * TALK_S, lambda node=node: self._change(node))  # type: ignore[misc]
        if chance.random() < 0.4:  # both change their mind within a moment
            at = chance.random() * TALK_S
            for node in (pair.alice, pair.bob):
                pair.net.at(at + chance.random() * 0.02, lambda node=node: self._change(node))  # type: ignore[misc]
        if chance.random() < 0.3:
            pair.net.at(chance.random() * 4.0, lambda: self._hang_up(pair.alice))
        for node in chance.sample((pair.alice, pair.bob), chance.choice((1, 2))):
            pair.net.at(chance.random() * TALK_S, lambda node=node: self._hang_up(node))  # type: ignore[misc]
        for node in (pair.alice, pair.bob):  # in the end everybody hangs up
            pair.net.at(TALK_S + 60.0, lambda node=node: self._hang_up(node))  # type: ignore[misc]
        pair.net.run_out()


def names(node: Node, session: InviteSession | None) -> list[str]:
    events: list[SessionEvent] = node.session_events(session) if session is not None else []
    return short(events)


@pytest.mark.parametrize("first", range(0, len(SEEDS), 50))
def test_nothing_leaks_and_both_sides_agree(first: int) -> None:
    for seed in SEEDS[first : first + 50]:
        people = People(seed)
        people.live()
        pair = people.pair
        assert pair.alice.stack.is_idle(), seed
        assert pair.bob.stack.is_idle(), seed
        assert len(pair.bobs) <= 1, seed
        alice = names(pair.alice, pair.call)
        bob = names(pair.bob, pair.bobs[0] if pair.bobs else None)
        check_ends(alice, seed)
        if pair.bobs:
            check_ends(bob, seed)
        check_agreement(people, alice, bob, seed)


def check_ends(told: list[str], seed: int) -> None:
    """Exactly one end, and nothing after it."""
    assert [name.startswith("Ended") for name in told].count(True) == 1, (seed, told)
    assert told[-1].startswith("Ended"), (seed, told)


def check_agreement(people: People, alice: list[str], bob: list[str], seed: int) -> None:
    answered, confirmed = "Answered" in alice, "Confirmed" in bob
    accepted = "bob 200 INVITE" in people.pair.ladder()
    what = (seed, alice, bob)
    if answered:
        assert accepted, what
        # Bob learns of it by the ACK, unless a BYE overtakes all of them, or he hung up before one came.
        assert confirmed or bob[-1] in ("Ended 200", "Ended 408"), what
    elif confirmed:
        assert people.cancelled or "bob BYE" in people.pair.ladder(), what  # the 2xx crossed a CANCEL
        assert alice[-1] == "Ended 200", what
    if alice[-1] in ("Ended 480", "Ended 486", "Ended 603"):
        assert bob[-1:] == alice[-1:], what


def test_the_seeds_reach_every_outcome() -> None:
    """The property would be empty if no seed confirmed, refused, cancelled, changed or met glare."""
    seen: set[str] = set()
    for seed in range(120):
        people = People(seed)
        people.live()
        seen.update(names(people.pair.alice, people.pair.call))
        seen.update(packet.label for packet in people.pair.net.log)
    wanted = {"Answered", "Modified", "OfferReceived", "Updated", "UpdateReceived"}
    wanted |= {"Ended 200", "Ended 486", "Ended 487"}
    assert wanted | {"CANCEL", "491 INVITE", "488 INVITE", "UPDATE", "491 UPDATE", "PRACK", "200 PRACK"} <= seen
