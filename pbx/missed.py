"""Calls from outside that no human answered (INB-6): open until somebody has talked to the client, and the alarm when
such calls become many (NOT-7)."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from pbx.bus import Bus
from pbx.clock import Clock
from pbx.conversations import client_of
from pbx.events import CallMissed, CallsLost, MissedCallClosed
from storage.ports import KeptStore
from storage.records import CdrRow, LostCallAlarm, MissedCall, Office, is_human_answer, is_incoming

SAME_DIGITS = 10  # what two ways to write one number outside have in common at the end
KEPT_S = 90 * 86_400.0  # closed ones, for reports

log = structlog.get_logger("missed")


class MissedCalls:
    """One per server; `over` gets the rows of each conversation that is over. `is_open` asks a calendar."""

    def __init__(
        self,
        store: KeptStore[MissedCall],
        office: Callable[[], Office],
        is_open: Callable[[str], bool],
        bus: Bus,
        clock: Clock,
    ) -> None:
        self._store, self._office, self._is_open, self._bus, self._clock = store, office, is_open, bus, clock
        self._all: dict[str, MissedCall] = {}
        self._open: dict[str, dict[str, MissedCall]] = {}  # by the end of the client's number, then by id
        self._lost: deque[tuple[float, frozenset[str]]] = deque()  # when, and the numbers that were in it
        self._quiet_until: dict[str, float] = {}  # alarms that have gone off

    async def restore(self) -> None:
        for each in await self._store.load():
            self._enter(each)

    def all(self, *, open_only: bool = False) -> Sequence[MissedCall]:
        """The oldest first."""
        found = (each for each in self._all.values() if not (open_only and each.closed_at))
        return sorted(found, key=lambda each: each.missed_at)

    def get(self, id: str) -> MissedCall | None:
        return self._all.get(id)

    def over(self, rows: Sequence[CdrRow]) -> None:
        """A conversation has ended."""
        first = rows[0]
        is_answered = any(map(is_human_answer, rows))
        if is_incoming(first):
            client = client_of(first)
            if is_answered:
                talked = next(row for row in reversed(rows) if is_human_answer(row))
                self._talked(client, "client", talked.to_number)
            else:
                self._missed(rows, client)
        else:
            for client in {row.to_number for row in rows if row.provider_out or len(row.to_number) >= SAME_DIGITS}:
                is_reached = any(row.to_number == client and is_human_answer(row) for row in rows)
                if is_reached:
                    self._talked(client, "callback", first.from_number)
                else:
                    self._tried(client)

    def close(self, id: str) -> MissedCall | None:
        """Somebody says that this one is done with; None when it is not open."""
        found = self._all.get(id)
        if found is None or found.closed_at:
            return None
        return self._close(found, "hand", "")

    def sweep(self) -> None:
        """Forget what was closed long ago."""
        before = self._clock.wall() - KEPT_S
        for each in [each for each in self._all.values() if 0 < each.closed_at < before]:
            del self._all[each.id]
            self._store.put(each.id, None)

    def describe(self) -> Mapping[str, object]:
        return {"open": sum(map(len, self._open.values())), "kept": len(self._all)}

    # --- inside -------------------------------------------------------------------------------------------------

    def _missed(self, rows: Sequence[CdrRow], client: str) -> None:
        first, last = rows[0], rows[-1]
        waited_s = max(row.ended_at for row in rows) - first.started_at
        line = first.external_number if first.provider_in else first.to_number
        missed = MissedCall(
            first.linkedid, client, first.from_name, line, first.provider_in, first.started_at, round(waited_s, 3),
            last.stage, last.to_number,
        )  # fmt: skip
        self._enter(missed)
        self._store.put(missed.id, missed)
        log.info("a call was missed", client=client, line=line, waited_s=missed.waited_s, stage=last.stage)
        self._bus.publish(CallMissed(self._clock.wall(), missed))
        self._count(frozenset({line, *(row.to_number for row in rows)}))

    def _enter(self, missed: MissedCall) -> None:
        self._all[missed.id] = missed
        of_client = self._open.setdefault(_end_of(missed.number), {})
        if missed.closed_at:
            of_client.pop(missed.id, None)
        else:
            of_client[missed.id] = missed
        if not of_client:
            del self._open[_end_of(missed.number)]

    def _talked(self, client: str, by: str, number: str) -> None:
        for missed in list(self._open.get(_end_of(client), {}).values()):
            self._close(missed, by, number)

    def _tried(self, client: str) -> None:
        for missed in list(self._open.get(_end_of(client), {}).values()):
            tried = replace(missed, tries=missed.tries + 1, tried_at=self._clock.wall())
            self._enter(tried)
            self._store.put(tried.id, tried)

    def _close(self, missed: MissedCall, by: str, number: str) -> MissedCall:
        now = self._clock.wall()
        closed = replace(missed, closed_at=now, closed_by=by, closed_with=number)
        self._enter(closed)
        self._store.put(closed.id, closed)
        self._bus.publish(MissedCallClosed(now, closed))
        return closed

    def _count(self, numbers: frozenset[str]) -> None:
        """Let the alarms go off that have seen enough; each is quiet then for its own time."""
        now, alarms = self._clock.wall(), self._office().lost_call_alarms
        self._lost.append((now, numbers))
        longest_s = max((each.minutes for each in alarms), default=0) * 60.0
        while self._lost and self._lost[0][0] <= now - longest_s:
            self._lost.popleft()
        for alarm in alarms:
            calls = self._calls_of(alarm, now)
            is_due = calls >= alarm.calls and self._quiet_until.get(alarm.id, 0.0) <= now
            if is_due and self._is_open(alarm.calendar):
                self._quiet_until[alarm.id] = now + alarm.minutes * 60.0
                log.warning("calls are being lost", alarm=alarm.id, calls=calls, minutes=alarm.minutes)
                self._bus.publish(CallsLost(now, alarm.id, alarm.number, calls, alarm.minutes))

    def _calls_of(self, alarm: LostCallAlarm, now: float) -> int:
        since = now - alarm.minutes * 60.0
        return sum(at > since and (not alarm.number or alarm.number in numbers) for at, numbers in self._lost)


def _end_of(number: str) -> str:
    return number.lstrip("+")[-SAME_DIGITS:]
