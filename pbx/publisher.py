"""Presence that phones publish of their users: PUBLISH, RFC 3903. A phone speaks for its own number only.

Nothing is stored: after a restart a refresh is answered 412 and the phone publishes anew (§4.2).
"""

from collections.abc import Collection

from pbx.addressing import dialled
from pbx.bus import Bus
from pbx.clock import Clock
from pbx.events import PresencePublished
from sipcore.build import Extra, response_to
from sipcore.errors import ParseError
from sipcore.events import RequestArrived
from sipcore.grammar import is_token
from sipcore.headers import Event, Expires
from sipcore.message import Request
from sipcore.presence.pidf import CONTENT_TYPE
from sipcore.presence.pidf_read import PublishedPresence, composed, parse_pidf
from sipcore.presence.publication import Publication, PublicationPolicy, apply_publish
from sipcore.transport.driver import SipDriver
from storage.records import Terminal

PACKAGE = "presence"
POLICY = PublicationPolicy()
NOTHING = PublishedPresence()


class Publisher:
    """One per server."""

    def __init__(self, driver: SipDriver, clock: Clock, bus: Bus) -> None:
        self._driver, self._clock, self._bus = driver, clock, bus
        self._published: dict[str, tuple[Publication, ...]] = {}
        self._said: dict[str, PublishedPresence] = {}  # to watchers

    def state(self, number: str) -> PublishedPresence:
        """What the devices of a number say of its user now."""
        now = self._clock.now()
        return composed([each.state for each in self._published.get(number, ()) if each.expires_at > now])

    def receive(self, event: RequestArrived, sender: Terminal) -> None:
        """Answer a PUBLISH of `sender`."""
        request = event.request
        try:
            status, extra = self._publish(event, sender)
        except ParseError as error:
            status, extra = error.status, ()
        stack = self._driver.stack
        response = response_to(request, status, to_tag=stack.stateless_tag(request), extra=extra)
        stack.respond(event.key, response, self._driver.now())

    def sweep(self) -> None:
        """Drop what has expired; called every few seconds."""
        now = self._clock.now()
        for number, found in list(self._published.items()):
            alive = tuple(each for each in found if each.expires_at > now)
            if len(alive) < len(found):
                self._replace(number, alive)

    def keep_only(self, numbers: Collection[str]) -> None:
        """Forget what was said of numbers that are gone."""
        for number in set(self._published) - set(numbers):
            self._replace(number, ())

    def describe(self) -> int:
        """How many publications are in force."""
        return sum(map(len, self._published.values()))

    def _publish(self, event: RequestArrived, sender: Terminal) -> tuple[int, Extra]:
        request, number = event.request, sender.number
        package, expires = request.headers.first(Event), request.headers.first(Expires)
        if package is None or package.package.lower() != PACKAGE:
            return 489, [("Allow-Events", PACKAGE)]
        if dialled(request) != number:
            return 403, ()
        if request.body and (request.content_type != CONTENT_TYPE or "content-encoding" in request.headers):
            return 415, [("Accept", CONTENT_TYPE)]
        etag = self._driver.stack.ids.tag()
        result = apply_publish(
            self._published.get(number, ()),
            if_match=_if_match(request),
            state=parse_pidf(request.body) if request.body else None,
            expires=None if expires is None else expires.value,
            etag=etag,
            source=f"{event.flow.transport} {event.flow.remote}",
            now=self._clock.now(),
            policy=POLICY,
        )
        if result.status == 200:
            self._replace(number, result.publications)
            return 200, [("SIP-ETag", etag), ("Expires", result.lifetime_s)]
        return result.status, [("Min-Expires", POLICY.min_s)] if result.status == 423 else ()

    def _replace(self, number: str, publications: tuple[Publication, ...]) -> None:
        if publications:
            self._published[number] = publications
        else:
            self._published.pop(number, None)
        state = composed([each.state for each in publications])
        if state != self._said.pop(number, NOTHING):
            self._bus.publish(PresencePublished(self._clock.wall(), number))
        if state != NOTHING:
            self._said[number] = state


def _if_match(request: Request) -> str | None:
    """The entity tag that a PUBLISH is about; raises `ParseError` when it is none."""
    found = request.headers.get("sip-if-match")
    if found is not None and not is_token(found.strip(" \t")):
        raise ParseError("the SIP-If-Match is no entity tag")
    return None if found is None else found.strip(" \t")
