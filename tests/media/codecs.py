"""The codecs that the engine converts, for tests: what a phone of each would hear and say."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from media.api import Payload
from media.codec.catalogue import coding_of
from media.codec.coder import Codec, available
from media.rtp.packet import RtpPacket
from tests.media.peer import PCMA, PCMU

G722 = Payload(9, "G722")
OPUS = Payload(111, "opus", 48000, 2)
G729 = Payload(18, "G729")
L16 = Payload(96, "L16", 16000)
L16_48 = Payload(97, "L16", 48000)
WIDEBAND = (G722, OPUS, L16, L16_48)


def each_codec(*payloads: Payload) -> pytest.MarkDecorator:
    """The test runs with each of them, by default with all; without the library of a codec it is left out."""
    cases = [
        pytest.param(
            payload,
            id=f"{payload.name}-{payload.clock_rate}",
            marks=pytest.mark.skipif(not available(payload.name), reason="its library is not installed"),
        )
        for payload in payloads or (PCMU, PCMA, G722, OPUS, G729, L16, L16_48)
    ]
    return pytest.mark.parametrize("payload", cases)


def codec_of(payload: Payload) -> Codec:
    coding = coding_of(payload)
    assert coding is not None
    return Codec(coding.name, coding.rate)


def sound_of(packets: Sequence[RtpPacket], payload: Payload) -> tuple[NDArray[np.int16], int]:
    """What a phone would play, and at which rate."""
    codec = codec_of(payload)
    decoded = [codec.decode(packet.payload) for packet in packets]
    assert None not in decoded
    return np.frombuffer(b"".join(filter(None, decoded)), dtype=np.int16), codec.rate


def tones_of(samples: NDArray[np.int16], rate: int, count: int = 1) -> list[int]:
    """The loudest frequencies in Hz, ascending, to 10 Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), max(len(samples), 4 * rate // 10)))
    step, found = rate / (2 * (len(spectrum) - 1)), list[float]()
    for index in np.argsort(spectrum)[::-1]:
        if all(abs(index * step - other) > 60 for other in found):
            found.append(float(index * step))
        if len(found) == count:
            break
    return sorted(round(each / 10) * 10 for each in found)
