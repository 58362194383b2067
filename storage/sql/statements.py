"""What is written and read, as SQL."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from sqlalchemy import Connection, Table, asc, bindparam, delete, desc, insert, or_, select, update

from storage.ports import HappeningQuery, RecordingQuery
from storage.records import (
    OFFICE_LISTS,
    OFFICE_SECTIONS,
    OFFICE_VALUES,
    CdrRow,
    Entry,
    Happening,
    Mailbox,
    MissedCall,
    Office,
    OfficeChange,
    OfficeList,
    Registration,
    ScannedRow,
    StoredLetter,
    StoredRecording,
    StoredState,
    StoredSubscription,
    StoredText,
    VoiceMessage,
    office_of,
)
from storage.sql import mappers
from storage.sql.tables import (
    LATEST_TABLES,
    LIST_TABLES,
    cdrs,
    happenings,
    locations,
    offices,
    recordings,
    subscriptions,
    texts,
)

# As text, with tuples: half of the time that named parameters take, and there are thousands a second.
_PLACES = {"sqlite": "?", "postgresql": "%s"}  # of a value, by dialect


def _insert(table: str, names: Sequence[str], place: str) -> str:
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"INSERT INTO {table} ({quoted}) VALUES ({', '.join([place] * len(names))})"


def _put(table: Table, place: str) -> str:
    key, *others = names = [column.name for column in table.columns]
    news = ", ".join(f'"{name}" = excluded."{name}"' for name in others)
    return f'{_insert(table.name, names, place)} ON CONFLICT ("{key}") DO UPDATE SET {news}'


_INSERT_CDR = {
    dialect: f"{_insert('cdrs', mappers.CDR_COLUMNS, place)} ON CONFLICT (id) DO NOTHING"
    for dialect, place in _PLACES.items()
}
_PUT_LATEST = {
    (dialect, name): _put(table, place) for dialect, place in _PLACES.items() for name, table in LATEST_TABLES.items()
}
_DELETE_LATEST = {
    name: delete(table).where(next(iter(table.columns)) == bindparam("gone")) for name, table in LATEST_TABLES.items()
}

Latest = Mapping[str, mappers.LatestValues | None]  # by key; None: gone
K = TypeVar("K", StoredLetter, VoiceMessage, Mailbox, StoredState, MissedCall)


def store_cdrs(connection: Connection, rows: Sequence[CdrRow]) -> None:
    """Rows whose id is stored already are left alone, so storing twice is harmless."""
    if rows:
        connection.exec_driver_sql(_INSERT_CDR[connection.dialect.name], [mappers.cdr_values(row) for row in rows])


_SCANNED = [cdrs.c[name] for name in ScannedRow._fields]


def scan_cdrs(
    connection: Connection, from_at: float, to_at: float, after: ScannedRow | None, limit: int
) -> list[ScannedRow]:
    """By the index of times: rows that began at the same moment are few."""
    since, id = (from_at, "") if after is None else (after.started_at, after.id)
    later = or_(cdrs.c.started_at > since, cdrs.c.id > mappers.storable_text(id))
    wanted = select(*_SCANNED).where(cdrs.c.started_at >= since, cdrs.c.started_at < to_at, later)
    rows = connection.execute(wanted.order_by(cdrs.c.started_at, cdrs.c.id).limit(limit))
    return [ScannedRow._make(row) for row in rows.fetchall()]


def load_happenings(connection: Connection, query: HappeningQuery) -> list[Happening]:
    """The same as `storage.match.has_happened` says, newest first."""
    table = happenings.c
    wanted = select(happenings).order_by(desc(table.at), table.id)
    if query.from_at is not None:
        wanted = wanted.where(table.at >= query.from_at)
    if query.to_at is not None:
        wanted = wanted.where(table.at < query.to_at)
    if query.kinds:
        wanted = wanted.where(table.kind.in_(query.kinds))
    if query.subject:
        wanted = wanted.where(table.subject == mappers.storable_text(query.subject))
    if query.limit:
        wanted = wanted.limit(query.limit)
    return [Happening(**row) for row in connection.execute(wanted).mappings()]


def delete_happenings_before(connection: Connection, at: float) -> int:
    return connection.execute(delete(happenings).where(happenings.c.at < at)).rowcount


def delete_cdrs(connection: Connection, ids: Sequence[str]) -> int:
    return connection.execute(delete(cdrs).where(cdrs.c.id.in_([*map(mappers.storable_text, ids)]))).rowcount


def delete_cdrs_before(connection: Connection, at: float) -> int:
    return connection.execute(delete(cdrs).where(cdrs.c.started_at < at)).rowcount


def store_latest(connection: Connection, table: str, by_key: Latest) -> None:
    """Replace the row of each key."""
    present = [values for values in by_key.values() if values]
    gone = [{"gone": key} for key, values in by_key.items() if not values]
    if present:
        connection.exec_driver_sql(_PUT_LATEST[connection.dialect.name, table], present)
    if gone:
        connection.execute(_DELETE_LATEST[table], gone)


def load_kept(connection: Connection, table: str, record: type[K]) -> list[K]:
    found = LATEST_TABLES[table]
    return [record(**row) for row in connection.execute(select(found).order_by(found.c.id)).mappings()]


def load_recording(connection: Connection, id: str) -> StoredRecording | None:
    row = connection.execute(select(recordings).where(recordings.c.id == mappers.storable_text(id))).mappings().first()
    return None if row is None else StoredRecording(**row)


def load_recordings(connection: Connection, query: RecordingQuery) -> list[StoredRecording]:
    """The same as `storage.match.is_wanted` says, in the order of the query."""
    table = recordings.c
    wanted = select(recordings).limit(max(query.limit, 0)).offset(max(query.offset, 0))
    for column, value in ((table.linkedid, query.linkedid), (table.state, query.state)):
        wanted = wanted.where(column == mappers.storable_text(value)) if value else wanted
    if query.from_at is not None:
        wanted = wanted.where(table.started_at >= query.from_at)
    if query.to_at is not None:
        wanted = wanted.where(table.started_at < query.to_at)
    way = asc if query.is_oldest_first else desc
    rows = connection.execute(wanted.order_by(way(table.started_at), way(table.id))).mappings()
    return [StoredRecording(**row) for row in rows]


def load_subscriptions(connection: Connection, now_at: float) -> list[StoredSubscription]:
    alive = select(subscriptions.c.record).where(subscriptions.c.expires_at > now_at).order_by(subscriptions.c.id)
    return [mappers.subscription_of(record) for (record,) in connection.execute(alive)]


def delete_expired_subscriptions(connection: Connection, now_at: float) -> None:
    connection.execute(delete(subscriptions).where(subscriptions.c.expires_at <= now_at))


def load_locations(connection: Connection, now_at: float) -> list[Registration]:
    rows = connection.execute(
        select(locations.c.bindings).where(locations.c.expires_at > now_at).order_by(locations.c.aor)
    )
    bindings = (binding for (text,) in rows for binding in mappers.registrations_of(text))
    return [binding for binding in bindings if binding.expires_at > now_at]


def delete_expired_locations(connection: Connection, now_at: float) -> None:
    connection.execute(delete(locations).where(locations.c.expires_at <= now_at))


def add_text(connection: Connection, text: StoredText) -> None:
    stored = select(texts.c.seq).where(texts.c.id == mappers.storable_text(text.id))
    if connection.execute(stored).first() is None:
        connection.execute(insert(texts), mappers.text_values(text))


def remove_texts(connection: Connection, ids: Sequence[str]) -> None:
    if ids:
        connection.execute(delete(texts).where(texts.c.id == bindparam("gone")), [{"gone": id} for id in ids])


def load_texts(connection: Connection, now_at: float) -> list[StoredText]:
    rows = connection.execute(select(texts).where(texts.c.expires_at > now_at).order_by(texts.c.seq))
    return [mappers.stored_text(row) for row in rows.mappings()]


def delete_expired_texts(connection: Connection, now_at: float) -> None:
    connection.execute(delete(texts).where(texts.c.expires_at <= now_at))


def save_office(connection: Connection, office: Office) -> None:
    """Replace the office; the caller's transaction makes it all or nothing."""
    for table in (*reversed(LIST_TABLES.values()), offices):
        connection.execute(delete(table))
    connection.execute(insert(offices), mappers.office_values(office))
    for of in OFFICE_LISTS:
        table = LIST_TABLES[of.name]
        if rows := mappers.entry_values(table, of.of(office)):
            connection.execute(insert(table), [{"ordinal": ordinal, **row} for ordinal, row in enumerate(rows)])


def change_office(connection: Connection, change: OfficeChange) -> None:
    """Write what is different; the caller's transaction makes it all or nothing. Places in a list may have gaps."""
    connection.execute(delete(offices))
    connection.execute(insert(offices), mappers.office_values(change.put))
    for of in OFFICE_LISTS:
        _put_entries(connection, of, of.of(change.put))
    for of in reversed(OFFICE_LISTS):  # what an entry refers to goes after it
        table = LIST_TABLES[of.name]
        if gone := change.removed.get(of.name):
            connection.execute(
                delete(table).where(table.c[of.key] == bindparam("gone")), [{"gone": key} for key in gone]
            )
    for name, keys in change.order.items():
        table = LIST_TABLES[name]
        moved = update(table).where(table.primary_key.columns[0] == bindparam("moved"))
        connection.execute(moved, [{"moved": key, "ordinal": ordinal} for ordinal, key in enumerate(keys)])


def _put_entries(connection: Connection, of: OfficeList, entries: Sequence[Entry]) -> None:
    """Those that are there keep their place, the others come last."""
    if not entries:
        return
    table = LIST_TABLES[of.name]
    key = table.c[of.key]
    known: dict[str, int] = {row[0]: row[1] for row in connection.execute(select(key, table.c.ordinal))}
    last, new = max(known.values(), default=-1), []
    for row in mappers.entry_values(table, entries):
        if row[of.key] in known:
            connection.execute(update(table).where(key == row[of.key]), row)
        else:
            new.append({"ordinal": (last := last + 1), **row})
    if new:
        connection.execute(insert(table), new)


def load_office(connection: Connection) -> Office:
    found = connection.execute(select(offices)).mappings().first()
    if found is None:
        return Office()
    lists = {of.name: _load_list(connection, of) for of in OFFICE_LISTS}
    sections = {name: mappers.section(record, found[name]) for name, record in OFFICE_SECTIONS.items()}
    return office_of({name: found[name] for name in OFFICE_VALUES}, sections, lists)


def _load_list(connection: Connection, of: OfficeList) -> tuple[Entry, ...]:
    table = LIST_TABLES[of.name]
    rows = connection.execute(select(table).order_by(table.c.ordinal)).mappings()
    return tuple(mappers.entry(of.record, row) for row in rows)
