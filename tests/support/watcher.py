"""A phone's busy lamps: subscriptions of a `Phone`, everything they were notified of, and a strict reader of it."""

import asyncio
from dataclasses import dataclass
from xml.etree import ElementTree

from sipcore.build import new_request, response_to
from sipcore.dialog.dialog import Dialog
from sipcore.events import RequestArrived, ResponseArrived
from sipcore.headers import Event, SubscriptionState
from sipcore.message import Request, Response
from sipcore.uri import SipUri
from tests.support.ua import Phone

DIALOG = "{urn:ietf:params:xml:ns:dialog-info}"
PIDF = "{urn:ietf:params:xml:ns:pidf}"
REGINFO = "{urn:ietf:params:xml:ns:reginfo}"


@dataclass(frozen=True, slots=True)
class Lamp:
    """One dialog of a dialog-info document."""

    state: str
    direction: str = ""
    remote: str = ""
    name: str = ""
    held: bool = False


def lamps(body: bytes) -> list[Lamp]:
    """The dialogs of a document that are not terminated; raises when it is no valid XML."""
    root = ElementTree.fromstring(body)
    assert root.tag == f"{DIALOG}dialog-info"
    assert root.attrib["state"] == "full"
    found = []
    for dialog in root.findall(f"{DIALOG}dialog"):
        state = dialog.findtext(f"{DIALOG}state") or ""
        if state == "terminated":
            continue
        identity = dialog.find(f"{DIALOG}remote/{DIALOG}identity")
        assert identity is not None
        user = (identity.text or "").removeprefix("sip:").partition("@")[0]
        held = dialog.find(f"{DIALOG}local/{DIALOG}target/{DIALOG}param") is not None
        found.append(Lamp(state, dialog.attrib["direction"], user, identity.attrib.get("display", ""), held))
    return found


def version_of(body: bytes) -> int:
    return int(ElementTree.fromstring(body).attrib["version"])


class Watcher:
    """All subscriptions of one phone; NOTIFYs are answered with `answers` (None: not at all), a 503 with
    `retry_after_s` where that is set."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.answers: int | None = 200
        self.retry_after_s = 0
        self.subscriptions: list[Watched] = []
        phone.on_request = self._request

    async def watch(self, number: str, package: str = "dialog", *extra: tuple[str, object]) -> "Watched":
        """Subscribe; the final answer is in `.response`."""
        watched = Watched(self, number, package)
        self.subscriptions.append(watched)
        await watched.subscribe(600, *extra)
        return watched

    def _request(self, event: RequestArrived) -> None:
        request, stack = event.request, self.phone.stack
        if request.method != "NOTIFY":
            stack.respond(event.key, response_to(request, 405), self.phone.driver.now())
            return
        found = [each for each in self.subscriptions if each.tag == request.to.tag]
        status = self.answers
        if not found:
            status = 481
        elif status == 200:
            found[0].take(request)
        if status is not None:
            extra = [("Retry-After", self.retry_after_s)] if status == 503 and self.retry_after_s else []
            stack.respond(event.key, response_to(request, status, extra=extra), self.phone.driver.now())


class Watched:
    """One subscription as its phone sees it."""

    def __init__(self, watcher: Watcher, number: str, package: str) -> None:
        self.watcher, self.phone, self.number, self.package = watcher, watcher.phone, number, package
        self.call_id, self.tag = self.phone.stack.ids.call_id(), self.phone.stack.ids.tag()
        self.notifies: list[Request] = []
        self.dialog: Dialog | None = None
        self.response: Response | None = None
        self._cseq = 0

    async def subscribe(self, expires: int | None, *extra: tuple[str, object]) -> Response:
        """A SUBSCRIBE, the first or another one; a challenge is answered."""
        response = await self._send(expires, extra, authorize=False)
        if response.status == 401:
            self.phone._learn(response)
            response = await self._send(expires, extra, authorize=True)
        self.response = response
        return response

    async def _send(self, expires: int | None, extra: tuple[tuple[str, object], ...], *, authorize: bool) -> Response:
        phone, uri = self.phone, f"sip:{self.number}@{self.phone.server[0]}"
        fields: list[tuple[str, object]] = [("Event", self.package), ("Contact", phone.contact), *extra]
        fields += [] if expires is None else [("Expires", expires)]
        if self.dialog is not None:
            request = self.dialog.request("SUBSCRIBE", extra=fields)
        else:
            self._cseq += 1
            fields += [("Authorization", phone.credentials("SUBSCRIBE", uri))] if authorize else []
            request = new_request(
                "SUBSCRIBE",
                SipUri.parse(uri),
                from_=f"{phone.aor};tag={self.tag}",
                to=f"<{uri}>",
                call_id=self.call_id,
                cseq=self._cseq,
                extra=fields,
            )
        done: asyncio.Future[ResponseArrived] = asyncio.get_running_loop().create_future()
        phone.stack.send(request, phone.flow, phone.driver.now(), user=done)
        phone.driver.kick()
        arrived = await done
        assert arrived.response is not None, f"no answer: {arrived.status}"
        if arrived.response.status == 200 and self.dialog is None:
            self.dialog = Dialog.as_uac(request, arrived.response, phone.flow)
        return arrived.response

    def take(self, request: Request) -> None:
        assert (request.headers.first(Event) or Event("")).package == Event.parse(self.package).package
        self.notifies.append(request)

    @property
    def status(self) -> int:
        assert self.response is not None
        return self.response.status

    @property
    def bodies(self) -> list[bytes]:
        return [notify.body for notify in self.notifies]

    @property
    def state(self) -> SubscriptionState:
        """Of the last NOTIFY."""
        found = self.notifies[-1].headers.first(SubscriptionState)
        assert found is not None
        return found

    @property
    def lamps(self) -> list[Lamp]:
        """The dialogs of the last document."""
        return lamps(self.bodies[-1])

    @property
    def story(self) -> list[str]:
        """States one after the other, equal neighbours once; `idle` for none."""
        told = [" ".join(lamp.state for lamp in lamps(body)) or "idle" for body in self.bodies]
        return [state for at, state in enumerate(told) if at == 0 or told[at - 1] != state]
