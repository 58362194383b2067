"""Mail about calls that nobody answered (NOT-3): to those who missed them, once the whole conversation is over.

Where none of them has an address, the common one hears of callers from outside.
"""

from collections.abc import Sequence

from pbx.conversations import client_of
from pbx.mail.mailer import Mailer, Recipient
from pbx.mail.wording import Wording, caller_text, cause_text, length_text
from pbx.party import Party
from storage.records import CdrRow, is_human_answer

KIND = "missed_calls"


class MissedCallMail:
    """`over` gets the rows of each conversation that is over."""

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer

    def over(self, rows: Sequence[CdrRow]) -> None:
        """A conversation has ended; if nobody has answered, those who missed it are told."""
        if not self._mailer.sends(KIND) or any(map(is_human_answer, rows)):
            return
        missed: dict[str, tuple[Recipient, CdrRow]] = {}
        for row in rows:
            if (owner := self._mailer.owner_of(row.to_number)) is not None:
                missed.setdefault(owner.address, (owner, row))
        common = self._mailer.common
        if not missed and common is not None and self._is_from_outside(rows[0]):
            missed[common.address] = common, rows[0]
        if (chat := self._mailer.chat) is not None and self._is_from_outside(rows[0]):
            missed[chat.address] = chat, rows[0]
        for recipient, row in missed.values():
            self._post(recipient, row, rows)

    def _is_from_outside(self, row: CdrRow) -> bool:
        own = {terminal.number for terminal in self._mailer.office.terminals}
        return bool(row.external_number) or row.from_number not in own

    def _post(self, recipient: Recipient, row: CdrRow, rows: Sequence[CdrRow]) -> None:
        caller = Party.outside(client_of(row), row.from_name)
        if self._is_from_outside(row):
            caller = self._mailer.seen_by(recipient, caller, row.to_number)
        values = {
            "caller": caller_text(caller.name, caller.shown_number),
            "caller_name": caller.name,
            "caller_number": caller.shown_number,
            "callee": caller_text(row.to_name, row.to_number),
            "duration": length_text(max(each.ended_at for each in rows) - rows[0].started_at),
            "cause": cause_text(row.cause, recipient.language),
        }
        words = self._mailer.office.missed_calls
        own = Wording(words.subject, words.body, words.footer)
        self._mailer.post(KIND, recipient, values, at=rows[0].started_at, own=own)
