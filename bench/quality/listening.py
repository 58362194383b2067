"""One stream of speech over a network, as the engine plays it and as a plain buffer would: in this process, by literal
clocks, so that the same seed gives the same samples."""

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.quality.network import Network
from bench.quality.speech import RATE
from media.codec.coder import Codec
from media.jitter.playout import Stream

Samples = NDArray[np.int16]

TICK_MS = 20
FIXED_MS = 60


@dataclass(frozen=True, slots=True)
class Heard:
    """`delays_ms`: of each tick with voice, between the arrival of the fastest packet and the playing."""

    samples: Samples
    delays_ms: tuple[int, ...]
    counters: dict[str, int]


def listen(speech: Samples, network: Network, seed: int, codec: str = "PCMU", ptime_ms: int = 20) -> Heard:
    """Through the playout of the engine: adaptive delay, concealment, pace."""
    encoder, stream = Codec(codec, RATE, fec=True, loss_percent=5), Stream(codec, RATE)
    payloads = [encoder.encode(frame) for frame in _frames(speech, ptime_ms)]
    arrivals = network.arrivals(len(payloads), ptime_ms, seed)
    parts, delays = list[bytes](), list[int]()
    now_ms = random.Random(seed).uniform(0, TICK_MS)  # ticks and packets know nothing of each other
    while now_ms < len(payloads) * ptime_ms * (1 + network.drift_ppm / 1e6):
        while arrivals and arrivals[0][0] <= now_ms:
            at_ms, number = arrivals.pop(0)
            timestamp = number * ptime_ms * encoder.clock_rate // 1000
            stream.put(number & 0xFFFF, timestamp, payloads[number], int(at_ms * 1e6))
        pcm, sound = stream.pull(RATE * TICK_MS // 1000, int(now_ms * 1e6))
        parts.append(pcm)
        if sound == "voice":
            delays.append(stream.counters()["delay_ms"])
        now_ms += TICK_MS
    return Heard(np.frombuffer(b"".join(parts), np.int16), tuple(delays), stream.counters())


def listen_plainly(speech: Samples, network: Network, seed: int) -> Samples:
    """Through a buffer of 60 ms that puts silence where a packet is missing, as G.711."""
    codec = Codec("PCMU", RATE)
    frames = _frames(speech, TICK_MS)
    heard: Samples = np.zeros(len(speech), np.int16)
    start: float | None = None
    for at_ms, number in network.arrivals(len(frames), TICK_MS, seed):
        start = at_ms - TICK_MS * number if start is None else start
        if at_ms <= start + FIXED_MS + TICK_MS * number:
            decoded = np.frombuffer(codec.decode(codec.encode(frames[number])) or b"", np.int16)
            heard[len(decoded) * number : len(decoded) * (number + 1)] = decoded
    return heard


def _frames(speech: Samples, ptime_ms: int) -> list[Samples]:
    size = RATE * ptime_ms // 1000
    return list(speech[: len(speech) // size * size].reshape(-1, size))
