"""The in-process bus."""

import logging

import pytest

from pbx import cause
from pbx.bus import Bus
from pbx.events import BusEvent, CallEnded, LegRinging

RINGING = LegRinging(1.0, "c1", 7)
ENDED = CallEnded(2.0, "c1", cause.NORMAL)


def test_an_observer_hears_the_kinds_it_asked_for_in_order() -> None:
    bus, heard = Bus(), list[BusEvent]()
    bus.subscribe([LegRinging, CallEnded], heard.append)
    bus.subscribe([CallEnded], heard.append)
    bus.publish(RINGING)
    bus.publish(ENDED)
    assert heard == [RINGING, ENDED, ENDED]


def test_an_event_that_nobody_asked_for_goes_nowhere() -> None:
    Bus().publish(RINGING)


def test_a_detached_observer_hears_nothing_more() -> None:
    bus, heard = Bus(), list[BusEvent]()
    detach = bus.subscribe([LegRinging], heard.append)
    bus.publish(RINGING)
    detach()
    bus.publish(RINGING)
    assert heard == [RINGING]


def test_an_observer_that_raises_is_logged_and_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    bus, heard = Bus(), list[BusEvent]()

    def broken(event: BusEvent) -> None:
        raise LookupError("no such row")

    bus.subscribe([LegRinging], broken)
    bus.subscribe([LegRinging], heard.append)
    with caplog.at_level(logging.ERROR):
        bus.publish(RINGING)
    assert heard == [RINGING]
    assert "an observer failed on LegRinging" in caplog.text


def test_an_observer_may_detach_itself_while_it_hears() -> None:
    bus, heard = Bus(), list[BusEvent]()

    def once(event: BusEvent) -> None:
        heard.append(event)
        detach()

    detach = bus.subscribe([LegRinging], once)
    bus.subscribe([LegRinging], heard.append)
    bus.publish(RINGING)
    bus.publish(RINGING)
    assert heard == [RINGING, RINGING, RINGING]
