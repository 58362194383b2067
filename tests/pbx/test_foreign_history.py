"""Histories of other systems as rows of ours."""

import asyncio
import re
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pbx.control.search import searched
from pbx.foreign_history import Imported, Unreadable, imported
from storage.ports import HistoryQuery
from storage.records import CdrRow, kind_of
from tests.support.builders import terminal
from tests.support.office import WALL_AT_START, open_office

T = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC
IN = {
    "calldate": "2023-11-14 22:13:20", "clid": '"Ivan" <79161234567>', "src": "79161234567", "dst": "201",
    "channel": "PJSIP/telco-0000001a", "dstchannel": "PJSIP/201-0000001b", "lastapp": "Dial", "duration": "40",
    "billsec": "30", "disposition": "ANSWERED", "uniqueid": "1699999999.7", "linkedid": "1699999999.7",
    "sequence": "12", "did": "74950000000", "recordingfile": "in-1.wav", "cnam": "", "outbound_cnum": "",
}  # fmt: skip
MIKO = {
    "id": "7", "start": "2023-11-14 22:13:20.250", "answer": "2023-11-14 22:13:25", "endtime": "2023-11-14 22:13:35",
    "src_num": "201", "dst_num": "79161234567", "disposition": "ANSWERED", "billsec": "10", "did": "",
    "linkedid": "mikopbx-1699999999.3", "UNIQUEID": "mikopbx-1699999999.4_x", "from_account": "", "to_account": "SIP-1",
    "recordingfile": "/storage/monitor/2023/11/14/22/a.mp3", "transfer": "0", "a_transfer": "1", "is_app": "0",
}  # fmt: skip


def one(**changes: Any) -> CdrRow:
    (found,) = imported([{**IN, **changes}], UTC)
    assert isinstance(found, Imported)
    return found.row


def test_a_row_of_asterisk_keeps_all_that_it_says() -> None:
    (found,) = imported([IN], UTC)
    assert found == Imported(
        CdrRow(
            "1699999999.7-12", "1699999999.7", T, T + 40, "79161234567", "201", "ANSWERED", T + 10, 30.0, "Ivan",
            external_number="74950000000", provider_in="telco",
        ),
        "in-1.wav",
    )  # fmt: skip
    assert kind_of([found.row]) == "incoming"


def test_calls_out_calls_in_vain_and_stages_are_told_apart() -> None:
    out = one(did="", outbound_cnum="74950000000", dstchannel="SIP/other-00000002;1")
    assert (out.provider_out, out.external_number, kind_of([out])) == ("other", "74950000000", "outgoing")
    lost = one(disposition="NO ANSWER", billsec="0")
    assert (lost.disposition, lost.answered_at, lost.talk_seconds) == ("NOANSWER", None, 0.0)
    assert one(disposition="CONGESTION").disposition == "FAILED"
    queue = one(lastapp="Queue", dst="s")
    assert (queue.stage, queue.to_number, queue.talk_seconds) == ("queue", "74950000000", 0.0)


def test_a_row_of_mikopbx_keeps_its_linkedid_and_its_transfer() -> None:
    (found,) = imported([MIKO], ZoneInfo("Europe/Moscow"))
    assert isinstance(found, Imported)
    row, ago = found.row, 3 * 3600
    assert (row.started_at, row.answered_at, row.ended_at) == (T + 0.25 - ago, T + 5 - ago, T + 15 - ago)
    assert (row.linkedid, row.transfer, row.talk_seconds) == ("mikopbx-1699999999.3", "consultation", 10.0)
    assert (row.provider_out, kind_of([row])) == ("SIP-1", "outgoing")


@pytest.mark.row("AMB-23")
async def test_a_linkedid_has_a_system_a_time_and_a_number_and_one_of_another_system_is_kept_as_it_is() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        caller, callee = await office.registered("101"), await office.registered("102")
        for _ in range(2):
            call = caller.dial("102")
            ring = await callee.rung()
            ring.answer()
            await call.until_answered()
            call.hangup()
            await ring.until_over()
            await asyncio.sleep(1)
        own = [row.linkedid for row in office.rows]
    began = int(WALL_AT_START) + 1000
    assert [re.fullmatch(r"([\w.-]+)-(\d+)\.(\d+)", each).groups() for each in own] == [  # type: ignore[union-attr]
        ("zvon", str(began), "1"), ("zvon", str(began), "2"),
    ]  # fmt: skip
    longest = "x" * 64
    for theirs in ("mikopbx-1699999999.3", "1699999999.7", "9b2f0c3e-1b1b-4f4e-8a3b-0d3f0f0c9a11", longest):
        (found,) = imported([{**MIKO, "linkedid": theirs}], UTC)
        assert isinstance(found, Imported)
        assert found.row.linkedid == theirs
        assert searched(f"linkedid:{theirs}", HistoryQuery()).linkedid == theirs
    for each in ("mikopbx-1699999999.3", *own):  # pasted as it is (CDR-11)
        assert searched(each, HistoryQuery()).linkedid == each


def test_what_cannot_be_read_is_told_and_the_others_are_taken() -> None:
    without = {name: value for name, value in IN.items() if name != "src"}
    found = list(imported([{**IN, "calldate": "soon"}, without, IN], UTC))
    assert found[:2] == [Unreadable(1, '"soon" is no time'), Unreadable(2, "the column 'src' is missing")]
    assert isinstance(found[2], Imported)


def test_rows_without_a_sequence_are_numbered() -> None:
    found = [each for each in imported([{**IN, "sequence": ""}] * 2, UTC) if isinstance(each, Imported)]
    assert [each.row.id for each in found] == ["1699999999.7-1", "1699999999.7-2"]
