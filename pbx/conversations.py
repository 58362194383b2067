"""Rows of the history, put together until the whole conversation is over: transfers and callbacks belong to it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from pbx.bus import Bus
from pbx.events import BusEvent, CallEnded, CallLinked, CallStarted
from storage.records import CdrRow


class Conversations:
    """Fed with rows as calls end: `row` before the bus tells of the end. `over` gets the rows of each conversation, in
    the order in which they began, when no call of it is left."""

    def __init__(self, bus: Bus, *over: Callable[[Sequence[CdrRow]], None]) -> None:
        self._over = over
        self._live: dict[str, str] = {}  # call → linkedid
        self._calls: Counter[str] = Counter()  # of each linkedid that live
        self._rows: defaultdict[str, list[CdrRow]] = defaultdict(list)  # by linkedid
        bus.subscribe((CallStarted, CallLinked, CallEnded), self._told)

    def row(self, row: CdrRow) -> None:
        """A stage of a call, or a try to reach somebody, is over."""
        self._rows[row.linkedid].append(row)

    def _told(self, event: BusEvent) -> None:
        match event:
            case CallStarted():
                self._join(event.call, event.linkedid)
            case CallLinked():
                before = self._live.get(event.call, event.linkedid)
                self._join(event.call, event.linkedid)
                if self._leave(before):
                    self._rows[event.linkedid] += self._rows.pop(before, [])
            case CallEnded():
                linkedid = self._live.pop(event.call, "")
                if self._leave(linkedid):
                    self._end(self._rows.pop(linkedid, []))

    def _join(self, call: str, linkedid: str) -> None:
        self._live[call] = linkedid
        self._calls[linkedid] += 1

    def _leave(self, linkedid: str) -> bool:
        """Whether no call of it is left."""
        self._calls[linkedid] -= 1
        if self._calls[linkedid] > 0:
            return False
        del self._calls[linkedid]
        return True

    def _end(self, rows: list[CdrRow]) -> None:
        rows.sort(key=lambda row: row.started_at)
        for over in self._over if rows else ():
            over(rows)


def client_of(row: CdrRow) -> str:
    """The number of a caller from outside: over a provider, or beyond a gateway that told it."""
    return row.from_number if row.provider_in else row.external_number or row.from_number
