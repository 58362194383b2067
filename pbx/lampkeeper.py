"""Subscriptions over a restart: kept on disk as often as they are refreshed, and joined to the stack again.

Lamps go on without waiting for the phone: each restored subscription gets full state soon after the start, on the path
it had. Over a connection that is gone it waits until its phone registers again.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from pbx.clock import Clock
from pbx.directory import Directory
from pbx.location import Location
from sipcore.dialog.subscription import Subscription
from sipcore.errors import ParseError
from sipcore.freeze import freeze, thaw
from sipcore.transport.driver import SipDriver
from storage.ports import SubscriptionStore
from storage.records import StoredSubscription

LEAST_LEFT_S = 30.0  # what expires sooner is not taken up again
BATCH, PAUSE_S = 25, 0.1  # NOTIFYs after a start: 250 a second


class LampKeeper:
    """One per notifier."""

    def __init__(
        self,
        store: SubscriptionStore,
        driver: SipDriver,
        location: Location,
        directory: Callable[[], Directory],
        clock: Clock,
    ) -> None:
        self._store, self._driver, self._location = store, driver, location
        self._directory, self._clock = directory, clock
        self._kept: dict[Subscription, float | None] = {}
        self._cut_off: dict[Subscription, str] = {}  # by their watcher: without a path for now
        self._untold: deque[Subscription] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def keep(self, subscription: Subscription, watcher: str, package: str, number: str, host: str) -> None:
        """Store what is new of it: everything that a restart needs changes with its expiry."""
        self._cut_off.pop(subscription, None)
        expires_at = subscription.expires_at
        if expires_at is None or self._kept.get(subscription) == expires_at:
            return
        self._kept[subscription] = expires_at
        machine, epoch_at = freeze(subscription).decode(), self._clock.wall_at(0.0)
        found = _id(subscription)
        self._store.put(
            found,
            StoredSubscription(
                found, self._clock.wall_at(expires_at), watcher, package, number, host, machine, epoch_at
            ),
        )

    def forget(self, subscription: Subscription) -> None:
        """It is over."""
        self._cut_off.pop(subscription, None)
        if subscription in self._kept:
            del self._kept[subscription]
            self._store.put(_id(subscription), None)

    async def stored(self) -> list[StoredSubscription]:
        """What is worth taking up again."""
        return list(await self._store.load(self._clock.wall() + LEAST_LEFT_S))

    def thaw(self, record: StoredSubscription) -> Subscription | None:
        """The subscription as the stack may adopt it; None (and no longer stored) when nobody can have it."""
        terminal = self._directory().terminal(record.watcher)
        machine = self._machine(record) if terminal is not None else None
        if machine is None or terminal is None:
            self._store.put(record.id, None)
            return None
        old, now = machine.dialog.flow, self._clock.now()
        path = self._location.path_again(terminal, old)
        machine.resume(path or replace(old, id=self._driver.new_id()), now)
        self._kept[machine] = None
        if path is None:
            self._cut_off[machine] = record.watcher
        return machine

    def tell(self, subscriptions: Iterable[Subscription]) -> None:
        """Send full state to those that have a path, at a bearable rate."""
        self._untold.extend(each for each in subscriptions if each not in self._cut_off)
        if self._timer is None:
            self._tell_some()

    def registered(self, watcher: str) -> None:
        """A device of `watcher` is there: its subscriptions that were cut off may have a path again."""
        if not self._cut_off:
            return
        terminal = self._directory().terminal(watcher)
        for subscription in [each for each, by in self._cut_off.items() if by == watcher]:
            path = self._location.path_again(terminal, subscription.dialog.flow) if terminal is not None else None
            if path is not None:
                subscription.dialog.flow = path
                self._changed(subscription)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _machine(self, record: StoredSubscription) -> Subscription | None:
        shift_s = record.epoch_at - self._clock.wall_at(0.0)
        try:
            machine = thaw(record.machine.encode(), ids=self._driver.stack.ids, shift_s=shift_s)
        except ParseError:
            return None
        return machine if isinstance(machine, Subscription) else None

    def _tell_some(self) -> None:
        for _ in range(min(BATCH, len(self._untold))):
            self._changed(self._untold.popleft())
        again = asyncio.get_running_loop().call_later
        self._timer = again(PAUSE_S, self._tell_some) if self._untold else None

    def _changed(self, subscription: Subscription) -> None:
        now = self._driver.now()
        self._driver.stack.perform(subscription, subscription.changed(now), now)
        self._driver.kick()


def _id(subscription: Subscription) -> str:
    return f"{subscription.dialog.call_id} {subscription.dialog.local_tag}"
