"""M6: what recording adds to a relayed call, and a thousand recordings at once, in a media worker of its own."""

import asyncio
import statistics
import tempfile
from pathlib import Path

from bench.codecs import codec_us
from bench.native import RtpReport, relay_floor
from bench.report import Measurement
from bench.site import Subject
from bench.worker import Voice, Worker, worker
from media.api import Command, EndpointId, Payload, StartRecording, StopRecording

TARGET_US = 4.0  # a packet, beyond decoding it
LATE_US = 2000
PCMA = Payload(8, "PCMA")
SETTLE_S = 0.5


async def _record(subject: Worker, endpoints: list[EndpointId], folder: Path) -> None:
    """Every call in stereo."""
    pairs = zip(endpoints[::2], endpoints[1::2], strict=True)
    commands: list[Command] = [
        StartRecording(one, one, str(folder / f"{one}.wav"), (other,), stereo=True) for one, other in pairs
    ]
    await subject.execute(commands)


async def _stop(subject: Worker, endpoints: list[EndpointId]) -> None:
    await subject.execute([StopRecording(one, one) for one in endpoints[::2]])


async def _beside(count: int, seconds: float, rounds: int = 2) -> tuple[float, float, int]:
    """CPU us of the worker a packet without and with recording, taking turns, and how many were lost."""
    plain: list[float] = []
    taped: list[float] = []
    lost = 0
    with tempfile.TemporaryDirectory(prefix="zvon-bench-") as name:
        async with worker() as subject:
            endpoints = await subject.add([[Voice(PCMA)] * 2] * count)
            await subject.load(SETTLE_S)
            for found in (plain, taped) * rounds:
                if found is taped:
                    await _record(subject, endpoints, Path(name))
                report, used_s = await subject.load(seconds)
                found.append(used_s * 1e6 / report.sent)
                lost += report.lost
                if found is taped:
                    await _stop(subject, endpoints)
    return min(plain), min(taped), lost


async def _thousand(count: int, seconds: float) -> tuple[RtpReport, float, float, int]:
    """All of them recorded: what came back, cores used, lateness of ticks, packets that the recorder lost."""
    with tempfile.TemporaryDirectory(prefix="zvon-bench-") as name:
        async with worker() as subject:
            endpoints = await subject.add([[Voice(PCMA)] * 2] * count)
            await _record(subject, endpoints, Path(name))
            report, used_s = await subject.load(seconds, real_time=False)
            found = await subject.engine.describe()
            await _stop(subject, endpoints)
    return report, used_s / seconds, found.late_p99_us, found.dropped.get("recorder_behind", 0)


def recording(_: Subject, count: int = 150, seconds: float = 3) -> list[Measurement]:
    """M6: per packet, by turns without and with it."""
    before = relay_floor(2 * count, 1)
    plain_us, taped_us, lost = asyncio.run(_beside(count, seconds))
    floor_us = statistics.mean((before.us_per_packet, relay_floor(2 * count, 1).us_per_packet))
    decode_us = codec_us("PCMA", 8000)[1]
    added_us = taped_us - plain_us - decode_us
    costs = f"{plain_us:.2f} us without, {taped_us:.2f} with, decoding {decode_us:.2f}"
    note = f"{costs}; floor {floor_us:.2f} us; {lost} lost"
    work = f"stereo recording added to a packet, {count} calls"
    met = added_us <= TARGET_US and not lost
    return [
        Measurement("M6", work, added_us, "us CPU", f"<= {TARGET_US:g}", met, added_us / floor_us, "relay_limit", note)
    ]


def many_recordings(_: Subject, count: int = 1000, seconds: float = 4) -> list[Measurement]:
    """M6: a thousand at once."""
    report, cores, late_us, behind = asyncio.run(_thousand(count, seconds))
    met = late_us <= LATE_US and not report.lost and not behind
    note = f"{report.lost} of {report.sent:,} packets lost, {behind} missing in files; {cores:.0%} of a core"
    work = f"lateness p99 of ticks, {count:,} recordings at once"
    return [Measurement("M6", work, late_us / 1e3, "ms", f"<= {LATE_US / 1e3:g}", met, note=note)]
