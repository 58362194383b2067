"""A received stream as PCM, plainly: `playout.pyx` makes the same decisions and the same samples.

Packets wait in their order (`packets.pyx`). Whenever samples are asked for, as many packets are decoded as are needed,
and what is missing is made up: by the codec itself if it can, else by `plc.pyx`. A packet has its turn when the samples
before it are used up; how long it had waited then decides about the pace, which keeps to the target of `policy.pyx` by
leaving out or repeating a period of the sound: in pauses of the speech while it is a matter of little, else at once.

When nothing at all is here, the stream stands still: what comes late is played later, and the delay shrinks again
afterwards. When something later is here already, what is missing before it counts as lost, and the time goes on. After
a pause of the sender the next packet waits for its target anew, so that pauses change their length and not the speech.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from media.codec.comfort_ref import Noise
from media.jitter.packets_ref import Packet, Packets, Put
from media.jitter.period_ref import NEVER_ALIKE, lag_for, lengthened, shortened
from media.jitter.plc_ref import Concealment, can_bridge, history, hold, join
from media.jitter.policy_ref import Policy

Samples = NDArray[np.int16]

TICK_MS = 20  # packets are taken in such steps
PAUSE_MS = 5  # by which a timestamp that follows may jump without being a pause
MOST_WAIT_MS = 500  # what has waited longer is left out
BRIDGED_MS = 120  # longest gap that is filled at once, from both sides
FADED_MS, OWN_FADED_MS = 60, 500  # of nothing, until there is silence: our concealment, that of a codec
JOIN_MS = 5  # of overlap between noise or silence and what follows
OWN_STEP_MS = 10  # what a codec conceals comes in such pieces

JUDGED_MS = 100  # over which the pace is judged
LACK_MS = 10  # less than the target that is left so until a pause
OVER_MS = 40  # more than the target that is left so until a pause
STEADY_MS = 5  # more than the target that is left so altogether
SPARE_MS = 10  # decoded too early that is left so altogether
ALIKE, OVER_ALIKE = 0.8, 0.4  # how alike two periods must be
QUIET_DB, QUIET_MS = 30, 100  # a pause is so much below the speech for so long
LEVEL_FALLS = 0.995  # the power that counts as speech, for each frame
UNKNOWN = 1 << 40

SILENT, VOICE, CONCEALED = "silent", "voice", "concealed"
RANK = (SILENT, VOICE, CONCEALED)


class Coder(Protocol):
    """`media.codec.coder.Codec`"""

    @property
    def rate(self) -> int: ...
    @property
    def clock_rate(self) -> int: ...
    def duration(self, payload: bytes) -> int | None: ...
    def decode(self, payload: bytes) -> bytes | None: ...
    def recover(self, samples: int, following: bytes | None = None) -> bytes | None: ...


@dataclass
class Counts:
    received: int = 0
    late: int = 0
    duplicate: int = 0
    strange: int = 0
    undecodable: int = 0
    lost: int = 0
    played_samples: int = 0
    concealed_samples: int = 0
    shortened: int = 0
    lengthened: int = 0


class PlayoutReference:
    def __init__(self, coder: Coder, own: bool = False) -> None:
        """`own`: the codec conceals by itself."""
        self.coder, self.rate, self.own = coder, coder.rate, own
        self.counts = Counts()
        self.packets = Packets(coder.rate, coder.clock_rate)
        self.policy = Policy(coder.rate)
        self.hiding = Concealment(coder.rate)
        self.noise = Noise()
        self.hold, self.history = hold(coder.rate), history(coder.rate)
        self.line: Samples = np.zeros(self.history, np.int16)  # played, and from `first` on to be played
        self.first = self.history - self.hold
        self.end = 0  # time of the first sample that is not decoded yet
        self.still = self._faded = self._ms(OWN_FADED_MS if self.own else FADED_MS)  # since the last voice
        self.standing = 0  # of these, concealed
        self.paused, self.comforted = True, False
        self.sound = self.tail = SILENT
        self.level, self.quiet = 0.0, 0
        self.judged, self.waited, self.spare = 0, UNKNOWN, UNKNOWN

    def reset(self) -> None:
        self.packets.resets += self.packets.started
        self.packets.forget()
        self.paused = True

    def put(self, sequence: int, timestamp: int, payload: bytes, arrival_ns: int, comfort_noise: bool = False) -> str:
        if not payload if comfort_noise else not self.coder.duration(payload):
            self.counts.undecodable += 1
            return "undecodable"
        now = self._clock(arrival_ns)
        found, packet = self.packets.put(sequence, timestamp, payload, comfort_noise, now)
        if found in (Put.TAKEN, Put.LATE):
            if self.packets.fresh:
                self.policy.restart()
            self.policy.arrived(now - packet.time, now, self.packets.gap)
        name = "received" if found == Put.TAKEN else found.value
        setattr(self.counts, name, getattr(self.counts, name) + 1)
        return found.value

    def pull(self, samples: int, now_ns: int) -> tuple[Samples, str]:
        """Exactly `samples`, and what they are; where they are of several kinds, that of the highest rank."""
        now, parts, sound = self._clock(now_ns), list[Samples](), SILENT
        for done in range(0, samples, self._ms(TICK_MS)):
            parts.append(self._pull(min(samples - done, self._ms(TICK_MS)), now + done))
            sound = max(sound, self.sound, key=RANK.index)
        self.counts.played_samples += samples
        return np.concatenate(parts), sound

    def _pull(self, samples: int, now: int) -> Samples:
        need = samples + self.hold
        self.sound = self.tail if self._count > self.hold else SILENT
        self._fill(need, now)
        if self.sound == VOICE and self.waited != UNKNOWN and self._keep_pace(now):
            self._fill(need, now)
        pulled = self.line[self.first : self.first + samples].copy()
        self.line = self.line[samples:]
        return pulled

    def delay(self, now_ns: int) -> int:
        """Samples between the arrival of the fastest packet and the playing of what is pulled next."""
        return self._clock(now_ns) - self.policy.fastest - self.end + self._count

    # --- what comes next --------------------------------------------------------------------------------------------

    def _fill(self, need: int, now: int) -> None:
        while self._count < need:
            self._more(need - self._count, now)

    def _more(self, short: int, now: int) -> None:
        """Add samples to the line, or find out that there is a pause."""
        packet = self._due(now)
        if self.paused:
            if packet is None or self._waited(packet, now) < self.policy.target:
                self._rest(short)
            else:
                self._take(packet, now)
        elif packet is None:
            self._stand(short)
        else:
            self._follow(packet, packet.time - self.end - self.still, short, now)

    def _due(self, now: int) -> Packet | None:
        """The first packet that has not waited for too long."""
        packet = self.packets.first()
        while packet is not None and self._waited(packet, now) > self._ms(MOST_WAIT_MS):
            self.counts.lost += self.packets.take(packet)
            self.counts.late += 1
            packet = self.packets.first()
        return packet

    def _follow(self, packet: Packet, gap: int, short: int, now: int) -> None:
        """A packet waits; `gap` are the samples before it that are neither here nor made up for."""
        missing = packet.sequence > self.packets.next
        if not missing and gap > self._ms(PAUSE_MS):
            self.paused = True
            self.counts.concealed_samples -= self.standing  # nothing was missing
            self.standing = 0
        elif not missing or packet.comfort_noise or gap <= 0:
            self._take(packet, now)
        elif gap <= self._ms(BRIDGED_MS):
            self._bridge(packet, gap, now)
        else:
            self._stand(short)

    def _stand(self, count: int) -> None:
        before = self.still
        self._append(self._substitute(count), CONCEALED)
        self.standing += self.still - before
        self.counts.concealed_samples += self.still - before
        self.paused = self.still >= self._ms(FADED_MS)

    def _rest(self, count: int) -> None:
        self._append(self._substitute(count), SILENT)

    def _substitute(self, count: int) -> Samples:
        """At least `count` samples of noise, of concealment, or of silence after it."""
        if self.comforted:
            made = self.noise.make(count)
        elif self.still >= self._faded:
            made = np.zeros(count, np.int16)
        elif self.own:
            step = self._ms(OWN_STEP_MS)
            made = self._recovered(-(-count // step) * step)
        else:
            self._begin_hiding()
            made = np.array(self.hiding.make(count), np.int16)
        self.still += len(made)
        return made

    # --- packets ----------------------------------------------------------------------------------------------------

    def _take(self, packet: Packet, now: int) -> None:
        """Decode what has its turn, or change to the noise that it describes."""
        self.counts.lost += self.packets.take(packet)
        if packet.comfort_noise:
            self.noise.update(packet.payload if self.rate == 8000 else packet.payload[:1])
            self.comforted = self.paused = True
            self.end = packet.time
            return
        frame = self._decoded(packet)
        if frame is not None:
            if self.still:
                self._join(frame)
            self._play(frame, packet, now)

    def _decoded(self, packet: Packet) -> Samples | None:
        pcm = self.coder.decode(packet.payload)
        if pcm is None:
            self.counts.undecodable += 1
            return None
        return np.frombuffer(pcm, np.int16).copy()

    def _join(self, frame: Samples) -> None:
        """`frame` follows something that was made up."""
        overlap = min(self._ms(JOIN_MS), len(frame))
        if self.comforted:
            join(list(self.noise.make(overlap)), frame)
        elif self.still >= self._faded:
            join([0] * overlap, frame)
        elif not self.own:
            self.hiding.join(frame)

    def _bridge(self, packet: Packet, gap: int, now: int) -> None:
        """Fill what is missing before a packet that is here, and decode it."""
        self.counts.lost += self.packets.take(packet)
        if self.own:
            gap = self._recover(packet, gap)
        frame = self._decoded(packet)
        if frame is None:
            return
        if not self.own:
            self._begin_hiding()
            if can_bridge(len(frame), self.rate):
                made = self.hiding.bridge(gap, frame)
            else:
                made = self.hiding.make(gap)
                self.hiding.join(frame)
            self._append(np.array(made, np.int16), CONCEALED)
        self.still += gap
        self.counts.concealed_samples += gap
        self._play(frame, packet, now)

    def _begin_hiding(self) -> None:
        if not self.hiding.active:
            self.hiding.begin(self.line[len(self.line) - self.history :])

    def _recover(self, packet: Packet, gap: int) -> int:
        """The codec's own substitute for about `gap` samples; the last frame perhaps from what `packet` says of it."""
        step, last = self._ms(OWN_STEP_MS), self.coder.duration(packet.payload) or 0
        gap = max(step, gap // step * step)
        if gap > last:
            self._append(self._recovered(gap - last), CONCEALED)
        self._append(self._recovered(min(gap, last), packet.payload if gap >= last else None), CONCEALED)
        return gap

    def _recovered(self, count: int, following: bytes | None = None) -> Samples:
        return np.frombuffer(self.coder.recover(count, following) or bytes(2 * count), np.int16)

    def _play(self, frame: Samples, packet: Packet, now: int) -> None:
        if not self.still:
            self.waited = min(self.waited, self._waited(packet, now))
            self.spare = min(self.spare, self._count - self.hold)
        power = int(np.dot(frame.astype(np.int64), frame.astype(np.int64))) / len(frame)
        self.level = max(power, self.level * LEVEL_FALLS)
        self.quiet = self.quiet + len(frame) if power * 10.0 ** (QUIET_DB / 10) < self.level else 0
        self.end = packet.time + len(frame)
        self.still = self.standing = 0
        self.paused = self.comforted = self.hiding.active = False
        self._append(frame, VOICE)

    # --- pace -------------------------------------------------------------------------------------------------------

    def _keep_pace(self, now: int) -> bool:
        """One step of the delay towards its target; True when samples were left out."""
        over = self.waited - self.policy.target - self._ms(TICK_MS + STEADY_MS)
        lack, spare = self.policy.target - self.waited - self.spare, self.spare
        if now - self.judged < self._ms(JUDGED_MS) and over <= self._ms(OVER_MS):
            return False
        self.judged, self.waited, self.spare = now, UNKNOWN, UNKNOWN
        quiet = self.quiet >= self._ms(QUIET_MS)
        if lack > (0 if quiet else self._ms(LACK_MS)):
            self.counts.lengthened += self._change(lengthened, NEVER_ALIKE if quiet else ALIKE, self.rate)
            return False
        most = self.rate if over > 0 else spare
        if over <= self._ms(OVER_MS) and not (quiet and (over > 0 or spare > self._ms(SPARE_MS))):
            return False
        changed = self._change(shortened, NEVER_ALIKE if quiet else OVER_ALIKE, most)
        self.counts.shortened += changed
        return changed

    def _change(self, how: Callable[[Samples, int, int], Samples], alike: float, most: int) -> bool:
        line = self.line[self.first :]
        lag = lag_for(line, self.rate, alike, most)
        if lag:
            self.line = np.concatenate([self.line[: self.first], how(line, lag, self.rate)])
        return lag > 0

    # --- small things -----------------------------------------------------------------------------------------------

    @property
    def _count(self) -> int:
        """Samples that wait to be played."""
        return len(self.line) - self.first

    def _append(self, pcm: Samples, sound: str) -> None:
        self.line = np.concatenate([self.line, pcm])
        self.tail = sound
        self.sound = max(self.sound, sound, key=RANK.index)

    def _waited(self, packet: Packet, now: int) -> int:
        return now - self.policy.fastest - packet.time

    def _ms(self, ms: int) -> int:
        return ms * self.rate // 1000

    def _clock(self, ns: int) -> int:
        return ns // 1000 * self.rate // 1_000_000
