"""Texts that wait for an absent addressee: kept on disk, delivered in order when a device is there again.

A text leaves the box when a device has taken it, when every device has refused it for what it is, or when it is too
old. It is sent again only after an attempt has failed for good; while one is under way there is no second one.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence

import structlog

from frozen import dataclass
from pbx.bus import Bus
from pbx.clock import Clock
from pbx.events import BusEvent, MessagesChanged, RegistrationChange, RegistrationChanged
from pbx.location import Target
from pbx.textcarrier import OF_THE_TEXT, Delivery, TextCarrier
from sipcore.presence.mwi import MessageCounts
from storage.ports import StorageUnavailable, TextStore
from storage.records import StoredText

RETRY_S, RETRY_MAX_S = 60.0, 3600.0
log = structlog.get_logger("texts")


@dataclass(frozen=True, slots=True)
class TextPolicy:
    """How long a text is kept, and how many for one addressee. `keep_s` 0: none is."""

    keep_s: float = 7 * 86400.0
    most: int = 100


@dataclass(frozen=True, slots=True)
class _Pause:
    """Why nothing is delivered now: until a moment, or (None) until a device registers that may take texts."""

    until: float | None
    length_s: float = RETRY_S


class TextBox:
    """All texts that wait. `targets` says where a number can be reached now."""

    def __init__(
        self,
        store: TextStore,
        carrier: TextCarrier,
        clock: Clock,
        bus: Bus,
        policy: TextPolicy,
        targets: Callable[[str], Sequence[Target]],
    ) -> None:
        self._store, self._carrier, self._clock, self._bus = store, carrier, clock, bus
        self._policy, self._targets = policy, targets
        self._queues: dict[str, deque[StoredText]] = {}
        self._pauses: dict[str, _Pause] = {}
        self._couriers: dict[str, asyncio.Task[None]] = {}
        self._under_way: dict[str, Delivery] = {}
        self._coming: Counter[str] = Counter()
        self._arrived: set[str] = set()  # numbers with a device that has not been asked yet
        self._unremoved: list[str] = []
        self._counts: Counter[str] = Counter()
        bus.subscribe([RegistrationChanged], self._registration_changed)

    async def restore(self) -> int:
        """Read what waited before the restart; returns how many texts."""
        for text in await self._store.load(self._clock.wall()):
            self._queues.setdefault(text.number, deque()).append(text)
        return sum(map(len, self._queues.values()))

    def waiting(self, number: str) -> int:
        return len(self._queues.get(number, ()))

    def counts(self, number: str) -> MessageCounts:
        """As a message account tells them."""
        return MessageCounts(new=self.waiting(number))

    def is_before(self, number: str) -> bool:
        """Another text to `number` would overtake those that wait, or that are about to."""
        return number in self._queues or number in self._coming

    async def keep(self, text: StoredText, under_way: Delivery | None = None) -> bool:
        """Take a text in, safe on disk; False when it cannot be kept. With `under_way`, an attempt that goes on."""
        number = text.number
        if text.expires_at <= self._clock.wall() or self.waiting(number) + self._coming[number] >= self._policy.most:
            return False
        self._coming[number] += 1
        try:
            await self._store.add(text)
        except StorageUnavailable as error:
            log.error("a text cannot be kept", addressee=number, why=str(error))
            return False
        finally:
            self._coming[number] -= 1
            if not self._coming[number]:
                del self._coming[number]
        self._queues.setdefault(number, deque()).append(text)
        if under_way is not None:
            self._under_way[text.id] = under_way
        self._counts["kept"] += 1
        self._changed(number)
        self._deliver_if_heard(number)
        return True

    async def sweep(self) -> None:
        """Remove what is too old, try again what is due; called every few seconds."""
        now_at, now = self._clock.wall(), self._clock.now()
        for number, queue in list(self._queues.items()):
            if number not in self._couriers:
                self._forget(number, [text for text in queue if text.expires_at <= now_at], "expired")
            pause = self._pauses.get(number)
            if pause is None or (pause.until is not None and now >= pause.until):
                self._deliver(number)
        await self._remove_stored()

    def keep_only(self, exists: Callable[[str], bool]) -> None:
        """Forget the texts of numbers that are gone."""
        for number, queue in list(self._queues.items()):
            if not exists(number):
                if (courier := self._couriers.pop(number, None)) is not None:
                    courier.cancel()
                self._forget(number, list(queue), "forgotten")

    async def close(self) -> None:
        """Stop delivering; what waits stays on disk."""
        couriers = list(self._couriers.values())
        for courier in couriers:
            courier.cancel()
        await asyncio.gather(*couriers, return_exceptions=True)

    def describe(self) -> dict[str, int]:
        known = ("kept", "delivered", "refused", "expired", "forgotten")
        waiting = {"waiting": sum(map(len, self._queues.values())), "addressees": len(self._queues)}
        return {**waiting, **{name: self._counts[name] for name in known}}

    # --- delivery ---------------------------------------------------------------------------------------------------

    def _registration_changed(self, event: BusEvent) -> None:
        assert isinstance(event, RegistrationChanged)
        number = event.number
        if event.change is RegistrationChange.ADDED:
            self._pauses.pop(number, None)
            if number in self._couriers:
                self._arrived.add(number)
            self._deliver(number)
        elif event.change is RegistrationChange.REFRESHED:
            self._deliver_if_heard(number)

    def _deliver_if_heard(self, number: str) -> None:
        """Now, unless the devices that are there take no texts."""
        pause = self._pauses.get(number)
        if pause is None or pause.until is not None:
            self._deliver(number)

    def _deliver(self, number: str) -> None:
        if number not in self._couriers and number in self._queues:
            courier = self._couriers[number] = asyncio.ensure_future(self._carry(number))
            courier.add_done_callback(lambda done: self._carried(number, done))

    def _carried(self, number: str, courier: asyncio.Task[None]) -> None:
        if self._couriers.get(number) is courier:
            del self._couriers[number]
            self._arrived.discard(number)
        if not courier.cancelled() and (error := courier.exception()) is not None:
            log.error("texts could not be delivered", addressee=number, why=repr(error))

    async def _carry(self, number: str) -> None:
        """Deliver one text after the other, until none is left or one cannot be delivered now."""
        is_there = False
        while queue := self._queues.get(number):
            text = queue[0]
            earlier = self._under_way.pop(text.id, None)
            delivery = earlier or self._attempt(text)
            if delivery is None:
                return
            status = await delivery.outcome
            if status < 300 or status in OF_THE_TEXT:
                is_there = True
                self._pauses.pop(number, None)
                self._forget(number, [text], "delivered" if status < 300 else "refused")
                await self._remove_stored()
            elif number not in self._arrived and not (earlier and is_there):
                self._pause(number, delivery)
                return

    def _attempt(self, text: StoredText) -> Delivery | None:
        targets = self._targets(text.number)
        if not targets or text.expires_at <= self._clock.wall():
            return None
        self._arrived.discard(text.number)
        return self._carrier.send(text, targets, is_late=True)

    def _pause(self, number: str, delivery: Delivery) -> None:
        if delivery.is_deaf:
            self._pauses[number] = _Pause(None)
            return
        before = self._pauses.get(number)
        length_s = RETRY_S if before is None else min(2 * before.length_s, RETRY_MAX_S)
        self._pauses[number] = _Pause(self._clock.now() + length_s, length_s)

    # --- what is kept -----------------------------------------------------------------------------------------------

    def _forget(self, number: str, gone: Sequence[StoredText], why: str) -> None:
        if not gone:
            return
        queue = self._queues[number]
        for text in gone:
            queue.remove(text)
            self._under_way.pop(text.id, None)
        if not queue:
            del self._queues[number]
            self._pauses.pop(number, None)
        self._counts[why] += len(gone)
        self._unremoved += [text.id for text in gone]
        self._changed(number)

    async def _remove_stored(self) -> None:
        """What is done with, from the disk; what it refuses is tried again with the next sweep."""
        gone, self._unremoved = self._unremoved, []
        if not gone:
            return
        try:
            await self._store.remove(gone)
        except StorageUnavailable as error:
            self._unremoved += gone
            log.error("texts that are done with cannot be removed", why=str(error))

    def _changed(self, number: str) -> None:
        self._bus.publish(MessagesChanged(self._clock.wall(), number))
