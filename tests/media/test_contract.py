"""What every media engine promises, run against the double, the embedded engine and a worker process."""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from media import EngineConfig, open_engine
from media.api import (
    WHOLE_ROOM,
    AdjustPlay,
    ConfigureEndpoint,
    CreateEndpoint,
    DestroyEndpoint,
    Direction,
    Done,
    EndpointCreated,
    FileSource,
    HostPort,
    JoinRoom,
    LeaveRoom,
    MediaEngine,
    PauseRecording,
    Payload,
    Play,
    PlayEnded,
    Playlist,
    PlaySource,
    PlayToRoom,
    RecordingEnded,
    RecordingStarted,
    RecordRoom,
    RoomPlayEnded,
    SendDigits,
    SetEcho,
    SetGain,
    SharedSource,
    StopPlay,
    StopPlayToRoom,
    StopRecording,
    StreamReport,
    StreamSpec,
    ToneSource,
)
from tests.media.peer import EVENTS, PCMA, PCMU, Events, accept, created, refused
from tests.support.fakemedia import FakeMedia

Opener = Callable[[], AbstractAsyncContextManager[MediaEngine]]

pytestmark = pytest.mark.real_loop

SPEC = StreamSpec(HostPort("127.0.0.1", 9), (PCMU, EVENTS))
TONE = ToneSource((((440.0,), 1000),))
LOCAL = "127.0.0.1"


@asynccontextmanager
async def _closing(engine: MediaEngine) -> AsyncIterator[MediaEngine]:
    try:
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def _fake() -> AsyncIterator[MediaEngine]:
    async with _closing(FakeMedia()) as engine:
        yield engine


@asynccontextmanager
async def _embedded() -> AsyncIterator[MediaEngine]:
    async with _closing(await open_engine(EngineConfig(31000, 31199, embedded=True))) as engine:
        yield engine


@asynccontextmanager
async def _workers() -> AsyncIterator[MediaEngine]:
    async with _closing(await open_engine(EngineConfig(31200, 31599, workers=1))) as engine:
        yield engine


@pytest.fixture(params=[_fake, _embedded, _workers], ids=["fake", "embedded", "workers"])
def opener(request: pytest.FixtureRequest) -> Opener:
    found: Opener = request.param
    return found


async def test_an_endpoint_has_an_even_port_the_next_for_rtcp_and_its_own_ssrc(opener: Opener) -> None:
    async with opener() as engine:
        replies = await engine.execute(CreateEndpoint(1, LOCAL), CreateEndpoint(2, LOCAL, SPEC))
        first, second = map(created, replies)
        assert (first.endpoint, second.endpoint) == (1, 2)
        assert first.rtp.host == LOCAL
        assert first.rtp.port % 2 == 0
        assert first.rtcp_port == first.rtp.port + 1
        assert first.rtp.port != second.rtp.port
        assert first.ssrc != second.ssrc


async def test_one_reply_comes_for_each_command_in_order(opener: Opener) -> None:
    async with opener() as engine:
        replies = await engine.execute(
            CreateEndpoint(1, LOCAL), JoinRoom(5, 99), ConfigureEndpoint(1, SPEC), JoinRoom(5, 1), DestroyEndpoint(1)
        )
        kinds = [type(reply).__name__ for reply in replies]
        assert kinds == ["EndpointCreated", "Refused", "Done", "Done", "Done"]


async def test_many_commands_in_one_exchange_are_all_answered(opener: Opener) -> None:
    async with opener() as engine:
        replies = await engine.execute(*(CreateEndpoint(number, LOCAL) for number in range(40)))
        assert [created(reply).endpoint for reply in replies] == list(range(40))
        assert (await engine.describe()).endpoints == 40
        replies = await engine.execute(*(DestroyEndpoint(number) for number in range(40)))
        assert set(replies) == {Done()}


async def test_an_unknown_endpoint_is_refused_with_a_sentence(opener: Opener) -> None:
    async with opener() as engine:
        for command in (
            ConfigureEndpoint(7, SPEC),
            DestroyEndpoint(7),
            JoinRoom(1, 7),
            LeaveRoom(7),
            SetEcho(7),
            Play(7, 1, TONE),
            StopPlay(7, 1),
            AdjustPlay(7, 1, paused=True),
            SendDigits(7, "1"),
        ):
            (reply,) = await engine.execute(command)
            assert refused(reply) == "There is no endpoint 7."


async def test_the_same_endpoint_cannot_be_created_twice_and_lives_on(opener: Opener) -> None:
    async with opener() as engine:
        await accept(engine, CreateEndpoint(1, LOCAL))
        (reply,) = await engine.execute(CreateEndpoint(1, LOCAL))
        assert refused(reply) == "Endpoint 1 exists already."
        await accept(engine, ConfigureEndpoint(1, SPEC))


async def test_addresses_that_cannot_work_are_refused(opener: Opener) -> None:
    async with opener() as engine:
        (reply,) = await engine.execute(CreateEndpoint(1, "phone.example"))
        assert refused(reply) == "phone.example is not an IP address."
        other = StreamSpec(HostPort("::1", 9), (PCMU,))
        (reply,) = await engine.execute(CreateEndpoint(1, LOCAL, other))
        assert refused(reply) == "::1 and the local address 127.0.0.1 are of different IP versions."
        assert (await engine.describe()).endpoints == 0


async def test_a_stream_without_payload_types_is_refused(opener: Opener) -> None:
    async with opener() as engine:
        (reply,) = await engine.execute(CreateEndpoint(1, LOCAL, StreamSpec(HostPort(LOCAL, 9), ())))
        assert "payload types" in refused(reply)


async def test_a_room_takes_any_number_in_any_role(opener: Opener) -> None:
    async with opener() as engine:
        await accept(engine, *(CreateEndpoint(number, LOCAL, SPEC) for number in range(1, 21)))
        await accept(engine, *(JoinRoom(5, number) for number in range(1, 21)))
        await accept(engine, JoinRoom(5, 2, talks=False), JoinRoom(5, 3, hears=False), JoinRoom(5, 4, tells=True))
        assert (await engine.describe()).rooms == 1
        await accept(engine, *(LeaveRoom(number) for number in range(1, 21)))
        assert (await engine.describe()).rooms == 0


async def test_gains_are_between_two_members_and_go_with_them(opener: Opener) -> None:
    async with opener() as engine:
        await accept(engine, *(CreateEndpoint(number, LOCAL, SPEC) for number in (1, 2, 3)))
        (reply,) = await engine.execute(SetGain(5, 1, 2, 0.0))
        assert refused(reply) == "There is no room 5."
        await accept(engine, JoinRoom(5, 1), JoinRoom(5, 2))
        await accept(engine, SetGain(5, 1, 2, -math.inf), SetGain(5, 2, 1, 6.0), SetGain(5, 1, 2, 0.0))
        replies = await engine.execute(SetGain(5, 1, 3, 0.0), SetGain(5, 1, 2, 21.0), SetGain(5, 1, 1, 0.0))
        assert list(map(refused, replies)) == [
            "Endpoint 3 is not in room 5.",
            "Endpoint 2 cannot hear endpoint 1 at 21 dB.",
            "Endpoint 1 cannot hear endpoint 1 at 0 dB.",
        ]
        await accept(engine, LeaveRoom(2))
        (reply,) = await engine.execute(SetGain(5, 1, 2, 0.0))
        assert refused(reply) == "Endpoint 2 is not in room 5."


async def test_what_plays_to_a_room_is_stopped_replaced_and_ends_with_the_room(opener: Opener) -> None:
    async with opener() as engine:
        events = Events(engine)
        await accept(engine, CreateEndpoint(1, LOCAL, SPEC))
        replies = await engine.execute(PlayToRoom(5, 11, TONE), StopPlayToRoom(5, 11))
        assert list(map(refused, replies)) == ["There is no room 5."] * 2
        await accept(engine, JoinRoom(5, 1), PlayToRoom(5, 11, TONE), StopPlayToRoom(5, 12), PlayToRoom(5, 12, TONE))
        assert await events.wait(RoomPlayEnded) == RoomPlayEnded(5, 11, "stopped")
        await accept(engine, StopPlayToRoom(5, 12), StopPlayToRoom(5, 12))
        assert await events.wait(RoomPlayEnded, lambda event: event.play == 12) == RoomPlayEnded(5, 12, "stopped")
        await accept(engine, PlayToRoom(5, 13, TONE), LeaveRoom(1))
        assert await events.wait(RoomPlayEnded, lambda event: event.play == 13) == RoomPlayEnded(5, 13, "stopped")


async def test_a_room_is_recorded_until_it_is_stopped_or_empty(opener: Opener, tmp_path: Path) -> None:
    async with opener() as engine:
        events = Events(engine)
        paths = [str(tmp_path / name) for name in ("a.wav", "b.wav")]
        await accept(engine, CreateEndpoint(1, LOCAL, SPEC))
        (reply,) = await engine.execute(RecordRoom(5, 21, paths[0]))
        assert refused(reply) == "There is no room 5."
        await accept(engine, JoinRoom(5, 1), RecordRoom(5, 21, paths[0]), RecordRoom(5, 22, paths[1]))
        assert await events.wait(RecordingStarted) == RecordingStarted(WHOLE_ROOM, 21, paths[0])
        await accept(engine, PauseRecording(WHOLE_ROOM, 21), StopRecording(WHOLE_ROOM, 21))
        ended = await events.wait(RecordingEnded)
        assert (ended.endpoint, ended.recording, ended.reason) == (WHOLE_ROOM, 21, "finished")
        await accept(engine, LeaveRoom(1))
        ended = await events.wait(RecordingEnded, lambda event: event.recording == 22)
        assert (ended.path, ended.reason) == (paths[1], "finished")


async def test_joining_another_room_leaves_the_first(opener: Opener) -> None:
    async with opener() as engine:
        await accept(engine, *(CreateEndpoint(number, LOCAL, SPEC) for number in (1, 2, 3)))
        await accept(engine, JoinRoom(5, 1), JoinRoom(5, 2), JoinRoom(6, 2), JoinRoom(5, 3))
        assert (await engine.describe()).rooms == 2
        await accept(engine, LeaveRoom(2), LeaveRoom(2))
        assert (await engine.describe()).rooms == 1


async def test_destroying_ends_the_play_and_reports_last(opener: Opener) -> None:
    async with opener() as engine:
        events = Events(engine)
        await accept(engine, CreateEndpoint(1, LOCAL, SPEC), Play(1, 11, TONE), DestroyEndpoint(1))
        report = await events.wait(StreamReport)
        assert report.endpoint == 1
        assert [event for event in events.all if not isinstance(event, StreamReport)] == [PlayEnded(1, 11, "stopped")]
        assert events.all[-1] == report
        assert (await engine.describe()).endpoints == 0


async def test_an_endpoint_id_may_be_used_again_at_once(opener: Opener) -> None:
    async with opener() as engine:
        events = Events(engine)
        await accept(engine, CreateEndpoint(1, LOCAL, SPEC))
        await accept(engine, DestroyEndpoint(1), CreateEndpoint(1, LOCAL, SPEC))
        await events.wait(StreamReport)
        await accept(engine, DestroyEndpoint(1))


async def test_a_stopped_play_says_so_and_a_later_stop_does_nothing(opener: Opener) -> None:
    async with opener() as engine:
        events = Events(engine)
        await accept(engine, CreateEndpoint(1, LOCAL, SPEC), Play(1, 11, TONE), StopPlay(1, 11), StopPlay(1, 11))
        assert await events.wait(PlayEnded) == PlayEnded(1, 11, "stopped")
        await accept(engine, DestroyEndpoint(1))
        await events.wait(StreamReport)
        assert len(events.of(PlayEnded)) == 1


async def test_a_new_play_replaces_the_old_one(opener: Opener) -> None:
    async with opener() as engine:
        events = Events(engine)
        await accept(engine, CreateEndpoint(1, LOCAL, SPEC), Play(1, 11, TONE), Play(1, 12, TONE), StopPlay(1, 11))
        assert await events.wait(PlayEnded) == PlayEnded(1, 11, "stopped")
        await accept(engine, StopPlay(1, 12))
        assert await events.wait(PlayEnded, lambda event: event.play == 12) == PlayEnded(1, 12, "stopped")


async def test_a_play_is_paused_and_goes_on_but_has_no_place_before_its_beginning(opener: Opener) -> None:
    async with opener() as engine:
        await accept(engine, CreateEndpoint(1, LOCAL, SPEC), Play(1, 11, TONE), AdjustPlay(1, 11, paused=True))
        await accept(engine, AdjustPlay(1, 11, paused=False, gain_db=-6.0), AdjustPlay(1, 12, paused=True))
        (reply,) = await engine.execute(AdjustPlay(1, 11, position_ms=-1))
        assert refused(reply) == "A sound has no position -1 ms."


async def test_every_kind_of_source_is_accepted_and_a_missing_file_ends_with_a_sentence(opener: Opener) -> None:
    async with opener() as engine:
        events = Events(engine)
        missing = FileSource("/nowhere/a.wav")
        sources: list[PlaySource] = [missing, Playlist((missing,)), SharedSource(("/nowhere/a.wav",))]
        for play, source in enumerate(sources):
            await accept(engine, CreateEndpoint(play, LOCAL, SPEC), Play(play, play, source))
            if isinstance(engine, FakeMedia):
                engine.finish_play(play, "/nowhere/a.wav cannot be read: No such file or directory.")
            event = await events.wait(PlayEnded, lambda event, play=play: event.play == play)  # type: ignore[misc]
            assert event.reason == "/nowhere/a.wav cannot be read: No such file or directory."


async def test_a_codec_that_cannot_be_encoded_ends_the_play_with_a_sentence(opener: Opener) -> None:
    async with opener() as engine:
        events = Events(engine)
        evrc = StreamSpec(HostPort(LOCAL, 9), (Payload(96, "EVRC"),))
        await accept(engine, CreateEndpoint(1, LOCAL, evrc), Play(1, 11, TONE))
        assert (await events.wait(PlayEnded)).reason == "Nothing can be played in EVRC: it cannot be encoded here."


async def test_digits_need_telephone_event_and_must_be_digits(opener: Opener) -> None:
    async with opener() as engine:
        plain = StreamSpec(HostPort(LOCAL, 9), (PCMA,))
        await accept(engine, CreateEndpoint(1, LOCAL, plain), CreateEndpoint(2, LOCAL, SPEC))
        replies = await engine.execute(SendDigits(1, "5"), SendDigits(2, "5x"), SendDigits(2, "1" * 65))
        whys = list(map(refused, replies))
        assert whys[0] == "Endpoint 1 has not negotiated telephone-event, so no digits can be sent."
        assert whys[1] == "'5x' are not digits: 0-9, *, # and A-D can be sent."
        assert whys[2].startswith("At most 64 digits")
        await accept(engine, SendDigits(2, "12ab*#"))


async def test_submitted_commands_are_carried_out_in_order_without_an_answer(opener: Opener) -> None:
    async with opener() as engine:
        events = Events(engine)
        await accept(engine, CreateEndpoint(1, LOCAL, SPEC))
        engine.submit(Play(1, 11, TONE), StopPlay(1, 11), JoinRoom(4, 77))
        assert await events.wait(PlayEnded) == PlayEnded(1, 11, "stopped")
        assert (await engine.describe()).rooms == 0


async def test_hold_and_resume_keep_endpoint_and_room(opener: Opener) -> None:
    async with opener() as engine:
        held = StreamSpec(HostPort(LOCAL, 9), (PCMU,), direction=Direction.INACTIVE)
        await accept(engine, CreateEndpoint(1, LOCAL, SPEC), CreateEndpoint(2, LOCAL, SPEC))
        await accept(engine, JoinRoom(1, 1), JoinRoom(1, 2), ConfigureEndpoint(1, held), ConfigureEndpoint(1, SPEC))
        report = await engine.describe()
        assert (report.endpoints, report.rooms) == (2, 1)


async def test_a_closed_engine_refuses_and_closes_again_without_harm(opener: Opener) -> None:
    async with opener() as engine:
        await engine.close()
        (reply,) = await engine.execute(CreateEndpoint(1, LOCAL))
        refused(reply)
        engine.submit(DestroyEndpoint(1))
        await engine.close()
    assert not isinstance(reply, EndpointCreated)
