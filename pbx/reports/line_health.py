"""How well each line to a provider works (PRV-14), out of the journal of events. Pure.

A line is up or down from one event to the next; before its first one, and while it is switched off or the server does
not run, nobody knows, and that time counts as nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, tzinfo

from pbx.reports.calls import Cell, Table
from storage.records import Happening

UP, DOWN, OFF, LINE_LATENCY = "provider_up", "provider_down", "provider_off", "line_latency"
KINDS = (UP, DOWN, OFF, LINE_LATENCY)
GRADES = ((99.9, "excellent"), (99.0, "good"), (95.0, "fair"), (0.0, "poor"))
COLUMNS = (
    *("line", "availability_percent", "grade", "incidents", "up_s", "down_s", "longest_down_s"),
    *("latency_mean_ms", "latency_worst_ms", "best_day", "best_percent", "worst_day", "worst_percent"),
)
Spell = tuple[float, float, bool]  # from when to when it was up, or down


def line_health(happenings: Iterable[Happening], from_at: float, to_at: float, zone: tzinfo) -> Table:
    """One row a line, the worst first. Events from before `from_at` tell how the period begins."""
    by_line: defaultdict[str, list[Happening]] = defaultdict(list)
    for each in sorted(happenings, key=lambda each: each.at):
        by_line[each.subject].append(each)
    rows = [_row(line, events, from_at, to_at, zone) for line, events in by_line.items()]
    found = [row for row in rows if row is not None]
    return Table(COLUMNS, tuple(sorted(found, key=lambda row: (row[1], row[0]))))


def _row(line: str, events: list[Happening], from_at: float, to_at: float, zone: tzinfo) -> tuple[Cell, ...] | None:
    spells = list(_spells(events, from_at, to_at))
    if not spells:
        return None
    downs = [end - start for start, end, is_up in spells if not is_up]
    up_s, down_s = sum(end - start for start, end, is_up in spells if is_up), sum(downs)
    days = {day: _percent(*sums) for day, sums in _by_day(spells, zone).items()}
    best, worst = max(days, key=lambda day: (days[day], day)), min(days, key=lambda day: (days[day], day))
    latencies = [float(each.text) for each in events if each.kind == LINE_LATENCY and each.at >= from_at]
    mean_ms = round(sum(latencies) / len(latencies), 1) if latencies else ""
    percent = _percent(up_s, down_s)
    grade = next(name for least, name in GRADES if percent >= least)
    return (
        line, percent, grade, len(downs), round(up_s), round(down_s), round(max(downs, default=0.0)),
        mean_ms, max(latencies, default=""), best, days[best], worst, days[worst],
    )  # fmt: skip


def _spells(events: list[Happening], from_at: float, to_at: float) -> Iterator[Spell]:
    states = [each for each in events if each.kind != LINE_LATENCY]
    ends = [*(each.at for each in states[1:]), to_at]
    for each, end in zip(states, ends, strict=True):
        start, end = max(each.at, from_at), min(end, to_at)
        if each.kind != OFF and end > start:
            yield start, end, each.kind == UP


def _by_day(spells: list[Spell], zone: tzinfo) -> dict[str, tuple[float, float]]:
    """Seconds up and down in each day of the office's clock."""
    found: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for start, end, is_up in spells:
        at = start
        while at < end:
            shown = datetime.fromtimestamp(at, zone)
            midnight = shown.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None) + timedelta(days=1)
            until = min(end, midnight.replace(tzinfo=zone).timestamp())
            found[shown.date().isoformat()][0 if is_up else 1] += until - at
            at = until
    return {day: (up_s, down_s) for day, (up_s, down_s) in found.items()}


def _percent(up_s: float, down_s: float) -> float:
    return round(100.0 * up_s / (up_s + down_s), 3)
