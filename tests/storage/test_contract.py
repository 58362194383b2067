"""What every storage adapter promises; the same tests run on each."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from storage.match import tallied
from storage.memory import MemoryStorage
from storage.ports import AuditQuery, HistoryQuery, RecordingQuery, Storage, TallyQuery
from storage.records import (
    AuditEntry,
    CdrRow,
    ForwardingPolicy,
    Mailbox,
    Office,
    OfficeVersion,
    Rollup,
    StoredState,
    Terminal,
    User,
    change_between,
    changed,
)
from storage.sql import open_storage
from tests.storage.examples import (
    OFFICE,
    answered,
    cdr,
    letter,
    recording,
    registration,
    subscription,
    text,
    voice_message,
)

DAY_S = 86_400.0
Opened = Callable[[], AbstractAsyncContextManager[Storage]]

pytestmark = pytest.mark.real_loop


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, url_of: Callable[[str], str]) -> Opened:
    url = "" if request.param == "memory" else url_of(request.param)

    @asynccontextmanager
    async def open_one() -> AsyncIterator[Storage]:
        storage: Storage = open_storage(url, tmp_path) if url else MemoryStorage()
        try:
            yield storage
        finally:
            await storage.close()

    return open_one


async def ids(storage: Storage, query: HistoryQuery) -> list[str]:
    return [row.id for row in await storage.cdrs.query(query)]


async def test_a_new_database_holds_an_empty_office(opened: Opened) -> None:
    async with opened() as storage:
        assert await storage.offices.load() == Office()


async def test_an_office_comes_back_as_it_was_saved(opened: Opened) -> None:
    async with opened() as storage:
        await storage.offices.save(OFFICE)
        assert await storage.offices.load() == OFFICE


async def test_saving_replaces_the_whole_office(opened: Opened) -> None:
    smaller = Office(name="B", terminals=(Terminal(number="303", trust="127.0.0.1"),))
    async with opened() as storage:
        await storage.offices.save(OFFICE)
        await storage.offices.save(smaller)
        assert await storage.offices.load() == smaller


async def test_a_change_writes_what_is_new_different_gone_or_moved(opened: Opened) -> None:
    """One after the other: a person and what is that person's go, another one comes, entries change and move."""
    first, *others = OFFICE.terminals
    person = User("new", name="New")
    steps = (
        replace(OFFICE, name="Other", terminals=tuple(replace(each, owner="") for each in OFFICE.terminals), users=()),
        replace(OFFICE, users=(person,), terminals=(replace(first, owner="new", max_calls=7), *others[1:])),
        replace(OFFICE, terminals=(*others, first)),
        replace(
            OFFICE,
            terminals=(*others, Terminal("999", password="x"), first),
            forwarding=ForwardingPolicy(skip_internal=True),
        ),
        Office(),
        OFFICE,
    )
    async with opened() as storage:
        await storage.offices.save(OFFICE)
        before = OFFICE
        for after in map(_owned_by_those_there, steps):
            change = change_between(before, after)
            assert changed(before, change) == after
            await storage.offices.change(change)
            assert await storage.offices.load() == after
            before = after


def _owned_by_those_there(office: Office) -> Office:
    people = {each.id for each in office.users}
    owned = (each if each.owner in people else replace(each, owner="") for each in office.terminals)
    return replace(office, terminals=tuple(owned))


async def test_bindings_come_back_until_they_expire(opened: Opened) -> None:
    first, second = registration(expires_at=2000.0), registration(contact="sip:101@10.0.0.2", expires_at=3000.0)
    async with opened() as storage:
        storage.locations.put("sip:101@zvon", (first, second))
        assert await storage.locations.load(1999.0) == [first, second]
        assert await storage.locations.load(2000.0) == [second]
        assert await storage.locations.load(3000.0) == []


async def test_the_latest_bindings_of_an_aor_win_and_none_removes_it(opened: Opened) -> None:
    other = registration("sip:102@zvon")
    async with opened() as storage:
        storage.locations.put("sip:101@zvon", (registration(), registration(contact="sip:x@y")))
        storage.locations.put("sip:102@zvon", (other,))
        await storage.flush()
        storage.locations.put("sip:101@zvon", (registration(expires_at=5000.0),))
        assert await storage.locations.load(0.0) == [registration(expires_at=5000.0), other]
        storage.locations.put("sip:101@zvon", ())
        assert await storage.locations.load(0.0) == [other]


async def test_a_row_comes_back_with_every_field(opened: Opened) -> None:
    row = CdrRow(
        id="1", linkedid="zvon-1.1", started_at=1000.123, answered_at=1002.5, ended_at=1010.75, talk_seconds=8.25,
        from_number="+74951234567", from_name="Иван", to_number="101", to_name='O"Neil', external_number="74957654321",
        provider_in="telco", provider_out="other", disposition="ANSWERED", stage="dial", cause="16 normal",
        sip_call_ids=("a@b", "c@d"), recording="r.wav", quality={"loss": 0.5, "jitter_ms": 3.0},
    )  # fmt: skip
    async with opened() as storage:
        storage.cdrs.append(row)
        assert await storage.cdrs.query(HistoryQuery()) == [row]


async def test_a_row_is_stored_once_however_often_it_is_appended(opened: Opened) -> None:
    async with opened() as storage:
        storage.cdrs.append(cdr("1"))
        await storage.flush()
        storage.cdrs.append(replace(cdr("1"), cause="again"))
        assert await storage.cdrs.query(HistoryQuery()) == [cdr("1")]
        assert (storage.describe()["last_error"], storage.describe()["rows_spooled"]) == ("", 0)


async def test_history_is_newest_first_and_paged(opened: Opened) -> None:
    async with opened() as storage:
        for number, at in enumerate((3.0, 1.0, 2.0, 2.0)):
            storage.cdrs.append(cdr(str(number), at))
        assert await ids(storage, HistoryQuery()) == ["0", "3", "2", "1"]
        assert await ids(storage, HistoryQuery(limit=2)) == ["0", "3"]
        assert await ids(storage, HistoryQuery(limit=2, offset=1)) == ["3", "2"]
        assert await ids(storage, HistoryQuery(number="101", limit=2, offset=1)) == ["3", "2"]
        assert await ids(storage, HistoryQuery(limit=0)) == []


async def test_a_period_includes_its_beginning_and_not_its_end(opened: Opened) -> None:
    async with opened() as storage:
        for at in (1.0, 2.0, 3.0):
            storage.cdrs.append(cdr(str(int(at)), at))
        assert await ids(storage, HistoryQuery(from_at=2.0)) == ["3", "2"]
        assert await ids(storage, HistoryQuery(to_at=3.0)) == ["2", "1"]
        assert await ids(storage, HistoryQuery(number="102", from_at=2.0, to_at=3.0)) == ["2"]


@pytest.mark.row("CDR-8")
async def test_an_internal_number_is_matched_as_a_whole_at_either_end(opened: Opened) -> None:
    async with opened() as storage:
        storage.cdrs.append(cdr("from", 5.0, from_number="302", to_number="74952293042"))
        storage.cdrs.append(cdr("to", 4.0, from_number="74952293042", to_number="302"))
        storage.cdrs.append(cdr("did", 3.0, from_number="700", to_number="701", external_number="302"))
        storage.cdrs.append(cdr("longer", 2.0, from_number="1302", to_number="3020"))
        storage.cdrs.append(cdr("ends-with", 1.0, from_number="79161234302", to_number="74950000302"))
        assert await ids(storage, HistoryQuery(number="302")) == ["from", "to", "did"]
        assert await ids(storage, HistoryQuery(number="(302)")) == ["from", "to", "did"]
        assert await ids(storage, HistoryQuery(number="3020", number_length=4)) == ["longer"]


@pytest.mark.row("CDR-8")
async def test_a_longer_number_is_matched_on_its_last_nine_digits_without_punctuation(opened: Opened) -> None:
    async with opened() as storage:
        storage.cdrs.append(cdr("plus", 6.0, from_number="+7 (495) 229-30-42"))
        storage.cdrs.append(cdr("eight", 5.0, to_number="84952293042"))
        storage.cdrs.append(cdr("did", 4.0, external_number="74952293042"))
        storage.cdrs.append(cdr("nine", 3.0, to_number="952293042"))
        storage.cdrs.append(cdr("other-city", 2.0, to_number="74962293042"))
        storage.cdrs.append(cdr("short", 1.0, to_number="2293042"))
        for number in ("74952293042", "+7 495 229-30-42", "8(495)2293042", "952293042"):
            assert await ids(storage, HistoryQuery(number=number)) == ["plus", "eight", "did", "nine"]
        assert await ids(storage, HistoryQuery(number="229-30-42")) == [
            "plus", "eight", "did", "nine", "other-city", "short",
        ]  # fmt: skip
        assert await ids(storage, HistoryQuery(number="+-()")) == []


@pytest.mark.row("CDR-9")
async def test_two_numbers_give_the_answered_calls_between_them_in_both_directions(opened: Opened) -> None:
    async with opened() as storage:
        storage.cdrs.append(answered("out", 9.0, from_number="302", to_number="74952293042"))
        storage.cdrs.append(answered("in", 8.0, from_number="84952293042", to_number="302"))
        storage.cdrs.append(answered("did-to", 7.0, from_number="1", to_number="302", external_number="74952293042"))
        storage.cdrs.append(answered("did-from", 6.0, from_number="302", to_number="9", external_number="74952293042"))
        storage.cdrs.append(cdr("missed", 5.0, from_number="302", to_number="74952293042"))
        storage.cdrs.append(
            answered("greeting-only", 4.0, from_number="302", to_number="74952293042", talk_seconds=0.0)
        )
        storage.cdrs.append(answered("other", 3.0, from_number="303", to_number="74952293042"))
        storage.cdrs.append(answered("one-end", 2.0, from_number="302", to_number="303"))
        expected = ["out", "in", "did-to", "did-from"]
        assert await ids(storage, HistoryQuery(number="74952293042", number2="302")) == expected
        assert await ids(storage, HistoryQuery(number="302", number2="+7 (495) 229-30-42")) == expected
        assert await ids(storage, HistoryQuery(number="302", number2="74952293042", to_at=8.0)) == expected[2:]


@pytest.mark.row("CDR-11")
async def test_a_linkedid_is_exact_and_ignores_every_other_filter(opened: Opened) -> None:
    async with opened() as storage:
        for id, linkedid in (("1", "zvon-17.1"), ("2", "zvon-17.1"), ("3", "zvon-17.10"), ("4", "ZVON-17.1")):
            storage.cdrs.append(cdr(id, float(id), linkedid=linkedid))
        query = HistoryQuery(linkedid="zvon-17.1", number="999", number2="888", from_at=1e9, to_at=2e9)
        assert await ids(storage, query) == ["2", "1"]
        assert await ids(storage, HistoryQuery(linkedid="zvon-17")) == []


async def test_subscriptions_come_back_until_they_expire_and_the_latest_wins(opened: Opened) -> None:
    async with opened() as storage:
        storage.subscriptions.put("a", subscription("a", expires_at=2000.0))
        storage.subscriptions.put("b", subscription("b", expires_at=3000.0))
        storage.subscriptions.put("c", subscription("c"))
        await storage.flush()
        storage.subscriptions.put("c", None)
        storage.subscriptions.put("a", subscription("a", expires_at=2500.0))
        assert await storage.subscriptions.load(2499.0) == [subscription("a", 2500.0), subscription("b", 3000.0)]
        assert await storage.subscriptions.load(2500.0) == [subscription("b", 3000.0)]


async def test_texts_come_back_in_order_with_every_field_until_they_expire(opened: Opened) -> None:
    first, second = text("b", expires_at=3000.0, body=b"\x00\xff"), text("a", number="102", expires_at=2000.0)
    async with opened() as storage:
        await storage.texts.add(first)
        await storage.texts.add(second)
        assert await storage.texts.load(1999.0) == [first, second]
        assert await storage.texts.load(2000.0) == [first]


async def test_a_text_is_stored_once_and_removed_once(opened: Opened) -> None:
    async with opened() as storage:
        for each in (text("1"), text("2"), text("1", body=b"again"), text("3")):
            await storage.texts.add(each)
        await storage.texts.remove(["2", "unknown"])
        await storage.texts.remove([])
        assert await storage.texts.load(0.0) == [text("1"), text("3")]


async def test_rows_of_calls_before_a_moment_are_removed(opened: Opened) -> None:
    async with opened() as storage:
        for at in (1.0, 2.0, 3.0):
            storage.cdrs.append(cdr(str(int(at)), at))
        assert await storage.cdrs.remove_before(1.0) == 0
        await storage.flush()
        assert await storage.cdrs.remove_before(3.0) == 2
        assert await ids(storage, HistoryQuery()) == ["3"]


async def test_rows_are_read_by_id_and_by_conversations_and_removed_for_good(opened: Opened) -> None:
    async with opened() as storage:
        for id, linkedid in (("1", "a"), ("2", "b"), ("3", "a"), ("4", "c")):
            storage.cdrs.append(cdr(id, 10.0 - float(id), linkedid=linkedid, transfer="blind"))
        assert await storage.cdrs.get("2") == cdr("2", 8.0, linkedid="b", transfer="blind")
        assert await storage.cdrs.get("9") is None
        assert [row.id for row in await storage.cdrs.of_conversations(["a", "b", "x"])] == ["3", "2", "1"]
        storage.cdrs.append(cdr("5"))
        assert await storage.cdrs.remove(["1", "5", "9"]) == 2
        await storage.flush()
        assert await ids(storage, HistoryQuery()) == ["2", "3", "4"]


TALLIES = {
    "by number": TallyQuery(0.0, 9e9, ("to_number", "disposition")),
    "a part of the time": TallyQuery(DAY_S, 2 * DAY_S, ("from_number",)),
    "outgoing": TallyQuery(0.0, 9e9, ("provider_out", "talk_seconds"), is_outgoing=True, has_talk=True),
    "long talks": TallyQuery(0.0, 9e9, ("external_number",), min_talk_s=4.0),
    "queues": TallyQuery(0.0, 9e9, ("to_number", "cause"), stage="queue"),
    "agents": TallyQuery(0.0, 9e9, ("to_number",), stage="dial", in_queues=("500",), to_numbers=("201", "202")),
    "nobody": TallyQuery(0.0, 9e9, ("to_number",), to_numbers=()),
}


@pytest.mark.parametrize("query", TALLIES.values(), ids=TALLIES.keys())
async def test_sums_are_those_of_the_rows(opened: Opened, query: TallyQuery) -> None:
    rows = [
        answered(
            str(number), number * DAY_S / 4, linkedid=f"l{number % 7}", talk_seconds=float(number % 6), cause="normal",
            to_number=("500", "201", "202")[number % 3], stage="queue" if number % 3 == 0 else "dial",
            provider_out=("", "telco")[number % 2], external_number=("", "7495")[number % 2],
        )
        for number in range(20)
    ]  # fmt: skip
    async with opened() as storage:
        for row in rows:
            storage.cdrs.append(row)
        assert await storage.cdrs.tally(query) == tallied(rows, query)


async def test_days_have_marks_of_their_rows_and_are_kept_put_together(opened: Opened) -> None:
    async with opened() as storage:
        for id, at in (("1", DAY_S * 3), ("2", DAY_S * 4 - 0.001), ("3", DAY_S * 5.5)):
            storage.cdrs.append(cdr(id, at))
        marks = await storage.cdrs.marks(0, 10)
        assert [(each.day, each.rows) for each in marks] == [(3, 2), (5, 1)]
        assert await storage.cdrs.marks(4, 5) == []
        await storage.cdrs.remove(["1"])
        storage.cdrs.append(cdr("4", DAY_S * 3))
        changed = await storage.cdrs.marks(3, 4)
        assert changed[0].rows == 2
        assert changed[0].sum != marks[0].sum
        await storage.rollups.save(Rollup(3, 2, 2**40, 1, b"\x00\xff"))
        await storage.rollups.save(Rollup(3, 2, 2**41, 1, b"\x01"))
        await storage.rollups.save(Rollup(5, 1, 3, 1))
        assert [each.sum for each in await storage.rollups.load(3, 6)] == [2**41, 3]
        assert await storage.rollups.load(4, 5) == []


async def test_letters_voice_messages_and_mailboxes_are_kept_by_id_and_the_latest_wins(opened: Opened) -> None:
    async with opened() as storage:
        assert await storage.letters.load() == []
        for id in "cab":
            storage.letters.put(id, letter(id))
        storage.voice_messages.put("m", voice_message("m"))
        storage.mailboxes.put("101", Mailbox("101", "greetings/101.wav", "salted", "before"))
        storage.states.put("dnd/101", StoredState("dnd/101", "dnd", "101", "on"))
        await storage.flush()
        storage.letters.put("b", letter("b", attempts=3))
        storage.letters.put("a", None)
        storage.letters.put("unknown", None)
        storage.voice_messages.put("m", voice_message("m", state="heard"))
        assert await storage.letters.load() == [letter("b", attempts=3), letter("c")]
        assert await storage.voice_messages.load() == [voice_message("m", state="heard")]
        assert await storage.mailboxes.load() == [Mailbox("101", "greetings/101.wav", "salted", "before")]
        assert await storage.states.load() == [StoredState("dnd/101", "dnd", "101", "on")]


async def test_recordings_are_found_by_id_conversation_state_and_period(opened: Opened) -> None:
    first, second = recording("2026/11/a", 1.0), recording("2026/11/b", 2.0, linkedid="l", state="running")
    third = recording("2026/11/c", 2.0, linkedid="l")
    async with opened() as storage:
        for each in (second, third, first):
            storage.recordings.put(each.id, each)

        async def found(**values: Any) -> list[str]:
            return [each.id[-1] for each in await storage.recordings.query(RecordingQuery(**values))]

        assert await storage.recordings.get("2026/11/a") == first
        assert await storage.recordings.get("2026/11/d") is None
        assert await found() == ["c", "b", "a"]
        assert await found(is_oldest_first=True, limit=2) == ["a", "b"]
        assert await found(offset=1, limit=1) == ["b"]
        assert await found(linkedid="l", state="done") == ["c"]
        assert await found(from_at=2.0) == ["c", "b"]
        assert await found(to_at=2.0) == ["a"]
        storage.recordings.put(third.id, None)
        storage.recordings.put(second.id, replace(second, state="done", suffix=".wav"))
        assert await found(state="running") == []
        assert await storage.recordings.get(second.id) == replace(second, state="done", suffix=".wav")


async def test_the_live_dump_has_the_same_keys_everywhere(opened: Opened) -> None:
    async with opened() as storage:
        await storage.flush()
        assert set(storage.describe()) == {
            "rows_queued", "rows_spooled", "registrations_queued", "last_error", "seconds_since_write",
        }  # fmt: skip


async def test_octets_that_are_no_text_hold_up_nothing(opened: Opened) -> None:
    broken = b"\xcf\xf0".decode("utf-8", "surrogateescape")
    async with opened() as storage:
        storage.cdrs.append(cdr("1", from_name=broken, from_number=broken, sip_call_ids=(broken,)))
        storage.cdrs.append(cdr("2", quality={"loss": float("nan"), "jitter_ms": float("inf"), "mos": 4.0}))
        storage.locations.put(f"sip:{broken}@zvon", (registration(contact=f"sip:{broken}@x"),))
        storage.locations.put("sip:101@zvon", [registration()])
        await storage.texts.add(text("1", content_type=f"text/plain;x={broken}"))
        storage.recordings.put("r", recording("r", from_number=broken))
        storage.letters.put("l", letter("l", recipient=broken))
        assert len(await storage.letters.load()) == 1
        assert await storage.recordings.get("r") is not None
        assert len(await storage.texts.load(0.0)) == 1
        assert await ids(storage, HistoryQuery()) == ["2", "1"]
        assert await ids(storage, HistoryQuery(number=broken, linkedid=broken)) == []
        assert await ids(storage, HistoryQuery(number=broken * 3)) == []
        assert registration() in await storage.locations.load(0.0)
        assert len(await storage.locations.load(0.0)) == 2


async def test_the_last_versions_of_the_office_are_kept_newest_first(opened: Opened) -> None:
    versions = [OfficeVersion(id, 10.0 * id, "anna", "apply", f"change {id}", f"document {id}") for id in (1, 2, 3)]
    async with opened() as storage:
        for version in versions:
            await storage.versions.add(version, keep=2)
        assert await storage.versions.newest() == [replace(each, document="") for each in (versions[2], versions[1])]
        assert await storage.versions.get(2) == versions[1]
        assert await storage.versions.get(1) is None


async def test_the_audit_is_read_newest_first_by_user_and_by_object(opened: Opened) -> None:
    entries = [
        AuditEntry(1.0, "anna", "10.0.0.1", "create", "terminals/201", "", '{"number": "201"}'),
        AuditEntry(2.0, "boris", "10.0.0.2", "change", "terminals/20_"),
        AuditEntry(3.0, "anna", "10.0.0.1", "delete", "terminals2/1", "{}"),
    ]
    async with opened() as storage:
        for entry in entries:
            await storage.audit.add(entry)
        stored = [replace(each, id=n) for n, each in enumerate(entries, 1)]
        assert await storage.audit.query(AuditQuery()) == stored[::-1]
        assert await storage.audit.query(AuditQuery(user="anna", limit=1)) == [stored[2]]
        assert await storage.audit.query(AuditQuery(object="terminals")) == [stored[1], stored[0]]
        assert await storage.audit.query(AuditQuery(object="terminals/201")) == [stored[0]]
        assert await storage.audit.query(AuditQuery(before_id=2)) == [stored[0]]
