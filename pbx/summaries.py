"""Message summaries for phones that do not ask: NOTIFY outside any subscription, which RFC 3842 knows from practice.

A phone hears one when something waits for it as it registers, and at every change after that. One that refuses it (481
and 489 are what RFC 6665 asks of it) is left alone until it registers anew; one that subscribes is the notifier's.
"""

import asyncio
from collections.abc import Callable, Mapping

from pbx.accounts import MessageAccounts
from pbx.addressing import bracketed, contact
from pbx.bus import Bus
from pbx.directory import Directory
from pbx.events import BusEvent, MessagesChanged, RegistrationChange, RegistrationChanged
from pbx.location import Location, Target
from pbx.packages import uri_of
from sipcore.build import new_request
from sipcore.events import ResponseArrived
from sipcore.flow import Flow
from sipcore.presence.mwi import CONTENT_TYPE, MessageContext, MessageCounts, message_summary
from sipcore.transport.driver import SipDriver

PAUSE_S = 2.0  # a text that is delivered at once lights no lamp, and a flapping count sends no flood
TRANSIENT = (408, 480, 500, 503, 504)
Waiting = Mapping[MessageContext, MessageCounts]
Device = tuple[str, str]  # number, contact


class UnaskedSummaries:
    """One per server. `subscribes` says whether a summary of that number is subscribed to from that path."""

    def __init__(
        self,
        driver: SipDriver,
        location: Location,
        directory: Callable[[], Directory],
        accounts: MessageAccounts,
        subscribes: Callable[[str, Flow], bool],
        bus: Bus,
    ) -> None:
        self._driver, self._location, self._directory = driver, location, directory
        self._accounts, self._subscribes = accounts, subscribes
        self._told: dict[Device, Waiting] = {}
        self._refusing: set[Device] = set()
        self._known: set[str] = set()  # numbers that something has waited for: their lamps may be lit
        self._timers: dict[str, asyncio.TimerHandle] = {}
        bus.subscribe([MessagesChanged], self._messages_changed)
        bus.subscribe([RegistrationChanged], self._registration_changed)

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _messages_changed(self, event: BusEvent) -> None:
        assert isinstance(event, MessagesChanged)
        self._known.add(event.number)
        self._schedule(event.number)

    def _registration_changed(self, event: BusEvent) -> None:
        assert isinstance(event, RegistrationChanged)
        if event.change not in (RegistrationChange.ADDED, RegistrationChange.REMOVED, RegistrationChange.EXPIRED):
            return
        self._told.pop((event.number, event.contact), None)
        self._refusing.discard((event.number, event.contact))
        is_added = event.change is RegistrationChange.ADDED
        if is_added and (event.number in self._known or self._accounts.waiting(event.number)):
            self._schedule(event.number)

    def _schedule(self, number: str) -> None:
        if number not in self._timers:
            self._timers[number] = asyncio.get_running_loop().call_later(PAUSE_S, self._tell, number)

    def _tell(self, number: str) -> None:
        del self._timers[number]
        terminal, waiting = self._directory().terminal(number), self._accounts.waiting(number)
        for target in self._location.targets(terminal) if terminal is not None else ():
            device = (number, str(target.uri))
            is_news = device not in self._refusing and self._told.get(device) != waiting
            if is_news and not self._subscribes(number, target.flow):
                self._told[device] = waiting
                self._send(device, target, waiting)

    def _send(self, device: Device, target: Target, waiting: Waiting) -> None:
        stack, host, number = self._driver.stack, target.flow.local[0], device[0]
        request = new_request(
            "NOTIFY",
            target.uri,
            from_=f"<sip:{number}@{bracketed(host)}>;tag={stack.ids.tag()}",
            to=f"<sip:{number}@{bracketed(host)}>",
            call_id=stack.ids.call_id(),
            cseq=1,
            extra=[
                ("Event", "message-summary"),
                ("Subscription-State", "terminated;reason=noresource"),  # there is none to be ended or refreshed
                ("Contact", contact(number, target.flow)),
                ("User-Agent", stack.config.agent),
                ("Content-Type", CONTENT_TYPE),
            ],
            body=message_summary(uri_of(number, host), waiting),
        )

        def answered(answer: ResponseArrived) -> None:
            if answer.status in TRANSIENT:
                self._told.pop(device, None)
            elif answer.status >= 300:
                self._refusing.add(device)

        stack.send(request, target.flow, self._driver.now(), user=answered)
        self._driver.kick()
