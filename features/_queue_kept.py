"""What queues know over a restart: what they have learned, who rests after a talk, the places of callers who waited.

The calls of those who wait end with the server. Who calls again soon has the place of before.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict

from features._queue_strategy import Memory
from pbx.api import AppContext, States

MEMORIES, RESTS, PLACES = "queue-memory", "queue-rests", "queue-places"  # areas of what outlives a restart
PLACE_S = 600.0  # for so long after the start


class Kept:
    """`places`: since when who was cut off has waited, by queue and number."""

    def __init__(self) -> None:
        self._states: States | None = None
        self._places: dict[tuple[str, str], float] = {}
        self._until = 0.0

    def restore(self, ctx: AppContext) -> None:
        self._states, self._until = ctx.states, ctx.wall() + PLACE_S
        for key, text in list(ctx.states.of(PLACES).items()):
            number, since = json.loads(text)
            self._places[key.partition("/")[0], number] = since
            ctx.states.put(PLACES, key, None)

    def memories(self) -> Mapping[str, tuple[Memory, float]]:
        """Of each queue, with the mean time of an agent for a caller."""
        states = self._states
        texts = states.of(MEMORIES) if states is not None else {}
        kept = {number: json.loads(text) for number, text in texts.items()}
        return {number: (Memory(**each["memory"]), each["handling_s"]) for number, each in kept.items()}

    def remember(self, queue: str, memory: Memory, handling_s: float) -> None:
        self._put(MEMORIES, queue, json.dumps({"memory": asdict(memory), "handling_s": handling_s}))

    def rests(self) -> Mapping[str, float]:
        """Until when agents rest, in UTC seconds."""
        states = self._states
        return {} if states is None else {agent: float(until) for agent, until in states.of(RESTS).items()}

    def rest(self, agent: str, until: float) -> None:
        self._put(RESTS, agent, str(until))

    def since(self, queue: str, number: str, now: float) -> float:
        """When who calls now has begun to wait."""
        since = self._places.pop((queue, number), None)
        return now if since is None or now > self._until else since

    def waits(self, queue: str, call: str, number: str, since: float) -> None:
        if number:
            self._put(PLACES, f"{queue}/{call}", json.dumps([number, since]))

    def waits_no_longer(self, queue: str, call: str) -> None:
        self._put(PLACES, f"{queue}/{call}", None)

    def _put(self, area: str, key: str, value: str | None) -> None:
        if self._states is not None and (value is not None or key in self._states.of(area)):
            self._states.put(area, key, value)
