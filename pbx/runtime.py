"""One phone server: what it is made of, the order of its start, how it is asked and how it ends."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from conf.export import export_office
from conf.schema import Settings, SipSettings
from media.api import MediaEngine
from pbx.admission import Admission
from pbx.apps import Apps
from pbx.archive import EXPORTS, Archive
from pbx.backups import Backups
from pbx.bans import Ban
from pbx.bus import Bus
from pbx.cdr import CdrRecorder
from pbx.challenger import Challenger
from pbx.clerk import Clerk
from pbx.clock import Clock
from pbx.codecs import Codecs
from pbx.control.messages import (
    CallView,
    ControlError,
    ExplainCall,
    ExplanationView,
    Intercept,
    LineView,
    Originate,
    PlanView,
    QueueView,
    RecordingFileView,
    RegistrationView,
    TraceView,
)
from pbx.control.place import DataFolderLock
from pbx.control.server import ControlServer
from pbx.control.settings import SettingsView
from pbx.conversations import Conversations
from pbx.core import Pbx
from pbx.desk import WebDesk
from pbx.device_history import DeviceHistory
from pbx.directory import Directory
from pbx.errands import Steward
from pbx.events import AddressBanned
from pbx.explain import explain, explained
from pbx.fax import FaxMachine
from pbx.firewall import Firewall, Ports
from pbx.gate import Gate
from pbx.happenings import Journal
from pbx.hearing import Recogniser
from pbx.hep import HepExporter
from pbx.history_desk import HistoryDesk
from pbx.keys import ServerKeys
from pbx.library import Library
from pbx.line import LineTerms
from pbx.listeners import Listeners
from pbx.location import SWEEP_PARTS, SWEEP_S, Location, Target
from pbx.mail.fax import FaxMail
from pbx.mail.lost import LostCallMail
from pbx.mail.mailer import Mailer
from pbx.mail.missed import MissedCallMail
from pbx.mail.reports import ReportMail
from pbx.mail.security import SecurityMail
from pbx.mail.system import SystemMail
from pbx.mail.trial import MailTrial
from pbx.mail.voicemail import VoicemailMail
from pbx.media_session import SilenceLimits
from pbx.missed import MissedCalls
from pbx.notifier import OF_NOTIFIER
from pbx.office_desk import OfficeDesk
from pbx.outward import Outward
from pbx.own_address import AddressService, OwnAddress
from pbx.prompts import PromptFolders, Prompts
from pbx.protection import border_of, rate_of, rules_of, unprotected
from pbx.providers import Providers
from pbx.push import HttpPushSender, Waker
from pbx.qualifier import Qualifier
from pbx.quality import Measured, measure
from pbx.redirect import Redirector
from pbx.registrar import OF_REGISTRAR, Registrar, RegistrationExtras
from pbx.reports.reporter import Reporter
from pbx.restarts import settings_view
from pbx.services import Services
from pbx.siptrace import CallBook, MessageRing, joined
from pbx.source import Sources
from pbx.ssh_log import SshLog
from pbx.stir.signatures import Signatures
from pbx.system_passwords import SystemPasswords
from pbx.textbox import TextPolicy
from pbx.trace_query import TraceQuery
from pbx.transfer import EXTENSIONS
from pbx.updates import Updates
from pbx.views import call_view, callee_of, registration_view
from pbx.web_border import WebBorder
from sipcore.flow import Flow
from sipcore.large import LargeRequests
from sipcore.locate import is_address
from sipcore.register.binding import RegisterPolicy
from sipcore.register.gruu import Gruus
from sipcore.stack import SipStack, StackConfig
from sipcore.transport.addresses import AdvertisedAddress
from sipcore.transport.driver import SipDriver
from sipcore.transport.random_ids import RandomIds
from sipcore.transport.resolver import LazyDns, Resolver
from storage.ports import HistoryQuery, RecordingQuery, Storage, StorageUnavailable
from storage.records import CdrRow, Office, Provider, StoredRecording

log = structlog.get_logger("zvon")

LAST_MINUTE, WHOLE_CALL = 12, 720  # records of five seconds


class Server:
    """Made on the running loop. `start` opens everything or raises `ControlError` with nothing left open."""

    def __init__(
        self,
        settings: Settings,
        lock: DataFolderLock,
        storage: Storage,
        engine: MediaEngine,
        office: Office,
        *,
        apps: Apps,
        settings_file: Path | None = None,
    ) -> None:
        self._settings, self._storage, self._engine, self.wants_restart = settings, storage, engine, False
        sip = settings.sip
        self.clock, self.bus = Clock(asyncio.get_running_loop()), Bus()
        keys = ServerKeys.load(lock.data)
        self._realm = sip.realm or keys.realm
        directory = Directory(office, self._realm)
        self.admission = _admission(settings, directory, keys, self.clock)
        self.border = border_of(settings.security, self.admission, self.clock)
        external = sip.external if is_address(sip.external) else sip.external_address
        networks = [str(network) for network in sip.local_networks]
        self._addresses = AdvertisedAddress(external, networks, sip.external_ports)
        self.location = Location(
            storage.locations, self.clock, self.bus, self._flow_to, self._is_open, Gruus(keys.derived("gruu"))
        )
        self._cdrs = CdrRecorder(self._append)
        self._cdrs.attach(self.bus)
        self.stack = SipStack(_stack_config(sip), RandomIds())
        self._ring = MessageRing(sip.trace_mb << 20, self.clock) if sip.trace_mb else None
        book = CallBook()
        book.attach(self.bus)
        self._hep = HepExporter((sip.hep.host, sip.hep.port), self.clock, book.correlation) if sip.hep else None
        self.stack.tap = joined(*(each.tap for each in (self._ring, self._hep) if each is not None))
        self._traces = TraceQuery(self._ring, book, storage, self.clock, self._measured)
        self.pbx = Pbx(
            directory=directory,
            admission=self.admission,
            location=self.location,
            services=self._services(lock.data),
            addresses=self._addresses,
            apps=apps,
            clock=self.clock,
            redirector=Redirector(self.location, self.clock) if sip.role == "redirect" else None,
            waker=_waker(sip, self.bus),
        )
        self.driver = SipDriver(self.stack, self.pbx.handle)
        self._listeners = Listeners(sip, lock.data, self.driver, self._addresses, self.border.refuses)
        policy = RegisterPolicy(sip.min_expires, sip.default_expires, sip.max_expires)
        self.gate = self._stand_before_the_stack(sip)
        self.driver.on_closed = self.location.flow_closed
        extras = RegistrationExtras(sip.flow_timer, sip.service_route, bool(sip.push_gateway))
        registrar = Registrar(self.stack, self.admission, self.location, policy, self.clock, extras)
        texts = TextPolicy(settings.texts.keep_days * 86400.0, settings.texts.most)
        self.pbx.attach(self.driver, registrar, storage, texts, settings.calendars)
        self._watch_phones(sip, storage)
        self._keep_and_tell(settings, storage, lock.data, settings_file, keys)
        self._look_outside(sip, keys)
        self._control = ControlServer(lock, self)
        self._tasks: set[asyncio.Task[None]] = set()
        self._started_at = self.clock.wall()

    def _keep_and_tell(
        self, settings: Settings, storage: Storage, data: Path, file: Path | None, keys: ServerKeys
    ) -> None:
        """What is kept of the office and of calls, and the mail about it."""
        self._settings_file = file.absolute() if file is not None else None
        self._office_desk = OfficeDesk(storage, self.clock, self.bus, lambda: self.office, self._take_over)
        self.backups = Backups(
            settings.backup, storage, data, self.clock, self.bus, lambda: self.office, self.restart, file
        )
        self.library = Library(lambda: self.office, self._office_desk, storage.versions, data, self.clock)
        self.desk = WebDesk(self._office_desk, storage, self.pbx.states, self.bus)
        folders = (data / "recordings", data / EXPORTS)
        self.archive = Archive(
            lambda: self.office.recording, storage, self.bus, self.clock, self.pbx.mailboxes, *folders
        )
        kept, masks = (lambda: self.office, self.clock, data, self.bus), self.pbx.services.masks
        self.mailer = Mailer(settings.mail, storage.letters, *kept, telegram=settings.telegram, shown_to=masks.shown_to)
        self._system_mail = SystemMail(self.mailer, self.bus)
        self._mail_trial = MailTrial(settings.mail, self.mailer, self.pbx.states, keys.derived("mail trial"))
        self._security_mail = SecurityMail(self.mailer, self.bus)
        self._system_passwords = SystemPasswords(self.pbx.states, self.bus, self.clock)
        self._updates = Updates(settings.updates, self.pbx.states, self.bus, self.clock)
        calendars = self.pbx.calendars
        self.missed = MissedCalls(
            storage.missed, lambda: self.office, lambda id: calendars.decide(id).is_open, self.bus, self.clock
        )
        self._conversations = Conversations(self.bus, MissedCallMail(self.mailer).over, self.missed.over)
        LostCallMail(self.mailer, self.bus)
        self.border.tell(self._banned)
        self._kernel: Firewall | None = None
        self._reporter = Reporter(storage, lambda: self.office, self.missed.all, self.clock.wall)
        self._history = HistoryDesk(storage.cdrs, self.archive.recordings, self.missed, lambda: self.office)
        clock, schedules = self.clock, settings.reports
        self._report_mail = ReportMail(schedules, self.mailer, self._reporter, self._history, clock, data)
        parts = (self.missed, self.pbx.originator, self._reporter, self._history)
        failures, devices = self.admission.failures, self._device_history
        self.clerk = Clerk(
            self.pbx.calendars,
            lambda: self.office,
            self.border,
            WebBorder(self.border),
            failures,
            devices,
            self.clock,
            *parts,
        )
        self._fax_mail = FaxMail(self.mailer, self.archive.converter, self.bus, data)
        self._voicemail = VoicemailMail(self.mailer, self.archive.converter, self.pbx.mailboxes, self.bus, data)

    def _services(self, data: Path) -> Services:
        media = self._settings.media
        silence = SilenceLimits(float(media.silence), float(media.silence_hold))
        prompts = Prompts(PromptFolders(data / "prompts").sets)
        codecs = Codecs(media.codecs, self._engine.codecs)
        if codecs.missing:
            log.warning("codecs without their library are only passed through", codecs=codecs.missing)
        self._faxes = FaxMachine()
        self._recogniser = Recogniser(self._settings.speech.models)
        services = Services(
            *(self._engine, self.clock, self.bus, data / "recordings", silence, prompts),
            codecs=codecs,
            hearing=self._recogniser,
            outside_silence=SilenceLimits(float(media.silence_outside), float(media.silence_outside_hold)),
            signatures=Signatures.of(self._settings.stir, data),
        )
        services.faxes = self._faxes
        return services

    def _banned(self, ban: Ban) -> None:
        self.bus.publish(AddressBanned(ban.since_at, ban.source, ban.until_at, ban.reasons))

    def _append(self, row: CdrRow) -> None:
        """A row of the history is finished."""
        self._storage.cdrs.append(row)
        self._conversations.row(row)

    def _look_outside(self, sip: SipSettings, keys: ServerKeys) -> None:
        """Names, providers, and what we are called out there."""
        self._resolver = Resolver(LazyDns([(each.host, each.port) for each in sip.dns]), self.stack.ids.fraction)
        outward = Outward(self.driver, self._resolver, self._listeners.flow_to, self._listeners.bound)
        terms = LineTerms(sip.default_expires, sip.user_agent, keys.instance)
        self.providers = Providers(terms, outward, self.stack.ids, self.clock, self.bus, self._devices)
        self.pbx.attach_lines(self.providers)
        self.errands = Steward(self.pbx, self.providers, self.mailer)
        service = AddressService(sip.external_service) if sip.external_service else None
        self._own_address = OwnAddress(sip.external, self._addresses, self._resolver, self._readdress, service)

    def _watch_phones(self, sip: SipSettings, storage: Storage) -> None:
        """Whether they answer, and what is written down of it."""
        self.qualifier = Qualifier(self.driver, self.location, self.bus, sip.qualify, sip.keepalive)
        self._device_history = DeviceHistory(self.location, self.pbx.states, self.clock, self.qualifier.latency_ms)
        self._journal = Journal(
            storage.happenings,
            self.bus,
            self.clock,
            self._has_phone,
            self.qualifier.latencies,
            lambda: self.providers.latencies(),
        )

    def _stand_before_the_stack(self, sip: SipSettings) -> Gate:
        gate = Gate(
            self._listeners.waiting,
            self.stack.holds,
            sip.scanners,
            rate=self.admission.rate,
            border=self.border,
            challenge=Challenger(self.admission, self.stack).answer,
            lag=lambda: self.driver.lag_s,
        )
        self.stack.overload, self.driver.gate = gate.report, gate.judge
        self.stack.large = LargeRequests(self._stream_to)
        return gate

    # --- life -------------------------------------------------------------------------------------------------

    async def start(self) -> str:
        """Open listeners, restore registrations; returns the listeners as the ready line names them."""
        try:
            await self._listeners.open()
            await self._own_address.start()
            restored = await self.location.restore()
            await self.pbx.restore()
            self._device_history.restore()
            await self._take_up_bans()
            await self._office_desk.start()
            await self.pbx.calendars.start()
            await self.missed.restore()
            await self.archive.start()
            await self.mailer.start()
            self._voicemail.restore()
            await self._control.start()
        except BaseException:
            await self._close()
            raise
        self._tasks.add(asyncio.ensure_future(self._sweep()))
        if ssh_log := self._settings.security.ssh_log:
            self._tasks.add(asyncio.ensure_future(SshLog(Path(ssh_log), self.border.failed_ssh).watch()))
        self.providers.apply(self.office)
        self._recogniser.apply(self.office)
        self.qualifier.start()
        self.backups.start()
        self._report_mail.start()
        self._updates.start()
        self._mail_trial.start()
        self.library.start()
        log.info("started", terminals=len(self.office.terminals), registrations=restored)
        return ",".join(self._listeners.names())

    async def _take_up_bans(self) -> None:
        """Addresses of before the restart: those of phones that are registered have proved who they are."""
        for _, binding in self.location:
            if binding.flow is not None:
                self.admission.rate.proved(binding.flow.remote[0])
        if advice := unprotected(self._settings.security):
            log.warning(advice)
        if self._settings.security.firewall and (kernel := await Firewall.open(self._ports())) is not None:
            self._kernel = kernel
            self.border.bans.outposts.append(kernel.of("sip"))
            self.border.ssh_bans.outposts.append(kernel.of("ssh"))
            self.border.on_rules.append(lambda: kernel.apply(self.border.rules.all))
        self._apply_networks()
        self.border.restore(self.pbx.states)

    def _ports(self) -> Ports:
        """What the firewall looks after."""
        web, of = self._settings.web.listen, self._listeners.ports
        sip, webrtc = of("UDP", "TCP", "TLS"), of("WS", "WSS")
        return Ports(
            sip, webrtc, self._settings.media.ports, web.port if web else None, self._settings.security.ssh_port
        )

    def _apply_networks(self) -> None:
        """Who may reach us, and who is told our own address (SEC-4), by the office in force."""
        self.border.apply(rules_of(self._settings.security, self.office))
        local = [each.network for each in self.office.networks if each.is_local]
        self._addresses.set_local([*map(str, self._settings.sip.local_networks), *local])

    async def drain(self, drain_s: float) -> None:
        """No new calls; return when those in progress have ended, after `drain_s` seconds at the latest."""
        log.info("draining", calls=len(self.pbx.calls))
        await self.pbx.drain(drain_s)

    def restart(self) -> None:
        """As SIGTERM, but that the program starts again in its place."""
        self.wants_restart = True
        os.kill(os.getpid(), signal.SIGTERM)

    async def stop(self) -> None:
        """End what is left, then close."""
        await self.pbx.end_all()
        await self.providers.stop()
        await self._say_goodbye()
        await self._close()
        log.info("stopped")

    async def _say_goodbye(self) -> None:
        """Give the last BYEs and NOTIFYs a moment to be answered."""
        for _ in range(20):
            if not self.stack.usages_alive:
                return
            await asyncio.sleep(0.05)

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self.qualifier.stop()
        self.backups.close()
        self._report_mail.close()
        self._updates.close()
        self._own_address.stop()
        await self._control.close()
        await self.pbx.calendars.close()
        self._system_mail.close()
        self._security_mail.close()
        await self._mail_trial.close()
        await self._faxes.close()
        await self._fax_mail.close()
        await self._voicemail.close()
        await self.mailer.close()
        await self.archive.close()
        await self.library.close()
        await self._recogniser.close()
        await self._resolver.close()
        await self.driver.close()
        self._listeners.close()
        if self._hep is not None:
            self._hep.close()
        if self._kernel is not None:
            await self._kernel.close()

    def _readdress(self) -> None:
        """Peers have another address of ours to use."""
        self._listeners.readdress()
        self.location.readdress()
        self.providers.renew()

    async def _sweep(self) -> None:
        while True:
            for _ in range(SWEEP_PARTS):
                await asyncio.sleep(SWEEP_S / SWEEP_PARTS)
                self.location.sweep(1 / SWEEP_PARTS)
            await self.pbx.sweep()
            self.border.sweep()
            self._device_history.sweep()
            self._system_passwords.sweep()
            self.missed.sweep()
            await self._journal.sweep()
            await self._reporter.sweep()

    # --- the operator -----------------------------------------------------------------------------------------

    @property
    def office(self) -> Office:
        return self.pbx.directory.office

    @property
    def is_quiet(self) -> bool:
        """No call is in progress."""
        return not self.pbx.calls

    async def status(self) -> dict[str, object]:
        """The live dump of every layer."""
        report = await self._engine.describe()
        return {
            "uptime_s": round(self.clock.wall() - self._started_at, 1),
            "listeners": self._listeners.names(),
            "office": {"name": self.office.name, "terminals": len(self.office.terminals)},
            "registrations": sum(1 for _ in self.location),
            "calls": self.pbx.describe(),
            "subscriptions": self.pbx.notifier.describe(),
            "publications": self.pbx.publisher.describe(),
            "texts": self.pbx.texts.box.describe(),
            "mail": self.mailer.describe(),
            "voicemail": self.pbx.mailboxes.describe(),
            "calendars": self.pbx.calendars.describe(),
            "missed": self.missed.describe(),
            "recordings": self.archive.recordings.describe(),
            "retention": self.archive.retention.describe(),
            "push": self.pbx.waker.describe(),
            "sip": self.stack.describe(),
            "trace": self._ring.describe() if self._ring is not None else {},
            "hep": self._hep.describe() if self._hep is not None else {},
            "transport": self.driver.describe(),
            "lines": self.providers.describe(),
            "phones": self.qualifier.describe(),
            "address": self._own_address.describe(),
            "dns": self._resolver.describe(),
            "overload": self.gate.describe(),
            "guessing": self.admission.guard.describe(),
            "security": self.border.describe(),
            "prompts": self.pbx.prompts.describe(),
            "media": {name: getattr(report, name) for name in report.__dataclass_fields__},
            "backups": self.backups.describe(),
            "events": self.desk.events.describe(),
            "history": self._cdrs.describe(),
            "storage": self._storage.describe(),
        }

    async def registrations(self) -> list[RegistrationView]:
        latency_ms = self.qualifier.latency_ms
        return [
            registration_view(number, binding, self.clock, latency_ms(number, binding))
            for number, binding in self.location
        ]

    async def calls(self) -> list[CallView]:
        calls = list(self.pbx.calls.values())
        legs = [leg for call in calls for leg in (call.caller, callee_of(call)) if leg is not None and leg.is_answered]
        measured = await measure(self._engine, legs, LAST_MINUTE)
        return [call_view(call, self.clock, measured) for call in calls]

    async def queues(self) -> list[QueueView]:
        return list(self.pbx.queues())

    async def lines(self) -> list[LineView]:
        return list(self.providers.views())

    async def history(self, query: HistoryQuery) -> Sequence[CdrRow]:
        return await self._history.rows(query)

    async def trace(self, wanted: str, with_secrets: bool) -> TraceView:
        return await self._traces.trace(wanted, with_secrets=with_secrets)

    async def _measured(self, call_id: str) -> Mapping[int, Measured]:
        """What is known of the legs of a call that goes on."""
        call = self.pbx.calls.get(call_id)
        answered = [leg for leg in call.legs if leg.is_answered] if call is not None else []
        return await measure(self._engine, answered, WHOLE_CALL)

    async def hangup(self, call_id: str) -> bool:
        return self.pbx.hangup(call_id)

    async def originate(self, wanted: Originate) -> str:
        return self.pbx.originator.originate(wanted)

    async def intercept(self, wanted: Intercept) -> str:
        return self.pbx.originator.intercept(wanted)

    async def transfer(self, call_id: str, to_number: str) -> str:
        return self.pbx.originator.transfer(call_id, to_number)

    async def explain(self, asked: ExplainCall) -> ExplanationView:
        if not asked.to_number:
            return explained(self.pbx, asked.from_number, asked.language)
        return explain(self.pbx, asked.from_number, asked.to_number, asked.at, asked.language)

    async def plan(self, text: str, source_name: str) -> PlanView:
        return self._office_desk.plan(text, source_name)

    async def apply(self, text: str, source_name: str) -> PlanView:
        return await self._office_desk.apply(text, source_name)

    async def export(self, with_secrets: bool) -> str:
        return export_office(self.office, with_secrets=with_secrets)

    async def recordings(self, query: RecordingQuery) -> Sequence[StoredRecording]:
        try:
            return await self._storage.recordings.query(query)
        except StorageUnavailable as error:
            raise ControlError(str(error)) from None

    async def export_recording(self, id: str) -> RecordingFileView:
        return await self.archive.as_mp3(id, self.office.timezone)

    async def settings(self) -> SettingsView:
        return await asyncio.to_thread(settings_view, self._settings, self._settings_file, len(self.pbx.calls))

    async def test_mail(self, address: str) -> str:
        return await self.mailer.test(address)

    def _devices(self, provider: Provider) -> Sequence[Target]:
        """Where the device of a provider is that registers here."""
        return self.location.targets(Directory.account_of(provider))

    def _has_phone(self, number: str) -> bool:
        terminal = self.pbx.directory.terminal(number)
        return terminal is not None and bool(self.location.targets(terminal))

    def _stream_to(self, flow: Flow) -> Flow | None:
        return self._flow_to("TCP", *flow.remote)

    def _flow_to(self, transport: str, host: str, port: int) -> Flow | None:
        return self._listeners.flow_to(transport, host, port)

    def _is_open(self, flow: Flow) -> bool:
        return self.driver.is_open(flow)

    def _take_over(self, office: Office) -> None:
        directory = Directory(office, self._realm)
        for number in {number for number, _ in self.location}:
            if not directory.is_account(number):
                self.location.forget(number)
        before = self.office.networks
        self.pbx.office_changed(directory)
        if office.networks != before:
            self._apply_networks()
            self._readdress()
        self.providers.apply(office)
        self._recogniser.apply(office)


def _admission(settings: Settings, directory: Directory, keys: ServerKeys, clock: Clock) -> Admission:
    sip = settings.sip
    rate = rate_of(sip, settings.security, len(directory.office.terminals))
    return Admission(directory, keys.nonce_bytes, clock, sip.digest, source_rate=rate, sources=Sources(sip.edges))


def _waker(sip: SipSettings, bus: Bus) -> Waker:
    return Waker(HttpPushSender(sip.push_gateway) if sip.push_gateway else None, bus, sip.push_wait)


def _stack_config(sip: SipSettings) -> StackConfig:
    return StackConfig(
        agent=sip.user_agent,
        extensions=EXTENSIONS | {"100rel"} if sip.prack else EXTENSIONS,
        further={"REGISTER": OF_REGISTRAR, "SUBSCRIBE": OF_NOTIFIER},
        session_expires_s=sip.session_expires,
        min_se_s=sip.min_se,
    )
