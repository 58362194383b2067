"""Recent messages: bounded in bytes and age, found by Call-ID, shown without secrets."""

import asyncio

import pytest

from pbx.bus import Bus
from pbx.cause import NORMAL
from pbx.clock import Clock
from pbx.control.messages import ControlError
from pbx.events import CallLinked, CallStarted, Direction, LegCreated, LegEnded
from pbx.party import Party
from pbx.quality import Measured
from pbx.sipmask import call_id_of, masked
from pbx.siptrace import OVERHEAD_BYTES, CallBook, MessageRing, joined
from pbx.trace_query import TraceQuery
from sipcore.flow import Flow
from storage.memory import MemoryStorage
from storage.records import CdrRow

FLOW = Flow("UDP", ("127.0.0.1", 5060), ("127.0.0.2", 5062))


def message(call_id: str, *lines: str, body: str = "") -> bytes:
    head = ["OPTIONS sip:101@127.0.0.1 SIP/2.0", "Via: SIP/2.0/UDP 127.0.0.2", f"Call-ID: {call_id}", *lines]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


class Hands:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    def wall_at(self, moment: float) -> float:
        return moment + 1_700_000_000.0


def ring_of(limit: int = 1 << 20, *, kept_s: float = 3600.0) -> tuple[MessageRing, Hands]:
    hands = Hands()
    return MessageRing(limit, hands, kept_s=kept_s), hands  # type: ignore[arg-type]


def test_messages_are_found_by_call_id_in_their_order() -> None:
    ring, _ = ring_of()
    for call_id in ("one", "two", "one"):
        ring.tap(message(call_id), FLOW, True)
    ring.tap(message("other", "X-Note: one"), FLOW, False)
    assert [kept.data for kept in ring.find(["one"])] == [message("one")] * 2
    assert ring.find(["nothing", ""]) == []


def test_the_oldest_go_when_the_bytes_are_used_up() -> None:
    size = len(message("0")) + OVERHEAD_BYTES
    ring, _ = ring_of(3 * size)
    for number in range(5):
        ring.tap(message(str(number)), FLOW, True)
    assert [call_id_of(kept.data) for kept in ring.snapshot()] == [b"2", b"3", b"4"]
    assert ring.describe()["bytes"] == 3 * size


def test_what_is_too_old_goes() -> None:
    ring, hands = ring_of(kept_s=60)
    ring.tap(message("old"), FLOW, True)
    hands.at += 61
    ring.tap(message("new"), FLOW, True)
    assert [call_id_of(kept.data) for kept in ring.snapshot()] == [b"new"]


def test_a_message_larger_than_the_ring_is_not_kept() -> None:
    ring, _ = ring_of(100)
    ring.tap(message("large"), FLOW, True)
    assert ring.snapshot() == []
    assert ring.describe()["bytes"] == 0


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"OPTIONS sip:a SIP/2.0\r\nCALL-ID :  a@b \r\n\r\n", b"a@b"),
        (b"OPTIONS sip:a SIP/2.0\r\ni:short\r\n\r\nCall-ID: body", b"short"),
        (b"OPTIONS sip:a SIP/2.0\r\n\r\nCall-ID: body", b""),
        (b"\x00\xff", b""),
        (b"", b""),
    ],
)
def test_the_call_id_of_bytes(data: bytes, expected: bytes) -> None:
    assert call_id_of(data) == expected


def test_spaces_do_not_cost_more_than_their_length() -> None:
    assert call_id_of(b"OPTIONS sip:a SIP/2.0\r\nCall-ID: " + b" " * 60_000 + b"x") == b"x"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('Authorization: Digest username="101", response="0123", uri="sip:x"', 'username="101", response="****", uri'),
        ('PROXY-AUTHORIZATION: Digest response = "0123"', 'response = "****"'),
        ("Authorization: Digest response=0123, qop=auth", "response=****, qop=auth"),
        ('Authorization: Digest username="101",\r\n response="0123"', '\r\n response="****"'),
        ('Authorization: Digest response="0123', 'response="****\r\n'),
        ("Authorization: Basic MTAxOjEyMw==", "Basic ************"),
        ('Authentication-Info: rspauth="0123"', 'rspauth="****"'),
    ],
)
def test_credentials_are_masked_and_the_length_stays(line: str, shown: str) -> None:
    data = message("one", line, "X-Last: response=0123")
    hidden = masked(data)
    assert shown.encode() in hidden
    assert len(hidden) == len(data)
    assert hidden.endswith(b"X-Last: response=0123\r\n\r\n")


def test_media_keys_are_masked() -> None:
    data = message("one", body="v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|2^20\r\n")
    assert b"inline:********|2^20" in masked(data)


def test_what_holds_no_secret_is_the_same_object() -> None:
    data = message("one")
    assert masked(data) is data


# --- who asks ------------------------------------------------------------------------------------------------------


def created(call: str, leg: int, number: str, direction: Direction, call_id: str) -> LegCreated:
    return LegCreated(1.0, call, leg, Party.unknown(number), direction, call_id)


def book_with_a_call() -> CallBook:
    bus, book = Bus(), CallBook(calls_kept=2)
    book.attach(bus)
    bus.publish(created("zvon-1.1", 1, "101", Direction.INCOMING, "in"))
    bus.publish(created("zvon-1.1", 2, "102", Direction.OUTGOING, "out"))
    bus.publish(LegEnded(2.0, "zvon-1.1", 2, NORMAL, Measured({"received": 5.0})))
    return book


def test_all_calls_of_a_conversation_are_found_by_any_of_their_names() -> None:
    book = book_with_a_call()
    who = Party.unknown("101")
    book.observe(CallStarted(1.0, "zvon-1.2", "zvon-1.1", who, who, "transfer"))
    book.observe(created("zvon-1.2", 3, "103", Direction.OUTGOING, "onward"))
    for wanted in ("zvon-1.1", "zvon-1.2", "in", "out", "onward"):
        found = book.find(wanted)
        assert found is not None
        assert [note.sip_call_id for note in found[1].values()] == ["in", "out", "onward"]
    assert book.parts("zvon-1.2") == ["zvon-1.1", "zvon-1.2"]


def test_two_calls_that_a_transfer_joins_are_one_conversation() -> None:
    book = book_with_a_call()
    book.observe(created("zvon-1.2", 3, "101", Direction.INCOMING, "consulting"))
    assert book.parts("zvon-1.2") == ["zvon-1.2"]
    book.observe(CallLinked(2.0, "zvon-1.2", "zvon-1.1"))
    assert book.parts("zvon-1.1") == ["zvon-1.1", "zvon-1.2"]


def test_a_call_is_known_by_its_id_and_by_its_call_ids() -> None:
    book = book_with_a_call()
    for wanted in ("zvon-1.1", "in", "out"):
        found = book.find(wanted)
        assert found is not None
        call, legs = found
        assert (call, [leg.sip_call_id for leg in legs.values()]) == ("zvon-1.1", ["in", "out"])
        assert legs[2].measured == Measured({"received": 5.0})
    assert book.find("zvon-1.9") is None


def test_only_so_many_calls_are_remembered() -> None:
    book = book_with_a_call()
    for number in (2, 3):
        book.observe(created(f"zvon-1.{number}", 1, "101", Direction.INCOMING, f"in{number}"))
    assert book.find("zvon-1.1") is None
    assert book.find("in3") is not None
    book.observe(LegEnded(2.0, "zvon-1.1", 2, NORMAL))  # of a call that is forgotten


def test_the_courses_of_the_latest_calls_are_kept_and_of_earlier_ones_the_figures() -> None:
    book = CallBook(intervals_bytes=50)
    for number in (1, 2, 3):
        book.observe(created(f"zvon-1.{number}", number, "101", Direction.INCOMING, f"in{number}"))
        book.observe(LegEnded(2.0, f"zvon-1.{number}", number, NORMAL, Measured({"mos": 4.0}, bytes(20))))
    kept = [book.find(f"in{number}") for number in (1, 2, 3)]
    measured = [each[1][leg].measured for leg, each in enumerate(kept, 1) if each is not None]
    assert [len(each.intervals) for each in measured] == [0, 20, 20]
    assert [each.quality for each in measured] == [{"mos": 4.0}] * 3


ROW = CdrRow(
    id="zvon-1.7-1",
    linkedid="zvon-1.7",
    started_at=1.0,
    ended_at=2.0,
    from_number="101",
    to_number="102",
    disposition="ANSWERED",
    sip_call_ids=("a", "b"),
    quality={"from_lost": 1.0, "to_lost": 2.0},
)


async def query_over(*data: bytes, trace: bool = True) -> TraceQuery:
    clock, storage = Clock(asyncio.get_running_loop(), lambda: 50.0), MemoryStorage()
    ring = MessageRing(1 << 20, clock)
    for each in data:
        ring.tap(each, FLOW, True)
    storage.cdrs.append(ROW)
    return TraceQuery(ring if trace else None, book_with_a_call(), storage, clock)


@pytest.mark.real_loop
class TestQuery:
    async def test_a_recent_call_has_the_messages_of_all_its_legs(self) -> None:
        query = await query_over(message("in"), message("other"), message("out"))
        for wanted in ("zvon-1.1", "in", "zvon-1.1-1"):
            view = await query.trace(wanted)
            assert view.call == "zvon-1.1"
            assert [call_id_of(each.data) for each in view.messages] == [b"in", b"out"]
            assert [(leg.number, leg.direction) for leg in view.legs] == [("101", "incoming"), ("102", "outgoing")]

    async def test_a_call_of_the_history_is_found_by_its_linkedid(self) -> None:
        view = await (await query_over(message("b"))).trace("zvon-1.7")
        assert [(leg.sip_call_id, leg.quality) for leg in view.legs] == [("a", {"lost": 1.0}), ("b", {"lost": 2.0})]
        assert len(view.messages) == 1

    async def test_a_dialog_without_a_call_is_found_by_its_call_id(self) -> None:
        view = await (await query_over(message("register"))).trace("register")
        assert (view.call, view.legs, len(view.messages)) == ("", (), 1)

    async def test_secrets_are_told_to_who_asks_for_them_only(self) -> None:
        query = await query_over(message("in", 'Authorization: Digest response="0123"'))
        assert b"0123" not in (await query.trace("in")).messages[0].data
        assert b"0123" in (await query.trace("in", with_secrets=True)).messages[0].data

    async def test_an_unknown_call_is_a_sentence(self) -> None:
        with pytest.raises(ControlError, match="there is no call zvon-9, neither now nor in the history"):
            await (await query_over()).trace("zvon-9")

    @pytest.mark.parametrize("wanted", ["zvon-1.1", "zvon-1.7"])
    async def test_a_call_whose_messages_are_gone_is_a_sentence(self, wanted: str) -> None:
        with pytest.raises(ControlError, match="no longer kept"):
            await (await query_over()).trace(wanted)

    async def test_a_server_that_keeps_nothing_says_so(self) -> None:
        with pytest.raises(ControlError, match="trace_mb"):
            await (await query_over(trace=False)).trace("zvon-1.1")


def test_the_dialogs_of_a_call_share_the_call_id_of_its_caller() -> None:
    book = book_with_a_call()
    assert [book.correlation(each) for each in ("in", "out", "register")] == ["in", "in", "register"]


def test_one_tap_for_several() -> None:
    ring, _ = ring_of()
    assert joined() is None
    assert joined(ring.tap) == ring.tap
    both = joined(ring.tap, ring.tap)
    assert both is not None
    both(message("one"), FLOW, True)
    assert len(ring.snapshot()) == 2


def test_of_a_head_that_nobody_takes_the_rest_is_covered_whole() -> None:
    head = b"OPTIONS sip:a SIP/2.0\r\n" + b"X: y\r\n" * 2726 + b'Authorization: Digest response="secret"\r\n' * 9
    shown = masked(head + b"\r\nbody")
    assert len(shown) == len(head) + 6
    assert b"secret" not in shown
    assert shown.startswith(b"OPTIONS sip:a SIP/2.0\r\nX: y\r\n")
    assert shown.endswith(b"**\r\n\r\nbody")
