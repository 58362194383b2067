"""Codes that people press while they talk (FEAT-1): to transfer, to park, to end the call.

Both sides of an internal conversation may; of a conversation with the outside only the employee (FEAT-9).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from features._code_reader import CodeReader
from frozen import dataclass
from pbx.api import (
    CALL_CODES,
    NORMAL,
    AppContext,
    Bridge,
    BridgeEnded,
    BridgeFormed,
    BusEvent,
    Collect,
    Features,
    Leg,
    collect,
)

LONGEST_TARGET = 20
FIRST_DIGIT_S = 7.0  # to find the number, while the other hears music


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation as the one sees it who pressed a code."""

    mine: Leg
    other: Leg
    bridge: Bridge


Action = Callable[[AppContext, Talk], Awaitable[None]]


class _Listener:
    """Reads what one of two dials. Digits that may become a code are held back from the other (FEAT-1)."""

    __slots__ = ("_ctx", "_found", "_pause", "_reader", "leg")

    def __init__(
        self, ctx: AppContext, leg: Leg, reader: CodeReader, found: Callable[["_Listener", str], None]
    ) -> None:
        self.leg = leg
        self._ctx, self._reader, self._found = ctx, reader, found
        self._pause: asyncio.TimerHandle | None = None
        leg.digits.are_held = True
        self.resume()

    def resume(self) -> None:
        """First of all what was dialled since `pause`."""
        self.leg.digits.listen(self._pressed)

    def pause(self) -> None:
        """What is dialled now belongs to a code."""
        self.leg.digits.listen(None)

    def close(self) -> None:
        """The conversation is over, unless the two talk in another one already."""
        self._forget_pause()
        if self.leg.bridge is None:
            self.leg.digits.listen(None)
            self.leg.digits.are_held = False

    def _pressed(self, digit: str) -> None:
        self._forget_pause()
        reading = self._reader.digit(digit, self._ctx.now())
        self.leg.pass_digits(reading.passed)
        if reading.name:
            self._found(self, reading.name)
        elif self._reader.is_waiting:
            loop = asyncio.get_running_loop()
            self._pause = loop.call_later(self._reader.pause_s, self._give_up)

    def _give_up(self) -> None:
        self._pause = None
        self.leg.pass_digits(self._reader.give_up())

    def _forget_pause(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None


class CallCodes:
    """Listens to those who talk. `actions` are what each code does, by its name in `[features]`."""

    def __init__(self, actions: Mapping[str, Action]) -> None:
        self._actions = actions
        self._known: tuple[Features, Mapping[str, str]] | None = None  # the codes of the office, for all who talk
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._listeners: dict[int, list[_Listener]] = {}

    async def begin(self, ctx: AppContext) -> None:
        ctx.bus.subscribe([BridgeFormed], lambda event: self._formed(ctx, event))
        ctx.bus.subscribe([BridgeEnded], self._ended)

    async def end(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        for number in list(self._listeners):
            self._close(number)

    def _formed(self, ctx: AppContext, event: BusEvent) -> None:
        bridge = ctx.bridge(event.bridge) if isinstance(event, BridgeFormed) else None
        if bridge is None or len(bridge.members) != 2:
            return
        self._close(bridge.id)
        legs = [leg for leg in bridge.members.values() if leg.party.is_employee]
        self._listeners[bridge.id] = [self._listener(ctx, bridge, leg) for leg in legs]

    def _listener(self, ctx: AppContext, bridge: Bridge, leg: Leg) -> _Listener:
        features = ctx.office.features
        if self._known is None or self._known[0] is not features:
            self._known = (features, codes_of(features, self._actions))
        reader = CodeReader(self._known[1], features.code_timeout_ms / 1000)
        return _Listener(ctx, leg, reader, partial(self._found, ctx, bridge))

    def _found(self, ctx: AppContext, bridge: Bridge, listener: _Listener, name: str) -> None:
        other = bridge.peer_of(listener.leg)
        if other is not None and bridge.id not in self._tasks:
            listener.pause()
            self._tasks[bridge.id] = asyncio.ensure_future(self._act(ctx, name, Talk(listener.leg, other, bridge)))

    async def _act(self, ctx: AppContext, name: str, talk: Talk) -> None:
        talk.mine.call.log.info("a code was pressed", code=name, number=talk.mine.party.number)
        try:
            await self._actions[name](ctx, talk)
        except Exception:
            talk.mine.call.log.exception("a code could not be carried out", code=name)
        finally:
            del self._tasks[talk.bridge.id]
            if talk.mine.bridge is talk.bridge:
                for listener in self._listeners.get(talk.bridge.id, ()):
                    if listener.leg is talk.mine:
                        listener.resume()

    def _ended(self, event: BusEvent) -> None:
        if isinstance(event, BridgeEnded):
            self._close(event.bridge)

    def _close(self, bridge: int) -> None:
        for listener in self._listeners.pop(bridge, ()):
            listener.close()


def codes_of(features: Features, actions: Mapping[str, Action]) -> Mapping[str, str]:
    """Code → name, of those that somebody carries out."""
    found = ((getattr(features, name), name) for name in CALL_CODES if name in actions)
    return {code: name for code, name in found if code}


async def ask_target(ctx: AppContext, talk: Talk) -> str:
    """The number that the one who pressed the code dials now; the other hears music meanwhile. Empty: none."""
    ctx.play_hold(talk.other)
    wanted = Collect(LONGEST_TARGET, FIRST_DIGIT_S, float(ctx.office.features.target_timeout), end="#")
    asking = asyncio.ensure_future(collect(talk.mine, wanted, tone=ctx.tones.dial))
    over = asyncio.ensure_future(talk.bridge.until_one_left())
    try:
        await asyncio.wait([asking, over], return_when=asyncio.FIRST_COMPLETED)
        return asking.result().digits if asking.done() and not over.done() else ""
    finally:
        asking.cancel()
        over.cancel()
        await asyncio.wait([asking, over])
        talk.other.stop_plays()


async def abort(ctx: AppContext, talk: Talk) -> None:
    """FEAT-7: the call ends; a consultation goes back to who waits."""
    talk.mine.call.end(NORMAL)
