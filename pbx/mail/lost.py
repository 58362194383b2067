"""Mail at once when calls from outside are being lost (NOT-7)."""

from pbx.bus import Bus
from pbx.events import BusEvent, CallsLost
from pbx.mail.mailer import Mailer

KIND = "lost_calls"


class LostCallMail:
    """One per server."""

    def __init__(self, mailer: Mailer, bus: Bus) -> None:
        self._mailer = mailer
        bus.subscribe([CallsLost], self._told)

    def _told(self, event: BusEvent) -> None:
        assert isinstance(event, CallsLost)
        alarms = self._mailer.office.lost_call_alarms
        address = next((each.email for each in alarms if each.id == event.alarm), "")
        for recipient in (self._mailer.recipient(address) or self._mailer.administrator, self._mailer.chat):
            if recipient is None:
                continue
            where = {"en": "all numbers", "ru": "все номера"}[recipient.language] if not event.number else event.number
            values = {"calls": str(event.calls), "minutes": str(event.minutes), "number": where}
            self._mailer.post(KIND, recipient, values, at=event.at)
