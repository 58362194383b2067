"""The registrar: RFC 3261 §10.3 as a service around `apply_register`."""

from dataclasses import replace
from sys import intern

from frozen import dataclass
from pbx.admission import Admission, Admitted
from pbx.clock import Clock
from pbx.directory import TWIN
from pbx.location import Location
from sipcore.build import response_to
from sipcore.errors import ParseError
from sipcore.events import RequestArrived
from sipcore.grammar import TOKEN
from sipcore.headers import Contact, Expires
from sipcore.message import Request, Response
from sipcore.register.binding import Binding, RegisterPolicy, apply_register
from sipcore.register.outbound import Way, supports, way_of
from sipcore.stack import SipStack
from sipcore.uri import SipUri
from storage.records import Terminal


@dataclass(frozen=True, slots=True)
class RegistrationExtras:
    """What phones are told besides their contacts: how often to be heard of (RFC 5626 §4.4.1, 0 = nothing), which way
    their own calls shall take (RFC 3608), that we wake them when they are called (RFC 8599)."""

    flow_timer_s: int = 0
    service_routes: tuple[str, ...] = ()
    wakes_phones: bool = False


OF_REGISTRAR = frozenset(("gruu", "outbound", "path"))  # RFC 5627, 5626, 3327
NO_EXTRAS = RegistrationExtras()
_SUPPORTED = ", ".join(sorted(OF_REGISTRAR))


class Registrar:
    """Answers REGISTER requests. `extras` are what a phone is told besides its contacts."""

    def __init__(
        self,
        stack: SipStack,
        admission: Admission,
        location: Location,
        policy: RegisterPolicy,
        clock: Clock,
        extras: RegistrationExtras = NO_EXTRAS,
    ) -> None:
        self._stack, self._admission, self._location = stack, admission, location
        self._policy, self._clock, self._extras = policy, clock, extras
        self._policies = {policy.max_contacts: policy}

    def receive(self, event: RequestArrived) -> None:
        """Authenticate, apply, answer."""
        request, now = event.request, self._clock.now()
        verdict = self._admission.check(request, event.flow)
        if isinstance(verdict, Admitted):
            response = self._register(event, verdict.terminal, self._stack.ids.tag())
            self._stack.respond(event.key, response, now)
            return
        tag = self._stack.stateless_tag(request)
        response = response_to(request, verdict.status, to_tag=tag, extra=verdict.extra)
        self._stack.respond(event.key, response, now, keep=not verdict.challenge)

    def _register(self, event: RequestArrived, terminal: Terminal, tag: str) -> Response:
        request, now = event.request, self._clock.now()
        to = request.to.uri
        if not isinstance(to, SipUri):
            return response_to(request, 400, to_tag=tag, reason="To is no SIP URI")
        if (to.user or "").removesuffix(TWIN) != terminal.number:
            return response_to(request, 403, to_tag=tag)
        source = self._admission.sources.of(request, event.flow)
        try:
            contacts, expires = request.headers.all(Contact), _expires(request)
            way = way_of(request, contacts, is_trusted=source is not event.flow)
        except ParseError as error:
            return response_to(request, error.status, to_tag=tag)
        if way.status:
            return response_to(request, way.status, to_tag=tag, extra=way.extra)
        result = apply_register(
            self._location.bindings(terminal.number),
            contacts=contacts,
            expires=expires,
            call_id=request.call_id,
            cseq=request.cseq.number,
            now=now,
            policy=self._policy_of(terminal),
            received=source.remote,
            flow=event.flow,
            user_agent=intern((request.headers.get("user-agent") or "")[:200]),
            path=way.path,
            is_outbound=way.is_outbound,
        )
        if result.status != 200:
            extra = [("Min-Expires", self._policy.min_expires)] if result.status == 423 else ()
            return response_to(request, result.status, to_tag=tag, reason=result.reason, extra=extra)
        if contacts:
            self._location.update(terminal.number, result)
        return self._accepted(request, to, result.bindings, way, tag)

    def _policy_of(self, terminal: Terminal) -> RegisterPolicy:
        most = terminal.max_contacts
        found = self._policies.get(most)
        if found is None:
            found = self._policies[most] = replace(self._policy, max_contacts=most)
        return found

    def _accepted(self, request: Request, aor: SipUri, bindings: tuple[Binding, ...], way: Way, tag: str) -> Response:
        extras, wants_gruus = self._extras, supports(request, "gruu")
        extra: list[tuple[str, object]] = [("Contact", self._contact(each, aor, wants_gruus)) for each in bindings]
        extra += [("Path", each) for each in way.path]
        extra += [("Service-Route", each) for each in extras.service_routes]
        extra.append(("Supported", _SUPPORTED))
        if way.is_outbound:
            extra.append(("Require", "outbound"))
            if way.is_first_hop and extras.flow_timer_s:
                extra.append(("Flow-Timer", extras.flow_timer_s))
        if extras.wakes_phones:
            extra += [("Feature-Caps", f'*;+sip.pns="{each}"') for each in _push_services(request)]
        return response_to(request, 200, to_tag=tag, extra=extra)

    def _contact(self, binding: Binding, aor: SipUri, wants_gruus: bool) -> Contact | str:
        """As registered, with its GRUUs for a phone that knows them (RFC 5627 §5.1)."""
        if not wants_gruus or binding.instance is None:
            return binding.printed(self._clock.now())
        contact, gruus = binding.to_contact(self._clock.now()), self._location.gruus
        public = gruus.public(aor, binding.instance)
        temporary = gruus.temporary(aor, binding.instance, binding.call_id, self._stack.ids.tag())
        params = contact.params.with_quoted("pub-gruu", str(public)).with_quoted("temp-gruu", str(temporary))
        return replace(contact, params=params)


def _push_services(request: Request) -> list[str]:
    """What may wake the phone that registers, to be confirmed to it (RFC 8599 §5.1)."""
    uris = [each.sip_uri for each in request.headers.all(Contact)]
    found = [uri.params.get("pn-provider") or "" for uri in uris if uri is not None]
    return [each for each in dict.fromkeys(found) if TOKEN.fullmatch(each)]


def _expires(request: Request) -> int | None:
    """The Expires header in seconds; RFC 3261 §10.3 step 6 takes a malformed one as the default."""
    text = request.headers.get("expires")
    if text is None:
        return None
    if len(text) < 9 and text.isascii() and text.isdigit():
        return int(text)
    try:
        return Expires.parse(text).value
    except ParseError:
        return None
