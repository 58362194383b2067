"""Text messages between terminals: RFC 3428, relayed to every device of the addressee at once (EXT-20).

The sender hears 200 as soon as one device has taken the text, and a refusal when none has. Nothing is kept: to an
addressee without a device the answer is 480, so that the sender knows.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence

from pbx.addressing import bracketed, dialled, identity
from pbx.directory import Directory
from pbx.location import Location, Target
from sipcore.build import Extra, new_request, response_to
from sipcore.events import RequestArrived, ResponseArrived
from sipcore.message import Request
from sipcore.transport.driver import SipDriver
from storage.records import Terminal

MOST_BODY_BYTES = 800  # with headers no more than the 1300 bytes of RFC 3428 §8
MOST_UNDER_WAY = 20  # of one sender
PATIENCE_S = 20.0  # the sender's own transaction gives up after 32 s
TYPES = ("text/plain", "text/html", "message/cpim", "application/im-iscomposing+xml")


class TextRelay:
    """One per server."""

    def __init__(self, driver: SipDriver, location: Location) -> None:
        self._driver, self._location = driver, location
        self._under_way: Counter[str] = Counter()

    def receive(self, event: RequestArrived, sender: Terminal, directory: Directory) -> None:
        """Relay a MESSAGE of `sender`, or say why not."""
        request = event.request
        addressee = directory.terminal(dialled(request))
        status, extra = _refusal(request)
        targets: Sequence[Target] = ()
        if status == 0 and addressee is None:
            status = 404
        elif status == 0 and addressee is not None:
            targets = self._location.targets(addressee)
            status = 0 if targets else 480
        if status == 0 and self._under_way[sender.number] >= MOST_UNDER_WAY:
            status, extra = 503, (("Retry-After", 1),)
        if status or addressee is None:
            self._answer(event, status, extra)
            return
        self._under_way[sender.number] += 1
        delivery = _Delivery(self, event, sender.number, len(targets))
        for target in targets:
            self._send(request, directory, sender, addressee, target, delivery)

    def _send(
        self,
        request: Request,
        directory: Directory,
        sender: Terminal,
        addressee: Terminal,
        target: Target,
        delivery: "_Delivery",
    ) -> None:
        stack, host = self._driver.stack, target.flow.local[0]
        from_ = identity(directory.party(sender), host)
        extra = [("User-Agent", stack.config.agent)]
        extra += [("Content-Type", request.headers.get("content-type") or "text/plain")] if request.body else []
        copy = new_request(
            "MESSAGE",
            target.uri,
            from_=f"{from_};tag={stack.ids.tag()}",
            to=f"<sip:{addressee.number}@{bracketed(host)}>",
            call_id=stack.ids.call_id(),
            cseq=1,
            extra=extra,
            body=request.body,
        )
        stack.send(copy, target.flow, self._driver.now(), user=delivery.arrived)

    def finished(self, event: RequestArrived, sender: str, status: int) -> None:
        """A delivery has its outcome."""
        self._under_way[sender] -= 1
        if not self._under_way[sender]:
            del self._under_way[sender]
        self._answer(event, status)

    def _answer(self, event: RequestArrived, status: int, extra: Extra = ()) -> None:
        stack = self._driver.stack
        response = response_to(event.request, status, to_tag=stack.stateless_tag(event.request), extra=extra)
        stack.respond(event.key, response, self._driver.now())
        self._driver.kick()


class _Delivery:
    """One text under way to `left` devices."""

    def __init__(self, relay: TextRelay, event: RequestArrived, sender: str, left: int) -> None:
        self._relay, self._event, self._sender, self._left = relay, event, sender, left
        self._best, self._is_over = 480, False
        self._timer = asyncio.get_running_loop().call_later(PATIENCE_S, self._finish, 480)

    def arrived(self, answer: ResponseArrived) -> None:
        """What one device says; a refusal of the text itself says more than that a device was not there."""
        if answer.status < 200:
            return
        self._left -= 1
        if answer.status < 300:
            self._finish(200)
        elif answer.status in (413, 415, 486, 488, 600, 603, 606):
            self._best = answer.status
        if not self._left:
            self._finish(self._best)

    def _finish(self, status: int) -> None:
        if not self._is_over:
            self._is_over = True
            self._timer.cancel()
            self._relay.finished(self._event, self._sender, status)


def _refusal(request: Request) -> tuple[int, Extra]:
    """What is wrong with the text itself; 0 when nothing is."""
    if len(request.body) > MOST_BODY_BYTES:
        return 413, ()
    kind = request.content_type
    if request.body and (kind not in TYPES or "content-encoding" in request.headers):
        return 415, (("Accept", ", ".join(TYPES)),)
    return 0, ()
