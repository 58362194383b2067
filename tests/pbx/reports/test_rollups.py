"""Days that are kept put together give the same as all rows put together at once, whatever becomes of the rows."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from pbx.reports.facts import Conversation, fold
from pbx.reports.rollups import DAY_S, Rollups
from storage.match import scanned
from storage.memory import MemoryStorage
from storage.ports import Storage
from storage.records import CdrRow
from storage.sql import open_storage
from tests.pbx.reports.day import T, day_of_calls
from tests.storage.examples import cdr

pytestmark = pytest.mark.real_loop


def brute(rows: list[CdrRow], from_at: float, to_at: float) -> dict[str, Conversation]:
    found: dict[str, Conversation] = {}
    ordered = sorted(map(scanned, rows), key=lambda row: (row.started_at, row.id))
    fold((row for row in ordered if from_at <= row.started_at < to_at), found)
    return found


def same(found: list[Conversation], expected: dict[str, Conversation]) -> bool:
    """Sums of seconds may differ in their last bit."""
    rounded = [replace_talk(each) for each in found]
    return sorted(rounded, key=lambda each: each.linkedid) == sorted(
        map(replace_talk, expected.values()), key=lambda each: each.linkedid
    )


def replace_talk(each: Conversation) -> Conversation:
    each.talk_s = round(each.talk_s, 6)
    return each


def scattered(seed: int) -> list[CdrRow]:
    """Conversations whose rows lie on up to three days, in every order of directions."""
    random, rows = Random(seed), []
    for number in range(400):
        at = T + random.random() * 3 * DAY_S
        for part in range(random.randint(1, 4)):
            at += random.choice((1.0, 3600.0, DAY_S * 0.7))
            over = random.choice((
                {}, {"provider_in": "telco", "external_number": "7495"}, {"external_number": "7916"},
                {"provider_out": "other", "external_number": "7800"},
            ))  # fmt: skip
            answered = {"disposition": "ANSWERED", "answered_at": at + 1, "talk_seconds": 2.0}
            more = answered if random.random() < 0.4 else {}
            stage = random.choice(("dial", "ivr", "queue", "voicemail"))
            rows.append(cdr(f"{number}-{part}", at, linkedid=f"c{number}", stage=stage, **over, **more))
    return rows


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("seed", range(3))
async def test_any_period_has_the_conversations_of_its_rows(kind: str, seed: int, tmp_path: Path) -> None:
    storage: Storage = MemoryStorage() if kind == "memory" else open_storage("sqlite:///zvon.db", tmp_path)
    try:
        rows = scattered(seed)
        for row in rows:
            storage.cdrs.append(row)
        rollups, random = Rollups(storage, lambda: T + 4 * DAY_S), Random(seed)
        for _ in range(12):
            begin, end = sorted(T + random.random() * 6 * DAY_S for _ in range(2))
            assert same(await rollups.conversations(begin, end), brute(rows, begin, end))
        assert same(await rollups.conversations(T, T + 9 * DAY_S), brute(rows, T, T + 9 * DAY_S))
        first = int(T // DAY_S)
        assert [each.day - first for each in await storage.rollups.load(first, first + 9)] == [0, 1, 2, 3]
        late = cdr("late", T + DAY_S + 5, linkedid="c1", provider_in="telco", external_number="7495")
        storage.cdrs.append(late)
        assert await storage.cdrs.remove([rows[0].id, rows[5].id]) == 2
        rows = [*rows, late]
        del rows[5], rows[0]
        assert same(await rollups.conversations(T, T + 9 * DAY_S), brute(rows, T, T + 9 * DAY_S))
    finally:
        await storage.close()


async def test_a_day_that_is_kept_is_not_read_again_and_one_is_put_together_when_it_is_over(tmp_path: Path) -> None:
    storage, now = MemoryStorage(), T + 3600.0
    for row in day_of_calls(50):
        storage.cdrs.append(row)
    rollups = Rollups(storage, lambda: now)
    day = int(T // DAY_S)
    await rollups.sweep()
    assert [each.day for each in await storage.rollups.load(day, day + 1)] == []
    now = T + DAY_S + 60
    await rollups.sweep()
    (kept,) = await storage.rollups.load(day, day + 1)
    await storage.rollups.save(replace(kept, packed=b"\x90"))
    assert await rollups.conversations(T, T + DAY_S) == [], "it is believed"
    await storage.rollups.save(replace(kept, format=0, packed=b"\x90"))
    assert len(await rollups.conversations(T, T + DAY_S)) == 50, "of an older program"
