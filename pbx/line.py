"""One line to a provider: its registration, its health, its state for people (PRV-3, PRV-6, PRV-7, PRV-8, PRV-13)."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from ipaddress import ip_address, ip_network

import structlog

from frozen import dataclass
from pbx.health import Health
from pbx.location import Target
from pbx.outward import Outward
from sipcore.auth.client import Account, DigestClient
from sipcore.build import new_request
from sipcore.exchange import Exchange
from sipcore.flow import Flow
from sipcore.ids import IdSource
from sipcore.locate import DEAD_S, NextHop
from sipcore.message import Request, Response
from sipcore.register.client import (
    TRY_S,
    Ask,
    ClientRegistration,
    Dead,
    Locate,
    RegistrationPlan,
    State,
    Steps,
)
from sipcore.uri import SipUri
from storage.records import Provider

log = structlog.get_logger("line")
PATIENCE_S = 3.0  # PRV-7
LOOK_S = 300.0
HEARD_S = 4.0
TRANSPORTS = {"any": ("UDP", "TCP"), "udp": ("UDP",), "tcp": ("TCP",), "tls": ("TLS",)}


@dataclass(frozen=True, slots=True)
class LineTerms:
    """What all lines share: how long a registration shall live, who we are."""

    expires_s: int
    agent: str
    instance: str = ""


class Line:
    """`changed` is called whenever `state` or `error` may be another one."""

    def __init__(
        self,
        provider: Provider,
        terms: LineTerms,
        outward: Outward,
        ids: IdSource,
        changed: Callable[["Line"], None],
        devices: Callable[[], Sequence[Target]] = tuple,
    ) -> None:
        self.provider, self._terms, self._outward, self._ids, self._changed = provider, terms, outward, ids, changed
        self.digest = DigestClient([Account(provider.login, provider.password)] if provider.login else [], ids)
        self.health = Health()
        self._devices = devices
        self._transports = TRANSPORTS[provider.transport]
        self._uri = SipUri("sip", None, provider.host, provider.port or None)
        self._networks = tuple(ip_network(each, strict=False) for each in provider.addresses)
        self._heard_at: dict[tuple[str, int], float] = {}
        self._proxy = SipUri.parse(f"sip:{provider.outbound_proxy};lr") if provider.outbound_proxy else None
        self._error = ""
        self._flow: Flow | None = None
        self._hosts: frozenset[str] = frozenset()  # where the provider's servers are, as DNS said last
        self._loop = asyncio.get_running_loop()
        self._alarm: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self.registration: ClientRegistration | None = None
        if provider.kind == "register":
            plan = RegistrationPlan(
                provider.login, self._uri, terms.expires_s, self._proxy, terms.instance, terms.agent
            )
            self.registration = ClientRegistration(plan, self.digest, ids)

    # --- life -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        if self.provider.disabled or self._is_device:
            return
        if self.registration is not None:
            self._perform(self.registration.start(self._outward.now()))
        if self.provider.qualify:
            self._spawn(self._watch())
        elif self.registration is None:
            self._spawn(self._look())

    @property
    def _is_device(self) -> bool:
        """The other side registers here, and is wherever it does that from."""
        return self.provider.kind == "inbound_register"

    async def stop(self) -> None:
        """Take the registration back; returns soon, whatever the provider does."""
        registration = self.registration
        if registration is not None:
            self._perform(registration.stop(self._outward.now()))
            while registration.state is not State.OFF:
                self._wake.clear()
                await self._wake.wait()
        self.close()

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._alarm is not None:
            self._alarm.cancel()

    def renew(self) -> None:
        """Our address, or the connection, is another one: register anew."""
        if self.registration is not None:
            self._perform(self.registration.restart(self._outward.now()))
        self._wake.set()

    def check(self) -> None:
        """A connection that the registration stands on may be gone: the provider could not call us."""
        flow = self.registration.flow if self.registration is not None else None
        if flow is not None and not self._outward.is_open(flow):
            self.renew()

    async def ask_now(self) -> None:
        """Register anew, where that is what keeps the line, and ask whether the provider is there, not waiting for the
        time to do so (API-9)."""
        if self.provider.disabled or self._is_device:
            return
        self.renew()
        await self._probe()

    # --- outgoing calls ---------------------------------------------------------------------------------------------

    @property
    def is_usable(self) -> bool:
        """Nothing is known that would keep a call from going out here."""
        is_down = self.health.is_reachable is False or self.state in ("off", "rejected", "failed", "waiting")
        return not is_down

    async def ways(self) -> list[Flow]:
        """The paths to the provider's servers, in the order to try them: first where the registration is."""
        if self._is_device:
            return [each.flow for each in self._devices()]
        registered = self.registration.flow if self.registration is not None else None
        flows = (await self._flows())[0]
        return flows if registered is None else [registered, *(each for each in flows if each != registered)]

    def uri(self, user: str) -> SipUri:
        """Somebody at the provider."""
        device = next((each.uri for each in self._devices()), self._uri) if self._is_device else self._uri
        return SipUri("sip", user, device.host, device.port)

    @property
    def routes(self) -> list[str]:
        """The Route fields of requests that are no part of the registration (RFC 3608, RFC 3261 §8.1.2)."""
        if self._is_device:
            return [route for each in self._devices()[:1] for route in each.routes]
        given = self.registration.service_route if self.registration is not None else ()
        return [str(each) for each in given] or ([f"<{self._proxy}>"] if self._proxy is not None else [])

    async def answers(self, flow: Flow) -> bool:
        """Whether somebody is there: asked now, unless an answer came within the last seconds."""
        now = self._outward.now()
        if now - self._heard_at.get(flow.remote, -HEARD_S) < HEARD_S:
            return True
        outcome = await self._outward.carry_out(Exchange(self._options, [flow], self.digest), PATIENCE_S)
        if outcome.response is not None:
            self._heard_at = {flow.remote: self._outward.now()}
        return outcome.response is not None

    def is_silent(self, flow: Flow) -> None:
        """Nobody answers there: others are tried before it for a while."""
        self._outward.shun(flow, DEAD_S)

    # --- incoming calls ---------------------------------------------------------------------------------------------

    def knows(self, source: str) -> bool:
        """Whether what comes from that address comes from the provider: from one of its servers, or where our
        registration is."""
        if self.provider.disabled:
            return False
        if self._is_device:
            return False  # it proves who it is with each call
        flow = self.flow
        return source in self._hosts or (flow is not None and flow.remote[0] == source) or self._is_further(source)

    def _is_further(self, source: str) -> bool:
        """PRV-5."""
        return bool(self._networks) and any(ip_address(source) in network for network in self._networks)

    def _learn(self, flows: Sequence[Flow]) -> None:
        if flows:
            self._hosts = frozenset(flow.remote[0] for flow in flows)

    async def _look(self) -> None:
        """Where the servers are of a provider that is not watched."""
        while True:
            await self._flows()
            await asyncio.sleep(LOOK_S)

    # --- for people -----------------------------------------------------------------------------------------------

    @property
    def flow(self) -> Flow | None:
        """The path on which the provider was reached last."""
        if self._is_device:
            return next((each.flow for each in self._devices()), None)
        found = self.registration.flow if self.registration is not None else None
        return found or self._flow

    @property
    def state(self) -> str:
        if self.provider.disabled:
            return "off"
        if self._is_device:
            return "registered" if self._devices() else "waiting"
        registration = self.registration
        if registration is None:
            return {None: "trying" if self.provider.qualify else "unchecked", True: "reachable", False: "unreachable"}[
                self.health.is_reachable
            ]
        if registration.state is State.REJECTED:
            return "rejected"
        if registration.expires_at is not None:
            return "unreachable" if self.health.is_reachable is False else "registered"
        return "failed" if registration.error else "trying"

    @property
    def error(self) -> str:
        """Why the line does not work; empty while it does."""
        if self.state in ("registered", "reachable", "off"):
            return ""
        return (self.registration.error if self.registration is not None else "") or self._error

    # --- registration -----------------------------------------------------------------------------------------------

    def _perform(self, steps: Steps) -> None:
        for step in steps:
            match step:
                case Locate(hop):
                    self._spawn(self._locate(hop))
                case Ask(request, flow):
                    self._ask(request, flow)
                case Dead(flow, for_s):
                    self._outward.shun(flow, for_s)
        self._arm()
        self._wake.set()
        self._changed(self)

    async def _locate(self, hop: NextHop) -> None:
        flows, why = await self._outward.flows(hop, self._transports)
        assert self.registration is not None
        self._learn(flows)
        self._perform(self.registration.located(flows, why, self._outward.now()))

    def _ask(self, request: Request, flow: Flow) -> None:
        def answered(status: int, response: Response | None) -> None:
            assert self.registration is not None
            if response is not None:
                self._outward.answered(flow)
            self._perform(self.registration.answered(request, status, response, self._outward.now()))

        self._outward.ask(request, flow, TRY_S, answered)

    def _arm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        deadline = self.registration.deadline if self.registration is not None else None
        self._alarm = self._loop.call_at(deadline, self._on_timer) if deadline is not None else None

    def _on_timer(self) -> None:
        assert self.registration is not None
        self._perform(self.registration.on_timer(self._outward.now()))

    # --- health -----------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Ask again and again; the first time at once, then spread by chance."""
        interval_s = float(self.provider.qualify)
        while True:
            self._wake.clear()
            if self.registration is not None and self.registration.flow is None:
                await self._wake.wait()
                continue
            await self._probe()
            await asyncio.sleep(self.health.pause_s(interval_s * (0.9 + 0.2 * self._ids.fraction())))

    async def _probe(self) -> None:
        registered = self.registration.flow if self.registration is not None else None
        flows, why = ([registered], "") if registered is not None else await self._flows()
        if not flows:
            self._missed(why)
            return
        began = self._outward.now()
        outcome = await self._outward.carry_out(Exchange(self._options, flows, self.digest), PATIENCE_S)
        if outcome.response is None:
            self._missed("the provider does not answer")
        elif self.health.answered(self._outward.now() - began):
            self._flow = outcome.flow
            self._changed(self)

    async def _flows(self) -> tuple[list[Flow], str]:
        found = await self._outward.flows(NextHop.of(self._proxy or self._uri), self._transports)
        self._learn(found[0])
        return found

    def _missed(self, why: str) -> None:
        self._error = why
        if self.health.missed():
            self._changed(self)
            self.renew()

    def _options(self, flow: Flow) -> Request:
        host = flow.sent_by
        user = f"{self.provider.login}@" if self.provider.login else ""
        return new_request(
            "OPTIONS",
            self._uri,
            from_=f"<sip:{user}{host}>;tag={self._ids.tag()}",
            to=f"<{self._uri}>",
            call_id=self._ids.call_id(),
            cseq=1,
            extra=[
                *([("Route", f"<{self._proxy}>")] if self._proxy is not None else []),
                ("Contact", f"<sip:{user}{host}>"),
                ("Accept", "application/sdp"),
                ("User-Agent", self._terms.agent),
            ],
        )

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
