"""Rooms as their members hear them: any codecs, any number, whoever may hear whom."""

import asyncio
import itertools
import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from media.api import (
    WHOLE_ROOM,
    ConfigureEndpoint,
    CreateEndpoint,
    DestroyEndpoint,
    DigitReceived,
    FileSource,
    HostPort,
    JoinRoom,
    LeaveRoom,
    Payload,
    Play,
    PlayEnded,
    PlayToRoom,
    RecordingEnded,
    RecordRoom,
    RoomPlayEnded,
    SendDigits,
    SetGain,
    StartRecording,
    StopPlay,
    StopPlayToRoom,
    StopRecording,
    StreamSpec,
    TalkStarted,
    TalkStopped,
    ToneSource,
)
from tests.media.codecs import G722, G729, L16_48, OPUS, each_codec, tones_of
from tests.media.party import Party, converse, enter, gather
from tests.media.peer import EVENTS, PCMA, PCMU, Events, Peer, accept, created, embedded, peers, refused
from tests.media.sounds import level_dbov, sine, wav

pytestmark = pytest.mark.real_loop

TONE = ToneSource((((1500.0,), 1000),))


@each_codec(PCMA, G722, OPUS, G729, L16_48)
async def test_two_parties_of_different_codecs_hear_each_other(payload: Payload) -> None:
    async with peers(Party(1, 500, PCMU), Party(2, 900, payload)) as (a, b), embedded() as engine:
        await gather(engine, a, b)
        await converse((a, b), 1.0)
        assert a.tones(1) == [900]
        assert b.tones(1) == [500]


async def test_wideband_parties_of_different_codecs_hear_each_other_wideband() -> None:
    async with peers(Party(1, 5000, G722), Party(2, 6000, OPUS)) as (a, b), embedded() as engine:
        await gather(engine, a, b)
        await converse((a, b), 1.0)
        assert a.tones(1) == [6000]
        assert b.tones(1) == [5000]


@pytest.mark.parametrize(("one_ms", "other_ms"), [(10, 20), (20, 60), (30, 40), (60, 10)])
async def test_different_packet_times_are_converted(one_ms: int, other_ms: int) -> None:
    async with peers(Party(1, 500, PCMU, one_ms), Party(2, 900, PCMU, other_ms)) as (a, b), embedded() as engine:
        await gather(engine, a, b)
        await converse((a, b), 1.0)
        assert {len(packet.payload) for packet in a.heard} == {8 * one_ms}
        assert {len(packet.payload) for packet in b.heard} == {8 * other_ms}
        assert a.tones(1) == [900]
        assert b.tones(1) == [500]


async def test_the_same_codec_and_packet_time_is_relayed_as_it_comes() -> None:
    async with peers(Party(1, 500, OPUS), Party(2, 900, replace(OPUS, number=97))) as (a, b), embedded() as engine:
        await gather(engine, a, b)
        assert a.to is not None
        a.send(a.to, b"\x08payload", payload_type=OPUS.number)
        packet = await b.receive()
        assert (packet.payload_type, packet.payload) == (97, b"\x08payload")


async def test_three_parties_of_three_codecs_each_hear_the_two_others_and_not_themselves() -> None:
    async with peers(Party(1, 500, PCMA), Party(2, 900, G722), Party(3, 1300, OPUS)) as (a, b, c), embedded() as engine:
        await gather(engine, a, b, c)
        await converse((a, b, c), 1.2)
        assert a.tones(2) == [900, 1300]
        assert b.tones(2) == [500, 1300]
        assert c.tones(2) == [500, 900]


async def test_who_comes_third_makes_a_mix_and_who_leaves_ends_it_in_one_stream_of_packets() -> None:
    async with peers(Party(1, 500, PCMA), Party(2, 900, PCMA), Party(3, 1300, PCMU)) as (a, b, c), embedded() as engine:
        await gather(engine, a, b)
        await converse((a, b), 0.4)
        await enter(engine, c)
        await converse((a, b, c), 1.0)
        assert a.tones(2) == [900, 1300]
        await accept(engine, LeaveRoom(3))
        await converse((a, b), 0.8)
        assert a.tones(1) == [900]
        assert len({packet.ssrc for packet in a.heard}) == 1
        assert [two.sequence - one.sequence & 0xFFFF for one, two in itertools.pairwise(a.heard)] == [1] * (
            len(a.heard) - 1
        )
        steps = [two.timestamp - one.timestamp & 0xFFFFFFFF for one, two in itertools.pairwise(a.heard)]
        assert 0 < min(steps) <= max(steps) < 8000
        assert sum(steps) == pytest.approx(8000 * 2.2, rel=0.1), "timestamps go with the time"


async def test_supervisors_listen_whisper_and_barge_by_numbers_alone() -> None:
    agent, caller, boss = Party(1, 500), Party(2, 900), Party(3, 1300)
    async with peers(agent, caller, boss), embedded() as engine:
        await gather(engine, agent, caller)
        await enter(engine, boss, room=None)
        await accept(engine, JoinRoom(1, 3, talks=False))
        await converse((agent, caller, boss), 1.0)
        assert boss.tones(2) == [500, 900]
        assert (agent.tones(1), caller.tones(1)) == ([900], [500])
        assert 1300 not in agent.tones(2)
        await accept(engine, SetGain(1, 3, 2, -math.inf), JoinRoom(1, 3))
        await converse((agent, caller, boss), 1.0)
        assert agent.tones(2) == [900, 1300], "whispered to"
        assert 1300 not in caller.tones(2)
        await accept(engine, SetGain(1, 3, 2, 0.0))
        await converse((agent, caller, boss), 1.0)
        assert caller.tones(2) == [500, 1300]


async def test_a_gain_is_the_level_that_one_hears_of_another() -> None:
    async with peers(Party(1, 500), Party(2, 900)) as (a, b), embedded() as engine:
        await gather(engine, a, b)
        await accept(engine, SetGain(1, 1, 2, -12.0))
        await converse((a, b), 1.0)
        samples, rate = b.sound()
        assert level_dbov(samples[-rate // 2 :]) == pytest.approx(level_dbov(sine(500, 1, level=6000)) - 12, abs=0.5)
        samples, rate = a.sound()
        assert level_dbov(samples[-rate // 2 :]) == pytest.approx(level_dbov(sine(900, 1, level=6000)), abs=0.5)


async def test_gains_need_two_members_and_a_number_that_makes_sense() -> None:
    async with peers(Party(1, 500), Party(2, 900)) as (a, b), embedded() as engine:
        await gather(engine, a, b)
        replies = await engine.execute(
            SetGain(2, 1, 2, 0.0), SetGain(1, 1, 3, 0.0), SetGain(1, 1, 1, 0.0), SetGain(1, 1, 2, 99.0)
        )
        assert list(map(refused, replies)) == [
            "There is no room 2.",
            "Endpoint 3 is not in room 1.",
            "Endpoint 1 cannot hear endpoint 1 at 0 dB.",
            "Endpoint 2 cannot hear endpoint 1 at 99 dB.",
        ]


async def test_a_muted_member_is_not_heard_and_hears_on() -> None:
    async with peers(Party(1, 500), Party(2, 900), Party(3, 1300)) as (a, b, c), embedded() as engine:
        await gather(engine, a, b, c)
        await accept(engine, JoinRoom(1, 2, talks=False))
        await converse((a, b, c), 1.0)
        assert (a.tones(1), b.tones(2), c.tones(1)) == ([1300], [500, 1300], [500])
        await accept(engine, JoinRoom(1, 2), JoinRoom(1, 3, hears=False))
        await converse((a, b, c), 1.0)
        assert a.tones(2) == [900, 1300]
        samples, rate = c.sound()
        assert np.abs(samples[-rate // 2 :]).max() < 50, "packets of silence"


async def test_who_talks_is_told_when_that_is_wanted() -> None:
    async with peers(Party(1, 500), Party(2, 0), Party(3, 0)) as (a, b, c), embedded() as engine:
        events = Events(engine)
        await gather(engine, a, b, c)
        await accept(engine, JoinRoom(1, 1, tells=True), JoinRoom(1, 2, tells=True))
        await converse((b, c), 0.3)
        await converse((a, b, c), 0.6)
        assert events.of(TalkStarted) == [TalkStarted(1)]
        await converse((b, c), 1.0)
        assert events.of(TalkStopped) == [TalkStopped(1)]


async def test_a_play_to_one_covers_the_room_for_that_one_alone() -> None:
    async with peers(Party(1, 500), Party(2, 900), Party(3, 1300)) as (a, b, c), embedded() as engine:
        events = Events(engine)
        await gather(engine, a, b, c)
        await accept(engine, Play(1, 7, TONE))
        await converse((a, b, c), 1.0)
        assert a.tones(1) == [1500]
        assert 900 not in a.tones(2)
        assert b.tones(2) == [500, 1300]
        await accept(engine, StopPlay(1, 7))
        await events.wait(PlayEnded)
        await converse((a, b, c), 0.8)
        assert a.tones(2) == [900, 1300]


async def test_an_announcement_is_heard_by_all_over_what_they_say() -> None:
    async with peers(Party(1, 500, PCMU), Party(2, 900, PCMU)) as (a, b), embedded() as engine:
        events = Events(engine)
        await gather(engine, a, b)
        await accept(engine, PlayToRoom(1, 5, TONE))
        await converse((a, b), 1.0)
        assert (a.tones(2), b.tones(2)) == ([900, 1500], [500, 1500])
        await accept(engine, StopPlayToRoom(1, 5))
        assert await events.wait(RoomPlayEnded) == RoomPlayEnded(1, 5, "stopped")
        await converse((a, b), 0.8)
        assert (a.tones(1), b.tones(1)) == ([900], [500])
        assert a.to is not None
        a.send(a.to, b"relayed")
        assert b"relayed" in [packet.payload for packet in await b.receive_rest()]


async def test_an_announcement_in_a_file_ends_by_itself_and_with_its_room(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(sine(1500, 0.4).tobytes()))
    async with peers(Party(1, 500, G722)) as (a,), embedded() as engine:
        events = Events(engine)
        (reply,) = await engine.execute(PlayToRoom(1, 1, FileSource(str(path))))
        assert refused(reply) == "There is no room 1."
        await gather(engine, a)
        await accept(engine, PlayToRoom(1, 1, FileSource(str(path))))
        await converse((a,), 0.7)
        assert await events.wait(RoomPlayEnded) == RoomPlayEnded(1, 1, "finished")
        assert 1500 in a.tones(1, 0.3)
        await accept(engine, PlayToRoom(1, 2, FileSource(str(tmp_path / "no.wav"))))
        event = await events.wait(RoomPlayEnded, lambda event: event.play == 2)
        assert event.reason.endswith("cannot be read: No such file or directory.")
        await accept(engine, PlayToRoom(1, 3, TONE), PlayToRoom(1, 4, TONE), LeaveRoom(1))
        await events.wait(RoomPlayEnded, lambda event: event.play == 4)
        assert [event.reason for event in events.of(RoomPlayEnded)[2:]] == ["stopped", "stopped"]


async def test_another_codec_in_the_middle_of_a_conversation_changes_how_it_is_carried() -> None:
    async with peers(Party(1, 500, PCMU), Party(2, 900, PCMU)) as (a, b), embedded() as engine:
        await gather(engine, a, b)
        await converse((a, b), 0.3)
        b.switch(G722)
        await accept(engine, ConfigureEndpoint(2, b.stream()))
        await converse((a, b), 1.0)
        assert a.tones(1) == [900]
        assert b.tones(1) == [500]


async def test_a_party_that_sends_the_second_of_its_codecs_is_understood() -> None:
    """Negotiated were Opus and G.711; which of them it sends shows in its packets only."""
    a, b = Party(1, 500, PCMU), Party(2, 900, G722)
    async with peers(a, b), embedded() as engine:
        await accept(engine, CreateEndpoint(2, "127.0.0.1", b.stream()), JoinRoom(1, 2))
        spec = replace(a.stream(), payloads=(OPUS, PCMU, EVENTS))
        reply, *_ = await accept(engine, CreateEndpoint(1, "127.0.0.1", spec), JoinRoom(1, 1))
        a.to = created(reply).rtp
        await converse((a, b), 1.0)
        assert b.tones(1) == [500]
        assert {packet.payload_type for packet in a.heard} == {OPUS.number}


async def test_digits_cross_a_conversion_as_presses_of_the_same_length() -> None:
    wide = Payload(100, "telephone-event", 48000)
    a, b = Party(1, 500, PCMU), Party(2, 900, OPUS)
    async with peers(a, b), embedded() as engine:
        events = Events(engine)
        await enter(engine, a)
        spec = replace(b.stream(), payloads=(OPUS, wide))
        reply, *_ = await accept(engine, CreateEndpoint(2, "127.0.0.1", spec), JoinRoom(1, 2))
        b.to = created(reply).rtp
        await converse((a, b), 0.3)
        assert a.to is not None
        start, sent_at_s = a.timestamp, list[float]()
        for at in range(1, 12):
            end = at >= 9
            sent_at_s.append(time.monotonic())
            a.send(
                a.to,
                bytes((5, 0x8A if end else 0x0A)) + (160 * min(at, 9)).to_bytes(2, "big"),
                payload_type=101,
                timestamp=start,
            )
            await asyncio.sleep(0.02)
        pressed_ms = 20 + 1000 * (sent_at_s[8] - sent_at_s[0])  # 180, longer where the machine is late
        await events.wait(DigitReceived)
        await asyncio.sleep(0.15)
        b.listen()
        pressed = [packet for packet in b.heard if packet.payload_type == wide.number]
        assert {packet.payload[0] for packet in pressed} == {5}
        assert {packet.timestamp for packet in pressed} == {pressed[0].timestamp}
        assert [packet.payload[1] >> 7 for packet in pressed[-3:]] == [1, 1, 1]
        assert pressed[0].marker
        lasted_ms = int.from_bytes(pressed[-1].payload[2:], "big") / 48
        assert lasted_ms == pytest.approx(pressed_ms, abs=45)
        sequence = [packet.sequence for packet in b.heard]
        assert [two - one & 0xFFFF for one, two in itertools.pairwise(sequence)] == [1] * (len(sequence) - 1)


async def test_a_very_long_press_is_sent_in_segments() -> None:
    wide = Payload(100, "telephone-event", 48000)
    async with peers(Peer()) as (a,), embedded() as engine:
        await accept(engine, CreateEndpoint(1, "127.0.0.1", a.spec(OPUS, wide)), SendDigits(1, "7", duration_ms=1500))
        await asyncio.sleep(1.7)
        packets = await a.receive_rest()
        timestamps = list(dict.fromkeys(packet.timestamp for packet in packets))
        assert [b - a & 0xFFFFFFFF for a, b in itertools.pairwise(timestamps)] == [0xFFFF]
        last = int.from_bytes(packets[-1].payload[2:], "big")
        assert 0xFFFF + last == 1500 * 48


async def test_rooms_of_any_size_come_and_go_without_a_trace() -> None:
    spec = StreamSpec(HostPort("127.0.0.1", 9), (PCMU,))
    async with embedded() as engine:
        for _ in range(3):
            await accept(engine, *(CreateEndpoint(number, "127.0.0.1", spec) for number in range(1, 41)))
            await accept(engine, *(JoinRoom(number % 2, number) for number in range(1, 41)))
            assert (await engine.describe()).rooms == 2
            await accept(engine, *(JoinRoom(7, number) for number in range(1, 41, 3)))
            await asyncio.sleep(0.05)
            await accept(engine, *(DestroyEndpoint(number) for number in range(1, 41)))
            report = await engine.describe()
            assert (report.endpoints, report.rooms) == (0, 0)
            await asyncio.sleep(0.1)
            assert engine._control._shard.lent == 0


@pytest.mark.parametrize("codecs", [(PCMU, G722), (PCMA, OPUS, G722)], ids=["converted", "mixed"])
async def test_parties_are_recorded_however_their_sound_goes_over(codecs: tuple[Payload, ...], tmp_path: Path) -> None:
    """The same file with `StartRecording` of the parties and with `RecordRoom` of all that is said."""
    tones = [500, 900, 1300][: len(codecs)]
    parties = [Party(number, hz, codec) for number, hz, codec in zip((1, 2, 3), tones, codecs, strict=False)]
    async with peers(*parties), embedded() as engine:
        events = Events(engine)
        await gather(engine, *parties)
        others = tuple(range(2, len(parties) + 1))
        await accept(engine, StartRecording(1, 1, str(tmp_path / "parties.wav"), others))
        await accept(engine, RecordRoom(1, 2, str(tmp_path / "room.wav")))
        await converse(parties, 1.2)
        await accept(engine, StopRecording(1, 1), StopRecording(WHOLE_ROOM, 2))
        for recording in (1, 2):
            ended = await events.wait(RecordingEnded, lambda event, n=recording: event.recording == n)  # type: ignore[misc]
            assert ended.reason == "finished"
            samples, rate = soundfile.read(ended.path, dtype="int16")
            assert rate == 16000
            assert 1.0 <= len(samples) / rate <= 1.4
            assert tones_of(samples[-rate // 2 - rate // 10 : -rate // 10], rate, len(codecs)) == tones


async def test_the_recording_of_a_room_has_who_comes_later_and_what_is_announced(tmp_path: Path) -> None:
    a, b = Party(1, 500, PCMU), Party(2, 900, PCMU)
    async with peers(a, b), embedded() as engine:
        events = Events(engine)
        await gather(engine, a)
        await accept(engine, RecordRoom(1, 1, str(tmp_path / "room.wav")), PlayToRoom(1, 1, TONE))
        await converse((a,), 0.3)
        await enter(engine, b)
        await converse((a, b), 1.0)
        await accept(engine, LeaveRoom(1), LeaveRoom(2))
        ended = await events.wait(RecordingEnded)
        samples, rate = soundfile.read(ended.path, dtype="int16")
        assert tones_of(samples[-rate // 2 :], rate, 3) == [500, 900, 1500]
