"""Mail about the server itself to its administrator (NOT-6; who comes in: `security.py`): lines that do not work
(PRV-15), a disk that is full, recordings that fail, calls outside that a limit has stopped or cut, or that somebody
should look at.

Each trouble is told once, until it is over; what comes and goes, once an hour.
"""

import asyncio

from pbx.bus import Bus
from pbx.events import BackupFailed, BusEvent, DiskShort, OutsideRefused, ProviderChanged, RecordingFailed
from pbx.mail.mailer import Mailer

AGAIN_S = 3600.0
PATIENCE_S = 300.0  # what mends itself within is nobody's trouble
KINDS = {"stopped": "outside", "cut": "outside_cut", "noticed": "outside_noticed"}
DOWN = frozenset(("unreachable", "rejected", "failed"))


class SystemMail:
    """One per server."""

    def __init__(self, mailer: Mailer, bus: Bus) -> None:
        self._mailer = mailer
        self._timers: dict[str, asyncio.TimerHandle] = {}  # lines that do not work
        self._told_at: dict[tuple[str, str], float] = {}  # what happened to whom
        self._why: dict[str, ProviderChanged] = {}
        if mailer.sends("line"):
            bus.subscribe((ProviderChanged, DiskShort, OutsideRefused, RecordingFailed, BackupFailed), self._told)

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _told(self, event: BusEvent) -> None:
        if isinstance(event, DiskShort):
            if self._is_news("disk", "", event.at):
                self._post("disk", event.at, free=str(event.free_mb))
        elif isinstance(event, RecordingFailed):
            if self._is_news("recording", "", event.at):
                self._post("recording", event.at, call=event.call, why=event.why.rstrip("."))
        elif isinstance(event, BackupFailed):
            if self._is_news("backup", "", event.at):
                self._post("backup", event.at, why=event.why.rstrip("."))
        elif isinstance(event, ProviderChanged):
            self._line(event)
        elif isinstance(event, OutsideRefused):
            self._limit(event)

    def _limit(self, event: OutsideRefused) -> None:
        if self._is_news(event.action, event.who, event.at) and (to := self._mailer.administrators):
            why = event.why.within(to[0].language)
            self._post(KINDS[event.action], event.at, who=event.who, number=event.number, why=why)

    def _is_news(self, what: str, of: str, at: float) -> bool:
        """Not told within the last hour."""
        is_news = at - self._told_at.get((what, of), 0.0) > AGAIN_S
        if is_news:
            self._told_at[what, of] = at
        return is_news

    def _line(self, event: ProviderChanged) -> None:
        line = event.provider
        if event.state not in DOWN:
            self._why.pop(line, None)
            if (timer := self._timers.pop(line, None)) is not None:
                timer.cancel()
            return
        self._why[line] = event
        if line not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[line] = loop.call_later(PATIENCE_S, self._tell_line, line, event.at)

    def _tell_line(self, line: str, since_at: float) -> None:
        """With the reason of now; the timer stays until the line works."""
        self._post("line", since_at, line=line, why=self._why[line].error.rstrip(".") or self._why[line].state)

    def _post(self, kind: str, at: float, **values: str) -> None:
        for administrator in self._mailer.administrators:
            self._mailer.post(kind, administrator, values, at=at)
