"""Text messages between terminals: RFC 3428, relayed to every device of the addressee at once (EXT-20).

The sender hears 200 as soon as one device has taken the text, the refusal when the text itself is refused, and 202 when
nobody could be asked: the text is in the box then (`pbx.textbox`) and comes when a device is there. Where it cannot be
kept the answer is 480, so that the sender knows.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine

from pbx.addressing import dialled
from pbx.bus import Bus
from pbx.clock import Clock
from pbx.directory import Directory
from pbx.location import Location, Target
from pbx.textbox import TextBox, TextPolicy
from pbx.textcarrier import ABSENT, OF_THE_TEXT, Delivery, TextCarrier
from sipcore.build import Extra, response_to
from sipcore.errors import ParseError
from sipcore.events import RequestArrived
from sipcore.headers import Expires
from sipcore.message import Request
from sipcore.transport.driver import SipDriver
from storage.ports import TextStore
from storage.records import StoredText, Terminal

MOST_BODY_BYTES = 800  # with headers no more than the 1300 bytes of RFC 3428 §8
MOST_UNDER_WAY = 20  # of one sender
PATIENCE_S = 20.0  # the sender's own transaction gives up after 32 s
T2_REACHED = 7  # times T1: Timer E of the sender has grown to T2, and RFC 4320 §4.1 wants a 100
FLEETING = "application/im-iscomposing+xml"  # of the moment: never kept
TYPES = ("text/plain", "text/html", "message/cpim", FLEETING)


class TextRelay:
    """One per server."""

    def __init__(
        self,
        driver: SipDriver,
        location: Location,
        directory: Callable[[], Directory],
        store: TextStore,
        clock: Clock,
        bus: Bus,
        policy: TextPolicy,
    ) -> None:
        self._driver, self._location, self._clock, self._policy = driver, location, clock, policy
        self._directory = directory
        self._carrier = TextCarrier(driver)
        self.box = TextBox(store, self._carrier, clock, bus, policy, self._targets)
        self._under_way: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def receive(self, event: RequestArrived, sender: Terminal) -> None:
        """Relay a MESSAGE of `sender`, keep it, or say why not."""
        only = self._location.addressee(event.request.uri)
        addressee = self._directory().terminal(dialled(event.request) if only is None else only.number)
        status, extra = _refusal(event.request)
        if status == 0 and addressee is None:
            status = 404
        if status == 0 and self._under_way[sender.number] >= MOST_UNDER_WAY:
            status, extra = 503, (("Retry-After", 1),)
        if status or addressee is None:
            self._answer(event, status, extra)
            return
        text = self._text(event.request, sender, addressee)
        targets = () if self.box.is_before(addressee.number) else self._location.targets(addressee, only)
        delivery = self._carrier.send(text, targets) if targets else None
        self._under_way[sender.number] += 1
        self._start(self._relay(event, text, delivery))

    def office_changed(self) -> None:
        """Forget what is for terminals that are gone."""
        directory = self._directory()
        self.box.keep_only(lambda number: directory.terminal(number) is not None)

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.box.close()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _text(self, request: Request, sender: Terminal, addressee: Terminal) -> StoredText:
        now_at = self._clock.wall()
        lifetime_s = 0.0 if request.content_type == FLEETING or not request.body else self._policy.keep_s
        return StoredText(
            id=self._driver.stack.ids.call_id(),
            number=addressee.number,
            sender=sender.number,
            sender_name=self._directory().party(sender).name,
            sent_at=now_at,
            expires_at=now_at + min(lifetime_s, _wanted_s(request)),
            content_type=request.headers.get("content-type") or "text/plain",
            body=request.body,
        )

    def _targets(self, number: str) -> list[Target]:
        terminal = self._directory().terminal(number)
        return [] if terminal is None else self._location.targets(terminal)

    async def _relay(self, event: RequestArrived, text: StoredText, delivery: Delivery | None) -> None:
        try:
            status = ABSENT if delivery is None else await self._outcome(event, delivery)
            if status >= 300 and status not in OF_THE_TEXT and await self.box.keep(text, delivery):
                status = 202
        finally:
            self._under_way[text.sender] -= 1
            if not self._under_way[text.sender]:
                del self._under_way[text.sender]
        self._answer(event, status)

    async def _outcome(self, event: RequestArrived, delivery: Delivery) -> int:
        """As far as it is known while the sender waits; a sender that waits is told that we are at it."""
        at_it_s = T2_REACHED * self._driver.stack.config.timers.t1
        status = await _within(at_it_s, delivery)
        if status is None:
            self._answer(event, 100)
            status = await _within(PATIENCE_S - at_it_s, delivery)
        return ABSENT if status is None else status

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _answer(self, event: RequestArrived, status: int, extra: Extra = ()) -> None:
        stack = self._driver.stack
        response = response_to(event.request, status, to_tag=stack.stateless_tag(event.request), extra=extra)
        stack.respond(event.key, response, self._driver.now())
        self._driver.kick()


async def _within(seconds: float, delivery: Delivery) -> int | None:
    """The outcome, None while there is none."""
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.shield(delivery.outcome)
    except TimeoutError:
        return None


def _wanted_s(request: Request) -> float:
    """How long the sender wants it to be kept at most (RFC 3428 §4); for ever when it does not say."""
    try:
        expires = request.headers.first(Expires)
    except ParseError:
        return float("inf")
    return float("inf") if expires is None else float(expires.value)


def _refusal(request: Request) -> tuple[int, Extra]:
    """What is wrong with the text itself; 0 when nothing is."""
    if len(request.body) > MOST_BODY_BYTES:
        return 413, ()
    kind = request.content_type
    if request.body and (kind not in TYPES or "content-encoding" in request.headers):
        return 415, (("Accept", ", ".join(TYPES)),)
    return 0, ()
