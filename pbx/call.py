"""The business transaction that a history row describes: its legs, the app that controls it, its life.

One task per call. When the caller's leg ends, the app is interrupted at its current await; `finally` and `async with`
blocks undo what they did. Whatever happens, every leg is ended and the call is told to have ended exactly once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import structlog

from conf.log import enter_call
from pbx.bridge import Bridge
from pbx.carried import NOTHING
from pbx.cause import CANCELLED, SERVER_ERROR, Cause
from pbx.diversion import Diverted, Way
from pbx.events import CallEnded, CallId, CallLinked, CallStarted, LegMoved
from pbx.media_endpoint import MediaRefused
from pbx.party import Party
from pbx.services import Services
from sipcore.register.gruu import Addressee

if TYPE_CHECKING:
    from pbx.arrival import Arrival
    from pbx.dial import Attempt
    from pbx.leg import Leg

REPORT_TIMEOUT_S = 2.0  # the engine's last reports; without them the history row has no quality figures


class Call:
    """Made for each INVITE that was admitted and for each transfer. `to` is who was dialled; a transfer goes on from
    the call `origin`, and history joins them. Media of a call `near` are on the worker of that call."""

    __slots__ = (
        "_app_runs",
        "_caller",
        "_closed",
        "_media_group",
        "_open",
        "_task",
        "_wanted_cause",
        "arrival",
        "attempt",
        "carried",
        "cause",
        "digits",
        "goes_on",
        "id",
        "label",
        "legs",
        "linkedid",
        "music",
        "on_reached",
        "only",
        "previous",
        "referred_by",
        "services",
        "stage",
        "stage_digits",
        "started_at",
        "talk",
        "talked_s",
        "to",
        "transferred",
        "variables",
        "wanted_call",
        "wanted_leg",
        "way",
    )

    def __init__(
        self, call_id: CallId, to: Party, services: Services, origin: "Call | None" = None, near: "Call | None" = None
    ) -> None:
        self.id = call_id
        self.linkedid: CallId = call_id if origin is None else origin.linkedid
        self.to, self.services = to, services
        near = near or origin
        self._media_group: int = services.new_id() if near is None else near.media_group
        self.referred_by: Party | None = None
        self.music: str = origin.music if origin is not None else ""  # what is heard on hold, by the id of the sound
        self.way, self.carried = Way(), NOTHING
        self.transferred = ""  # "blind", "attended": a transfer's call
        self.arrival: Arrival | None = origin.arrival if origin is not None else None  # how a provider brought it
        self.only: Addressee | None = None  # the one phone of the number that is called
        self.legs: list[Leg] = []
        self.digits = ""
        # What scripts keep for the conversation.
        self.variables: dict[str, str] = {} if origin is None else origin.variables
        self.previous: Party | None = None  # whose stage it was before
        self.stage = "dial"
        self.stage_digits = ""  # dialled in this stage, as its row of history tells it
        self.started_at = services.clock.wall()
        self.cause: Cause | None = None
        self._open: list[int] = []  # legs whose last word is still to come
        self._closed: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._wanted_cause: Cause | None = None
        self._caller: Leg | None = None
        self.attempt: Attempt | None = None
        self.talk: tuple[Leg, Leg] | None = None  # who was connected last
        self.talked_s = 0.0  # how long they had both been there, when the call has ended
        self.wanted_call = ""  # id of the ringing call that is wanted (FEAT-30)
        self.wanted_leg = ""  # Call-ID of the ringing phone whose call is wanted (FEAT-21)
        self._app_runs = False
        self.on_reached: Callable[[], None] | None = None
        self.label = ""  # stands before the caller's name on all phones that ring
        self.goes_on = False  # when nobody answers here, another target is tried

    @property
    def caller(self) -> "Leg":
        assert self._caller is not None
        return self._caller

    @property
    def calling(self) -> Party:
        """Who calls."""
        return self.caller.party

    @property
    def moment(self) -> float:
        """Now, in UTC seconds."""
        return self.services.clock.wall()

    @property
    def has_caller(self) -> bool:
        """False while who wants to call is being rung."""
        return self._caller is not None

    def called_back(self, leg: "Leg") -> None:
        """Who wants to call has answered."""
        self._caller, leg.is_caller = leg, False

    @property
    def media_group(self) -> int:
        """The group of media that other legs of this call have to be in, so that they can meet the caller's."""
        return self._media_group if self._caller is None else self._caller.media.group

    @property
    def ringing_legs(self) -> "Sequence[Leg]":
        """The phones that ring for this call and may be answered elsewhere."""
        return self.attempt.ringing if self.attempt is not None else ()

    def adopt(self, leg: "Leg") -> None:
        """A leg becomes ours; the first one is the caller's, unless the caller is still being rung."""
        if self._caller is None and not leg.is_caller:
            self._caller = leg
        self.legs.append(leg)
        self._open.append(leg.id)

    @property
    def log(self) -> structlog.typing.FilteringBoundLogger:
        """A logger whose lines carry the call's id."""
        logger: structlog.typing.FilteringBoundLogger = structlog.get_logger("call", call=self.id)
        return logger

    def take(self, leg: "Leg", *, silently: bool = False) -> None:
        """A living leg of another call goes on as one of ours; its bridge stays as it is. `silently`: history hears
        of it by `announce`, or never when it goes back."""
        services, left = self.services, leg.call
        left.legs.remove(leg)
        left.leg_closed(leg)
        services.active.move(leg.party.number, left.id, self.id, leg.id)
        if leg.line.provider:
            services.channels.move(leg.line.provider, left.id, self.id, leg.id)
        leg.call = self
        self.adopt(leg)
        if not silently:
            self.announce(leg)

    def announce(self, leg: "Leg", *, is_callee: bool = False) -> None:
        """Tell history of a leg that was taken: on the caller's side, or (`is_callee`) as who was wanted."""
        if is_callee:
            self.reached()
        now = self.services.clock.wall()
        self.services.publish(LegMoved(now, self.id, leg.id, leg.party, leg.side.sip_call_id, is_callee))

    def seat(self, leg: "Leg", new: "Leg") -> None:
        """The party of a leg goes on at another device."""
        if leg is self._caller:
            self._caller = new

    def link(self, linkedid: CallId, *, is_consultation: bool = False) -> None:
        """This call turned out to belong to that conversation."""
        self.linkedid = linkedid
        self.services.publish(CallLinked(self.services.clock.wall(), self.id, linkedid, is_consultation))

    def send_on(self, party: Party, to: str, status: int, *, most: int, had_rung: bool = False) -> Cause | None:
        """`party`, or a rule of it, sends the call on to the number `to`; why that may not be. `most`: how often a call
        may be sent on."""
        refusal = self.way.refusal(to, self.to.number, most)
        if refusal is None:
            self.only = None  # that named a phone of the number that was dialled
            self.way = self.way.further(Diverted(party, to, status, had_rung))
        return refusal

    def begin(self, caller: Party, stage: str = "") -> None:
        """Announce the call; its legs come after. `stage` is what its first row is called when the app behind `to` does
        not say it."""
        self.stage = stage or self.stage
        arrival = self.arrival
        over = (arrival.provider.id, arrival.called) if arrival is not None else ("", "")
        started = CallStarted(self.started_at, self.id, self.linkedid, caller, self.to, stage, *over, self.transferred)
        self.services.publish(started)

    def run(self, app: Callable[["Call"], Awaitable[Cause]], done: Callable[["Call"], None]) -> None:
        """Let `app` control the call; `done` is called when nothing of it is left."""
        self._task = asyncio.ensure_future(self._run(app, done))

    def connect(self, a: "Leg", b: "Leg") -> Bridge:
        """Let two legs talk."""
        bridge = Bridge(self.services, self.id)
        self.talk = (a, b)
        bridge.form(a, b)
        return bridge

    def end(self, cause: Cause) -> None:
        """End the whole call from outside."""
        self._wanted_cause = self._wanted_cause or cause
        self._interrupt()

    async def wait(self) -> None:
        """Return when the call has ended."""
        if self._task is not None:
            await asyncio.wait([self._task])

    @property
    def answered_at(self) -> float | None:
        """When the party that was dialled answered."""
        others = [leg for leg in self.legs if leg is not self._caller]
        return next((leg.answered_at for leg in others if leg.answered_at is not None), None) or (
            None if others else self.caller.answered_at
        )

    def reached(self) -> None:
        """The caller has come to a human answer: a person, a conference or a mailbox has taken the call."""
        if self.on_reached is not None:
            self.on_reached()

    # --- told by the legs -------------------------------------------------------------------------------------

    def leg_answered(self, leg: "Leg") -> None:
        if leg is not self._caller and not leg.is_caller:
            self.reached()

    def leg_ended(self, leg: "Leg") -> None:
        """The caller's end is the app's end."""
        if leg is self._caller and self._wanted_cause is None:
            self._wanted_cause = leg.cause
            self._interrupt()

    def _interrupt(self) -> None:
        """Stop the app where it waits; one that has not begun will not begin."""
        if self._task is not None and self._app_runs and self._task is not asyncio.current_task():
            self._task.cancel()

    def leg_closed(self, leg: "Leg") -> None:
        if leg.id in self._open:
            self._open.remove(leg.id)
        if not self._open and self._closed is not None and not self._closed.done():
            self._closed.set_result(None)

    # --- the task ---------------------------------------------------------------------------------------------

    async def _run(self, app: Callable[["Call"], Awaitable[Cause]], done: Callable[["Call"], None]) -> None:
        try:
            enter_call(self.id)
            cause = await self._controlled(app)
            self._hang_up_all(cause)
            await self._until_closed()
            self.cause = cause
            self.talked_s = _talked_s(*self.talk or ())
            self.services.publish(CallEnded(self._ended_at(), self.id, cause))
        finally:
            done(self)
            self._let_go()

    def _let_go(self) -> None:
        """Legs know their call: what is left of both would wait for the garbage collector, in hundreds a second."""
        self.legs, self.talk, self._caller = [], None, None

    async def _controlled(self, app: Callable[["Call"], Awaitable[Cause]]) -> Cause:
        if self._wanted_cause is not None:
            return self._wanted_cause
        self._app_runs = True
        try:
            cause = await app(self)
        except asyncio.CancelledError:
            cause = self._wanted_cause or CANCELLED
        except MediaRefused as refusal:
            cause = Cause.of_refusal(refusal.status)
        except Exception:
            self.log.exception("the call ends: its app failed")
            cause = SERVER_ERROR
        finally:
            self._app_runs = False
        return self._wanted_cause or cause

    def _hang_up_all(self, cause: Cause) -> None:
        for leg in self.legs:
            leg.hangup(cause)

    async def _until_closed(self) -> None:
        """Wait for the engine's reports; a second cancellation does not stop the call from being told as ended."""
        if not self._open:
            return
        loop = asyncio.get_running_loop()
        self._closed = loop.create_future()
        timer = loop.call_later(REPORT_TIMEOUT_S, self._give_up_reports)
        try:
            await self._closed
        except asyncio.CancelledError:
            self._give_up_reports()
        finally:
            timer.cancel()

    def _give_up_reports(self) -> None:
        for leg in self.legs:
            leg.give_up_report()

    def _ended_at(self) -> float:
        ended = [leg.ended_at for leg in self.legs if leg.ended_at is not None]
        return max(ended, default=self.services.clock.wall())


def _talked_s(*legs: "Leg") -> float:
    """How long all of them have talked; 0 when one has not."""
    spans = [(leg.answered_at, leg.ended_at) for leg in legs]
    began = [at for at, _ in spans if at is not None]
    ended = [at for _, at in spans if at is not None]
    is_whole = len(began) == len(ended) == len(legs) > 0
    return max(0.0, min(ended) - max(began)) if is_whole else 0.0
