"""Rooms that span workers: who is on another worker than the room has a stand-in there.

A room is on the worker of its first member. For a member from elsewhere two link endpoints talk to each other over
loopback, in L16: the stand-in, which is in the room in its place, and the far end, which is alone with the member in a
room of its worker. So what is said in the room, to it and about it (gains, announcements, recordings, who talks) is
done by one worker, and the codec of the member by its own. Its cost is a jitter buffer of delay each way.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from media.api import (
    ConfigureEndpoint,
    CreateEndpoint,
    DestroyEndpoint,
    EndpointCreated,
    EndpointId,
    HostPort,
    JoinRoom,
    LeaveRoom,
    MediaEvent,
    Payload,
    Reply,
    RoomId,
    SetGain,
    StreamSpec,
    TalkStarted,
    TalkStopped,
)
from media.worker.kept import KeptWorker
from media.worker.placement import Placement

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
LINK = (Payload(97, "L16", 16000), Payload(101, "telephone-event", 16000))


@dataclass(slots=True, eq=False)
class Span:
    """`joined` is how the member is in the room. Numbers of links are negative: nobody else chooses such. `gains` came
    before it was open."""

    joined: JoinRoom
    home: KeptWorker
    away: KeptWorker
    stand_in: EndpointId
    far_end: EndpointId
    is_open: bool = False
    is_closed: bool = False
    gains: list[SetGain] = field(default_factory=list)

    @property
    def room(self) -> RoomId:
        return self.joined.room

    @property
    def member(self) -> EndpointId:
        return self.joined.endpoint

    @property
    def room_away(self) -> RoomId:
        return self.far_end

    def join_home(self) -> JoinRoom:
        return replace(self.joined, endpoint=self.stand_in)


class Spans:
    """By member; a member is in one room at most."""

    def __init__(self, workers: Sequence[KeptWorker], placement: Placement) -> None:
        self._workers, self._placement = workers, placement
        self._spans: dict[EndpointId, Span] = {}
        self._of_link: dict[EndpointId, Span] = {}
        self._numbers = count(-1, -1)
        self._opening: set[asyncio.Task[Reply | None]] = set()

    def __len__(self) -> int:
        return len(self._spans)

    def is_apart(self, command: JoinRoom) -> bool:
        """The endpoint is on another worker than the room. False where either is unknown."""
        place, home = self._placement.place_of(command), self._placement.home_of(command.room)
        return place >= 0 and home is not None and home != place

    def join(self, command: JoinRoom) -> "asyncio.Task[Reply | None] | None":
        """Let a member in that is apart, or change how it is in; what is under way, whose result is why it failed."""
        span = self._spans.get(command.endpoint)
        if span is not None:
            span.joined = command
            if span.is_open:
                span.home.submit(span.join_home())
            return None
        home, away = self._placement.home_of(command.room), self._placement.place_of(command)
        assert home is not None
        span = Span(command, self._workers[home], self._workers[away], next(self._numbers), next(self._numbers))
        self._spans[span.member] = self._of_link[span.stand_in] = self._of_link[span.far_end] = span
        task = asyncio.ensure_future(self._open(span))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        return task

    def leave(self, member: EndpointId, room: RoomId | None = None) -> None:
        """It goes, unless it stays in `room`."""
        span = self._spans.get(member)
        if span is None or span.room == room:
            return
        del self._spans[member]
        del self._of_link[span.stand_in], self._of_link[span.far_end]
        span.is_closed = True
        if span.is_open:
            span.home.submit(DestroyEndpoint(span.stand_in))
            span.away.submit(DestroyEndpoint(span.far_end))

    def in_room(self, command: SetGain) -> SetGain | None:
        """The same said of stand-ins; None: it will be said when the stand-in is there."""
        spans = [self._spans.get(endpoint) for endpoint in (command.source, command.sink)]
        for span in spans:
            if span is not None and not span.is_open:
                span.gains.append(command)
                return None
        source, sink = spans
        return replace(
            command,
            source=source.stand_in if source else command.source,
            sink=sink.stand_in if sink else command.sink,
        )

    def heard(self, event: MediaEvent) -> MediaEvent | None:
        """What an event of a link says about its member; None: nothing."""
        endpoint = getattr(event, "endpoint", 0)
        if endpoint >= 0:
            return event
        span = self._of_link.get(endpoint)
        if span is not None and endpoint == span.stand_in and isinstance(event, TalkStarted | TalkStopped):
            return replace(event, endpoint=span.member)
        return None

    def gone(self, endpoint: EndpointId) -> None:
        """A link, or a member, did not survive its worker: the member is in no room."""
        span = self._of_link.get(endpoint) or self._spans.get(endpoint)
        if span is not None:
            self.leave(span.member)
            self._placement.leave(span.member)
            if span.member != endpoint:
                span.away.submit(LeaveRoom(span.member))

    async def close(self) -> None:
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)

    async def _open(self, span: Span) -> Reply | None:
        """Why it failed, or None."""
        (near,) = await span.home.execute([CreateEndpoint(span.stand_in, LOOPBACK)])
        if not isinstance(near, EndpointCreated):
            return self._failed(span, near)
        (far,) = await span.away.execute([CreateEndpoint(span.far_end, LOOPBACK, _link_to(near.rtp))])
        if not isinstance(far, EndpointCreated):
            span.home.submit(DestroyEndpoint(span.stand_in))
            return self._failed(span, far)
        if span.is_closed:
            span.home.submit(DestroyEndpoint(span.stand_in))
            span.away.submit(DestroyEndpoint(span.far_end))
            return None
        span.is_open = True
        span.home.submit(ConfigureEndpoint(span.stand_in, _link_to(far.rtp)))
        span.home.submit(span.join_home())
        span.away.submit(JoinRoom(span.room_away, span.member))
        span.away.submit(JoinRoom(span.room_away, span.far_end))
        for command in span.gains:
            if (gain := self.in_room(command)) is not None:
                span.home.submit(gain)
        return None

    def _failed(self, span: Span, why: Reply) -> Reply:
        log.warning("endpoint %d cannot be in room %d of another media worker: %s", span.member, span.room, why)
        self.leave(span.member)
        self._placement.leave(span.member)
        return why


def _link_to(other: HostPort) -> StreamSpec:
    return StreamSpec(other, LINK)
