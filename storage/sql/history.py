"""Call history queries as SQL that walks indexes: a page costs what the page holds, not what the table holds.

Filters that few rows pass cost the rows of the period that are looked at meanwhile.
"""

from collections.abc import Iterable, Sequence
from itertools import permutations

from sqlalchemy import Column, ColumnElement, Select, and_, desc, exists, false, not_, or_, select, true, union

from storage.match import NumberPattern, keys_of, number_pattern, patterns_of
from storage.ports import HistoryQuery
from storage.records import HUMAN
from storage.sql.mappers import storable_text
from storage.sql.tables import cdrs

_ENDS = (cdrs.c.from_key, cdrs.c.to_key, cdrs.c.external_key)
_NEWEST_FIRST = (desc(cdrs.c.started_at), desc(cdrs.c.seq))
_LAST_CHARACTER = "\U0010ffff"


def history_select(query: HistoryQuery) -> Select[tuple[object, ...]]:
    """The rows of one page, newest first; says the same as `storage.match.matches`."""
    limit, offset = max(query.limit, 0), max(query.offset, 0)
    return select(cdrs).where(_condition(query, limit + offset)).order_by(*_NEWEST_FIRST).limit(limit).offset(offset)


def rows_of(linkedids: Sequence[str]) -> Select[tuple[object, ...]]:
    """All rows of these conversations, in the order in which they began."""
    wanted = cdrs.c.linkedid.in_([*map(storable_text, linkedids)])
    return select(cdrs).where(wanted).order_by(cdrs.c.started_at, cdrs.c.seq)


def row_of(id: str) -> Select[tuple[object, ...]]:
    return select(cdrs).where(cdrs.c.id == storable_text(id))


def _condition(query: HistoryQuery, wanted: int) -> ColumnElement[bool]:
    if query.linkedid:
        return cdrs.c.linkedid == storable_text(query.linkedid)
    others = [*_period(query), *_filters(query)]
    patterns = [_storable(pattern) for pattern in patterns_of(query)]
    sets = [sorted(map(storable_text, keys_of(numbers))) for numbers in query.among]
    if len(patterns) == 2:
        talked = true() if query.with_unanswered else cdrs.c.talk_seconds > 0
        return and_(_between(*patterns), talked, *others, *map(_any_end, sets))
    if patterns:
        ways = [_end(end, patterns[0]) for end in _ENDS]
        return _newest_of_each(ways, [*others, *map(_any_end, sets)], wanted)
    if sets:
        first, *rest = sets
        return _newest_of_each((end.in_(first) for end in _ENDS), [*others, *map(_any_end, rest)], wanted)
    return and_(true(), *others)


def _period(query: HistoryQuery) -> list[ColumnElement[bool]]:
    found = []
    if query.from_at is not None:
        found.append(cdrs.c.started_at >= query.from_at)
    if query.to_at is not None:
        found.append(cdrs.c.started_at < query.to_at)
    return found


def _filters(query: HistoryQuery) -> list[ColumnElement[bool]]:
    """What a row is looked at for, once it is found."""
    wanted = zip(_ENDS, (query.source, query.target, query.line), strict=True)
    found = [_end(end, _storable(number_pattern(text, query.number_length))) for end, text in wanted if text]
    if query.name:
        found.append(cdrs.c.names_key.contains(storable_text(query.name).casefold(), autoescape=True))
    if query.provider:
        provider = storable_text(query.provider)
        found.append(or_(cdrs.c.provider_in == provider, cdrs.c.provider_out == provider))
    if query.disposition:
        found.append(cdrs.c.disposition == storable_text(query.disposition))
    if query.min_talk_s > 0:
        found.append(cdrs.c.talk_seconds >= query.min_talk_s)
    if query.kind:
        found.append(_is_of_kind(query.kind))
    return found


def _is_of_kind(kind: str) -> ColumnElement[bool]:
    """The same as `storage.records.kind_of` says of all rows of the conversation."""
    other = cdrs.alias("other")
    row = other.c
    comes_in = or_(row.provider_in != "", and_(row.external_number != "", row.provider_out == ""))
    is_answer = and_(
        row.disposition == "ANSWERED", row.stage.in_(sorted(HUMAN)), or_(row.stage != "voicemail", row.recording != "")
    )

    def some(condition: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists().where(row.linkedid == cdrs.c.linkedid, condition)

    match kind:
        case "incoming":
            return and_(some(comes_in), some(is_answer))
        case "missed":
            return and_(some(comes_in), not_(some(is_answer)))
        case "outgoing":
            return and_(not_(some(comes_in)), some(row.provider_out != ""))
        case _:
            return not_(some(or_(comes_in, row.provider_out != "")))


def _newest_of_each(
    ways: Iterable[ColumnElement[bool]], others: list[ColumnElement[bool]], wanted: int
) -> ColumnElement[bool]:
    """The newest rows of each way, found by its own index; the page is among them, however busy the number is."""
    newest = [
        select(select(cdrs.c.seq).where(way, *others).order_by(*_NEWEST_FIRST).limit(wanted).subquery()) for way in ways
    ]
    return cdrs.c.seq.in_(union(*newest))


def _any_end(keys: list[str]) -> ColumnElement[bool]:
    return or_(*(end.in_(keys) for end in _ENDS))


def _between(one: NumberPattern, other: NumberPattern) -> ColumnElement[bool]:
    """Each of the two numbers at an end of its own: from, to or the external number (CDR-9)."""
    return or_(*(and_(_end(a, one), _end(b, other)) for a, b in permutations(_ENDS, 2)))


def _end(column: Column[str], pattern: NumberPattern) -> ColumnElement[bool]:
    if not pattern.key:
        return false()
    if pattern.exact:
        return column == pattern.key
    return and_(column >= pattern.key, column < pattern.key + _LAST_CHARACTER)


def _storable(pattern: NumberPattern) -> NumberPattern:
    return NumberPattern(storable_text(pattern.key), pattern.exact)
