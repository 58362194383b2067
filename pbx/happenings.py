"""The journal of events (REP-6): what happened to phones, lines, the office and its callers, kept for reports."""

import uuid
from collections.abc import Callable, Iterable, Mapping

from pbx.bus import Bus
from pbx.clock import Clock
from pbx.events import (
    AgentBreak,
    BackupFailed,
    BusEvent,
    CalendarSwitched,
    CallMissed,
    CallsLost,
    DiskShort,
    MissedCallClosed,
    OfficeChanged,
    OutsideRefused,
    ProviderChanged,
    RecordingFailed,
    RegistrationChange,
    RegistrationChanged,
)
from pbx.reports.calls import PAUSED, RESUMED
from pbx.reports.line_health import DOWN, LINE_LATENCY, OFF, UP
from pbx.reports.troubles import AVAILABLE, LATENCY, LOST, UNAVAILABLE
from storage.ports import HappeningStore, StorageUnavailable
from storage.records import Happening

KEPT_S = 400 * 86_400.0  # a year, and the month that is compared with it
HOUR_S = 3600.0
WORKS = frozenset(("registered", "reachable"))
_LOSSES = frozenset((RegistrationChange.EXPIRED, RegistrationChange.UNREACHABLE))


class Journal:
    """Writes down what the bus tells. `is_reachable`: whether a number has a phone that answers; `latencies`: number →
    ms of phones that have answered since the last look, every few seconds, of which the worst is written down once an
    hour; `lines`: the same of all lines to providers, of which the mean is."""

    def __init__(
        self,
        store: HappeningStore,
        bus: Bus,
        clock: Clock,
        is_reachable: Callable[[str], bool],
        latencies: Callable[[], Iterable[tuple[str, float]]],
        lines: Callable[[], Iterable[tuple[str, float]]] = tuple,
    ) -> None:
        self._store, self._clock = store, clock
        self._is_reachable, self._latencies, self._line_latencies = is_reachable, latencies, lines
        self._available: dict[str, bool] = {}
        self._lines: dict[str, str] = {}
        self._worst: dict[str, float] = {}  # of this hour
        self._measured: dict[str, list[float]] = {}  # of lines, of this hour
        self._hour = int(clock.wall() // HOUR_S)
        self._forget_at = 0.0
        handlers: Mapping[type[BusEvent], Callable[..., None]] = {
            RegistrationChanged: self._registration,
            ProviderChanged: self._provider,
            CallMissed: lambda event: self._note("call_missed", event.missed.line, event.missed.number),
            MissedCallClosed: lambda event: self._note(
                "missed_call_closed",
                event.missed.number,
                f"{event.missed.closed_by} {event.missed.closed_with}".strip(),
            ),
            CallsLost: lambda event: self._note("calls_lost", event.number, f"{event.calls} in {event.minutes} min"),
            CalendarSwitched: lambda event: self._note(
                "calendar_switched", event.calendar, "by hand" if event.is_switched else "its hours again"
            ),
            AgentBreak: lambda event: self._note(RESUMED if event.is_over else PAUSED, event.number),
            OfficeChanged: lambda event: self._note("office_changed", str(event.revision), event.by),
            OutsideRefused: lambda event: self._note(
                f"outside_{event.action}", event.who, f"{event.number}: {event.why}"
            ),
            DiskShort: lambda event: self._note("disk_short", "", f"{event.free_mb} MB are free"),
            BackupFailed: lambda event: self._note("backup_failed", "", event.why),
            RecordingFailed: lambda event: self._note("recording_failed", event.call, event.why),
        }
        for kind, handler in handlers.items():
            bus.subscribe([kind], handler)

    async def sweep(self) -> None:
        """What is due every few seconds."""
        for number, latency_ms in self._latencies():
            self._worst[number] = max(self._worst.get(number, 0.0), latency_ms)
        for line, latency_ms in self._line_latencies():
            self._measured.setdefault(line, []).append(latency_ms)
        now = self._clock.wall()
        if int(now // HOUR_S) != self._hour:
            self._hour = int(now // HOUR_S)
            worst, self._worst = self._worst, {}
            for number, latency_ms in worst.items():
                self._note(LATENCY, number, f"{latency_ms:.1f}")
            measured, self._measured = self._measured, {}
            for line, each in measured.items():
                self._note(LINE_LATENCY, line, f"{sum(each) / len(each):.1f}")
        if now >= self._forget_at:
            self._forget_at = now + 24 * HOUR_S
            try:
                await self._store.remove_before(now - KEPT_S)
            except StorageUnavailable:
                return  # tomorrow again

    def _registration(self, event: RegistrationChanged) -> None:
        number = event.number
        if event.change in _LOSSES:
            self._note(LOST, number, f"{event.change} {event.contact}")
        is_available = self._is_reachable(number)
        was = self._available.get(number)
        self._available[number] = is_available
        if was is not None and was is not is_available:
            self._note(AVAILABLE if is_available else UNAVAILABLE, number)

    def _closed(self, event: MissedCallClosed) -> None:
        by = f"{event.missed.closed_by} {event.missed.closed_with}"
        self._note("missed_call_closed", event.missed.number, by.strip())

    def _provider(self, event: ProviderChanged) -> None:
        """States that a line passes through on its way are none."""
        state = UP if event.state in WORKS else OFF if event.state == "off" else DOWN if event.error else ""
        if state and self._lines.get(event.provider) != state:
            self._lines[event.provider] = state
            self._note(state, event.provider, event.error)

    def _note(self, kind: str, subject: str, text: str = "") -> None:
        happening = Happening(uuid.uuid4().hex, self._clock.wall(), kind, subject, text)
        self._store.put(happening.id, happening)
