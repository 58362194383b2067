"""Mail about calls that nobody answered (NOT-3): to those who missed them, once the whole conversation is over.

Where none of them has an address, the common one hears of callers from outside.
"""

from collections import defaultdict

from pbx.bus import Bus
from pbx.events import BusEvent, CallEnded, CallLinked, CallStarted
from pbx.mail.mailer import Mailer, Recipient
from pbx.mail.wording import Wording, caller_text, cause_text, length_text
from storage.records import CdrRow

KIND = "missed_calls"


class MissedCallMail:
    """Fed with rows of the history as calls end: `row` before the bus tells of the end."""

    def __init__(self, mailer: Mailer, bus: Bus) -> None:
        self._mailer = mailer
        self._live: dict[str, str] = {}  # call → linkedid
        self._rows: defaultdict[str, list[CdrRow]] = defaultdict(list)  # by linkedid
        self._is_on = mailer.sends(KIND)
        if self._is_on:
            bus.subscribe((CallStarted, CallLinked, CallEnded), self._told)

    def row(self, row: CdrRow) -> None:
        """A stage of a call, or a try to reach somebody, is over."""
        if self._is_on:
            self._rows[row.linkedid].append(row)

    def _told(self, event: BusEvent) -> None:
        match event:
            case CallStarted():
                self._live[event.call] = event.linkedid
            case CallLinked():
                before = self._live.get(event.call, event.linkedid)
                self._live[event.call] = event.linkedid
                if before not in self._live.values():
                    self._rows[event.linkedid] += self._rows.pop(before, [])
            case CallEnded():
                linkedid = self._live.pop(event.call, "")
                if linkedid not in self._live.values():
                    self._is_over(self._rows.pop(linkedid, []))

    def _is_over(self, rows: list[CdrRow]) -> None:
        rows.sort(key=lambda row: row.started_at)
        if not rows or any(map(_is_answered, rows)):
            return
        missed: dict[str, tuple[Recipient, CdrRow]] = {}
        for row in rows:
            if (owner := self._mailer.owner_of(row.to_number)) is not None:
                missed.setdefault(owner.address, (owner, row))
        common = self._mailer.common
        if not missed and common is not None and self._is_from_outside(rows[0]):
            missed[common.address] = common, rows[0]
        for recipient, row in missed.values():
            self._post(recipient, row, rows)

    def _is_from_outside(self, row: CdrRow) -> bool:
        own = {terminal.number for terminal in self._mailer.office.terminals}
        return bool(row.external_number) or row.from_number not in own

    def _post(self, recipient: Recipient, row: CdrRow, rows: list[CdrRow]) -> None:
        number = row.external_number or row.from_number
        values = {
            "caller": caller_text(row.from_name, number),
            "caller_name": row.from_name,
            "caller_number": number,
            "callee": caller_text(row.to_name, row.to_number),
            "duration": length_text(max(each.ended_at for each in rows) - rows[0].started_at),
            "cause": cause_text(row.cause, recipient.language),
        }
        words = self._mailer.office.missed_calls
        own = Wording(words.subject, words.body, words.footer)
        self._mailer.post(KIND, recipient, values, at=rows[0].started_at, own=own)


def _is_answered(row: CdrRow) -> bool:
    """A person answered, or a message was left; who hangs up at the greeting of a mailbox has reached nobody."""
    return row.disposition == "ANSWERED" and (row.stage != "voicemail" or bool(row.recording))
