"""M3, M4, M5: rooms that are mixed and calls that are transcoded, in a media worker of its own.

Parties say speech; what comes back to each of them is counted, and by its numbers what is missing.
"""

import asyncio
import statistics
from collections.abc import Sequence

from bench.codecs import codec_us, speech
from bench.native import RtpReport, Sound, relay_floor
from bench.report import Measurement
from bench.site import Subject
from bench.worker import Voice, worker
from media.api import Payload
from media.codec.coder import Codec, available

TICKS_A_SECOND = 50
FRAME_TARGET = 2.5  # times the floor: 16 us where the sockets alone take 6.4
RELAY_TARGET = 1.3
SETTLE_S = 0.5
PCMA, G722, OPUS = Payload(8, "PCMA"), Payload(9, "G722"), Payload(111, "opus", 48000, 2)


def voice(payload: Payload, rate: int = 8000) -> Voice:
    """A party that says a second of speech over and over, encoded at `rate`."""
    codec = Codec(payload.name, rate)
    payloads = tuple(bytes(codec.encode(frame)) for frame in speech(rate))
    return Voice(payload, Sound(payload.number, payload.clock_rate // TICKS_A_SECOND, payloads))


async def _load(rooms: Sequence[Sequence[Voice]], seconds: float) -> tuple[RtpReport, float]:
    async with worker() as subject:
        await subject.add(rooms)
        await subject.load(SETTLE_S)
        return await subject.load(seconds)


def _rooms(rooms: Sequence[Sequence[Voice]], seconds: float) -> tuple[float, float, RtpReport]:
    """CPU us of the worker and of the floor for a packet that comes and one that goes, and what came back."""
    streams, floor_s = sum(len(room) for room in rooms), seconds / 4
    before = relay_floor(streams, floor_s)
    report, used_s = asyncio.run(_load(rooms, seconds))
    floor_us = statistics.mean((before.us_per_packet, relay_floor(streams, floor_s).us_per_packet))
    return used_s * 1e6 / report.sent, floor_us, report


def _room_measurement(id: str, work: str, rooms: Sequence[Sequence[Voice]], seconds: float) -> Measurement:
    each_us, floor_us, report = _rooms(rooms, seconds)
    met = each_us <= FRAME_TARGET * floor_us and report.missing == 0 and report.deaf_streams == 0
    note = f"{report.heard:,} of {report.sent:,} came back, {report.missing} are missing; floor {floor_us:.2f} us"
    target = f"<= {FRAME_TARGET} x"
    ratio, lost = each_us / floor_us, report.missing + max(0, report.sent - report.heard)
    return Measurement(id, work, each_us, "us CPU", target, met, ratio, "relay_limit", note, lost)


def room(_: Subject, count: int, seconds: float = 5) -> list[Measurement]:
    """M3: a participant and 20 ms of one room: receive, order, decode, mix, encode, send."""
    work = f"conference, a participant and frame, {count} in one room"
    return [_room_measurement("M3", work, [[voice(PCMA)] * count], seconds)]


def small_rooms(_: Subject, count: int = 200, seconds: float = 4) -> list[Measurement]:
    """M4: the same in many rooms of three."""
    work = f"conference, a participant and frame, {count} rooms of 3"
    return [_room_measurement("M4", work, [[voice(PCMA)] * 3] * count, seconds)]


def transcoding(_: Subject, count: int = 50, seconds: float = 4) -> list[Measurement]:
    """M5: a second of a two-way call between two codecs, beside the codecs alone and the relay of its packets."""
    pairs = ((G722, 16000), (OPUS, 8000))
    return [_transcoding(other, rate, count, seconds) for other, rate in pairs if available(other.name)]


def _transcoding(other: Payload, rate: int, count: int, seconds: float) -> Measurement:
    each_us, floor_us, report = _rooms([[voice(PCMA), voice(other, rate)]] * count, seconds)
    second_us = 2 * TICKS_A_SECOND * each_us
    codecs_us = TICKS_A_SECOND * sum(sum(codec_us(name, hz)) for name, hz in (("PCMA", 8000), (other.name, rate)))
    most_us = 1.15 * codecs_us + 2 * TICKS_A_SECOND * RELAY_TARGET * floor_us
    met = second_us <= most_us and report.missing == 0
    work = f"G.711 to {other.name} and back, a second of a call, {count} calls"
    note = f"codecs alone {codecs_us:,.0f} us; floor {floor_us:.2f} us a packet; {report.missing} packets are missing"
    return Measurement("M5", work, second_us, "us CPU", f"<= {most_us:,.0f}", met, note=note)
