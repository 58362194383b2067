"""Contact bindings of an address-of-record, and what a REGISTER does to them (RFC 3261 §10.3, RFC 5626 §6).

`apply_register` is a pure function: the bindings before and the request in, the bindings after or a refusal out.
A refused request changes nothing.
"""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from frozen import dataclass
from sipcore.flow import Flow
from sipcore.headers import Contact, Path
from sipcore.params import NO_PARAMS
from sipcore.uri import SipUri, same_host

_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Binding:
    """One registered contact. Times are those of `now`; `received` is where the request really came from."""

    contact: SipUri
    call_id: str
    cseq: int
    expires_at: float
    q: float = 1.0
    instance: str | None = None
    reg_id: int | None = None
    path: tuple[Path, ...] = ()
    received: tuple[str, int] | None = None
    flow: Flow | None = None
    user_agent: str = ""
    registered_at: float = 0.0
    reachable: bool = True
    node: str = ""

    @property
    def natted(self) -> bool:
        """Whether the request came from another address than the contact names."""
        return self.received is not None and not same_host(self.received[0], self.contact.host)

    def printed(self, now: float) -> str:
        """`to_contact` as text; most bindings have nothing but a lifetime."""
        if self.q == 1.0 and self.instance is None and self.reg_id is None:
            return f"<{self.contact}>;expires={max(0, ceil(self.expires_at - now))}"
        return str(self.to_contact(now))

    def to_contact(self, now: float) -> Contact:
        """The Contact of a REGISTER response: the URI as registered and the seconds left."""
        params = NO_PARAMS.with_("expires", max(0, ceil(self.expires_at - now)))
        if self.q != 1.0:
            params = params.with_("q", f"{self.q:g}")
        if self.instance is not None:
            params = params.with_quoted("+sip.instance", f"<{self.instance}>")
        if self.reg_id is not None:
            params = params.with_("reg-id", self.reg_id)
        return Contact(self.contact, "", params)


@dataclass(frozen=True, slots=True)
class RegisterPolicy:
    """Limits of one account. With `clamp` a lifetime out of range is moved into it; without, a short one gets 423."""

    min_expires: int = 60
    default_expires: int = 120
    max_expires: int = 3600
    max_contacts: int = 10
    clamp: bool = True


DEFAULT_POLICY = RegisterPolicy()


@dataclass(frozen=True, slots=True)
class RegisterResult:
    """`bindings` are those in force afterwards; on a refusal (`status` is not 200) the live ones, unchanged.

    `displaced` had to make room because of `max_contacts`; expired bindings vanish without being listed.
    """

    bindings: tuple[Binding, ...]
    status: int = 200
    added: tuple[Binding, ...] = ()
    refreshed: tuple[Binding, ...] = ()
    removed: tuple[Binding, ...] = ()
    displaced: tuple[Binding, ...] = ()
    reason: str = ""


class _Refused(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


_Replaced = dict[int, Binding | None]
"""Identity of a binding made by this request: the one it replaces, None when it is new."""


class _Update(NamedTuple):
    """What is common to all contacts of one request."""

    expires: int | None
    call_id: str
    cseq: int
    now: float
    policy: RegisterPolicy
    received: tuple[str, int] | None
    flow: Flow | None
    user_agent: str
    path: tuple[Path, ...]
    node: str
    is_outbound: bool

    def reg_id(self, contact: Contact) -> int | None:
        """RFC 5626 §6: it counts only beside an instance, in a registration that is outbound."""
        return contact.reg_id if self.is_outbound and contact.instance is not None else None


def apply_register(
    current: tuple[Binding, ...],
    *,
    contacts: Sequence[Contact],
    expires: int | None,
    call_id: str,
    cseq: int,
    now: float,
    policy: RegisterPolicy = DEFAULT_POLICY,
    received: tuple[str, int] | None = None,
    flow: Flow | None = None,
    user_agent: str = "",
    path: tuple[Path, ...] = (),
    node: str = "",
    is_outbound: bool = True,
) -> RegisterResult:
    """Apply an authenticated REGISTER, all of it or nothing. Without contacts it is a query. `is_outbound`: reg-id
    tells flows apart (RFC 5626)."""
    live = tuple([binding for binding in current if binding.expires_at > now])
    if not contacts:
        return RegisterResult(live)
    update = _Update(expires, call_id, cseq, now, policy, received, flow, user_agent, path, node, is_outbound)
    try:
        if any(contact.is_star for contact in contacts):
            return _remove_all(live, contacts, update)
        return _bind(live, contacts, update)
    except _Refused as refusal:
        return RegisterResult(live, refusal.status, reason=refusal.reason)


def _remove_all(live: tuple[Binding, ...], contacts: Sequence[Contact], update: _Update) -> RegisterResult:
    """§10.3 step 6."""
    if len(contacts) > 1 or update.expires != 0:
        raise _Refused(400, "Contact * needs Expires 0 and no other contact")
    for binding in live:
        _check_order(binding, update)
    return RegisterResult((), removed=live)


def _bind(live: tuple[Binding, ...], contacts: Sequence[Contact], update: _Update) -> RegisterResult:
    """§10.3 step 7."""
    result = list(live)
    replaced: _Replaced = {}
    removed: list[Binding] = []
    for contact in contacts:
        uri = _uri_of(contact)
        lifetime_s = _lifetime(contact, update)
        at = _find(result, uri, contact, update)
        if at is None:
            if lifetime_s:
                result.append(_new_binding(uri, contact, lifetime_s, None, update))
                replaced[id(result[-1])] = None
            continue
        before = _before_request(result.pop(at), replaced, update)
        if lifetime_s:
            result.insert(at, _new_binding(uri, contact, lifetime_s, before, update))
            replaced[id(result[at])] = before
        elif before is not None:
            removed.append(before)
    kept, displaced = _make_room(result, replaced, update.policy.max_contacts)
    return RegisterResult(
        kept,
        added=tuple([binding for binding in kept if replaced.get(id(binding), binding) is None]),
        refreshed=tuple([binding for binding in kept if replaced.get(id(binding)) is not None]),
        removed=tuple(removed),
        displaced=displaced,
    )


def _before_request(found: Binding, replaced: _Replaced, update: _Update) -> Binding | None:
    """What stood in place of `found` before this request, which must be newer; None when it was added just now."""
    if id(found) in replaced:
        return replaced.pop(id(found))
    _check_order(found, update)
    return found


def _uri_of(contact: Contact) -> SipUri:
    uri = contact.sip_uri
    if uri is None:
        raise _Refused(400, "a contact is not a SIP URI")
    return uri


def _lifetime(contact: Contact, update: _Update) -> int:
    """The lifetime granted, in seconds; 0 removes the binding."""
    policy = update.policy
    asked = contact.expires
    if asked is None:
        asked = policy.default_expires if update.expires is None else update.expires
    if asked == 0:
        return 0
    if asked < policy.min_expires and asked < _HOUR_S and not policy.clamp:
        raise _Refused(423, "the lifetime asked for is too short")
    return max(policy.min_expires, min(asked, policy.max_expires))


def _find(bindings: list[Binding], uri: SipUri, contact: Contact, update: _Update) -> int | None:
    """The place of the binding that this contact refreshes: the same instance and reg-id, or an equivalent URI."""
    instance, reg_id = contact.instance, update.reg_id(contact)
    if instance is not None and reg_id is not None:
        for at, binding in enumerate(bindings):
            if binding.reg_id == reg_id and binding.instance == instance:
                return at
    for at, binding in enumerate(bindings):
        if _same_push(binding.contact, uri) and not _other_flow(binding, instance, reg_id):
            return at
        same = binding.contact == uri or binding.contact.equivalent(uri)
        if same and not _other_flow(binding, instance, reg_id) and not _other_device(binding, update):
            return at
    return None


def _same_push(one: SipUri, other: SipUri) -> bool:
    """RFC 8599 §4: a notification service knows a phone by its pn-prid, wherever it wakes up."""
    names = ("pn-provider", "pn-prid", "pn-param")
    push = [one.params.get(name) for name in names]
    return bool(push[0] and push[1]) and push == [other.params.get(name) for name in names]


def _other_flow(binding: Binding, instance: str | None, reg_id: int | None) -> bool:
    """RFC 5626 §6: flows of one instance stay apart although their contact URIs may be equal."""
    return None not in (binding.reg_id, reg_id) and (binding.instance, binding.reg_id) != (instance, reg_id)


def _other_device(binding: Binding, update: _Update) -> bool:
    """Two phones behind two routers may both be 192.168.1.2: another public address and another Call-ID tell."""
    if binding.received is None or update.received is None:
        return False
    return binding.received[0] != update.received[0] and binding.call_id != update.call_id


def _check_order(binding: Binding, update: _Update) -> None:
    if binding.call_id == update.call_id and update.cseq <= binding.cseq:
        raise _Refused(500, "the request was overtaken by a later one")


def _new_binding(uri: SipUri, contact: Contact, lifetime_s: int, old: Binding | None, update: _Update) -> Binding:
    return Binding(
        uri,
        update.call_id,
        update.cseq,
        update.now + lifetime_s,
        contact.q,
        contact.instance,
        update.reg_id(contact),
        update.path,
        update.received,
        update.flow,
        update.user_agent,
        update.now if old is None else old.registered_at,
        True,
        update.node,
    )


def _make_room(
    bindings: list[Binding], replaced: _Replaced, most: int
) -> tuple[tuple[Binding, ...], tuple[Binding, ...]]:
    """Displace older contacts when there are too many: unreachable ones first, then those that expire soonest."""
    excess = len(bindings) - most
    if excess <= 0:
        return tuple(bindings), ()
    old = [binding for binding in bindings if id(binding) not in replaced]
    if len(old) < excess:
        raise _Refused(403, f"more than {most} contacts in one request")
    displaced = sorted(old, key=lambda binding: (binding.reachable, binding.expires_at))[:excess]
    gone = {id(binding) for binding in displaced}
    return tuple([binding for binding in bindings if id(binding) not in gone]), tuple(displaced)
