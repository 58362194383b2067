"""Call history queries as SQL that walks indexes: a page costs what the page holds, not what the table holds."""

from itertools import permutations

from sqlalchemy import Column, ColumnElement, Select, and_, desc, false, or_, select, true, union

from storage.match import NumberPattern, patterns_of
from storage.ports import HistoryQuery
from storage.sql.mappers import storable_text
from storage.sql.tables import cdrs

_ENDS = (cdrs.c.from_key, cdrs.c.to_key, cdrs.c.external_key)
_NEWEST_FIRST = (desc(cdrs.c.started_at), desc(cdrs.c.seq))
_LAST_CHARACTER = "\U0010ffff"


def history_select(query: HistoryQuery) -> Select[tuple[object, ...]]:
    """The rows of one page, newest first; says the same as `storage.match.matches`."""
    limit, offset = max(query.limit, 0), max(query.offset, 0)
    return select(cdrs).where(_condition(query, limit + offset)).order_by(*_NEWEST_FIRST).limit(limit).offset(offset)


def _condition(query: HistoryQuery, wanted: int) -> ColumnElement[bool]:
    if query.linkedid:
        return cdrs.c.linkedid == storable_text(query.linkedid)
    period = _period(query)
    patterns = [NumberPattern(storable_text(pattern.key), pattern.exact) for pattern in patterns_of(query)]
    if len(patterns) == 2:
        return and_(_between(*patterns), cdrs.c.talk_seconds > 0, *period)
    if patterns:
        return _newest_of_each_end(patterns[0], period, wanted)
    return and_(true(), *period)


def _period(query: HistoryQuery) -> list[ColumnElement[bool]]:
    found = []
    if query.from_at is not None:
        found.append(cdrs.c.started_at >= query.from_at)
    if query.to_at is not None:
        found.append(cdrs.c.started_at < query.to_at)
    return found


def _newest_of_each_end(pattern: NumberPattern, period: list[ColumnElement[bool]], wanted: int) -> ColumnElement[bool]:
    """The newest rows of each end by its own index; the page is among them, however busy the number is."""
    newest = [
        select(select(cdrs.c.seq).where(_end(end, pattern), *period).order_by(*_NEWEST_FIRST).limit(wanted).subquery())
        for end in _ENDS
    ]
    return cdrs.c.seq.in_(union(*newest))


def _between(one: NumberPattern, other: NumberPattern) -> ColumnElement[bool]:
    """Each of the two numbers at an end of its own: from, to or the external number (CDR-9)."""
    return or_(*(and_(_end(a, one), _end(b, other)) for a, b in permutations(_ENDS, 2)))


def _end(column: Column[str], pattern: NumberPattern) -> ColumnElement[bool]:
    if not pattern.key:
        return false()
    if pattern.exact:
        return column == pattern.key
    return and_(column >= pattern.key, column < pattern.key + _LAST_CHARACTER)
