"""One text on its way: a MESSAGE to every device of its addressee at once (RFC 3428 §4)."""

import asyncio
from collections.abc import Sequence
from email.utils import formatdate

from pbx.addressing import bracketed, identity
from pbx.location import Target
from pbx.party import Party, PartyKind
from sipcore.build import new_request
from sipcore.events import ResponseArrived
from sipcore.transport.driver import SipDriver
from storage.records import StoredText

ABSENT = 480
OF_THE_TEXT = (413, 415, 488, 603, 606)  # refusals that say more than that a device was not there
DEAF = (405, 501)  # of a device that takes no texts at all


class Delivery:
    """`outcome` is 200 as soon as one device has taken the text, else the best refusal when all have answered;
    `is_deaf` then says that no device takes texts at all."""

    def __init__(self, devices: int) -> None:
        self.outcome: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.is_deaf = True
        self._left, self._best = devices, ABSENT

    def arrived(self, answer: ResponseArrived) -> None:
        """What one device says."""
        if answer.status < 200:
            return
        self._left -= 1
        self.is_deaf = self.is_deaf and answer.status in DEAF
        if answer.status in OF_THE_TEXT:
            self._best = answer.status
        if not self.outcome.done() and (answer.status < 300 or not self._left):
            self.outcome.set_result(200 if answer.status < 300 else self._best)


class TextCarrier:
    """Sends texts. A text keeps its Call-ID, however often it is tried: a device can tell that it has it already."""

    def __init__(self, driver: SipDriver) -> None:
        self._driver = driver

    def send(self, text: StoredText, targets: Sequence[Target], *, is_late: bool = False) -> Delivery:
        """Send it to at least one device; `is_late` adds when it was written (RFC 3261 §20.17)."""
        delivery = Delivery(len(targets))
        for target in targets:
            self._send(text, target, delivery, is_late)
        self._driver.kick()
        return delivery

    def _send(self, text: StoredText, target: Target, delivery: Delivery, is_late: bool) -> None:
        stack, host = self._driver.stack, target.flow.local[0]
        sender = Party(PartyKind.TERMINAL, text.sender, text.sender_name)
        extra = [*target.route_fields, ("User-Agent", stack.config.agent)]
        extra += [("Date", formatdate(text.sent_at, usegmt=True))] if is_late else []
        extra += [("Content-Type", text.content_type)] if text.body else []
        request = new_request(
            "MESSAGE",
            target.uri,
            from_=f"{identity(sender, host)};tag={stack.ids.tag()}",
            to=f"<sip:{text.number}@{bracketed(host)}>",
            call_id=text.id,
            cseq=1,
            extra=extra,
            body=text.body,
        )
        stack.send(request, target.flow, self._driver.now(), user=delivery.arrived)
