"""The registrar: RFC 3261 §10.3 as a service around `apply_register`."""

from dataclasses import replace

from pbx.admission import Admission, Admitted
from pbx.clock import Clock
from pbx.location import Location
from sipcore.build import response_to
from sipcore.errors import ParseError
from sipcore.events import RequestArrived
from sipcore.headers import Contact, Expires
from sipcore.message import Request, Response
from sipcore.register.binding import Binding, RegisterPolicy, apply_register
from sipcore.stack import SipStack
from sipcore.uri import SipUri
from storage.records import Terminal


class Registrar:
    """Answers REGISTER requests."""

    def __init__(
        self, stack: SipStack, admission: Admission, location: Location, policy: RegisterPolicy, clock: Clock
    ) -> None:
        self._stack, self._admission, self._location = stack, admission, location
        self._policy, self._clock = policy, clock
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
        if to.user != terminal.number:
            return response_to(request, 403, to_tag=tag)
        try:
            contacts, expires = request.headers.all(Contact), _expires(request)
        except ParseError as error:
            return response_to(request, error.status, to_tag=tag)
        result = apply_register(
            self._location.bindings(terminal.number),
            contacts=contacts,
            expires=expires,
            call_id=request.call_id,
            cseq=request.cseq.number,
            now=now,
            policy=self._policy_of(terminal),
            received=event.flow.remote,
            flow=event.flow,
            user_agent=(request.headers.get("user-agent") or "")[:200],
        )
        if result.status != 200:
            extra = [("Min-Expires", self._policy.min_expires)] if result.status == 423 else ()
            return response_to(request, result.status, to_tag=tag, reason=result.reason, extra=extra)
        if contacts:
            self._location.update(terminal.number, result)
        return self._accepted(request, result.bindings, tag, now)

    def _policy_of(self, terminal: Terminal) -> RegisterPolicy:
        most = terminal.max_contacts
        found = self._policies.get(most)
        if found is None:
            found = self._policies[most] = replace(self._policy, max_contacts=most)
        return found

    def _accepted(self, request: Request, bindings: tuple[Binding, ...], tag: str, now: float) -> Response:
        extra: list[tuple[str, object]] = [("Contact", binding.to_contact(now)) for binding in bindings]
        return response_to(request, 200, to_tag=tag, extra=extra)


def _expires(request: Request) -> int | None:
    """The Expires header in seconds; RFC 3261 §10.3 step 6 takes a malformed one as the default."""
    text = request.headers.get("expires")
    if text is None:
        return None
    try:
        return Expires.parse(text).value
    except ParseError:
        return None
