"""What is written and read, as SQL."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Delete, bindparam, delete, insert, select
from sqlalchemy.dialects.sqlite import insert as insert_or_leave

from storage.records import (
    OFFICE_LISTS,
    OFFICE_VALUES,
    CdrRow,
    Entry,
    Office,
    OfficeList,
    Registration,
    StoredSubscription,
    StoredText,
    office_of,
)
from storage.sql import mappers
from storage.sql.tables import LIST_TABLES, locations, offices, subscriptions, texts

# As text, with tuples: half of the time that named parameters take, and there are thousands a second.
_INSERT_CDR = (
    f"INSERT INTO cdrs ({', '.join(mappers.CDR_COLUMNS)}) VALUES ({', '.join('?' * len(mappers.CDR_COLUMNS))}) "
    "ON CONFLICT (id) DO NOTHING"
)
_PUT_LOCATION = (
    "INSERT INTO locations (aor, expires_at, bindings) VALUES (?, ?, ?) "
    "ON CONFLICT (aor) DO UPDATE SET expires_at = excluded.expires_at, bindings = excluded.bindings"
)
_DELETE_LOCATION = delete(locations).where(locations.c.aor == bindparam("gone"))
_PUT_SUBSCRIPTION = (
    "INSERT INTO subscriptions (id, expires_at, record) VALUES (?, ?, ?) "
    "ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at, record = excluded.record"
)
_DELETE_SUBSCRIPTION = delete(subscriptions).where(subscriptions.c.id == bindparam("gone"))

Latest = Mapping[str, mappers.LatestValues | None]  # by key; None: gone


def store_cdrs(connection: Connection, rows: Sequence[CdrRow]) -> None:
    """Rows whose id is stored already are left alone, so storing twice is harmless."""
    if rows:
        connection.exec_driver_sql(_INSERT_CDR, [mappers.cdr_values(row) for row in rows])


def store_locations(connection: Connection, by_aor: Latest) -> None:
    """Replace the bindings of each AOR."""
    _store_latest(connection, by_aor, _PUT_LOCATION, _DELETE_LOCATION)


def store_subscriptions(connection: Connection, by_id: Latest) -> None:
    """Replace each subscription."""
    _store_latest(connection, by_id, _PUT_SUBSCRIPTION, _DELETE_SUBSCRIPTION)


def _store_latest(connection: Connection, by_key: Latest, put: str, remove: Delete) -> None:
    present = [values for values in by_key.values() if values]
    gone = [{"gone": key} for key, values in by_key.items() if not values]
    if present:
        connection.exec_driver_sql(put, present)
    if gone:
        connection.execute(remove, gone)


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
    connection.execute(insert_or_leave(texts).on_conflict_do_nothing(index_elements=["id"]), mappers.text_values(text))


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
    connection.execute(insert(offices), {"id": 1, **{name: getattr(office, name) for name in OFFICE_VALUES}})
    for of in OFFICE_LISTS:
        table = LIST_TABLES[of.name]
        if rows := mappers.entry_values(table, of.of(office)):
            connection.execute(insert(table), rows)


def load_office(connection: Connection) -> Office:
    found = connection.execute(select(offices)).mappings().first()
    if found is None:
        return Office()
    lists = {of.name: _load_list(connection, of) for of in OFFICE_LISTS}
    return office_of({name: found[name] for name in OFFICE_VALUES}, lists)


def _load_list(connection: Connection, of: OfficeList) -> tuple[Entry, ...]:
    table = LIST_TABLES[of.name]
    rows = connection.execute(select(table).order_by(table.c.ordinal)).mappings()
    return tuple(mappers.entry(of.record, row) for row in rows)
