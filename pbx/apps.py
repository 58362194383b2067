"""Apps: what controls a call, which of them stands behind a number, and how one hands the call on to the next.

An app runs one stage of a call and returns the cause for which the call ends, or `GoTo` another number of the office:
the same caller, the same call, another stage. History has a row for each stage. A call that is handed on without end is
stopped (IVR-14, FWD-17).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from frozen import dataclass
from pbx.cause import LOOP, NO_ANSWER, NORMAL, NOT_FOUND, UNAVAILABLE, Cause
from pbx.control.messages import QueueView
from pbx.directory import Directory
from pbx.events import StageEntered, StageLeft
from pbx.party import Party, PartyKind
from storage.records import DIALLED_CODES, Entry, Office, Terminal

if TYPE_CHECKING:
    from pbx.api import AppContext, Observer
    from pbx.arrival import Arrival
    from pbx.call import Call
    from pbx.leg import Leg

DIAL = "dial"  # the stage in which people are rung
RING_PEOPLE = frozenset((DIAL, "group", "short"))
ANSWER_AS_PEOPLE = frozenset(("conference", "voicemail"))
BARRED = "barred"  # the service that callers hear who may not dial a number (GRP-7)
UNKNOWN = "unknown number"  # the one that they hear who dial a number that nobody has (FEAT-34)
MOST_STAGES = 50  # a caller who is lost in menus for so long is lost


@dataclass(frozen=True, slots=True)
class GoTo:
    """The call goes on at `target`: any number of the office, or a service such as `voicemail`. `cause` tells history
    why it left here."""

    target: str
    cause: Cause = NORMAL


Next = Cause | GoTo


class App(Protocol):
    """What a feature is. `stage` is the word of history rows: dial, ivr, queue, …"""

    name: ClassVar[str]
    stage: ClassVar[str]

    async def run(self, call: "Call", ctx: "AppContext") -> Next: ...


@dataclass(frozen=True, slots=True)
class Apps:
    """`of_entry` makes the app behind an entry of the office, by the kind of its record; `numbers` are built in;
    `services` are targets that nobody can dial (FEAT-35). `codes` make the app of a code of `[features]`, by its name
    there, out of what was dialled after it (FEAT-1). `joining` makes that of who comes in where a leg talks (RFC 3911).
    `claims` each look at a number that is nothing else. `outside` makes the app of calls to a number outside,
    `incoming` that of a call that a provider brings. `observers` live as long as the server; `queues` are what
    `zvon queues` shows."""

    of_entry: Mapping[type[Any], Callable[[Any], App]]
    numbers: Mapping[str, App]
    services: Mapping[str, App]
    joining: Callable[["Leg"], App | None] = lambda _: None
    codes: Mapping[str, Callable[[str], App]] = field(default_factory=dict)
    claims: Sequence[Callable[[Office, str], App | None]] = ()
    outside: Callable[[str], App] | None = None
    incoming: "Callable[[AppContext, Arrival], App | None]" = lambda _, __: None
    observers: Sequence["Observer"] = ()
    queues: Callable[["AppContext"], Sequence[QueueView]] = lambda _: ()

    def find(self, directory: Directory, number: str) -> tuple[Party, App | None]:
        """Who is behind a number that was dialled, and the app that handles calls to it."""
        entry = directory.entry(number)
        make = self.of_entry.get(type(entry))
        if entry is not None and make is not None:
            return self._party(directory, number, entry), make(entry)
        app = self.numbers.get(number) or self._of_code(directory, number) or self._claimed(directory.office, number)
        if app is not None:
            return Party.of_application(number, app.name), app
        party = directory.outside(number)
        return (
            (Party.unknown(number), None)
            if party is None
            else (party, self.outside(number) if self.outside is not None else None)
        )

    def find_incoming(self, ctx: "AppContext", arrival: "Arrival") -> tuple[Party, App | None]:
        """The number that was called over a provider, and the app that handles the call."""
        app = self.incoming(ctx, arrival)
        found = Party.unknown(arrival.called) if app is None else Party.of_application(arrival.called, app.name)
        return found, app

    def _claimed(self, office: Office, number: str) -> App | None:
        found = (claim(office, number) for claim in self.claims)
        return next((app for app in found if app is not None), None)

    def find_target(self, directory: Directory, target: str) -> tuple[Party, App | None]:
        """The same for a target of the office: a number, or the name of a service."""
        app = self.services.get(target)
        if app is not None:
            return Party.of_application(target, app.name), app
        return self.find(directory, target)

    def _of_code(self, directory: Directory, number: str) -> App | None:
        """The document knows no code that is the beginning of another one, or of a number."""
        codes = ((name, getattr(directory.office.features, name)) for name in DIALLED_CODES if name in self.codes)
        found = next(((name, code) for name, code in codes if code and number.startswith(code)), None)
        return self.codes[found[0]](number.removeprefix(found[1])) if found is not None else None

    @staticmethod
    def _party(directory: Directory, number: str, entry: Entry) -> Party:
        if isinstance(entry, Terminal):
            return directory.party(entry)
        return Party.of_application(number, str(getattr(entry, "name", "")))


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a target: `cause`, and whose stage it ended in. `is_reached`: somebody has answered there, so the
    call is over."""

    cause: Cause
    at: Party
    is_reached: bool = False


async def run_stages(call: "Call", party: Party, app: App, ctx: "AppContext") -> Cause:
    """Let `app`, and whatever it hands on to, control the call until it ends."""
    return (await _run(call, party, app, ctx, lambda: None)).cause


async def try_target(call: "Call", target: str, ctx: "AppContext", timeout_s: float = 0.0) -> Tried:
    """Let a target, and whatever it hands on to, have the call for so long (0: as long as it takes), as a part of the
    stage of an app. A human answer stops the time (INB-13); nothing else does."""
    is_reached = False
    deadline = asyncio.timeout(timeout_s or None)

    def reached() -> None:
        nonlocal is_reached
        is_reached = True
        if not deadline.expired():
            deadline.reschedule(None)

    party, app = ctx.route(target)
    _leave(call, NORMAL)  # the row of who asks for this
    call.on_reached = reached
    try:
        async with deadline:
            if app is None:
                return Tried(_nowhere(call, party), party)
            found = await _run(call, party, app, ctx, lambda: NO_ANSWER if deadline.expired() else None)
            return replace(found, is_reached=is_reached)
    except TimeoutError:
        if not deadline.expired():
            raise
        call.caller.stop_plays()
        call.caller.digits.listen(None)
        return Tried(NO_ANSWER, party)
    finally:
        call.on_reached = None


async def _run(
    call: "Call", party: Party, app: App, ctx: "AppContext", taken_away: "Callable[[], Cause | None]"
) -> Tried:
    """`taken_away`: why an app is interrupted, None when the caller is gone."""
    for _ in range(MOST_STAGES):
        _enter(call, party, app.stage)
        call.services.explanations.note(call, party, app, ctx)
        left: Cause | None = None
        try:
            step = await app.run(call, ctx)
            left = step if isinstance(step, Cause) else step.cause
        except asyncio.CancelledError:
            left = taken_away()
            raise
        finally:
            _leave(call, left)
        if isinstance(step, Cause):
            return Tried(step, party)
        call.previous = party
        party, found = ctx.route(step.target)
        if found is None:
            return Tried(_nowhere(call, party), party)
        app = found
    call.log.warning("the call was handed on too often", stages=MOST_STAGES)
    return Tried(LOOP, party)


def _nowhere(call: "Call", party: Party) -> Cause:
    """History tells where the call should have gone."""
    cause = UNAVAILABLE if party.kind is PartyKind.OUTSIDE else NOT_FOUND
    call.log.warning("the call was sent where nobody can be reached", target=party.number, cause=cause.name)
    _enter(call, party, DIAL)
    _leave(call, cause)
    return cause


def _enter(call: "Call", party: Party, stage: str) -> None:
    call.stage, call.stage_digits = stage, ""
    if stage in ANSWER_AS_PEOPLE:
        call.reached()
    call.services.publish(StageEntered(call.services.clock.wall(), call.id, party, stage))


def _leave(call: "Call", cause: Cause | None) -> None:
    call.services.publish(StageLeft(call.services.clock.wall(), call.id, cause, call.stage_digits))
