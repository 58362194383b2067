"""The lines to all providers of the office: begun, changed with the office, ended; their states told (PRV-13)."""

import asyncio
from collections.abc import Callable, Iterator, Sequence

import structlog

from pbx.bus import Bus
from pbx.clock import Clock
from pbx.control.messages import LineView
from pbx.events import ProviderChanged
from pbx.line import Line, LineTerms
from pbx.location import Target
from pbx.outward import Outward
from sipcore.ids import IdSource
from sipcore.message import Request
from sipcore.uri import SipUri, Uri
from storage.records import Office, Provider

log = structlog.get_logger("line")
CHECK_S = 5.0
GOODBYE_S = 3.0


class Providers:
    """`apply` with each office; `stop` at the end. `devices`: where the device of a provider is that registers here."""

    def __init__(
        self,
        terms: LineTerms,
        outward: Outward,
        ids: IdSource,
        clock: Clock,
        bus: Bus,
        devices: Callable[[Provider], Sequence[Target]] = lambda _: (),
    ) -> None:
        self._terms, self._outward, self._ids, self._clock, self._bus = terms, outward, ids, clock, bus
        self._devices = devices
        self._lines: dict[str, Line] = {}
        self._told: dict[str, tuple[str, str]] = {}
        self._since: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._check: asyncio.Task[None] | None = None

    def apply(self, office: Office) -> None:
        """Begin, change and end lines; those that are as before go on undisturbed."""
        wanted = {provider.id: provider for provider in office.providers}
        for id, line in list(self._lines.items()):
            if wanted.get(id) != line.provider:
                self._end(id)
        for id, provider in wanted.items():
            if id not in self._lines:
                self._begin(provider)
        if self._lines and self._check is None:
            self._check = asyncio.ensure_future(self._watch())

    async def stop(self) -> None:
        """Take every registration back, for a moment at most."""
        for id in list(self._lines):
            self._end(id)
        if self._check is not None:
            self._check.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=GOODBYE_S)
            for task in late:
                task.cancel()

    def renew(self) -> None:
        """Our address is another one."""
        for line in self._lines.values():
            line.renew()

    def line(self, id: str) -> Line | None:
        return self._lines.get(id)

    # --- incoming calls ---------------------------------------------------------------------------------------------

    def is_line(self, source: str) -> bool:
        """Whether a provider's server is there."""
        return any(line.knows(source) for line in self._lines.values())

    def accounts_of(self, request: Request, source: str) -> tuple[Provider, ...]:
        """The accounts that a request from that address may be for, the likely one first: that whose login it names,
        since providers call the contact that we registered; none when no provider is there."""
        found = [line.provider for line in self._lines.values() if line.knows(source)]
        named = {user_of(request.uri), user_of(request.to.uri)} if len(found) > 1 else set()
        return tuple(sorted(found, key=lambda each: each.login not in named))

    # --- for people -------------------------------------------------------------------------------------------------

    def views(self) -> Iterator[LineView]:
        for id, line in self._lines.items():
            flow, registration, provider = line.flow, line.registration, line.provider
            expires_at = registration.expires_at if registration is not None else None
            yield LineView(
                id=id,
                name=provider.name,
                kind=provider.kind,
                host=f"{provider.host}:{provider.port}" if provider.port else provider.host,
                state=line.state,
                since_at=self._since[id],
                error=line.error,
                address=f"{flow.remote[0]}:{flow.remote[1]}" if flow is not None else "",
                transport=flow.transport.lower() if flow is not None else "",
                latency_ms=line.health.latency_ms,
                expires_in_s=round(expires_at - self._clock.now(), 1) if expires_at is not None else None,
            )

    def latencies(self) -> Iterator[tuple[str, float]]:
        """How long the latest answer of each line took that is asked, in ms."""
        for id, line in self._lines.items():
            if line.health.latency_ms is not None:
                yield id, line.health.latency_ms

    def describe(self) -> dict[str, int]:
        """How many lines are in which state."""
        states = [line.state for line in self._lines.values()]
        return {state: states.count(state) for state in sorted(set(states))}

    def _begin(self, provider: Provider) -> None:
        line = self._lines[provider.id] = Line(
            provider, self._terms, self._outward, self._ids, self._changed, lambda: self._devices(provider)
        )
        self._since[provider.id] = self._clock.wall()
        line.start()
        self._changed(line)

    def _end(self, id: str) -> None:
        line = self._lines.pop(id)
        self._told.pop(id, None)
        self._bus.publish(ProviderChanged(self._clock.wall(), id, "off"))
        task = asyncio.ensure_future(line.stop())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _changed(self, line: Line) -> None:
        """Tell the bus and the log, once for each state and reason."""
        id, now = line.provider.id, (line.state, line.error)
        if self._lines.get(id) is not line or self._told.get(id) == now:
            return
        if self._told.get(id, ("", ""))[0] != now[0]:
            self._since[id] = self._clock.wall()
        self._told[id] = now
        tell = log.warning if now[1] else log.info
        tell("line", provider=id, state=now[0], **({"why": now[1]} if now[1] else {}))
        self._bus.publish(ProviderChanged(self._clock.wall(), id, *now))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            for line in list(self._lines.values()):
                line.check()
                self._changed(line)


def user_of(uri: Uri) -> str:
    """The user part of a SIP URI as it is written."""
    return uri.user or "" if isinstance(uri, SipUri) else ""
