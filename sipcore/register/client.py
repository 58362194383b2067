"""Our own registration at a registrar: RFC 3261 §10.2, with RFC 3263 failover, RFC 3608 and RFC 5627.

    Off -> Locating -> Asking -> Registered -> Asking (refresh) -> ...
                          |            \\-> Leaving -> Off
                          |-> Waiting (back-off) -> Locating
                          \\-> Rejected (a long wait: a person has to change something)

A refresh goes where the registration is; when nobody answers there, the registrar is located anew at once. Retries
back off with jitter up to `RETRY_S`; what only a person can change is asked again each `REJECTED_S` (PRV-8). A stopped
registration is taken back. It is not frozen with calls: a new process registers anew, which replaces the binding.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from frozen import dataclass
from sipcore.auth.client import DigestClient
from sipcore.build import new_request, reason_phrase
from sipcore.errors import ParseError
from sipcore.exchange import Exchange, Next, retry_after
from sipcore.flow import Flow
from sipcore.fsm import Ignored, Row, Table
from sipcore.headers import Contact, Expires, MinExpires, Route
from sipcore.ids import IdSource
from sipcore.locate import NextHop
from sipcore.message import Request, Response
from sipcore.params import NO_PARAMS
from sipcore.uri import SipUri

FIRST_RETRY_S, RETRY_S, MOST_RETRIES, REJECTED_S = 5.0, 45.0, 200, 300.0
LEAVE_S = 2.0  # at shutdown nobody waits longer for the last answer
TRY_S = 10.0  # for one target: five datagrams
SHORTEST_S = 10  # of what a registrar grants; less would be a REGISTER a second
MOST_MOVES = 5
_FATAL = frozenset((400, 401, 403, 404, 405, 407, 410, 416, 420, 421, 494, 501, 505, 513, 600, 603, 604, 606))


class State(IntEnum):
    OFF = 0
    LOCATING = 1
    ASKING = 2
    REGISTERED = 3
    WAITING = 4
    REJECTED = 5
    LEAVING = 6


class On(IntEnum):
    START = 0
    LOCATED = 1
    NOWHERE = 2
    ACCEPTED = 3
    AGAIN = 4
    TOO_BRIEF = 5
    MOVED = 6
    REFUSED = 7
    FAILED = 8
    NOBODY = 9
    TIMER = 10
    RESTART = 11
    STOP = 12
    LEAVE = 13


S, I = State, On  # noqa: E741
_ANSWERS = (I.ACCEPTED, I.AGAIN, I.TOO_BRIEF, I.MOVED, I.REFUSED, I.FAILED, I.NOBODY)
_FOUND = (I.LOCATED, I.NOWHERE)
_LAST: tuple[On, ...] = (*(on for on in _ANSWERS if on is not I.AGAIN), I.TIMER)

TABLE = Table(
    "registration client",
    State,
    On,
    [
        Row(S.OFF, I.START, S.LOCATING, "_locate", "RFC 3263 §4"),
        Row(S.LOCATING, I.LOCATED, S.ASKING, "_ask", "RFC 3261 §10.2"),
        Row(S.LOCATING, I.NOWHERE, S.WAITING, "_wait", "RFC 3261 §10.2.7"),
        Row(S.LOCATING, I.STOP, S.OFF, "_finish", "RFC 3261 §10.2.2"),
        Row(S.LOCATING, I.LEAVE, S.LEAVING, "_leave", "RFC 3261 §10.2.2"),
        Row(S.ASKING, I.ACCEPTED, S.REGISTERED, "_accepted", "RFC 3261 §10.2.4"),
        Row(S.ASKING, I.AGAIN, S.ASKING, "_ask_again", "RFC 3261 §22.2"),
        Row(S.ASKING, I.TOO_BRIEF, S.ASKING, "_ask_longer", "RFC 3261 §10.2.8"),
        Row(S.ASKING, I.MOVED, S.LOCATING, "_move", "RFC 3261 §8.1.3.4"),
        Row(S.ASKING, I.REFUSED, S.REJECTED, "_reject", "RFC 3261 §21.4.4"),
        Row(S.ASKING, I.FAILED, S.WAITING, "_wait", "RFC 3261 §10.2.7"),
        Row(S.ASKING, I.NOBODY, S.LOCATING, "_locate", "RFC 3263 §4.3"),
        Row(S.ASKING, I.STOP, S.LEAVING, "_leave", "RFC 3261 §10.2.2"),
        Row(S.ASKING, I.LEAVE, S.LEAVING, "_leave", "RFC 3261 §10.2.2"),
        Row(S.REGISTERED, I.TIMER, S.ASKING, "_refresh", "RFC 3261 §10.2.4"),
        Row(S.REGISTERED, I.RESTART, S.LOCATING, "_locate", "RFC 5626 §4.4.1"),
        Row(S.REGISTERED, I.STOP, S.OFF, "_finish", "RFC 3261 §10.2.2"),
        Row(S.REGISTERED, I.LEAVE, S.LEAVING, "_leave", "RFC 3261 §10.2.2"),
        Row(S.WAITING, I.TIMER, S.LOCATING, "_locate", "RFC 5626 §4.5"),
        Row(S.WAITING, I.RESTART, S.LOCATING, "_locate", "RFC 5626 §4.5"),
        Row(S.WAITING, I.STOP, S.OFF, "_finish", "RFC 3261 §10.2.2"),
        Row(S.WAITING, I.LEAVE, S.LEAVING, "_leave", "RFC 3261 §10.2.2"),
        Row(S.REJECTED, I.TIMER, S.LOCATING, "_locate", "RFC 5626 §4.5"),
        Row(S.REJECTED, I.RESTART, S.LOCATING, "_locate", "RFC 5626 §4.5"),
        Row(S.REJECTED, I.STOP, S.OFF, "_finish", "RFC 3261 §10.2.2"),
        Row(S.REJECTED, I.LEAVE, S.LEAVING, "_leave", "RFC 3261 §10.2.2"),
        Row(S.LEAVING, I.AGAIN, S.LEAVING, "_ask_again", "RFC 3261 §22.2"),
        *(Row(S.LEAVING, on, S.OFF, "_finish", "RFC 3261 §10.2.2") for on in _LAST),
    ],
    [
        Ignored(S.OFF, tuple(on for on in On if on is not I.START), "nothing is wanted any more"),
        Ignored(S.LOCATING, (I.START, *_ANSWERS), "no request is under way"),
        Ignored(S.LOCATING, (I.TIMER, I.RESTART), "located at this very moment"),
        Ignored(S.ASKING, (I.START, *_FOUND), "asked already"),
        Ignored(S.ASKING, (I.TIMER, I.RESTART), "the transaction ends by itself"),
        Ignored(S.REGISTERED, (I.START, *_FOUND, *_ANSWERS), "no request is under way"),
        Ignored(S.WAITING, (I.START, *_FOUND, *_ANSWERS), "no request is under way"),
        Ignored(S.REJECTED, (I.START, *_FOUND, *_ANSWERS), "no request is under way"),
        Ignored(S.LEAVING, (I.START, *_FOUND, I.RESTART, I.STOP, I.LEAVE), "leaving already"),
    ],
)


class Locate(NamedTuple):
    """Find flows to this host, then call `located`."""

    hop: NextHop


class Ask(NamedTuple):
    """Send this request on that flow, for `TRY_S` at most, then call `answered`."""

    request: Request
    flow: Flow


class Dead(NamedTuple):
    """Nobody answers there: shun it for so many seconds."""

    flow: Flow
    for_s: float


class Changed(NamedTuple):
    """The state that people see is another one."""


Step = Locate | Ask | Dead | Changed
Steps = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class RegistrationPlan:
    """What to register where. `proxy`: an outbound proxy, as the URI of a route; `instance`: our URN (RFC 5626)."""

    login: str
    registrar: SipUri
    expires_s: int = 120
    proxy: SipUri | None = None
    instance: str = ""
    agent: str = ""

    @property
    def hop(self) -> NextHop:
        return NextHop.of(self.proxy or self.registrar)


class ClientRegistration:
    """One binding of ours. `error` is a sentence about the last failure, `service_route` and `gruu` what calls over
    this registration have to use."""

    __slots__ = (
        "_cseq", "_exchange", "_failures", "_flow", "_hop", "_ids", "_moves", "_registrar", "_tag", "_wanted_s",
        "call_id", "deadline", "digest", "error", "expires_at", "gruu", "plan", "service_route", "state",
    )  # fmt: skip

    def __init__(self, plan: RegistrationPlan, digest: DigestClient, ids: IdSource) -> None:
        self.plan, self.digest, self._ids = plan, digest, ids
        self.state = State.OFF
        self.deadline: float | None = None
        self.expires_at: float | None = None
        self.error = ""
        self.service_route: tuple[Route, ...] = ()
        self.gruu = ""
        self.call_id, self._tag, self._cseq = ids.call_id(), ids.tag(), 0
        self._hop, self._registrar, self._wanted_s = plan.hop, plan.registrar, plan.expires_s
        self._flow: Flow | None = None
        self._exchange: Exchange | None = None
        self._failures = self._moves = 0

    @property
    def flow(self) -> Flow | None:
        """The path to the registrar while it keeps our binding."""
        return self._flow if self.expires_at is not None else None

    # --- inputs ---------------------------------------------------------------------------------------------------

    def start(self, now: float) -> Steps:
        return self._step(On.START, now)

    def located(self, flows: Sequence[Flow], why: str, now: float) -> Steps:
        """The flows to what `Locate` asked for; none, and why."""
        return self._step(On.LOCATED, now, flows) if flows else self._step(On.NOWHERE, now, 0, None, why)

    def answered(self, request: Request, status: int, response: Response | None, now: float) -> Steps:
        """The outcome of an `Ask`: 408 or 503 without a response when there was none; that of an older one is none."""
        if self._exchange is None or self._exchange.request is not request:
            return ()
        was_refresh = self.expires_at is not None and self.state is State.ASKING
        following = self._exchange.judge(status, response)
        dead = tuple(Dead(*each) for each in self._exchange.dead)
        self._exchange.dead.clear()
        if following is Next.AGAIN:
            return (*dead, *self._step(On.AGAIN, now))
        if following is Next.NOBODY and was_refresh:
            self.expires_at = None
            return (*dead, *self._step(On.NOBODY, now))
        return (*dead, *self._step(self._kind(status, response), now, status, response))

    def on_timer(self, now: float) -> Steps:
        if self.expires_at is not None and self.expires_at <= now:
            self.expires_at = None
        return self._step(On.TIMER, now)

    def restart(self, now: float) -> Steps:
        """Our address changed, or the connection is gone: register anew, at once."""
        return self._step(On.RESTART, now)

    def stop(self, now: float) -> Steps:
        """Take the registration back; `state` is OFF when that is done."""
        has_binding = self.expires_at is not None and self.expires_at > now and self._flow is not None
        return self._step(On.LEAVE if has_binding else On.STOP, now)

    def _kind(self, status: int, response: Response | None) -> On:
        if status < 300:
            return On.ACCEPTED
        if response is not None and status == 423 and self._is_longer(response):
            return On.TOO_BRIEF
        if response is not None and status in (301, 302, 305) and self._moves < MOST_MOVES and _moved_to(response):
            return On.MOVED
        return On.REFUSED if response is not None and (status in _FATAL or status == 423) else On.FAILED

    def _is_longer(self, response: Response) -> bool:
        try:
            asked = response.headers.first(MinExpires)
        except ParseError:
            return False
        return asked is not None and self._wanted_s < asked.value <= 30 * 86400

    # --- actions --------------------------------------------------------------------------------------------------

    def _step(self, on: On, now: float, *args: object) -> Steps:
        row = TABLE.row(self.state, on)
        if row is None:
            return ()
        before = self.state
        self.state = row.to
        steps: Steps = getattr(self, row.do)(now, *args)
        return steps if before is row.to else (*steps, Changed())

    def _locate(self, _: float) -> Steps:
        self.deadline, self._exchange = None, None
        return (Locate(self._hop),)

    def _ask(self, _: float, flows: Sequence[Flow]) -> Steps:
        return self._begin(flows)

    def _begin(self, flows: Sequence[Flow]) -> Steps:
        self.deadline = None
        self._exchange = Exchange(self._request, flows, self.digest)
        return (Ask(*self._exchange.ask()),)

    def _ask_again(self, _: float) -> Steps:
        assert self._exchange is not None
        return (Ask(*self._exchange.ask()),)

    def _ask_longer(self, _: float, __: int, response: Response) -> Steps:
        asked = response.headers.first(MinExpires)
        assert asked is not None
        assert self._exchange is not None
        self._wanted_s = asked.value
        return self._begin((self._exchange.flow,))

    def _refresh(self, _: float) -> Steps:
        assert self._flow is not None
        return self._begin((self._flow,))

    def _move(self, now: float, _: int, response: Response) -> Steps:
        self._moves += 1
        target = _moved_to(response)
        assert target is not None
        self._hop, self._registrar = NextHop.of(target), target
        return self._locate(now)

    def _accepted(self, now: float, _: int, response: Response) -> Steps:
        assert self._exchange is not None
        self._flow, self._exchange = self._exchange.flow, None
        self._failures = self._moves = 0
        self.error = ""
        granted_s, self.gruu = self._granted(response)
        self.service_route = _service_route(response)
        self.expires_at = now + granted_s
        self.deadline = now + granted_s * (0.75 + 0.15 * self._ids.fraction())
        return ()

    def _wait(self, now: float, status: int, response: Response | None, why: str = "") -> Steps:
        self._failed(status, response, why)
        self._failures += 1
        longest = REJECTED_S if self._failures > MOST_RETRIES else RETRY_S
        base = min(FIRST_RETRY_S * 2 ** min(self._failures - 1, 10), longest)
        wait_s = base * (0.5 + 0.5 * self._ids.fraction())
        self.deadline = now + max(wait_s, retry_after(response))
        return ()

    def _reject(self, now: float, status: int, response: Response) -> Steps:
        refusal = self._exchange.refusal if self._exchange is not None else ""
        self._failed(status, response, refusal)
        self.deadline = now + max(REJECTED_S * (0.9 + 0.1 * self._ids.fraction()), retry_after(response))
        return ()

    def _failed(self, status: int, response: Response | None, why: str) -> None:
        self._exchange = self.expires_at = None
        self._hop, self._registrar, self._moves = self.plan.hop, self.plan.registrar, 0
        said = f"{status} {response.reason or reason_phrase(status)}" if response is not None else ""
        if why:
            self.error = f"{why} ({said})" if said else why
        elif said:
            self.error = f"the registrar answers {said}"
        else:
            self.error = "the registrar does not answer" if status == 408 else "the registrar cannot be reached"

    def _leave(self, now: float) -> Steps:
        flow = self._exchange.flow if self._exchange is not None else self._flow
        assert flow is not None
        self._wanted_s = 0
        steps = self._begin((flow,))
        self.deadline = now + LEAVE_S
        return steps

    def _finish(self, _: float, __: int = 0, ___: Response | None = None) -> Steps:
        self.deadline = self.expires_at = self._exchange = self._flow = None
        return ()

    # --- messages -------------------------------------------------------------------------------------------------

    def _request(self, flow: Flow) -> Request:
        plan = self.plan
        self._cseq += 1
        address = f"<{SipUri('sip', plan.login, plan.registrar.host)}>"
        extra: list[tuple[str, object]] = [("Contact", self._contact(flow)), ("Expires", self._wanted_s)]
        if plan.proxy is not None:
            extra.insert(0, ("Route", f"<{plan.proxy}>"))
        if plan.agent:
            extra.append(("User-Agent", plan.agent))
        return new_request(
            "REGISTER",
            SipUri("sip", None, self._registrar.host, self._registrar.port),
            from_=f"{address};tag={self._tag}",
            to=address,
            call_id=self.call_id,
            cseq=self._cseq,
            extra=[*extra, ("Supported", "path, gruu")],
        )

    def _contact(self, flow: Flow) -> Contact:
        params = NO_PARAMS.with_("transport", flow.transport.lower()) if flow.transport != "UDP" else NO_PARAMS
        uri = SipUri("sip", self.plan.login, flow.local[0], flow.local[1], params)
        instance = self.plan.instance
        return Contact(uri, "", NO_PARAMS.with_quoted("+sip.instance", f"<{instance}>") if instance else NO_PARAMS)

    def _granted(self, response: Response) -> tuple[int, str]:
        """Seconds until our binding ends (§10.2.4), and the public GRUU that we got (RFC 5627 §4.1)."""
        try:
            contacts = response.headers.all(Contact)
        except ParseError:
            contacts = ()
        assert self._flow is not None
        ours = self._contact(self._flow).uri
        found = [each for each in contacts if each.uri.equivalent(ours)] or list(contacts)
        lifetimes = [each.expires for each in found if each.expires is not None]
        seconds = min(lifetimes) if lifetimes else _expires_of(response) or self._wanted_s
        gruu = next((value for each in found if (value := each.params.get("pub-gruu"))), "")
        return max(SHORTEST_S, seconds), gruu


def _moved_to(response: Response) -> SipUri | None:
    """Where a 301, 302 or 305 sends us."""
    try:
        contacts = response.headers.all(Contact)
    except ParseError:
        return None
    return next((each.uri for each in contacts if isinstance(each.uri, SipUri)), None)


def _expires_of(response: Response) -> int:
    try:
        found = response.headers.first(Expires)
    except ParseError:
        return 0
    return found.value if found is not None else 0


def _service_route(response: Response) -> tuple[Route, ...]:
    """RFC 3608 §6.1; one that cannot be read is none."""
    try:
        return tuple(Route.parse(text) for text in response.headers.values("service-route"))
    except ParseError:
        return ()
