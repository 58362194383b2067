"""Where terminals are: contact bindings in memory, written behind to storage (RFC 3261 §10, REG-5)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address

from pbx.bus import Bus
from pbx.clock import Clock
from pbx.events import RegistrationChange, RegistrationChanged
from sipcore.flow import Flow
from sipcore.headers import Path
from sipcore.register.binding import Binding, RegisterResult
from sipcore.uri import SipUri
from storage.ports import LocationStore
from storage.records import Registration, Terminal

FlowMaker = Callable[[str, str, int], Flow | None]
SWEEP_S = 5.0
DEFAULT_PORT, SECURE_PORT = 5060, 5061  # RFC 3261 §19.1.2
BROWSERS = ("WS", "WSS")  # transports whose connections only the peer can open


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request to a terminal goes: its Request-URI and the path (the phone's own flow, REG-5)."""

    uri: SipUri
    flow: Flow


class Location:
    """All bindings by number. `flow_to` finds a path for a transport, host and port; `is_open` says whether the
    connection of a path stands."""

    def __init__(
        self,
        store: LocationStore,
        clock: Clock,
        bus: Bus,
        flow_to: FlowMaker,
        is_open: Callable[[Flow], bool] = lambda _: True,
    ) -> None:
        self._store, self._clock, self._bus, self._flow_to = store, clock, bus, flow_to
        self._is_open = is_open
        self._bindings: dict[str, tuple[Binding, ...]] = {}
        self._browsers: dict[int, set[str]] = {}  # numbers by the connection that they registered over

    async def restore(self) -> int:
        """Read what was registered before the restart; returns how many bindings are alive."""
        for registration in await self._store.load(self._clock.wall()):
            binding = self._thaw(registration)
            if binding is not None:
                self._bindings[registration.aor] = (*self._bindings.get(registration.aor, ()), binding)
        return sum(map(len, self._bindings.values()))

    def bindings(self, number: str) -> tuple[Binding, ...]:
        """As registered, expired ones included until the next sweep."""
        return self._bindings.get(number, ())

    def update(self, number: str, result: RegisterResult) -> None:
        """Take over what a REGISTER made of the bindings of `number`; it has dropped those that had expired."""
        now = self._clock.now()
        for binding in self.bindings(number):
            if binding.expires_at <= now:
                self._tell(number, binding, RegistrationChange.EXPIRED)
        self._replace(number, result.bindings)
        for bindings, change in (
            (result.added, RegistrationChange.ADDED),
            (result.refreshed, RegistrationChange.REFRESHED),
            (result.removed, RegistrationChange.REMOVED),
            (result.displaced, RegistrationChange.REMOVED),
        ):
            for binding in bindings:
                self._tell(number, binding, change)
        for binding in (*result.added, *result.refreshed):
            if binding.flow is not None and binding.flow.transport in BROWSERS:
                self._browsers.setdefault(binding.flow.id, set()).add(number)

    def set_reachable(self, number: str, contact: SipUri, is_reachable: bool) -> bool:
        """Ring a contact, or leave it out (REG-4); False when that is no news. Not stored: a restart asks anew."""
        changed = [b for b in self.bindings(number) if b.contact == contact and b.reachable is not is_reachable]
        for old in changed:
            new = replace(old, reachable=is_reachable)
            self._bindings[number] = tuple(new if each is old else each for each in self.bindings(number))
            self._tell(number, new, RegistrationChange.REACHABLE if is_reachable else RegistrationChange.UNREACHABLE)
        return bool(changed)

    def flow_closed(self, flow: Flow) -> None:
        """The connection of `flow` is gone. A browser behind it cannot be reached again; a phone may be, by its
        Contact."""
        for number in self._browsers.pop(flow.id, ()):
            gone = [each for each in self.bindings(number) if each.flow is not None and each.flow.id == flow.id]
            self._remove(number, tuple(gone), RegistrationChange.EXPIRED)

    def forget(self, number: str) -> None:
        """Remove every binding: the terminal is gone from the office."""
        self._remove(number, self.bindings(number), RegistrationChange.REMOVED)

    def targets(self, terminal: Terminal) -> list[Target]:
        """Where the terminal can be rung now; the trusted address of one that does not register (EXT-16)."""
        now = self._clock.now()
        alive = [b for b in self.bindings(terminal.number) if b.expires_at > now and b.reachable]
        targets = [Target(b.contact, flow) for b in alive if (flow := self._path(b)) is not None]
        if not targets and terminal.trust and "/" not in terminal.trust:
            transport = "UDP" if terminal.transport == "any" else terminal.transport.upper()
            port = SECURE_PORT if transport == "TLS" else DEFAULT_PORT
            flow = self._flow_to(transport, terminal.trust, port)
            if flow is not None:
                targets.append(Target(SipUri("sip", terminal.number, terminal.trust), flow))
        return targets

    def path_again(self, terminal: Terminal, old: Flow) -> Flow | None:
        """A path to the device of a terminal that `old` led to before a restart; None while there is none."""
        if not old.reliable:
            return self._flow_to(old.transport, *old.remote)
        flows = (binding.flow for binding in self.bindings(terminal.number) if binding.flow is not None)
        alike = (flow for flow in flows if (flow.transport, flow.remote[0]) == (old.transport, old.remote[0]))
        return next(filter(self._is_open, alike), None)

    def _path(self, binding: Binding) -> Flow | None:
        """The phone's own flow (REG-5); when its connection is closed, also by a restart of ours, a new one to the
        Contact, since nobody listens at the port that the phone had connected from. None behind NAT."""
        flow, contact = binding.flow, binding.contact
        if flow is None or not flow.reliable or self._is_open(flow):
            return flow
        if binding.natted:
            return None
        return self._flow_to(
            flow.transport, contact.host, contact.port or (SECURE_PORT if flow.secure else DEFAULT_PORT)
        )

    def sweep(self) -> None:
        """Drop what has expired; called every few seconds."""
        now = self._clock.now()
        for number, bindings in list(self._bindings.items()):
            expired = tuple(binding for binding in bindings if binding.expires_at <= now)
            if expired:
                self._remove(number, expired, RegistrationChange.EXPIRED)

    def __iter__(self) -> Iterator[tuple[str, Binding]]:
        for number, bindings in self._bindings.items():
            for binding in bindings:
                yield number, binding

    def _remove(self, number: str, gone: tuple[Binding, ...], change: RegistrationChange) -> None:
        if not gone:
            return
        self._replace(number, tuple(b for b in self.bindings(number) if b not in gone))
        for binding in gone:
            self._tell(number, binding, change)

    def _replace(self, number: str, bindings: tuple[Binding, ...]) -> None:
        if bindings:
            self._bindings[number] = bindings
        else:
            self._bindings.pop(number, None)
        self._store.put(number, [self._freeze(number, binding) for binding in bindings])

    def _tell(self, number: str, binding: Binding, change: RegistrationChange) -> None:
        self._bus.publish(RegistrationChanged(self._clock.wall(), number, str(binding.contact), change))

    def _freeze(self, number: str, binding: Binding) -> Registration:
        received = binding.received or ("", 0)
        return Registration(
            aor=number,
            contact=str(binding.contact),
            call_id=binding.call_id,
            cseq=binding.cseq,
            expires_at=self._clock.wall_at(binding.expires_at),
            registered_at=self._clock.wall_at(binding.registered_at),
            q=binding.q,
            user_agent=binding.user_agent,
            received=f"{received[0]} {received[1]}",
            transport=binding.flow.transport.lower() if binding.flow is not None else "udp",
            instance=binding.instance or "",
            reg_id=binding.reg_id or 0,
            path=tuple(map(str, binding.path)),
        )

    def _thaw(self, stored: Registration) -> Binding | None:
        """The binding of a stored registration, None for a damaged one and for a browser, whose connection is gone."""
        if stored.transport.upper() in BROWSERS:
            return None
        host, _, port = stored.received.partition(" ")
        try:
            contact = SipUri.parse(stored.contact)
            path = tuple(map(Path.parse, stored.path))
            received = (str(ip_address(host)), int(port))
        except ValueError:
            return None
        return Binding(
            contact=contact,
            call_id=stored.call_id,
            cseq=stored.cseq,
            expires_at=self._clock.moment_at(stored.expires_at),
            q=stored.q,
            instance=stored.instance or None,
            reg_id=stored.reg_id or None,
            path=path,
            received=received,
            flow=self._flow_to(stored.transport.upper(), *received),
            user_agent=stored.user_agent,
            registered_at=self._clock.moment_at(stored.registered_at),
        )
