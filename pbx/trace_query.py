"""`zvon trace`: from an id that a person has to the messages of that call, or the sentence that says why not."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from media.api import read_intervals
from pbx.clock import Clock
from pbx.control.messages import ControlError, TracedLegView, TracedMessageView, TraceView
from pbx.events import Direction, LegId
from pbx.quality import Measured
from pbx.sipmask import masked
from pbx.siptrace import CallBook, Kept, LegNote, MessageRing, search
from storage.ports import HistoryQuery, Storage, StorageUnavailable
from storage.records import CdrRow

MOST_ROWS = 100  # of one conversation


class TraceQuery:
    """Looks up live calls, recent ones and, beyond them, the history. `ring` is None when nothing is kept; `live` says
    what is measured of the legs of a call now, by their ids."""

    def __init__(
        self,
        ring: MessageRing | None,
        book: CallBook,
        storage: Storage,
        clock: Clock,
        live: Callable[[str], Awaitable[Mapping[LegId, Measured]]] | None = None,
    ) -> None:
        self._ring, self._book, self._storage, self._clock, self._live = ring, book, storage, clock, live

    async def trace(self, wanted: str, *, with_secrets: bool = False) -> TraceView:
        """The call with that id, linkedid or SIP Call-ID; raises `ControlError` with a sentence."""
        if self._ring is None:
            raise ControlError("no SIP messages are kept: trace_mb in [sip] of the settings is 0")
        call, legs, is_known = await self._legs(wanted)
        call_ids = {leg.sip_call_id for leg in legs} or {wanted}
        found = await asyncio.to_thread(search, self._ring.snapshot(), call_ids)
        if not found:
            raise ControlError(self._why_not(wanted, is_known))
        return TraceView(call, tuple(legs), tuple(self._view(each, with_secrets) for each in found))

    async def _legs(self, wanted: str) -> tuple[str, list[TracedLegView], bool]:
        """The call, its legs, and whether anything is known of it."""
        noted = self._book.find(wanted) or self._book.find(_without_row_number(wanted))
        if noted is not None:
            call, legs = noted
            live = await self._live_of(call)
            return call, [_of_note(note, live.get(leg, note.measured)) for leg, note in legs.items()], True
        rows = [*await self._rows(wanted), *await self._rows(_without_row_number(wanted))]
        return (wanted if rows else ""), _of_rows(rows), bool(rows)

    async def _live_of(self, call: str) -> dict[LegId, Measured]:
        found: dict[LegId, Measured] = {}
        if self._live is not None:
            for part in self._book.parts(call):
                found |= await self._live(part)
        return found

    async def _rows(self, linkedid: str) -> Sequence[CdrRow]:
        if not linkedid:
            return ()
        try:
            return await self._storage.cdrs.query(HistoryQuery(linkedid=linkedid, limit=MOST_ROWS))
        except StorageUnavailable:
            return ()  # what is in memory can be shown without it

    def _why_not(self, wanted: str, is_known: bool) -> str:
        if is_known:
            return (
                f"the SIP messages of call {wanted} are no longer kept; "
                "trace_mb in [sip] of the settings says how many megabytes of them are"
            )
        return f"there is no call {wanted}, neither now nor in the history; `zvon calls` and `zvon history` list them"

    def _view(self, kept: Kept, with_secrets: bool) -> TracedMessageView:
        flow = kept.flow
        data = kept.data if with_secrets else masked(kept.data)
        at = self._clock.wall_at(kept.at)
        return TracedMessageView(at, flow.transport, flow.local, flow.remote, kept.inbound, data)


def _without_row_number(wanted: str) -> str:
    """The id of the call whose history row has the id `wanted`: `zvon-7.1-2` is the second row of `zvon-7.1`."""
    call, dash, number = wanted.rpartition("-")
    return call if dash and number.isdecimal() else ""


def _of_note(note: LegNote, measured: Measured) -> TracedLegView:
    return TracedLegView(
        note.party.number,
        note.party.name,
        note.direction.value,
        note.sip_call_id,
        measured.quality,
        read_intervals(measured.intervals),
        measured.audio_from,
    )


def _of_rows(rows: Sequence[CdrRow]) -> list[TracedLegView]:
    """The dialogs that history rows name: the caller's first, then those of the numbers that were tried."""
    legs: dict[str, TracedLegView] = {}
    for row in sorted(rows, key=lambda each: each.started_at):
        for place, call_id in enumerate(row.sip_call_ids):
            side, direction = ("to_", Direction.OUTGOING) if place else ("from_", Direction.INCOMING)
            number, name = (row.to_number, row.to_name) if place else (row.from_number, row.from_name)
            quality = {key.removeprefix(side): value for key, value in row.quality.items() if key.startswith(side)}
            legs.setdefault(call_id, TracedLegView(number, name, direction.value, call_id, quality))
    return list(legs.values())
