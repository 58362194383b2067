"""Reports about calls (REP-1, REP-2, REP-4, REP-5, REP-8, REP-9): conversations and tallies in, a table out. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from itertools import pairwise

from frozen import dataclass
from pbx.reports.facts import IN, INTERNAL, OUT, Conversation, bucket
from storage.records import Happening, Tally

Cell = str | int | float
Rows = tuple[tuple[Cell, ...], ...]
MINUTE_S = 60.0
STEPS_S = {"hour": 3600.0, "day": 86400.0}
BLOCKED = frozenset(("peer_busy", "server_busy", "timeout", "unavailable", "bad_gateway"))
PAUSED, RESUMED = "agent_paused", "agent_resumed"
STAGES = ("calls", "through", "reached", "talked", "repeated")


@dataclass(frozen=True, slots=True)
class Table:
    """A report: names of columns with units in them, and rows."""

    columns: tuple[str, ...]
    rows: Rows


def line_load(conversations: Collection[Conversation], capacity: Mapping[str, int], zone: tzinfo, step: str) -> Table:
    """REP-1. A call holds a channel from its beginning to its end; `capacity`: provider → channels, 0 unknown. Blocked
    are calls to the outside that no line took."""
    kept: defaultdict[tuple[str, str, str], list[Conversation]] = defaultdict(list)
    for each in conversations:
        if each.direction != INTERNAL:
            kept[bucket(each.started_at, zone, step), each.provider, each.line].append(each)
    peaks = _peaks(conversations, zone, step)
    rows: list[tuple[Cell, ...]] = []
    for (when, provider, line), calls in sorted(kept.items()):
        peak, most = peaks.get((when, provider, line), 0), capacity.get(provider, 0)
        incoming = [each for each in calls if each.direction == IN]
        blocked = sum(
            each.direction == OUT and each.reached_at is None and each.last_cause in BLOCKED for each in calls
        )
        minutes_in, minutes_out = (
            round(sum(each.ended_at - each.started_at for each in calls if each.direction == way) / MINUTE_S, 1)
            for way in (IN, OUT)
        )
        used = round(100.0 * peak / most, 1) if most else ""
        rows.append(
            (
                when,
                provider,
                line,
                len(incoming),
                len(calls) - len(incoming),
                minutes_in,
                minutes_out,
                peak,
                used,
                blocked,
            )
        )
    names = ("period", "provider", "line", "calls_in", "calls_out", "minutes_in", "minutes_out")
    return Table((*names, "peak_channels", "peak_percent", "blocked"), tuple(rows))


def _peaks(conversations: Iterable[Conversation], zone: tzinfo, step: str) -> dict[tuple[str, str, str], int]:
    """The most calls at once on each line in each period."""
    edges: defaultdict[tuple[str, str], list[tuple[float, int]]] = defaultdict(list)
    for each in conversations:
        if each.direction != INTERNAL:
            found = edges[each.provider, each.line]
            found += [(each.started_at, 1), (each.ended_at, -1)]
            found += [(at, 0) for at in _boundaries(each, step)]
    peaks: dict[tuple[str, str, str], int] = {}
    for (provider, line), moments in edges.items():
        now = 0
        for at, change in sorted(moments):  # one that ends at a moment makes room for one that begins then
            now += change
            key = (bucket(at, zone, step), provider, line)
            peaks[key] = max(peaks.get(key, 0), now)
    return peaks


def _boundaries(each: Conversation, step: str) -> Iterator[float]:
    """Moments of later periods in which a long call is still there."""
    length_s = STEPS_S.get(step)
    at = each.started_at + (length_s or 0.0)
    while length_s is not None and at < each.ended_at:
        yield at
        at += length_s


def providers(conversations: Iterable[Conversation]) -> Table:
    """REP-2."""
    sums: defaultdict[tuple[str, str], list[float]] = defaultdict(lambda: [0, 0, 0.0, 0.0])
    for each in conversations:
        if each.direction != INTERNAL:
            found = sums[each.provider, each.direction]
            found[0] += 1
            found[1] += each.reached_at is not None
            found[2] += each.ended_at - each.started_at
            found[3] += each.talk_s
    rows = tuple(
        (provider, way, int(calls), int(answered), round(duration_s, 1), round(talk_s, 1))
        for (provider, way), (calls, answered, duration_s, talk_s) in sorted(sums.items())
    )
    return Table(("provider", "direction", "calls", "answered", "duration_s", "talk_s"), rows)


def service(conversations: Iterable[Conversation], zone: tzinfo, step: str, within_s: float) -> Table:
    """REP-4: of calls from outside. Abandoned: the caller gave up in a queue, whether a phone rang just then or not, or
    in a menu."""
    kept: defaultdict[str, list[Conversation]] = defaultdict(list)
    for each in conversations:
        if each.direction == IN:
            kept[bucket(each.started_at, zone, step)].append(each)
    rows: list[tuple[Cell, ...]] = []
    for when, calls in sorted(kept.items()):
        waits = [each.reached_at - each.started_at for each in calls if each.reached_at is not None]
        abandoned = [sum(each.abandoned_in == stage for each in calls) for stage in ("queue", "ivr")]
        quick = sum(wait <= within_s for wait in waits)
        rows.append((
            when, len(calls), len(waits), len(calls) - len(waits),
            round(sum(waits) / len(waits), 1) if waits else 0.0, round(max(waits, default=0.0), 1),
            round(100.0 * quick / len(calls), 1), *abandoned,
        ))  # fmt: skip
    names = ("period", "calls", "answered", "missed", "answer_avg_s", "answer_max_s", f"within_{within_s:g}_s_percent")
    return Table((*names, "abandoned_in_queue", "abandoned_in_menu"), tuple(rows))


def terminal_load(
    offered: Iterable[Tally], made: Iterable[Tally], terminals: Collection[str], period_s: float
) -> Table:
    """REP-4: how much each terminal talks, out of tallies by called number and disposition, and by caller. Occupancy
    is talk by the length of the period."""
    talks: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0, 0, 0.0])
    for each in offered:
        number, disposition = map(str, each.keys)
        if number in terminals:
            found = talks[number]
            found[0] += each.rows
            found[1] += each.rows if disposition != "ANSWERED" else 0
            found[3] += each.talk_s
    for each in made:
        number = str(each.keys[0])
        if number in terminals:
            talks[number][2] += each.rows
            talks[number][3] += each.talk_s
    found_rows = tuple(
        (number, int(calls), int(missed), int(own), round(talk_s, 1), round(100.0 * talk_s / period_s, 2))
        for number, (calls, missed, own, talk_s) in sorted(talks.items())
    )
    return Table(("terminal", "offered", "missed", "made", "talk_s", "occupancy_percent"), found_rows)


def funnel(
    conversations: Collection[Conversation], by: str, zone: tzinfo, talk_s: float, stages: Sequence[str] = STAGES
) -> Table:
    """REP-5: calls from outside: how many came past greeting and menu, reached a human, talked for `talk_s` at least,
    and were followed by another contact with the same client. `by`: line, provider, hour or day."""
    last = _last_contacts(conversations)
    kept: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(STAGES))
    for each in conversations:
        if each.direction == IN:
            key = {"line": each.line, "provider": each.provider}.get(by) or bucket(each.started_at, zone, by)
            came = (
                True,
                each.through,
                each.reached_at is not None,
                each.talk_s >= talk_s,
                each.started_at < last[each.client],
            )
            for place, holds in enumerate(came):
                if not holds:
                    break
                kept[key][place] += 1
    rows: list[tuple[Cell, ...]] = []
    for key, counts in sorted(kept.items()):
        shown = [counts[STAGES.index(stage)] for stage in stages]
        lost = [before - after for before, after in pairwise(shown)]
        rows.append((key, *shown, *lost))
    return Table((by, *stages, *(f"lost_before_{stage}" for stage in stages[1:])), tuple(rows))


def _last_contacts(conversations: Iterable[Conversation]) -> Mapping[str, float]:
    """When each client was last in contact with somebody of the office, in either direction."""
    found: dict[str, float] = defaultdict(float)
    for each in conversations:
        if each.client and each.reached_at is not None:
            found[each.client] = max(found[each.client], each.started_at)
    return found


def outgoing(calls: Iterable[Tally], owners: Mapping[str, str], names: Mapping[str, str]) -> Table:
    """REP-8: calls to the outside of each employee, out of tallies by caller. `owners`: terminal → person, `names`:
    person → name; a terminal that is nobody's stands for itself."""
    sums: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0.0])
    for each in calls:
        number = str(each.keys[0])
        if number in owners:
            found = sums[owners[number] or number]
            found[0] += each.rows
            found[1] += each.talk_s
    found_rows = tuple(
        (who, names.get(who, ""), int(count), *divmod_hms(talk_s)) for who, (count, talk_s) in sorted(sums.items())
    )
    return Table(("employee", "name", "calls", "hours", "minutes", "seconds"), found_rows)


def divmod_hms(seconds: float) -> tuple[int, int, int]:
    minutes, rest = divmod(round(seconds), 60)
    return minutes // 60, minutes % 60, rest


def queues(callers: Iterable[Tally], numbers: Collection[str]) -> Table:
    """REP-9: what became of the callers of each queue, out of tallies by queue, disposition and cause."""
    sums: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0, 0, 0.0, 0.0])
    for each in callers:
        number, disposition, cause = map(str, each.keys)
        if number in numbers:
            found, is_answered = sums[number], disposition == "ANSWERED"
            found[0] += each.rows
            found[1] += each.rows if is_answered else 0
            found[2] += each.rows if cause == "cancelled" and not is_answered else 0
            found[3] += each.wait_s
            found[4] = max(found[4], each.wait_max_s)
    rows: list[tuple[Cell, ...]] = []
    for number, (calls, answered, left, wait_s, most_s) in sorted(sums.items()):
        counts = (int(calls), int(answered), int(left), int(calls - answered - left))
        rows.append((number, *counts, round(wait_s / calls, 1), round(most_s, 1)))
    return Table(("queue", "callers", "answered", "gave_up", "sent_on", "wait_avg_s", "wait_max_s"), tuple(rows))


def agents(offers: Iterable[Tally], breaks: Mapping[str, tuple[int, float]]) -> Table:
    """REP-9: what each agent was offered by its queues, out of tallies by agent and disposition; `breaks`: how often
    and for how many seconds each took one."""
    sums: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0, 0.0])
    for each in offers:
        number, disposition = map(str, each.keys)
        found = sums[number]
        found[0] += each.rows
        found[1] += each.rows if disposition == "ANSWERED" else 0
        found[2] += each.talk_s
    rows: list[tuple[Cell, ...]] = []
    for number in sorted(sums.keys() | breaks.keys()):
        offered, answered, talk_s = sums[number]
        count, break_s = breaks.get(number, (0, 0.0))
        talk_avg_s = round(talk_s / answered, 1) if answered else 0.0
        rows.append((number, int(offered), int(answered), int(offered - answered), talk_avg_s, count, round(break_s)))
    return Table(("agent", "offered", "answered", "missed", "talk_avg_s", "breaks", "break_s"), tuple(rows))


def breaks_of(happenings: Iterable[Happening], from_at: float, to_at: float) -> dict[str, tuple[int, float]]:
    """Agent → how many breaks and their seconds in the period; one that began before counts from the beginning."""
    since: dict[str, float] = {}
    found: defaultdict[str, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for each in sorted(happenings, key=lambda each: each.at):
        if each.kind == PAUSED and each.at < to_at:
            since.setdefault(each.subject, each.at)
        elif each.kind == RESUMED and each.at >= from_at and each.subject in since:
            found[each.subject] = _longer(found[each.subject], since.pop(each.subject), each.at, from_at, to_at)
        elif each.kind == RESUMED:
            since.pop(each.subject, None)
    for subject, began in since.items():
        found[subject] = _longer(found[subject], began, to_at, from_at, to_at)
    return dict(found)


def _longer(known: tuple[int, float], began: float, ended: float, from_at: float, to_at: float) -> tuple[int, float]:
    return known[0] + 1, known[1] + min(ended, to_at) - max(began, from_at)
