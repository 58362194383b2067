"""Sums over the history, and the days of it that are kept put together."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Integer, cast, delete, exists, func, insert, select

from storage.ports import TALLIED, TallyQuery
from storage.records import Rollup, Tally
from storage.sql.mappers import storable_text
from storage.sql.tables import cdrs, rollups

DAY_S = 86_400.0


def tally(connection: Connection, query: TallyQuery) -> list[Tally]:
    """The same as `storage.match.tallied` says."""
    keys = [cdrs.c[name] for name in query.by if name in TALLIED]
    wait = func.coalesce(cdrs.c.answered_at, cdrs.c.ended_at) - cdrs.c.started_at
    sums = (func.count(), func.sum(cdrs.c.talk_seconds), func.sum(wait), func.max(wait))
    wanted = select(*keys, *sums).where(*_conditions(query)).group_by(*keys).order_by(*keys)
    count = len(keys)
    return [Tally(tuple(row[:count]), *row[count:]) for row in connection.execute(wanted)]


def _conditions(query: TallyQuery) -> list[ColumnElement[bool]]:
    found = [*_period(query, cdrs.c.started_at)]
    if query.stage:
        found.append(cdrs.c.stage == query.stage)
    if query.is_outgoing:
        found.append(cdrs.c.provider_out != "")
    if query.has_talk:
        found.append(cdrs.c.talk_seconds > 0)
    if query.min_talk_s > 0:
        found.append(cdrs.c.talk_seconds >= query.min_talk_s)
    if query.to_numbers is not None:
        found.append(cdrs.c.to_number.in_([*map(storable_text, query.to_numbers)]))
    if query.in_queues is not None:
        other = cdrs.alias("queued").c
        at = other.to_number.in_([*map(storable_text, query.in_queues)])
        in_period = _period(query, other.started_at)
        found.append(exists().where(other.linkedid == cdrs.c.linkedid, other.stage == "queue", at, *in_period))
    return found


def _period(query: TallyQuery, started_at: ColumnElement[float]) -> tuple[ColumnElement[bool], ...]:
    return started_at >= query.from_at, started_at < query.to_at


def marks(connection: Connection, first_day: int, end_day: int) -> list[Rollup]:
    """By the index of times alone."""
    days = cdrs.c.started_at / DAY_S
    day = func.floor(days) if connection.dialect.name == "postgresql" else cast(days, Integer)
    wanted = select(day, func.count(), func.sum(cdrs.c.seq)).group_by(day).order_by(day)
    wanted = wanted.where(cdrs.c.started_at >= first_day * DAY_S, cdrs.c.started_at < end_day * DAY_S)
    return [Rollup(int(day), rows, int(total)) for day, rows, total in connection.execute(wanted)]


def load_rollups(connection: Connection, first_day: int, end_day: int) -> list[Rollup]:
    wanted = select(rollups).where(rollups.c.day >= first_day, rollups.c.day < end_day).order_by(rollups.c.day)
    return [Rollup(**row) for row in connection.execute(wanted).mappings()]


def save_rollup(connection: Connection, rollup: Rollup) -> None:
    connection.execute(delete(rollups).where(rollups.c.day == rollup.day))
    values = {name: getattr(rollup, name) for name in Rollup.__dataclass_fields__}
    connection.execute(insert(rollups), values)


def forget_days_of(connection: Connection, ids: Sequence[str]) -> None:
    """The days of rows that go: another row may take the place of the last one in the table."""
    wanted = select(cdrs.c.started_at).where(cdrs.c.id.in_([*map(storable_text, ids)]))
    days = {int(at // DAY_S) for (at,) in connection.execute(wanted)}
    connection.execute(delete(rollups).where(rollups.c.day.in_(days)))


def delete_rollups_before(connection: Connection, at: float) -> None:
    connection.execute(delete(rollups).where(rollups.c.day < int(at // DAY_S)))
