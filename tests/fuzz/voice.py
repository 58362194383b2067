"""Payloads of voice codecs: whatever a peer sends becomes a bounded number of samples or nothing."""

from functools import cache

import numpy as np

from media.codec.coder import Codec, available
from media.codec.comfort import Noise

CODECS = tuple(
    (name, rate)
    for name, rate in (
        ("PCMU", 8000),
        ("PCMA", 8000),
        ("L16", 16000),
        ("G722", 16000),
        ("opus", 8000),
        ("opus", 48000),
        ("G729", 8000),
    )
    if available(name)
)


@cache
def _codec(name: str, rate: int) -> Codec:
    """One for the whole run: what earlier payloads left behind must do no harm either."""
    return Codec(name, rate)


def voice(data: bytes) -> object:
    """The first octet chooses the codec, the second how much room there is, the rest is the payload."""
    if len(data) < 2:
        return None
    name, rate = CODECS[data[0] % len(CODECS)]
    codec, room, payload = _codec(name, rate), rate * (data[1] % 13) // 100, data[2:]
    told, got = codec.duration(payload), codec.decode(payload, room)
    assert got is None or (told is not None and len(got) == 2 * told <= 2 * room)
    for samples in (0, room, rate // 50):
        made = codec.recover(samples, payload)
        assert made is None or len(made) <= 2 * samples
    return got


def comfort(data: bytes) -> object:
    """Noise of a peer's description never exceeds what the level allows by far."""
    noise = Noise()
    if not noise.update(data):
        return None
    noise.make(320)
    made = np.frombuffer(noise.make(160), np.int16).astype(float)
    assert np.sqrt(np.mean(made**2)) < 1 + 40 * 32768 * 10 ** (-(data[0] & 127) / 20)
    return made


def voice_seeds() -> list[bytes]:
    """A good packet of each codec, after the two octets that choose."""
    made = []
    for index, (name, rate) in enumerate(CODECS):
        samples = np.random.default_rng(1).normal(0, 3000, rate // 50).astype(np.int16)
        made += [bytes([index, room]) + Codec(name, rate).encode(samples) for room in (2, 12)]
    return made
