"""Reports by name, over a period: rows of the history are read and folded page by page, beside all other work."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

from pbx.control.clerk import GetReport, ReportView
from pbx.control.messages import ControlError
from pbx.reports import calls, line_health
from pbx.reports.calls import Table
from pbx.reports.facts import Conversation, departments, fold
from pbx.reports.spend import spend
from pbx.reports.troubles import AVAILABLE, LATENCY, LOST, UNAVAILABLE, Limits, problem_terminals
from storage.ports import AuditQuery, HappeningQuery, Storage, StorageUnavailable
from storage.records import MissedCall, Office, ScannedRow

PAGE = 20_000
DAY_S = 86_400.0
MOST_EVENTS = 10_000
MEASURED = (LATENCY, line_health.LINE_LATENCY)  # once an hour: figures, no events
OF_ROWS = frozenset(("outgoing", "agents", "queues", "spend", "terminal-load"))
OF_CONVERSATIONS = frozenset(("lines", "providers", "quality", "funnel"))
NAMES = (
    *("agents", "events", "funnel", "line-health", "lines", "missed", "outgoing", "problems", "providers", "quality"),
    *("queues", "spend", "terminal-load"),
)


class Reporter:
    """One per server; `office` is the one in force, `missed` the calls that nobody answered."""

    def __init__(
        self,
        storage: Storage,
        office: Callable[[], Office],
        missed: Callable[[], Sequence[MissedCall]],
        wall: Callable[[], float],
    ) -> None:
        self._storage, self._office, self._missed, self._wall = storage, office, missed, wall

    async def report(self, asked: GetReport) -> ReportView:
        """Raises `ControlError` with a sentence."""
        to_at = self._wall() if asked.to_at is None else asked.to_at
        from_at = to_at - DAY_S if asked.from_at is None else asked.from_at
        if asked.name not in NAMES:
            raise ControlError(f"there is no report {asked.name}; there are {', '.join(NAMES)}")
        if from_at >= to_at:
            raise ControlError("the period ends before it begins")
        try:
            table = await self._table(asked, from_at, to_at)
        except StorageUnavailable as error:
            raise ControlError(str(error)) from None
        return ReportView(asked.name, from_at, to_at, table.columns, table.rows)

    async def _table(self, asked: GetReport, from_at: float, to_at: float) -> Table:
        office = self._office()
        if asked.name in OF_CONVERSATIONS:
            found = await self._conversations(from_at, to_at)
            return await asyncio.to_thread(_of_conversations, asked, found, office)
        if asked.name in OF_ROWS:
            rows = await self._rows(from_at, to_at)
            return await asyncio.to_thread(_of_rows, asked, rows, office, to_at - from_at)
        if asked.name == "problems":
            kinds = (UNAVAILABLE, AVAILABLE, LATENCY, LOST)
            query = HappeningQuery(from_at=from_at - 30 * DAY_S, to_at=to_at, kinds=kinds)
            limits = Limits(asked.latency_ms, asked.losses_a_day, asked.unavailable_min)
            return problem_terminals(await self._storage.happenings.query(query), from_at, to_at, limits)
        if asked.name == "line-health":
            known = HappeningQuery(from_at - 30 * DAY_S, to_at, line_health.KINDS)
            happenings = await self._storage.happenings.query(known)
            return line_health.line_health(happenings, from_at, to_at, _zone(office))
        return await self._events(asked, from_at, to_at) if asked.name == "events" else self._open(from_at, to_at)

    async def _events(self, asked: GetReport, from_at: float, to_at: float) -> Table:
        """REP-6: what the journal has, and what people did through the API."""
        query = HappeningQuery(from_at, to_at, (asked.kind,) if asked.kind else (), asked.subject, MOST_EVENTS)
        found = [
            (each.at, each.kind, each.subject, each.text)
            for each in await self._storage.happenings.query(query)
            if each.kind not in MEASURED or asked.kind == each.kind
        ]
        for entry in await self._storage.audit.query(AuditQuery(limit=MOST_EVENTS)):
            is_asked = asked.kind in ("", entry.action) and asked.subject in ("", entry.object, entry.user)
            if from_at <= entry.at < to_at and is_asked:
                found.append((entry.at, entry.action, entry.object, f"{entry.user} {entry.address}".strip()))
        found.sort(key=lambda each: -each[0])
        return Table(("at", "kind", "subject", "text"), tuple(found[:MOST_EVENTS]))

    def _open(self, from_at: float, to_at: float) -> Table:
        """REP-7."""
        found = [each for each in self._missed() if from_at <= each.missed_at < to_at]
        rows = tuple(
            (each.missed_at, each.number, each.name, each.line, each.waited_s, each.stage, each.at_number, each.tries,
             "" if each.closed_at else round(self._wall() - each.missed_at), each.closed_by, each.closed_with,
             each.closed_at or "", each.id)
            for each in found
        )  # fmt: skip
        names = ("missed_at", "client", "name", "line", "waited_s", "stage", "at_number", "tries", "open_s")
        return Table((*names, "closed_by", "closed_with", "closed_at", "id"), rows)

    async def _conversations(self, from_at: float, to_at: float) -> list[Conversation]:
        found: dict[str, Conversation] = {}
        after: ScannedRow | None = None
        while page := await self._storage.cdrs.scan(from_at, to_at, after, PAGE):
            await asyncio.to_thread(fold, page, found)
            after = page[-1]
        return list(found.values())

    async def _rows(self, from_at: float, to_at: float) -> list[ScannedRow]:
        rows: list[ScannedRow] = []
        while page := await self._storage.cdrs.scan(from_at, to_at, rows[-1] if rows else None, PAGE):
            rows += page
        return rows


def _of_conversations(asked: GetReport, found: list[Conversation], office: Office) -> Table:
    zone = _zone(office)
    if asked.name == "lines":
        return calls.line_load(found, {each.id: each.max_calls for each in office.providers}, zone, asked.step)
    if asked.name == "providers":
        return calls.providers(found)
    if asked.name == "quality":
        return calls.service(found, zone, asked.step, asked.within_s)
    stages = [stage for stage in calls.STAGES if not asked.stages or stage in asked.stages]
    return calls.funnel(found, asked.by or "line", zone, asked.talk_s, stages)


def _zone(office: Office) -> tzinfo:
    return UTC if office.timezone == "UTC" else ZoneInfo(office.timezone)


def _of_rows(asked: GetReport, rows: list[ScannedRow], office: Office, period_s: float) -> Table:
    people = {user.id: user.name for user in office.users}
    owners: Mapping[str, str] = {each.number: each.owner for each in office.terminals}
    if asked.name == "terminal-load":
        return calls.terminal_load(rows, owners, period_s)
    if asked.name == "outgoing":
        names = {number: people.get(owner, "") for number, owner in owners.items()}
        return calls.outgoing(rows, names, asked.talk_s)
    if asked.name == "queues":
        return calls.queues(rows, {each.number for each in office.queues})
    if asked.name == "agents":
        return calls.agents(rows, {each.number: set(each.agents) for each in office.queues})
    groups = ((each.id, each.members) for each in office.employee_groups)
    return spend(rows, office.tariffs, asked.by or "line", departments(groups, owners))
