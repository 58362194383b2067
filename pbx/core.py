"""The server's heart: events of the stack become calls, calls become legs, legs end.

It owns every live call and answers every request that no session owns.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from conf.schema import CalendarSettings
from pbx.accounts import MessageAccounts
from pbx.admission import Admission, Admitted, Denied
from pbx.app_surface import AppSurface
from pbx.apps import BARRED, App, Apps
from pbx.calendars.keeper import Calendars
from pbx.call import Call
from pbx.cause import (
    OPERATOR,
    SHUTDOWN,
    Cause,
)
from pbx.clock import Clock
from pbx.control.messages import QueueView
from pbx.directory import Directory
from pbx.encryption import Encryption
from pbx.flows import FlowFailover
from pbx.intake import Intake
from pbx.isolation import may_call
from pbx.leg import Leg
from pbx.location import Location
from pbx.mailbox_settings import MailboxSettings
from pbx.mailboxes import Mailboxes
from pbx.masks import Masks
from pbx.media_endpoint import MediaAddress, MediaRefused
from pbx.media_ports import make_ports
from pbx.media_session import MediaSession
from pbx.notifier import Notifier
from pbx.office_sound import OfficeSound
from pbx.originate import Originator
from pbx.outside import OutsideDialler
from pbx.party import Party
from pbx.providers import Providers
from pbx.publisher import Publisher
from pbx.push import Waker
from pbx.redirect import Redirector
from pbx.registrar import Registrar
from pbx.ringing import Ringer
from pbx.services import Services
from pbx.sip_leg import SipSide, tell
from pbx.states import States
from pbx.summaries import UnaskedSummaries
from pbx.textbox import TextPolicy
from pbx.texts import TextRelay
from pbx.transfer import Transfers
from sipcore.build import response_to
from sipcore.dialog.profile import ALLOW
from sipcore.events import (
    InviteArrived,
    InviteWithdrawn,
    ReferReceived,
    RequestArrived,
    ResponseArrived,
    SessionEnded,
    SessionEvent,
    StackEvent,
    SubscriptionEvent,
)
from sipcore.flow import Flow
from sipcore.headers.session import NamedDialog
from sipcore.presence.mwi import MessageContext
from sipcore.sdp.model import RtpFormat
from sipcore.transport.addresses import AdvertisedAddress
from sipcore.transport.driver import SipDriver
from storage.ports import CdrStore, Storage
from storage.records import Terminal

log = structlog.get_logger("pbx")
CALLS_OF_A_PHONE = 4
GREETINGS, CALENDARS = "greetings", "calendars"  # folders below the data folder
_ALLOW = f"{ALLOW}, SUBSCRIBE, MESSAGE, PUBLISH"  # outside sessions


class Pbx(AppSurface):
    """Wire it to a driver with `attach`, then feed it stack events by `handle`."""

    def __init__(
        self,
        *,
        directory: Directory,
        admission: Admission,
        location: Location,
        services: Services,
        addresses: AdvertisedAddress,
        apps: Apps,
        clock: Clock,
        waker: Waker | None = None,
        redirector: Redirector | None = None,
        system: str = "zvon",
    ) -> None:
        self.directory, self.admission, self.location = directory, admission, location
        self.services, self._addresses, self._clock = services, addresses, clock
        self.apps = apps
        self._system, self._log = system, log.bind()
        services.sound = OfficeSound.of(directory.office)
        services.prompts.office_changed(directory.office.language)
        self._started = int(clock.wall())
        self._count = 0
        self.calls: dict[str, Call] = {}
        self.transfers = Transfers(self)
        self._intake = Intake(self, redirector)
        self.waker = waker or Waker(None, services.bus, 0.0)
        self.ringer, self.originator = Ringer(self, FlowFailover(location.lost)), Originator(self)
        self.draining = False
        self._driver: SipDriver | None = None
        self._registrar: Registrar | None = None
        self._notifier: Notifier | None = None
        self._texts: TextRelay | None = None
        self._summaries: UnaskedSummaries | None = None
        self._publisher: Publisher | None = None
        self._states: States | None = None
        self._cdrs: CdrStore | None = None
        self._mailboxes: Mailboxes | None = None
        self._calendars: Calendars | None = None
        self._outside: OutsideDialler | None = None

    def attach(
        self,
        driver: SipDriver,
        registrar: Registrar,
        storage: Storage,
        texts: TextPolicy,
        calendars: CalendarSettings | None = None,
    ) -> None:
        self._driver, self._registrar, self._states = driver, registrar, States(storage.states)
        self.services.masks = Masks(self._states)
        self.services.masks.office_changed(self.office)
        self._cdrs = storage.cdrs
        bus, clock, admission = self.services.bus, self._clock, self.admission
        self._texts = TextRelay(driver, self.location, lambda: admission.directory, storage.texts, clock, bus, texts)
        self._publisher = Publisher(driver, clock, bus)
        recordings = self.services.recordings_folder
        settings = MailboxSettings(storage.mailboxes, recordings.parent / GREETINGS, clock.now)
        self._mailboxes = Mailboxes(storage.voice_messages, settings, recordings, bus, clock)
        self._calendars = Calendars(clock, self._states, bus, recordings.parent / CALENDARS, calendars)
        self._calendars.office_changed(self.office)
        accounts = MessageAccounts()
        accounts.add(MessageContext.PAGER, self._texts.box.counts)
        accounts.add(MessageContext.VOICE, self._mailboxes.counts)
        self._notifier = Notifier(
            driver,
            admission,
            self.location,
            accounts,
            self._publisher.state,
            storage.subscriptions,
            bus,
            clock,
            self.apps.numbers,
            self.services.masks.shown_to,
        )
        self._summaries = UnaskedSummaries(
            driver, self.location, lambda: admission.directory, accounts, self._notifier.summarises, bus
        )

    def attach_lines(self, lines: Providers) -> None:
        """Calls come and go over these lines."""
        self.admission.lines, self._outside = lines, OutsideDialler(self, lines)

    @property
    def outside(self) -> OutsideDialler:
        assert self._outside is not None
        return self._outside

    @property
    def driver(self) -> SipDriver:
        assert self._driver is not None
        return self._driver

    @property
    def notifier(self) -> Notifier:
        assert self._notifier is not None
        return self._notifier

    @property
    def mailboxes(self) -> Mailboxes:
        assert self._mailboxes is not None
        return self._mailboxes

    @property
    def calendars(self) -> Calendars:
        assert self._calendars is not None
        return self._calendars

    @property
    def texts(self) -> TextRelay:
        assert self._texts is not None
        return self._texts

    @property
    def publisher(self) -> Publisher:
        assert self._publisher is not None
        return self._publisher

    # --- events of the stack ----------------------------------------------------------------------------------

    def handle(self, event: StackEvent) -> None:
        """Act on one event; never waits."""
        match event:
            case InviteArrived():
                self._intake.invite(event)
            case RequestArrived():
                self._request(event)
            case ResponseArrived() if callable(event.user):
                event.user(event)
            case InviteWithdrawn() | ResponseArrived():
                pass  # an INVITE that never became a call; answers nobody waits for
            case _ if isinstance(event, SubscriptionEvent):
                self.notifier.receive(event)
            case _:
                self._session_event(event)

    def _session_event(self, event: SessionEvent) -> None:
        leg = event.session.user
        if not isinstance(leg, Leg):
            return
        if isinstance(event, SessionEnded) and self.ringer.rings_again(leg, event):
            return
        if isinstance(event, ReferReceived):
            self.transfers.refer(leg, event)
        else:
            tell(leg, event)
        if isinstance(event, SessionEnded):
            event.session.user = None  # nothing more is told of it

    def _request(self, event: RequestArrived) -> None:
        request = event.request
        if request.method == "REGISTER":
            assert self._registrar is not None
            self._registrar.receive(event)
        elif request.method == "OPTIONS":
            extra = [("Allow", _ALLOW), ("Accept", "application/sdp"), ("Allow-Events", self.notifier.packages)]
            self.answer(event, 200, extra=extra)
        else:
            verdict = self.admission.check(request, event.flow)
            if isinstance(verdict, Admitted) and self.directory.provider_behind(verdict.terminal) is not None:
                self.answer(event, 403)  # it carries calls, and is nobody of the office
            elif isinstance(verdict, Admitted) and request.method == "REFER":
                self.answer(event, 481 if request.to_tag else 403)  # only who is in a call can transfer it
            elif isinstance(verdict, Admitted) and request.method == "SUBSCRIBE":
                self.notifier.subscribe(event, verdict.terminal)
            elif isinstance(verdict, Admitted) and request.method == "MESSAGE" and not request.to_tag:
                self.texts.receive(event, verdict.terminal)
            elif isinstance(verdict, Admitted) and request.method == "PUBLISH" and not request.to_tag:
                self.publisher.receive(event, verdict.terminal)
            elif isinstance(verdict, Admitted):
                self.answer(event, 405, [("Allow", _ALLOW)])
            else:
                self.deny(event, verdict)

    def answer(
        self, event: RequestArrived | InviteArrived, status: int, extra: list[tuple[str, str]] | None = None
    ) -> None:
        stack = self.driver.stack
        response = response_to(event.request, status, to_tag=stack.stateless_tag(event.request), extra=extra or ())
        stack.respond(event.key, response, self.driver.now())

    def deny(self, event: RequestArrived | InviteArrived, verdict: Denied) -> None:
        """Refuse a request of who is not admitted."""
        stack = self.driver.stack
        response = response_to(
            event.request, verdict.status, to_tag=stack.stateless_tag(event.request), extra=verdict.extra
        )
        stack.respond(event.key, response, self.driver.now(), keep=not verdict.challenge)

    # --- a new call -------------------------------------------------------------------------------------------

    def new_call(self, to: Party, origin: Call | None = None, near: Call | None = None) -> Call:
        """A call that is ours to run and to end; with `origin` one that goes on from there, with `near` one whose
        media may have to meet those of that call."""
        self._count += 1
        call = Call(f"{self._system}-{self._started}.{self._count}", to, self.services, origin, near)
        self.calls[call.id] = call
        return call

    def near(self, *numbers: str) -> Call | None:
        """A call that one of these terminals takes part in: its next one goes to the same media worker, so that a
        transfer can join both. Not for gateways, whose many calls are spread over all workers."""
        active = self.services.active
        for number in numbers:
            if 0 < active.count(number) <= CALLS_OF_A_PHONE:
                return self.calls.get(active.calls_of(number)[0])
        return None

    def leg_of_dialog(self, named: NamedDialog) -> Leg | None:
        """The living leg whose dialog with its phone a Replaces or a Join names (RFC 3891 §3)."""
        session = self.driver.stack.session_under(named.call_id, named.to_tag)
        leg = session.user if session is not None else None
        if not isinstance(leg, Leg) or leg.is_ended or not isinstance(leg.side, SipSide):
            return None
        return leg if named.from_tag in leg.side.peer_tags else None

    def run(self, call: Call, app: Callable[[Call], Awaitable[Cause]], then: Callable[[], None]) -> None:
        """Let `app` control a call of `new_call`; `then` is called when nothing of it is left."""

        def done(ended: Call) -> None:
            then()
            self.call_done(ended)

        call.run(app, done)

    def dialled_app(self, caller: Terminal, number: str) -> tuple[Party, App | None]:
        """Who is behind a number that a terminal dials, and the app that handles the call: that of barred calls where
        the terminal may not call the number."""
        to, app = self.apps.find(self.directory, number)
        if not may_call(self.directory, caller.number, to.number):
            app = self.apps.services.get(BARRED)
        return to, app

    def route(self, target: str) -> tuple[Party, App | None]:
        """Who is behind a target of the office, and the app that handles calls to it."""
        return self.apps.find_target(self.directory, target)

    def call_done(self, call: Call) -> None:
        """Nothing of a call is left."""
        self.calls.pop(call.id, None)
        self._log.debug(
            "call ended",
            call=call.id,
            caller=call.caller.party.number if call.has_caller else "",
            to=call.to.number,
            cause=call.cause.name if call.cause is not None else "",
            seconds=round(self._clock.wall() - call.started_at, 1),
        )

    def formats_for(self, caller: Leg) -> tuple[RtpFormat, ...]:
        """What the party that shall talk to the caller may use."""
        media, codecs = caller.media, self.services.codecs
        return codecs.for_whom_talks(media.codec) if caller.is_answered else codecs.for_peer(media.offered_formats)

    def queues(self) -> Sequence[QueueView]:
        """Who waits where, and what the agents do."""
        return self.apps.queues(self)

    # --- media ------------------------------------------------------------------------------------------------

    def media_for(
        self,
        call: Call,
        flow: Flow,
        peer: str,
        encryption: Encryption,
        dtmf: str,
        *,
        codecs: tuple[str, ...] = (),
        is_outside: bool = False,
    ) -> MediaSession:
        """Media of a leg on that path; all legs of a call are on one media worker. A phone at `peer` behind an edge
        sends its audio to us directly. `codecs`: the only ones, none is all; `is_outside`: it leads to a provider."""
        local = flow.local[0] if peer == flow.remote[0] else self._addresses.towards(peer, "")
        address = MediaAddress(self._addresses.bind_for(local, peer), local)
        return MediaSession(
            self.services.new_id(),
            address,
            (peer,),
            self.services.codecs.only(codecs),
            group=call.media_group,
            encryption=encryption,
            silence=self.services.outside_silence if is_outside else self.services.silence,
            dtmf=dtmf,
        )

    async def create_media(self, call: Call, *others: MediaSession) -> None:
        """Ports for the caller and the others in one exchange with the engine; raises `MediaRefused`."""
        callers = (call.caller.media,) if call.has_caller else ()
        if others and callers:
            call.caller.others.expect(call.caller)
        try:
            await make_ports(self.services, *callers, *others)
        except MediaRefused as refusal:
            self.services.submit(*(command for media in others for command in media.destroying()))
            call.log.error("no media ports for the call", why=str(refusal))
            raise

    # --- life -------------------------------------------------------------------------------------------------

    def hangup(self, call_id: str) -> bool:
        """End a call from outside; False when there is none with that id."""
        call = self.calls.get(call_id)
        if call is None:
            return False
        call.end(OPERATOR)
        return True

    async def drain(self, timeout_s: float) -> None:
        """Take no new calls; wait for those in progress."""
        self.draining = True
        await self._until_ended(timeout_s)

    async def restore(self) -> None:
        """Go on with what waited before the restart."""
        await self.texts.box.restore()
        await self.notifier.restore()
        await self.mailboxes.restore()
        await self.begin()

    async def begin(self) -> None:
        """Let features know of the server, before the first call."""
        await self.states.restore()
        self.calendars.announce()
        for observer in self.apps.observers:
            await observer.begin(self)

    async def finish(self) -> None:
        """Calls have ended, and the server does."""
        for observer in self.apps.observers:
            await observer.end()

    async def sweep(self) -> None:
        """What is due every few seconds."""
        self.publisher.sweep()
        self.calendars.sweep()
        await self.texts.box.sweep()

    def office_changed(self, directory: Directory) -> None:
        """Another office is in force from now on; calls go on."""
        self.directory = self.admission.directory = directory
        self.services.sound = OfficeSound.of(directory.office)
        self.services.prompts.office_changed(directory.office.language)
        self.services.masks.office_changed(directory.office)
        self.calendars.office_changed(directory.office)
        self.notifier.office_changed()
        self.texts.office_changed()
        self.publisher.keep_only([terminal.number for terminal in directory.office.terminals if not terminal.disabled])

    async def end_all(self) -> None:
        """End every call; texts and subscriptions wait for the next start."""
        self.draining = True
        self.notifier.close()
        for call in list(self.calls.values()):
            call.end(SHUTDOWN)
        await self.texts.close()
        if self._summaries is not None:
            self._summaries.close()
        await self._until_ended(5.0)
        await self.finish()

    async def _until_ended(self, timeout_s: float) -> None:
        waits = [asyncio.ensure_future(call.wait()) for call in self.calls.values()]
        if waits:
            await asyncio.wait(waits, timeout=timeout_s)
        for wait in waits:
            wait.cancel()

    def describe(self) -> dict[str, object]:
        return {
            "calls": len(self.calls),
            "legs": len(self.services.legs),
            "draining": self.draining,
            **self._intake.describe(),
        }
