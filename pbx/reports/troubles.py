"""Terminals that make trouble (REP-3), out of the journal of events. Pure."""

from collections import defaultdict
from collections.abc import Iterable

from frozen import dataclass
from pbx.reports.calls import Table
from storage.records import Happening

UNAVAILABLE, AVAILABLE, LATENCY = "terminal_unavailable", "terminal_available", "latency"
LOST = "registration_lost"
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on it is trouble."""

    latency_ms: float = 150.0
    losses_a_day: float = 3.0
    unavailable_min: float = 30.0


def problem_terminals(happenings: Iterable[Happening], from_at: float, to_at: float, limits: Limits) -> Table:
    """The worst first: by how many times each limit is exceeded, all limits together."""
    latency: defaultdict[str, list[float]] = defaultdict(list)
    losses: defaultdict[str, int] = defaultdict(int)
    away_s: defaultdict[str, float] = defaultdict(float)
    since: dict[str, float] = {}
    for each in sorted(happenings, key=lambda each: each.at):
        if each.kind == LATENCY and each.at >= from_at:
            latency[each.subject].append(float(each.text))
        elif each.kind == LOST and each.at >= from_at:
            losses[each.subject] += 1
        elif each.kind == UNAVAILABLE:
            since.setdefault(each.subject, max(each.at, from_at))
        elif each.kind == AVAILABLE and (began := since.pop(each.subject, None)) is not None:
            away_s[each.subject] += max(0.0, each.at - began)
    for subject, began in since.items():
        away_s[subject] += max(0.0, to_at - began)
    days = max((to_at - from_at) / DAY_S, 1.0)
    rows = []
    for number in latency.keys() | losses.keys() | away_s.keys():
        worst_ms = max(latency[number], default=0.0)
        a_day, away_min = losses[number] / days, away_s[number] / 60
        parts = (worst_ms / limits.latency_ms, a_day / limits.losses_a_day, away_min / limits.unavailable_min)
        why = [name for name, part in zip(("latency", "losses", "unavailable"), parts, strict=True) if part >= 1]
        if why:
            score = round(sum(parts), 2)
            rows.append((number, score, ", ".join(why), round(worst_ms, 1), round(a_day, 2), round(away_min, 1)))
    rows.sort(key=lambda row: (-row[1], row[0]))
    names = ("terminal", "score", "why", "latency_max_ms", "losses_a_day", "unavailable_min")
    return Table(names, tuple(rows))
