"""Call queues (QUE-*): a caller waits, agents are rung by the strategy, the first who answers talks.

The line and the agents stand in `_queue_line.py`, the choice of agents in `_queue_strategy.py`; here is what one caller
goes through.
"""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from features._queue_agent import Agent, barred_to, party_of, ways_to
from features._queue_line import Lines, Ticket
from features.announcement import announce
from features.conversation import talk
from features.dialogue import KEY_S, TRIES, Dialogue
from features.queue_callback import Callbacks, Changes
from pbx.api import (
    ANSWERED_ELSEWHERE,
    NO_AGENT,
    NO_ANSWER,
    NORMAL,
    QUEUE_TIMEOUT,
    AppContext,
    Arrived,
    Call,
    CallEnded,
    Cause,
    Collect,
    DialOutcome,
    GoTo,
    Inquiry,
    Leg,
    LegEnded,
    Next,
    OutsideMember,
    Playlist,
    ProviderChanged,
    Queue,
    QueueView,
    RegistrationChanged,
    Ringing,
    collect,
    say,
)

MINUTE_S = 60.0
ACCEPT_KEY = "1"


class Queues:
    """Every queue of the server: wakes those who wait whenever something changes."""

    def __init__(self, lines: Lines | None = None) -> None:
        self.lines = lines or Lines()
        self.changes = Changes(self.lines.forget)
        self.callbacks = Callbacks(self.lines)

    async def begin(self, ctx: AppContext) -> None:
        self.lines.restore(ctx)
        ctx.bus.subscribe([RegistrationChanged, ProviderChanged], self.changes.wake)
        ctx.bus.subscribe([LegEnded, CallEnded], lambda _: self.look(ctx))
        self.callbacks.restore(ctx, self.changes)

    async def end(self) -> None:
        """Those who wait have been hung up."""
        await self.callbacks.end()

    def look(self, ctx: AppContext) -> None:
        """Somebody may be free now."""
        self.lines.forget()
        if self.lines.has_work(ctx):
            self.changes.wake()

    def app(self, queue: Queue) -> "Waiting":
        """What a call to that queue goes through."""
        return Waiting(self, queue)

    def views(self, ctx: AppContext) -> Sequence[QueueView]:
        """For `zvon queues`."""
        return [self.lines.view(ctx, each) for each in ctx.office.queues]


class Waiting:
    """The app behind the number of a queue."""

    name: ClassVar[str] = "queue"
    stage: ClassVar[str] = "queue"

    def __init__(self, queues: Queues, queue: Queue) -> None:
        self._queues, self._lines, self._queue = queues, queues.lines, queue
        self._changes, self._callbacks = queues.changes, queues.callbacks
        self._unanswered = self._announced = 0
        self._pressed = ""
        self._ringing: asyncio.Future[DialOutcome] | None = None
        self._announce_at = 0.0
        self._is_served = False

    async def run(self, call: Call, ctx: AppContext) -> Next:
        ticket = Ticket(call.id, call.caller.party.shown_number, call.caller.party.name, ctx.wall())
        call.music = self._queue.music  # also when an agent puts the caller on hold (FEAT-25)
        ticket.barred = barred_to(ctx, self._queue, call)
        await ctx.prepare(call)
        self._lines.enter(self._queue, ticket)
        call.caller.digits.listen(self._press)
        try:
            return await self._wait(call, ctx, ticket)
        except asyncio.CancelledError:
            if self._queue.callback.missed and not self._is_served:
                self._callbacks.order(ctx, self._queue, ticket, self._changes)
            raise
        finally:
            call.caller.digits.listen(None)
            self._lines.leave(self._queue, ticket, keeps_place=ctx.draining and not self._is_served)
            self._changes.wake()

    async def _wait(self, call: Call, ctx: AppContext, ticket: Ticket) -> Next:
        """Until an agent has talked, or one of the ways out is taken."""
        self._announce_at = ctx.now()
        self._sound(call, ctx)
        try:
            async with asyncio.timeout(self._queue.max_wait or None) as deadline:
                while True:
                    self._queue = next((q for q in ctx.office.queues if q.number == self._queue.number), self._queue)
                    if self._pressed and self._pressed == self._queue.callback.key:
                        return await self._call_back(call, ctx, ticket)
                    way_out = self._way_out(ctx)
                    if way_out is not None:
                        return way_out
                    agent = await self._ring(call, ctx, ticket)
                    if agent is not None:
                        deadline.reschedule(None)
                        return await self._talk(call, ctx, agent)
        except TimeoutError:
            return await self._give_up(call, ctx)

    async def _call_back(self, call: Call, ctx: AppContext, ticket: Ticket) -> Next:
        """The caller hangs up and keeps the place in the line."""
        is_ordered = self._callbacks.order(ctx, self._queue, ticket, self._changes)
        self._is_served = True
        call.caller.stop_plays()
        prompt = "queue-callback-accepted" if is_ordered else "call-feature-unavailable"
        await announce(call, ctx, ctx.prompts.say(prompt, language=call.caller.party.language))
        return NORMAL

    def _way_out(self, ctx: AppContext) -> GoTo | None:
        queue = self._queue
        if self._pressed in queue.exit_keys:
            return GoTo(queue.exit_keys[self._pressed])
        if queue.empty_target and not self._lines.is_registered(ctx, queue):
            return GoTo(queue.empty_target, NO_AGENT)
        if queue.attempts_target and self._unanswered >= queue.max_attempts:
            return GoTo(queue.attempts_target, QUEUE_TIMEOUT)
        if queue.announcements_target and self._announced >= queue.max_announcements:
            return GoTo(queue.announcements_target, QUEUE_TIMEOUT)
        return None

    def explain(self, asked: Inquiry, ctx: AppContext) -> Next | Arrived:
        queue, way_out = self._queue, self._way_out(ctx)
        empty = say("goes on to {target} when no agent is registered", target=queue.empty_target)
        leads = empty if queue.empty_target else say("no target")
        asked.tried("empty_target", matched=way_out is not None, why=leads)
        if way_out is not None:
            return way_out
        view = self._lines.view(ctx, queue)
        barred = barred_to(ctx, queue, asked)
        ticket = Ticket("", asked.calling.shown_number, asked.calling.name, ctx.wall(), barred=barred)
        found = self._lines.choice(ctx, queue, ticket)
        for agent in view.agents:
            why = say(
                "{state}, {answered} answered, penalty {penalty}",
                state=say(agent.state),
                answered=agent.answered,
                penalty=queue.penalties.get(agent.number, 0),
            )
            if agent.number in barred:
                why = say("no rule for numbers outside lets this caller through to it")
            asked.tried(f"agent {agent.number}", matched=agent.number in found, why=why)
        target = queue.timeout_target
        leads = say("goes on to {target}", target=target) if target else say("the call ends")
        wait = say("after {s} s without an agent: {leads}", s=queue.max_wait, leads=leads)
        wait = wait if queue.max_wait else say("callers wait without end")
        asked.tried("max_wait", matched=False, why=wait)
        if not found:
            others = len(view.waiting)
            behind = say("lets the caller wait behind {others} others: no agent is free", others=others)
            return Arrived((queue.number,), behind)
        how = say("of queue {queue}, strategy {strategy}", queue=queue.number, strategy=queue.strategy)
        by_chance = say("{how}, chosen by chance", how=how)
        return Arrived(tuple(found), by_chance if queue.strategy == "random" else how)

    async def _ring(self, call: Call, ctx: AppContext, ticket: Ticket) -> Leg | None:
        """Ring whoever is to be rung now, else wait for a change."""
        queue = self._queue
        agents = self._lines.offer(ctx, queue, ticket)
        if not agents:
            if not await self._announce(call, ctx, ticket):
                await self._changes.until_change(self._next_look_s(ctx, ticket))
            return None
        self._queues.look(ctx)  # who waits further behind may have the others
        label = f"{queue.short_name}{queue.separator}" if queue.short_name else ""
        terminals = [each.terminal for each in agents if each.terminal is not None]
        how = Ringing(
            float(queue.ring_time),
            ignores_limit=True,
            follows=False,
            label=label,
            on_ringing=_nothing,
            outside=tuple(self._outside(call, ctx, each) for each in agents if each.terminal is None),
        )
        self._ringing = asyncio.ensure_future(ctx.ring(call, *terminals, how=how))
        try:
            outcome = await self._ringing
        except asyncio.CancelledError:
            if not self._has_chosen:
                raise
            return None
        finally:
            self._ringing.cancel()
            rung, ticket.ringing = ticket.ringing, ()
        if outcome.answered is not None:
            self._lines.answered(queue, ticket, outcome.answered.party.number)
            self._lines.leave(queue, ticket)
            if _has_announcements(queue):
                self._changes.wake()  # all may be busy now, which those behind are told
            return outcome.answered
        self._unanswered += 1
        refusals = {agent: _is_own(outcome.refusals.get(agent)) for agent in rung}
        self._lines.refused(queue, ticket, refusals, ctx.now())
        self._changes.wake()
        await asyncio.sleep(queue.retry)
        return None

    def _outside(self, call: Call, ctx: AppContext, agent: Agent) -> OutsideMember:
        """An agent outside takes the call by a key: who answers there may be a mailbox."""

        async def takes(leg: Leg) -> bool:
            said, wanted = Dialogue(leg, ctx).prompt("agent-accept"), Collect(most=1, first_s=KEY_S)
            for _ in range(TRIES):
                asking = collect(leg, wanted, said) if said.files else collect(leg, wanted, tone=ctx.tones.waiting)
                if (await asking).digits == ACCEPT_KEY:
                    return True
            return False

        return OutsideMember(party_of(ctx, agent), ways_to(ctx, agent.number, call), takes)

    async def _talk(self, call: Call, ctx: AppContext, agent: Leg) -> Next:
        call.caller.digits.listen(None)
        call.caller.stop_plays()
        self._is_served = True
        self._callbacks.has_talked(self._queue, call.caller.party.shown_number, ctx.now())
        began = ctx.now()
        try:
            return await talk(call, agent)
        finally:
            self._lines.finished(ctx, self._queue, agent.party.number, ctx.now() - began)
            self._changes.wake()

    async def _give_up(self, call: Call, ctx: AppContext) -> Next:
        """QUE-22, QUE-23: the longest wait is over."""
        call.caller.stop_plays()
        if self._queue.timeout_target:
            return GoTo(self._queue.timeout_target, QUEUE_TIMEOUT)
        if call.caller.is_answered:
            await Dialogue(call.caller, ctx).say("queue-timeout")
        return QUEUE_TIMEOUT

    # --- what the caller hears ----------------------------------------------------------------------------------

    def _sound(self, call: Call, ctx: AppContext) -> None:
        """Music takes the call off the hook, ringing does not (QUE-16)."""
        caller = call.caller
        if self._queue.caller_hears == "music":
            caller.answer()
            caller.start_play(ctx.music(self._queue.music))
        elif caller.is_answered or caller.has_early_media:
            caller.start_play(ctx.tones.ringback)
        else:
            caller.ring()

    async def _announce(self, call: Call, ctx: AppContext, ticket: Ticket) -> bool:
        """Place, wait and the extra announcement, while all agents are busy (QUE-18…21). True when something was said:
        much may have changed meanwhile."""
        queue = self._queue
        if ctx.now() < self._announce_at or self._lines.is_somebody_free(ctx, queue, ticket):
            return False
        said = self._announcements(call, ctx, ticket)
        if said.files:
            call.caller.stop_plays()
            await announce(call, ctx, said)
            self._announced += 1
            self._sound(call, ctx)
        self._announce_at = ctx.now() + queue.announce_every if queue.announce_every else float("inf")
        return bool(said.files)

    def _announcements(self, call: Call, ctx: AppContext, ticket: Ticket) -> Playlist:
        queue, language = self._queue, call.caller.party.language
        said = Playlist(())
        if queue.announce_position:
            place = self._lines.place(queue, ticket)
            prompt = "queue-next" if place == 1 else "queue-position"
            said = _joined(said, ctx.prompts.say(prompt, number=place, language=language))
        wait_s = self._lines.expected_wait_s(ctx, queue, ticket) if queue.announce_wait else None
        if wait_s is not None:
            minutes_s = round(wait_s / MINUTE_S) * MINUTE_S
            prompt = "queue-wait" if minutes_s else "queue-wait-short"
            said = _joined(said, ctx.prompts.say(prompt, wait=minutes_s, language=language))
        if queue.callback.key:
            offer = ctx.prompts.say("queue-callback-offer", key=queue.callback.key, language=language)
            said = _joined(said, offer)
        extra = ctx.sound(queue.announcement)
        return said if extra is None else _joined(said, Playlist((extra,)))

    def _next_look_s(self, ctx: AppContext, ticket: Ticket) -> float | None:
        """When somebody may be free, or something is to be said."""
        times = [self._announce_at - ctx.now(), self._lines.next_change_s(ctx, self._queue, ticket)]
        return min((each for each in times if each is not None and 0 < each < float("inf")), default=None)

    def _press(self, digit: str) -> None:
        """A key that leads out of the queue does so at once, whoever rings."""
        self._pressed = digit
        if self._has_chosen and self._ringing is not None:
            self._ringing.cancel()
        self._changes.wake()

    @property
    def _has_chosen(self) -> bool:
        keys = (*self._queue.exit_keys, self._queue.callback.key)
        return bool(self._pressed) and self._pressed in keys


def _has_announcements(queue: Queue) -> bool:
    return bool(queue.announce_position or queue.announce_wait or queue.announcement or queue.callback.key)


def _nothing() -> None:
    """The caller hears something else already."""


def _is_own(cause: Cause | None) -> bool:
    """The agent's phone refused or is gone, rather than that it rang in vain."""
    return cause not in (None, NO_ANSWER, ANSWERED_ELSEWHERE)


def _joined(first: Playlist, then: Playlist) -> Playlist:
    gain_db = then.gain_db if then.files and not first.files else first.gain_db
    return Playlist((*first.files, *then.files), gain_db=gain_db)
