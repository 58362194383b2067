"""SQL history: it answers like the plain reading, and by indexes."""

import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects import sqlite

from storage.match import matches, number_key, number_pattern
from storage.memory import MemoryStorage
from storage.ports import HistoryQuery
from storage.records import CdrRow
from storage.sql import open_storage
from storage.sql.history import history_select
from storage.sql.migrate import upgrade
from storage.sql.sqlite_file import SqliteFile
from tests.storage.examples import cdr

NUMBERS = (
    "",
    "101",
    "102",
    "1010",
    "+7 (495) 229-30-42",
    "84952293042",
    "952293042",
    "2293042",
    "79161234567",
    "*8",
    "анна",
)
QUERIES = {
    "everything": HistoryQuery(),
    "a period": HistoryQuery(from_at=1.0, to_at=2.0),
    "a conversation": HistoryQuery(linkedid="zvon-1.1"),
    "an internal number": HistoryQuery(number="101"),
    "an outside number": HistoryQuery(number="74952293042"),
    "the end of a number": HistoryQuery(number="2293042", from_at=1.0),
    "two numbers": HistoryQuery(number="101", number2="74952293042"),
}


def random_row(choose: random.Random, id: int) -> CdrRow:
    return cdr(
        str(id),
        float(choose.randrange(40)),
        linkedid=f"l{choose.randrange(120)}",
        from_number=choose.choice(NUMBERS),
        to_number=choose.choice(NUMBERS),
        external_number=choose.choice(NUMBERS),
        talk_seconds=choose.choice((0.0, 1.0)),
        from_name=choose.choice(("", "Иван Ёлкин", "100%_sure")),
        to_name=choose.choice(("", "anna", "Straße")),
        provider_in=choose.choice(("", "", "telco")),
        provider_out=choose.choice(("", "", "telco", "other")),
        disposition=choose.choice(("ANSWERED", "NOANSWER", "BUSY")),
        stage=choose.choice(("dial", "ivr", "voicemail")),
        recording=choose.choice(("", "r")),
    )


def random_query(choose: random.Random) -> HistoryQuery:
    def maybe(value: float) -> float | None:
        return choose.choice((None, None, value))

    return HistoryQuery(
        number=choose.choice(("", "", *NUMBERS)),
        number2=choose.choice(("", "", *NUMBERS)),
        linkedid=choose.choice(("", "", "", "l3")),
        from_at=maybe(float(choose.randrange(40))),
        to_at=maybe(float(choose.randrange(40))),
        limit=choose.choice((1, 5, 1000)),
        offset=choose.choice((0, 0, 3)),
        number_length=choose.choice((2, 3, 4, 7)),
        **(_random_filters(choose) if choose.random() < 0.7 else {}),
    )


def _random_filters(choose: random.Random) -> dict[str, Any]:
    """Some of them; all at once would find nothing."""
    filters: dict[str, Any] = {
        "source": choose.choice(NUMBERS),
        "target": choose.choice(NUMBERS),
        "line": choose.choice(NUMBERS),
        "name": choose.choice(("ёлк", "ANNA", "STRASSE", "%", "_", "nobody")),
        "among": tuple(tuple(choose.sample(NUMBERS, 4)) for _ in range(choose.choice((1, 2)))),
        "kind": choose.choice(("incoming", "missed", "outgoing", "internal")),
        "provider": choose.choice(("telco", "other", "nobody")),
        "disposition": choose.choice(("ANSWERED", "BUSY")),
        "min_talk_s": choose.choice((0.5, 1.5)),
        "with_unanswered": True,
    }
    return {name: filters[name] for name in choose.sample(sorted(filters), choose.choice((1, 1, 2)))}


@pytest.mark.real_loop
async def test_sql_gives_what_the_plain_reading_gives(tmp_path: Path) -> None:
    choose = random.Random(4711)
    memory, sql = MemoryStorage(), open_storage("sqlite:///zvon.db", tmp_path)
    try:
        for id in range(300):
            row = random_row(choose, id)
            memory.cdrs.append(row)
            sql.cdrs.append(row)
        found = 0
        for query in (random_query(choose) for _ in range(600)):
            expected = await memory.cdrs.query(query)
            assert await sql.cdrs.query(query) == expected, query
            found += bool(expected)
        assert found > 100
    finally:
        await sql.close()


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_no_query_walks_the_whole_table(tmp_path: Path, query: HistoryQuery) -> None:
    database = SqliteFile(tmp_path / "zvon.db")
    upgrade(database)
    literal = history_select(query).compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    with database.read() as connection:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {literal}")]
    database.close()
    assert all("INDEX" in step or "INTEGER PRIMARY KEY" in step for step in plan if "cdrs" in step), plan


@pytest.mark.parametrize(
    ("number", "key"),
    [
        ("101", "101"[::-1]),
        ("+7 (495) 229-30-42", "952293042"[::-1]),
        ("952293042", "952293042"[::-1]),
        ("()-+ \u00a0", ""),
        ("", ""),
    ],
)
def test_the_key_of_a_number_is_its_last_nine_characters_backwards(number: str, key: str) -> None:
    assert number_key(number) == key


def test_a_number_of_punctuation_only_matches_nothing() -> None:
    assert not number_pattern("()", 3).matches("")
    assert not matches(cdr("1", external_number=""), HistoryQuery(number="-"))
