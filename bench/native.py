"""The C programs of the bench: built when first needed, run with a time limit."""

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.wire import Address

HERE = Path(__file__).parent
_RELAYED = re.compile(r"relayed (\d+) packets, ([\d.]+) CPU us a packet")
_LOST = re.compile(r"lost (-?\d+)")
_REAL_TIME = ("chrt", "--rr", "1")
_BESIDE_THE_RECORDER = ("nice", "-n", "-10")


@dataclass(frozen=True, slots=True)
class Sound:
    """What a codec made of some sound: payload type, clock units of a packet, its packets."""

    payload_type: int
    step: int
    payloads: tuple[bytes, ...]

    def __str__(self) -> str:
        return "\n".join([f"{self.payload_type} {self.step}", *(payload.hex() for payload in self.payloads), ""])


@dataclass(frozen=True, slots=True)
class Stream:
    """One direction of audio: from a local address of ours to a port of the server. Without a sound its packets are
    numbered, and found again when they come back as they were."""

    local: Address
    remote: Address
    sound: Sound | None = None


@dataclass(frozen=True, slots=True)
class RtpReport:
    """What `loadgen_rtp` measured; delays from sending to arrival, by the kernel's clock. `heard` are packets that came
    back to streams with a sound, `missing` those that should have, by the numbers of these."""

    streams: int
    sent: int
    received: int
    lost: int
    duplicates: int
    strangers: int
    send_errors: int
    heard: int
    missing: int
    deaf_streams: int
    p50_us: float
    p99_us: float
    p999_us: float
    max_us: float


@dataclass(frozen=True, slots=True)
class Floor:
    """The least CPU time that relaying a packet takes on this machine at this moment."""

    us_per_packet: float
    packets: int
    lost: int


def program(name: str) -> Path:
    """The built program; compiled again when its source is newer."""
    source, target = HERE / f"{name}.c", HERE / "bin" / name
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        target.parent.mkdir(exist_ok=True)
        subprocess.run(["cc", "-O2", "-o", str(target), str(source)], check=True)
    return target


@cache
def _as_the_engine() -> tuple[str, ...]:
    """How to start what must get the processor as soon as the engine does: a load that comes late measures the machine,
    and a reference that waits longer than the engine finds more packets at once. Nothing where that is not allowed."""
    allowed = subprocess.run([*_REAL_TIME, "true"], capture_output=True, check=False).returncode == 0
    return _REAL_TIME if allowed else ()


def blast(streams: Sequence[Stream], seconds: float, *, spread: bool = True, real_time: bool = True) -> RtpReport:
    """Send on all streams at once for so long. Not `real_time`: on two cores there is room for others too."""
    sounds = list({id(stream.sound): stream.sound for stream in streams if stream.sound is not None}.values())
    numbers = {id(sound): number for number, sound in enumerate(sounds)}
    lines = "".join(
        f"{s.local[0]} {s.local[1]} {s.remote[0]} {s.remote[1]} {numbers.get(id(s.sound), -1)}\n" for s in streams
    )
    before = _as_the_engine() if real_time else _BESIDE_THE_RECORDER
    command = [*before, str(program("loadgen_rtp")), str(seconds), "spread" if spread else "burst"]
    with tempfile.TemporaryDirectory(prefix="zvon-bench-") as folder:
        for number, sound in enumerate(sounds):
            path = Path(folder) / str(number)
            path.write_text(str(sound), encoding="ascii")
            command.append(str(path))
        done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=seconds + 20, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"loadgen_rtp failed: {done.stderr.strip()}")
    return RtpReport(**json.loads(done.stdout))


def relay_floor(streams: int, seconds: float) -> Floor:
    """`relay_limit` with as many streams: the reference for relaying. Its ports may be taken for a moment: it waits."""
    command = [*_as_the_engine(), str(program("relay_limit")), str(streams), str(seconds)]
    for _ in range(5):
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 20, check=False)
        relayed, lost = _RELAYED.search(done.stdout), _LOST.search(done.stdout)
        if relayed is not None and lost is not None:
            return Floor(float(relayed[2]), int(relayed[1]), int(lost[1]))
        time.sleep(1)
    raise RuntimeError(f"relay_limit failed: {done.stdout}{done.stderr}")
