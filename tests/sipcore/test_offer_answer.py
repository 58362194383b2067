"""Who may offer now: RFC 3264 §4, RFC 6337."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.dialog.offer_answer import OURS_TO_AVOID, OfferAnswer, On, State
from sipcore.errors import LocalProtocolError

OFFER_SENT, OFFER_RECEIVED, ANSWER_SENT, ANSWER_RECEIVED, ROLLED_BACK = On


def after(*events: On) -> OfferAnswer:
    machine = OfferAnswer()
    for event in events:
        machine.on(event)
    return machine


@pytest.mark.parametrize(
    ("events", "state", "agreed"),
    [
        ((), State.IDLE, False),
        ((OFFER_SENT,), State.LOCAL_OFFER, False),
        ((OFFER_RECEIVED,), State.REMOTE_OFFER, False),
        ((OFFER_SENT, ANSWER_RECEIVED), State.STABLE, True),
        ((OFFER_RECEIVED, ANSWER_SENT), State.STABLE, True),
        ((OFFER_SENT, ROLLED_BACK), State.IDLE, False),
        ((OFFER_RECEIVED, ROLLED_BACK), State.IDLE, False),
        ((OFFER_SENT, ANSWER_RECEIVED, OFFER_SENT), State.LOCAL_OFFER, True),
        ((OFFER_SENT, ANSWER_RECEIVED, OFFER_SENT, ROLLED_BACK), State.STABLE, True),
        ((OFFER_SENT, ANSWER_RECEIVED, OFFER_RECEIVED, ROLLED_BACK), State.STABLE, True),
        ((OFFER_SENT, ANSWER_RECEIVED, OFFER_RECEIVED, ANSWER_SENT), State.STABLE, True),
    ],
)
def test_where_events_lead(events: tuple[On, ...], state: State, agreed: bool) -> None:
    machine = after(*events)
    assert (machine.state, machine.agreed) == (state, agreed)
    assert machine.may_offer == (state in (State.IDLE, State.STABLE))
    assert machine.offered == (state is State.REMOTE_OFFER)


@pytest.mark.parametrize("first", [OFFER_SENT, OFFER_RECEIVED])
def test_an_offer_on_top_of_an_offer_is_refused_and_changes_nothing(first: On) -> None:
    machine = after(first)
    state = machine.state
    assert not machine.on(OFFER_RECEIVED)
    assert machine.state is state


@pytest.mark.parametrize("events", [(), (OFFER_SENT, ANSWER_RECEIVED), (OFFER_RECEIVED,)])
def test_an_answer_without_an_offer_means_nothing(events: tuple[On, ...]) -> None:
    machine = after(*events)
    state = machine.state
    assert not machine.on(ANSWER_RECEIVED)
    assert machine.state is state


@pytest.mark.parametrize(("state", "on"), sorted(OURS_TO_AVOID))
def test_our_own_mistakes_are_refused(state: State, on: On) -> None:
    machine = OfferAnswer()
    machine.state = state
    with pytest.raises(LocalProtocolError):
        machine.on(on)


@given(st.lists(st.sampled_from(On), max_size=30))
def test_what_was_agreed_on_stays_agreed(events: list[On]) -> None:
    machine = OfferAnswer()
    for event in events:
        before = machine.agreed
        if (machine.state, event) in OURS_TO_AVOID:
            continue
        machine.on(event)
        assert machine.agreed >= before
        assert machine.agreed or machine.state is not State.STABLE
        assert not (machine.agreed and machine.state is State.IDLE)
