"""Codes that people press while they talk (FEAT-1): to transfer, to park, to end the call.

Both sides of an internal conversation may; of a conversation with the outside only the employee (FEAT-9).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

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
    PartyKind,
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


class CallCodes:
    """Listens to those who talk. `actions` are what each code does, by its name in `[features]`."""

    def __init__(self, actions: Mapping[str, Action]) -> None:
        self._actions = actions
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._listening: dict[int, tuple[Leg, ...]] = {}

    async def begin(self, ctx: AppContext) -> None:
        ctx.bus.subscribe([BridgeFormed], lambda event: self._formed(ctx, event))
        ctx.bus.subscribe([BridgeEnded], self._ended)

    async def end(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    def _formed(self, ctx: AppContext, event: BusEvent) -> None:
        bridge = ctx.bridge(event.bridge) if isinstance(event, BridgeFormed) else None
        if bridge is None or len(bridge.members) != 2:
            return
        legs = tuple(leg for leg in bridge.members.values() if may_use_codes(leg))
        self._listening[bridge.id] = legs
        for leg in legs:
            self._listen(ctx, bridge, leg)

    def _listen(self, ctx: AppContext, bridge: Bridge, leg: Leg) -> None:
        features = ctx.office.features
        reader = CodeReader(codes_of(features, self._actions), features.code_timeout_ms / 1000)

        def pressed(digit: str) -> None:
            name = reader.digit(digit, ctx.now())
            other = bridge.peer_of(leg)
            if name and other is not None and bridge.id not in self._tasks:
                leg.digits.listen(None)  # what follows belongs to the code
                self._tasks[bridge.id] = asyncio.ensure_future(self._act(ctx, name, Talk(leg, other, bridge)))

        leg.digits.listen(pressed)

    async def _act(self, ctx: AppContext, name: str, talk: Talk) -> None:
        talk.mine.call.log.info("a code was pressed", code=name, number=talk.mine.party.number)
        try:
            await self._actions[name](ctx, talk)
        except Exception:
            talk.mine.call.log.exception("a code could not be carried out", code=name)
        finally:
            del self._tasks[talk.bridge.id]
            if not talk.bridge.has_ended and talk.mine.bridge is talk.bridge:
                self._listen(ctx, talk.bridge, talk.mine)

    def _ended(self, event: BusEvent) -> None:
        if isinstance(event, BridgeEnded):
            for leg in self._listening.pop(event.bridge, ()):
                if leg.bridge is None:
                    leg.digits.listen(None)


def may_use_codes(leg: Leg) -> bool:
    """Employees may; whoever calls through a gateway or a line may not."""
    return leg.party.kind is PartyKind.TERMINAL and not leg.party.presented


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
