"""What the engine can decode and encode of what was negotiated, and how: rate, packet times, settings of the encoder.

Names, payload types and the rules of offer and answer are those of SDP (`sipcore/sdp/codecs.py`).
"""

from functools import lru_cache

from frozen import dataclass
from media.api import Payload
from media.codec.coder import available

RATES = (8000, 16000, 24000, 48000)
OPUS_PACKETS_MS = (60, 40, 20, 10)
LONGEST_PACKET_MS = 60
MOST_OCTETS = 1440  # of a payload that we make: with all headers no larger than an Ethernet frame
EXPECTED_LOSS_PERCENT = 5  # with in-band FEC: so much is made up for, at some 10 % of the bit rate
CLOCKS = {"PCMU": 8000, "PCMA": 8000, "G722": 8000, "G729": 8000, "OPUS": 48000}


@dataclass(frozen=True, slots=True)
class Coding:
    """How a voice codec is opened: `rate` is that of PCM, the rest is for Opus (0: its usual way)."""

    name: str
    rate: int
    bitrate: int = 0
    max_rate: int = 0
    loss_percent: int = 0
    fec: bool = False
    dtx: bool = False
    cbr: bool = False


def convertible() -> tuple[str, ...]:
    """Names of the encodings that can be converted on this machine."""
    return tuple(name for name in ("PCMU", "PCMA", "L16", "G722", "OPUS", "G729") if available(name))


@lru_cache(maxsize=1024)
def coding_of(payload: Payload, most: int = RATES[-1]) -> Coding | None:
    """None for what cannot be converted here (no voice codec, library missing, stereo L16).

    `most` is the highest rate that whoever listens and talks on the other side can make use of: Opus is opened at no
    more, so that nothing has to be resampled.
    """
    name = payload.name.upper()
    if not available(name):
        return None
    if name == "L16":
        return Coding(name, payload.clock_rate) if payload.channels == 1 and payload.clock_rate in RATES else None
    if payload.clock_rate != CLOCKS[name]:
        return None
    if name == "OPUS":
        return _opus(payload, most)
    return Coding(name, 16000 if name == "G722" else 8000)


def packet_ms(payload: Payload, ptime_ms: int) -> int:
    """The packet time to send with when `ptime_ms` is wanted: whole tens, at most `LONGEST_PACKET_MS`; Opus has no
    frames of 30 or 50 ms (RFC 7587 §6.1), L16 of high rates fills the packet sooner."""
    name = payload.name.upper()
    if name == "OPUS":
        return next((each for each in OPUS_PACKETS_MS if each <= ptime_ms), OPUS_PACKETS_MS[-1])
    most = min(LONGEST_PACKET_MS, MOST_OCTETS * 500 // payload.clock_rate) if name == "L16" else LONGEST_PACKET_MS
    return max(10, min(ptime_ms, most) // 10 * 10)


def parameters(fmtp: str) -> dict[str, str]:
    """`a=1; B=2` as names in lower case and values; what is no pair is left out."""
    pairs = [each.partition("=") for each in fmtp.split(";")]
    return {name.strip().lower(): value.strip() for name, equals, value in pairs if equals}


def _opus(payload: Payload, most: int) -> Coding:
    """What the peer says of its receiving side (RFC 7587 §6.1) rules our encoder."""
    said = parameters(payload.fmtp)
    plays = _number(said.get("maxplaybackrate"), 8000, 48000) or 48000
    captures = _number(said.get("sprop-maxcapturerate"), 8000, 48000) or 48000
    useful = min(most, max(plays, captures))
    fec, limit = said.get("useinbandfec") == "1", _number(said.get("maxaveragebitrate"), 6000, 510_000)
    return Coding(
        "OPUS",
        next((rate for rate in RATES if rate >= useful), RATES[-1]),
        limit if limit < usual_bitrate(min(useful, plays)) else 0,
        plays if plays < 48000 else 0,
        EXPECTED_LOSS_PERCENT if fec else 0,
        fec,
        said.get("usedtx") == "1",
        said.get("cbr") == "1",
    )


def usual_bitrate(rate: int) -> int:
    """What the encoder uses for speech when nobody says anything, bit/s (RFC 7587 §3.1.1)."""
    return 16000 if rate <= 8000 else 24000 if rate <= 16000 else 36000


def _number(text: str | None, least: int, most: int) -> int:
    """0 for what is absent or out of range."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 6):
        return 0
    return int(text) if least <= int(text) <= most else 0
