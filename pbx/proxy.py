"""The edge: a stateful proxy in front of Zvon nodes that keeps the flows of phones (`[sip] role = "proxy"`).

It forwards and nothing else: who may call, what is registered and what is talked about is the business of the nodes.
"""

import asyncio
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import structlog

from conf.schema import Settings
from pbx.clock import Clock
from pbx.control.backups import BackupKeeper
from pbx.control.clerk import Answers
from pbx.control.desk import Desk
from pbx.control.errands import Errands
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
from pbx.control.sounds import Librarian
from pbx.edge_routes import EdgeRouter
from pbx.gate import Gate
from pbx.hep import HepExporter
from pbx.keys import ServerKeys
from pbx.listeners import Listeners
from pbx.nodes import Nodes
from pbx.protection import rate_of
from pbx.restarts import settings_view
from pbx.siptrace import CallBook, MessageRing, joined
from pbx.source_rate import SourceRate
from pbx.trace_query import TraceQuery
from sipcore.flow import Flow
from sipcore.proxy.proxy import SipProxy
from sipcore.proxy.token import FlowTokens
from sipcore.stack_config import StackConfig
from sipcore.transport.addresses import AdvertisedAddress
from sipcore.transport.driver import LayerDriver
from sipcore.transport.random_ids import RandomIds
from storage.ports import HistoryQuery, RecordingQuery, Storage
from storage.records import CdrRow, StoredRecording

EXTENSIONS = frozenset({"path", "outbound", "gruu"})
DRAIN_STEP_S = 0.05
log = structlog.get_logger("edge")


class EdgeServer:
    """Made on the running loop. `start` opens everything or raises `ControlError` with nothing left open. `nothing`
    is a storage without calls, for `zvon trace`; `file` is the zvon.toml of the settings, if there is one."""

    def __init__(self, settings: Settings, lock: DataFolderLock, nothing: Storage, file: Path | None = None) -> None:
        sip = settings.sip
        self._settings, self._file = settings, file.absolute() if file is not None else None
        self.clock = Clock(asyncio.get_running_loop())
        networks = [str(network) for network in sip.local_networks]
        self._addresses = AdvertisedAddress(sip.external, networks, sip.external_ports)
        tokens = FlowTokens(ServerKeys.load(lock.data).derived("flow tokens"), secrets.token_hex(4))
        self._rate = SourceRate(rate_of(sip, settings.security))
        self.nodes = Nodes(sip.nodes, lambda *peer: self._listeners.flow_to(*peer), sip.domains)
        self.router = EdgeRouter(
            self.nodes,
            tokens,
            external=sip.external,
            is_open=lambda flow: self.driver.is_open(flow),
            datagrams=self._datagrams,
            is_our_port=lambda port: self._listeners.has_port(port),
            proved=self._rate.proved,
        )
        self.proxy = SipProxy(StackConfig(agent=sip.user_agent), RandomIds(), self.router, EXTENSIONS)
        self.driver = LayerDriver(self.proxy, self.nodes.handle)
        self._listeners = Listeners(sip, lock.data, self.driver, self._addresses)
        self._ring = MessageRing(sip.trace_mb << 20, self.clock) if sip.trace_mb else None
        book = CallBook()
        self._hep = HepExporter((sip.hep.host, sip.hep.port), self.clock, book.correlation) if sip.hep else None
        self.proxy.tap = joined(*(each.tap for each in (self._ring, self._hep) if each is not None))
        self._traces = TraceQuery(self._ring, book, nothing, self.clock)
        self.gate = Gate(
            self._listeners.waiting, self.proxy.holds, sip.scanners, rate=self._rate, lag=lambda: self.driver.lag_s
        )
        self.proxy.overload, self.driver.gate = self.gate.report, self.gate.judge
        self._control = ControlServer(lock, self)
        self._started_at = self.clock.wall()

    # --- life -------------------------------------------------------------------------------------------------

    async def start(self) -> str:
        """Open the listeners; returns them as the ready line names them."""
        try:
            await self._listeners.open()
            await self._control.start()
        except BaseException:
            await self._close()
            raise
        self.nodes.start(self.driver)
        log.info("started", nodes=self.nodes.names)
        return ",".join(self._listeners.names())

    @property
    def is_quiet(self) -> bool:
        """No request is under way."""
        return not self.proxy.pending

    async def drain(self, drain_s: float) -> None:
        """Nothing new; return when what is under way has its answer. Calls go on without us until they end."""
        log.info("draining", requests=self.proxy.pending)
        self.router.is_draining = True
        for _ in range(int(drain_s / DRAIN_STEP_S)):
            if not self.proxy.pending:
                return
            await asyncio.sleep(DRAIN_STEP_S)

    async def stop(self) -> None:
        await self._close()
        log.info("stopped")

    async def _close(self) -> None:
        self.nodes.close()
        await self._control.close()
        await self.driver.close()
        self._listeners.close()
        if self._hep is not None:
            self._hep.close()

    # --- what the router asks ---------------------------------------------------------------------------------

    def _datagrams(self, local: tuple[str, int], remote: tuple[str, int]) -> Flow | None:
        """Our flow to a peer from the address that it knows."""
        for listener in self._listeners.of("UDP"):
            flow = listener.flow_to(*remote)
            if flow.local == local:
                return flow
        return None

    # --- the operator -----------------------------------------------------------------------------------------

    async def status(self) -> dict[str, object]:
        """The live dump of every layer."""
        return {
            "role": "proxy",
            "uptime_s": round(self.clock.wall() - self._started_at, 1),
            "listeners": self._listeners.names(),
            "nodes": self.nodes.describe(),
            "sip": self.proxy.describe(),
            "trace": self._ring.describe() if self._ring is not None else {},
            "hep": self._hep.describe() if self._hep is not None else {},
            "transport": self.driver.describe(),
            "overload": self.gate.describe(),
        }

    @property
    def desk(self) -> Desk:
        _ask_a_node()

    @property
    def clerk(self) -> Answers:
        _ask_a_node()

    @property
    def backups(self) -> BackupKeeper:
        _ask_a_node()

    @property
    def library(self) -> Librarian:
        _ask_a_node()

    @property
    def errands(self) -> Errands:
        _ask_a_node()

    async def trace(self, wanted: str, with_secrets: bool) -> TraceView:
        return await self._traces.trace(wanted, with_secrets=with_secrets)

    async def registrations(self) -> list[RegistrationView]:
        _ask_a_node()

    async def calls(self) -> list[CallView]:
        _ask_a_node()

    async def queues(self) -> list[QueueView]:
        _ask_a_node()

    async def lines(self) -> list[LineView]:
        _ask_a_node()

    async def history(self, query: HistoryQuery) -> Sequence[CdrRow]:
        _ask_a_node()

    async def hangup(self, call_id: str) -> bool:
        _ask_a_node()

    async def originate(self, wanted: Originate) -> str:
        _ask_a_node()

    async def intercept(self, wanted: Intercept) -> str:
        _ask_a_node()

    async def transfer(self, call_id: str, to_number: str) -> str:
        _ask_a_node()

    async def explain(self, asked: ExplainCall) -> ExplanationView:
        _ask_a_node()

    async def plan(self, text: str, source_name: str) -> PlanView:
        _ask_a_node()

    async def apply(self, text: str, source_name: str) -> PlanView:
        _ask_a_node()

    async def export(self, with_secrets: bool) -> str:
        _ask_a_node()

    async def recordings(self, query: RecordingQuery) -> Sequence[StoredRecording]:
        _ask_a_node()

    async def export_recording(self, id: str) -> RecordingFileView:
        _ask_a_node()

    async def test_mail(self, address: str) -> str:
        _ask_a_node()

    async def settings(self) -> SettingsView:
        return await asyncio.to_thread(settings_view, self._settings, self._file, 0)


def _ask_a_node() -> NoReturn:
    raise ControlError('this server is an edge ([sip] role = "proxy") and has no office and no calls; ask a node')
