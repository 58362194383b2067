"""Where terminals are: contact bindings in memory, written behind to storage (RFC 3261 §10, REG-5)."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_address
from math import ceil

from frozen import dataclass
from pbx.bus import Bus
from pbx.clock import Clock
from pbx.events import RegistrationChange, RegistrationChanged
from sipcore.flow import Flow
from sipcore.headers import Path
from sipcore.register.binding import Binding, RegisterResult
from sipcore.register.gruu import Addressee, Gruus
from sipcore.uri import SipUri, Uri
from storage.ports import LocationStore
from storage.records import Registration, Terminal

FlowMaker = Callable[[str, str, int], Flow | None]
SWEEP_S = 5.0
SWEEP_PARTS = 20
DEFAULT_PORT, SECURE_PORT = 5060, 5061  # RFC 3261 §19.1.2
FLOW_FAILED = 430  # RFC 5626 §5.3: an element on the way has no flow to the phone any more
_ENDS = (RegistrationChange.REMOVED, RegistrationChange.EXPIRED)
BROWSERS = ("WS", "WSS")  # transports whose connections only the peer can open


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request to a terminal goes: its Request-URI, the path (the phone's own flow, REG-5), the Route over the
    elements in between (RFC 3327). `peer_host`: the phone itself, where its audio comes from. `others` are further
    ways to the same phone (RFC 5626)."""

    uri: SipUri
    flow: Flow
    routes: tuple[str, ...] = ()
    peer_host: str = ""
    others: tuple["Target", ...] = ()

    @property
    def transport(self) -> str:
        """Of the phone's signalling, also behind an edge as far as its contact tells."""
        return "wss" if self.uri.transport == "ws" else self.flow.transport

    @property
    def route_fields(self) -> list[tuple[str, str]]:
        """The Route as header fields of a request."""
        return [("Route", each) for each in self.routes]

    def with_reserve(self, others: tuple["Target", ...]) -> "Target":
        return replace(self, others=others) if others else self


class Location:
    """All bindings by number. `flow_to` finds a path for a transport, host and port; `is_open` says whether the
    connection of a path stands; `gruus` makes and reads the URIs of single phones; `on_gone` is told of each contact
    that is registered no more, before anybody else is."""

    def __init__(
        self,
        store: LocationStore,
        clock: Clock,
        bus: Bus,
        flow_to: FlowMaker,
        is_open: Callable[[Flow], bool] = lambda _: True,
        gruus: Gruus | None = None,
    ) -> None:
        self.gruus = gruus or Gruus(secrets.token_bytes(32))
        self.on_gone: Callable[[str, Binding], None] = lambda _, __: None
        self._store, self._clock, self._bus, self._flow_to = store, clock, bus, flow_to
        self._is_open = is_open
        self._bindings: dict[str, tuple[Binding, ...]] = {}
        self._unswept: list[str] = []
        self._browsers: dict[int, set[str]] = {}  # numbers by the connection that they registered over

    async def restore(self) -> int:
        """Read what was registered before the restart; returns how many bindings are alive: a browser, whose connection
        is gone, is no more."""
        now, restored = self._clock.now(), 0
        for registration in await self._store.load(0.0):
            number, binding = registration.aor, self._thaw(registration)
            if binding is None:
                continue
            is_browser = registration.transport.upper() in BROWSERS and not registration.path
            if is_browser or binding.expires_at <= now:
                self.on_gone(number, binding)
            else:
                self._bindings[number] = (*self._bindings.get(number, ()), binding)
                restored += 1
        return restored

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

    def readdress(self) -> None:
        """Our address is another one: requests to phones name it from now on."""
        for number, bindings in list(self._bindings.items()):
            self._bindings[number] = tuple(self._readdressed(binding) for binding in bindings)

    def _readdressed(self, binding: Binding) -> Binding:
        if binding.flow is None or binding.flow.reliable:
            return binding
        return replace(binding, flow=self._flow_to(binding.flow.transport, *binding.flow.remote))

    def flow_closed(self, flow: Flow) -> None:
        """The connection of `flow` is gone. A browser behind it cannot be reached again; a phone may be, by its
        Contact."""
        for number in self._browsers.pop(flow.id, ()):
            gone = [each for each in self.bindings(number) if each.flow is not None and each.flow.id == flow.id]
            self._remove(number, tuple(gone), RegistrationChange.EXPIRED)

    def forget(self, number: str) -> None:
        """Remove every binding: the terminal is gone from the office."""
        self._remove(number, self.bindings(number), RegistrationChange.REMOVED)

    def forget_contact(self, number: str, contact: str) -> bool:
        """Remove one phone of a number, as its registration names it; whether there was one."""
        gone = tuple(each for each in self.bindings(number) if str(each.contact) == contact)
        self._remove(number, gone, RegistrationChange.REMOVED)
        return bool(gone)

    def addressee(self, uri: Uri) -> Addressee | None:
        """The phone that a GRUU names (RFC 5627 §5.5), its number empty when it is a false one; None for a URI that
        names no phone in particular."""
        if not isinstance(uri, SipUri) or "gr" not in uri.params:
            return None
        found = self.gruus.read(uri) or Addressee("")
        return None if found.number and found.is_any else found

    def targets(self, terminal: Terminal, only: Addressee | None = None) -> list[Target]:
        """Where the terminal can be rung now; the trusted address of one that does not register (EXT-16). `only` the
        instance that a GRUU names."""
        now = self._clock.now()
        alive = [b for b in self.bindings(terminal.number) if b.expires_at > now and b.reachable]
        if only is not None:
            alive = [b for b in alive if only.fits(b.instance, b.call_id)]
        alive.sort(key=lambda binding: -binding.expires_at)  # of several flows the one that was heard of last
        targets = one_a_phone(
            [(_phone(b), self._target(b, flow)) for b in alive if (flow := self._path(b)) is not None]
        )
        if not targets and terminal.trust and "/" not in terminal.trust and only is None:
            transport = "UDP" if terminal.transport == "any" else terminal.transport.upper()
            port = SECURE_PORT if transport == "TLS" else DEFAULT_PORT
            flow = self._flow_to(transport, terminal.trust, port)
            if flow is not None:
                flow = replace(flow, by_address=terminal.transport == "any")
                targets.append(Target(SipUri("sip", terminal.number, terminal.trust), flow, (), terminal.trust))
        return targets

    def path_again(self, terminal: Terminal, old: Flow) -> Flow | None:
        """A path to the device of a terminal that `old` led to before a restart; None while there is none."""
        if not old.reliable:
            return self._flow_to(old.transport, *old.remote)
        flows = (binding.flow for binding in self.bindings(terminal.number) if binding.flow is not None)
        alike = (flow for flow in flows if (flow.transport, flow.remote[0]) == (old.transport, old.remote[0]))
        return next(filter(self._is_open, alike), None)

    def lost(self, number: str, target: Target) -> None:
        """An element on the way has no flow to that phone any more: 430 (RFC 5626 §5.3)."""
        routes = target.routes
        gone = [b for b in self.bindings(number) if b.contact == target.uri and tuple(map(str, b.path)) == routes]
        self._remove(number, tuple(gone), RegistrationChange.EXPIRED)

    @staticmethod
    def _target(binding: Binding, flow: Flow) -> Target:
        peer = binding.received[0] if binding.path and binding.received is not None else flow.remote[0]
        return Target(binding.contact, flow, tuple(map(str, binding.path)), peer)

    def _path(self, binding: Binding) -> Flow | None:
        """The phone's own flow (REG-5); when its connection is closed, also by a restart of ours, a new one to the
        Contact, since nobody listens at the port that the phone had connected from. None behind NAT."""
        flow, contact = binding.flow, binding.contact
        if binding.path:
            return self._towards(binding.path[0]) or flow
        if flow is None or not flow.reliable or self._is_open(flow):
            return flow
        if binding.natted:
            return flow if "pn-prid" in contact.params else None  # one that can be woken comes back by itself
        return self._flow_to(
            flow.transport, contact.host, contact.port or (SECURE_PORT if flow.secure else DEFAULT_PORT)
        )

    def _towards(self, hop: Path) -> Flow | None:
        """A flow to the first element of a Path; None when it does not name an address."""
        uri = hop.sip_uri
        if uri is None or not _is_address(uri.host):
            return None
        transport = (uri.transport or "udp").upper()
        return self._flow_to(transport, uri.host, uri.port or (SECURE_PORT if transport == "TLS" else DEFAULT_PORT))

    def sweep(self, part: float = 1.0) -> None:
        """Drop what has expired; `part` of all numbers, the next time the next ones: a look at 100,000 of them would
        hold up everything else."""
        now = self._clock.now()
        if part == 1.0 or not self._unswept:
            self._unswept = list(self._bindings)
        for _ in range(min(ceil(part * len(self._bindings)), len(self._unswept))):
            number = self._unswept.pop()
            expired = tuple([binding for binding in self.bindings(number) if binding.expires_at <= now])
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
        if change in _ENDS:
            self.on_gone(number, binding)
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
        """The binding of a stored registration, None for a damaged one."""
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
            flow=self._towards(path[0]) if path else self._flow_to(stored.transport.upper(), *received),
            user_agent=stored.user_agent,
            registered_at=self._clock.moment_at(stored.registered_at),
        )


def one_a_phone(targets: Sequence[tuple[str, Target]]) -> list[Target]:
    """Targets with the phone that each belongs to ("": its own), best first: one target a phone, its others kept in
    reserve (RFC 5626 §7)."""
    phones: dict[str, list[Target]] = {}
    for at, (phone, target) in enumerate(targets):
        phones.setdefault(phone or f"#{at}", []).append(target)
    return [first.with_reserve(tuple(rest)) for first, *rest in phones.values()]


def _phone(binding: Binding) -> str:
    """What the flows of one phone have in common."""
    return binding.instance if binding.instance is not None and binding.reg_id is not None else ""


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
