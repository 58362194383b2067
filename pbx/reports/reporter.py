"""Reports by name, over a period: made of sums that the database makes, and of conversations put together by days."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

from conf.places import numbers_at, place_text
from pbx.control.clerk import GetReport, ReportView
from pbx.control.messages import ControlError
from pbx.reports import calls, line_health
from pbx.reports.calls import PAUSED, RESUMED, Table
from pbx.reports.facts import Conversation, departments
from pbx.reports.rollups import Rollups
from pbx.reports.spend import BY, spend
from pbx.reports.troubles import AVAILABLE, LATENCY, LOST, UNAVAILABLE, Limits, problem_terminals
from storage.ports import AuditQuery, HappeningQuery, Storage, StorageUnavailable, TallyQuery
from storage.records import MissedCall, Office, Tally

DAY_S = 86_400.0
MOST_EVENTS = 10_000
MEASURED = (LATENCY, line_health.LINE_LATENCY)  # once an hour: figures, no events
OF_TALLIES = frozenset(("outgoing", "agents", "queues", "spend", "terminal-load"))
BREAK_S = 30 * DAY_S  # the longest break, or time without a phone, that is found from before a period
OF_PEOPLE = frozenset(("agents", "outgoing", "problems", "spend", "terminal-load"))
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
        self._rollups = Rollups(storage, wall)

    async def sweep(self) -> None:
        """What is due now and then."""
        await self._rollups.sweep()

    async def report(self, asked: GetReport) -> ReportView:
        """Raises `ControlError` with a sentence."""
        to_at = self._wall() if asked.to_at is None else asked.to_at
        from_at = to_at - DAY_S if asked.from_at is None else asked.from_at
        if asked.name not in NAMES:
            raise ControlError(f"there is no report {asked.name}; there are {', '.join(NAMES)}")
        if from_at >= to_at:
            raise ControlError("the period ends before it begins")
        if asked.location and asked.name not in OF_PEOPLE:
            raise ControlError(
                f"the report {asked.name} is of no people; {', '.join(sorted(OF_PEOPLE))} know locations"
            )
        if asked.location and all(each.id != asked.location for each in self._office().location_groups):
            raise ControlError(f'there is no location group "{asked.location}" in the office')
        try:
            table = await self._table(asked, from_at, to_at)
        except StorageUnavailable as error:
            raise ControlError(str(error)) from None
        return ReportView(asked.name, from_at, to_at, table.columns, table.rows)

    async def _table(self, asked: GetReport, from_at: float, to_at: float) -> Table:
        office = self._office()
        if asked.name in OF_CONVERSATIONS:
            found = await self._rollups.conversations(from_at, to_at)
            return await asyncio.to_thread(_of_conversations, asked, found, office)
        if asked.name in OF_TALLIES:
            return await self._of_tallies(asked, from_at, to_at, office)
        if asked.name == "problems":
            kinds = (UNAVAILABLE, AVAILABLE, LATENCY, LOST)
            query = HappeningQuery(from_at=from_at - BREAK_S, to_at=to_at, kinds=kinds)
            limits = Limits(asked.latency_ms, asked.losses_a_day, asked.unavailable_min)
            happenings = await self._storage.happenings.query(query)
            if asked.location:
                numbers = numbers_at(office, [asked.location])
                happenings = [each for each in happenings if each.subject in numbers]
            return problem_terminals(happenings, from_at, to_at, limits)
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

    async def _of_tallies(self, asked: GetReport, from_at: float, to_at: float, office: Office) -> Table:
        numbers = numbers_at(office, [asked.location]) if asked.location else None

        async def tally(query: TallyQuery) -> Sequence[Tally]:
            found = await self._storage.cdrs.tally(query)
            return _of_numbers(found, numbers, BY.index("from_number") if query.by is BY else 0)

        owners: Mapping[str, str] = {each.number: each.owner for each in office.terminals}
        match asked.name:
            case "terminal-load":
                offered = await tally(TallyQuery(from_at, to_at, ("to_number", "disposition")))
                made = await tally(TallyQuery(from_at, to_at, ("from_number",)))
                return calls.terminal_load(offered, made, owners, to_at - from_at)
            case "outgoing":
                query = TallyQuery(from_at, to_at, ("from_number",), is_outgoing=True, min_talk_s=asked.talk_s)
                return calls.outgoing(await tally(query), owners, {user.id: user.name for user in office.users})
            case "queues":
                query = TallyQuery(from_at, to_at, ("to_number", "disposition", "cause"), stage="queue")
                return calls.queues(await tally(query), {each.number for each in office.queues})
            case "agents":
                known = HappeningQuery(from_at - BREAK_S, to_at, (PAUSED, RESUMED))
                breaks = calls.breaks_of(await self._storage.happenings.query(known), from_at, to_at)
                return calls.agents(_of_numbers(await self._offers(from_at, to_at, office), numbers), breaks)
            case _:
                spent = await tally(TallyQuery(from_at, to_at, BY, is_outgoing=True, has_talk=True))
                by = asked.by or "line"
                groups = _places(office) if by == "location" else [(of.id, of.members) for of in office.employee_groups]
                return await asyncio.to_thread(spend, spent, office.tariffs, by, departments(groups, owners))

    async def _offers(self, from_at: float, to_at: float, office: Office) -> list[Tally]:
        """Attempts of agents in conversations that were in one of their queues."""
        queues_of: defaultdict[str, list[str]] = defaultdict(list)
        for queue in office.queues:
            for agent in queue.agents:
                queues_of[agent].append(queue.number)
        agents_of: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        for agent, its in queues_of.items():
            agents_of[tuple(its)].append(agent)
        found: list[Tally] = []
        for queues, agents in agents_of.items():
            query = TallyQuery(from_at, to_at, ("to_number", "disposition"), stage="dial", in_queues=queues)
            found += await self._storage.cdrs.tally(replace(query, to_numbers=tuple(agents)))
        return found


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


def _of_numbers(tallies: Sequence[Tally], numbers: Collection[str] | None, key: int = 0) -> Sequence[Tally]:
    """Those whose key is one of the numbers; None: all."""
    return tallies if numbers is None else [each for each in tallies if each.keys[key] in numbers]


def _places(office: Office) -> list[tuple[str, tuple[str, ...]]]:
    """Each room or department, and who is in it itself."""
    return [
        (
            place_text(office.location_groups, place.id),
            tuple(each.id for each in office.users if each.location == place.id),
        )
        for place in office.location_groups
    ]


def _zone(office: Office) -> tzinfo:
    return UTC if office.timezone == "UTC" else ZoneInfo(office.timezone)
