"""What a query means (CDR-8…13): the plain reading that every adapter follows."""

from collections.abc import Iterable
from itertools import permutations

from frozen import dataclass
from storage.ports import AuditQuery, HappeningQuery, HistoryQuery, RecordingQuery, TallyQuery
from storage.records import AuditEntry, CdrRow, Happening, ScannedRow, StoredRecording, Tally

LAST_DIGITS = 9
_IGNORED = str.maketrans("", "", "()-+ \t\u00a0")


@dataclass(frozen=True, slots=True)
class NumberPattern:
    """A number looked for. `key` is compared with `number_key`: the whole of it when `exact`, else its beginning."""

    key: str
    exact: bool

    def matches(self, key: str) -> bool:
        return bool(self.key) and (key == self.key if self.exact else key.startswith(self.key))


def number_key(number: str) -> str:
    """The last nine characters, backwards and without punctuation: an index over it finds endings of numbers."""
    return number.translate(_IGNORED)[: -LAST_DIGITS - 1 : -1]


def number_pattern(number: str, number_length: int) -> NumberPattern:
    """An internal number means itself, a longer one whatever ends with its last nine digits (CDR-8)."""
    key = number_key(number)
    return NumberPattern(key, exact=len(key) <= number_length or len(key) == LAST_DIGITS)


def patterns_of(query: HistoryQuery) -> tuple[NumberPattern, ...]:
    """The one or two numbers of a query."""
    return tuple(number_pattern(text, query.number_length) for text in (query.number, query.number2) if text)


def names_key(from_name: str, to_name: str) -> str:
    """Both names of a row, in which parts of names are looked for."""
    return f"{from_name}\n{to_name}".casefold()


def matches(row: CdrRow, query: HistoryQuery) -> bool:
    """Whether `row` belongs to the answer, as far as it can tell by itself: `kind` is a matter of all rows."""
    if query.linkedid:
        return row.linkedid == query.linkedid
    return (
        _in_period(row, query)
        and _has_numbers(row, query)
        and _has_ends(row, query)
        and query.name.casefold() in names_key(row.from_name, row.to_name)
        and query.provider in ("", row.provider_in, row.provider_out)
        and query.disposition in ("", row.disposition)
        and row.talk_seconds >= query.min_talk_s
    )


def is_wanted(recording: StoredRecording, query: RecordingQuery) -> bool:
    """Whether `recording` belongs to the answer."""
    return (
        query.linkedid in ("", recording.linkedid)
        and query.state in ("", recording.state)
        and _in_period(recording, query)
    )


def is_audited(entry: AuditEntry, query: AuditQuery) -> bool:
    """Whether `entry` belongs to the answer."""
    return (
        query.user in ("", entry.user)
        and (query.object in ("", entry.object) or entry.object.startswith(f"{query.object}/"))
        and (not query.before_id or entry.id < query.before_id)
    )


def scanned(row: CdrRow) -> ScannedRow:
    return ScannedRow(*(getattr(row, name) for name in ScannedRow._fields))


def tallied(rows: Iterable[CdrRow], query: TallyQuery) -> list[Tally]:
    """The sums of a query."""
    found: dict[tuple[str | float, ...], list[float]] = {}
    rows = [row for row in rows if query.from_at <= row.started_at < query.to_at]
    queued = {row.linkedid for row in rows if row.stage == "queue" and row.to_number in (query.in_queues or ())}
    for row in rows:
        if not _is_tallied(row, query) or (query.in_queues is not None and row.linkedid not in queued):
            continue
        sums = found.setdefault(tuple(getattr(row, name) for name in query.by), [0, 0.0, 0.0, 0.0])
        wait_s = (row.ended_at if row.answered_at is None else row.answered_at) - row.started_at
        sums[0] += 1
        sums[1] += row.talk_seconds
        sums[2] += wait_s
        sums[3] = max(sums[3], wait_s)
    return [Tally(keys, int(sums[0]), *sums[1:]) for keys, sums in sorted(found.items())]


def _is_tallied(row: CdrRow, query: TallyQuery) -> bool:
    return (
        query.stage in ("", row.stage)
        and (bool(row.provider_out) or not query.is_outgoing)
        and (row.talk_seconds > 0 or not query.has_talk)
        and row.talk_seconds >= query.min_talk_s
        and (query.to_numbers is None or row.to_number in query.to_numbers)
    )


def has_happened(happening: Happening, query: HappeningQuery) -> bool:
    """Whether `happening` belongs to the answer."""
    return (
        (query.from_at is None or happening.at >= query.from_at)
        and (query.to_at is None or happening.at < query.to_at)
        and (not query.kinds or happening.kind in query.kinds)
        and query.subject in ("", happening.subject)
    )


def _in_period(row: CdrRow | StoredRecording, query: HistoryQuery | RecordingQuery) -> bool:
    return (query.from_at is None or row.started_at >= query.from_at) and (
        query.to_at is None or row.started_at < query.to_at
    )


def _has_numbers(row: CdrRow, query: HistoryQuery) -> bool:
    patterns, ends = patterns_of(query), _ends(row)
    if len(patterns) == 2:
        return (query.with_unanswered or row.talk_seconds > 0) and any(
            patterns[0].matches(one) and patterns[1].matches(other) for one, other in permutations(ends, 2)
        )
    return all(any(map(pattern.matches, ends)) for pattern in patterns)


def _has_ends(row: CdrRow, query: HistoryQuery) -> bool:
    wanted = (query.source, query.target, query.line)
    ends = _ends(row)
    return all(
        number_pattern(text, query.number_length).matches(end) for text, end in zip(wanted, ends, strict=True) if text
    ) and all(not set(ends).isdisjoint(keys_of(numbers)) for numbers in query.among)


def keys_of(numbers: Iterable[str]) -> set[str]:
    """Numbers that are looked for as a whole."""
    return {number_key(number) for number in numbers} - {""}


def _ends(row: CdrRow) -> tuple[str, str, str]:
    return number_key(row.from_number), number_key(row.to_number), number_key(row.external_number)
