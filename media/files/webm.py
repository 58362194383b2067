"""WebM with Opus, as browsers record from a microphone (RFC 9559, the elements that matter).

Elements are walked without regard to who holds whom: browsers write them as they come, with lengths that nobody knows.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from media.codec.coder import Codec, available
from media.files.bad import BadSound

Floats = NDArray[np.float32]

RATE = 48000
EBML, CODEC_ID, SIMPLE_BLOCK, BLOCK, TRACK_NUMBER = 0x1A45DFA3, 0x86, 0xA3, 0xA1, 0xD7
# Segment, Tracks, TrackEntry, Cluster, BlockGroup
HOLDERS = frozenset((0x18538067, 0x1654AE6B, 0xAE, 0x1F43B675, 0xA0))
LACING = 0x06
BLOCK_PACKETS = 50


def is_webm(data: bytes) -> bool:
    return data.startswith(EBML.to_bytes(4, "big"))


class Webm:
    """The first track of a file; raises `BadSound`."""

    rate = RATE

    def __init__(self, path: str, data: bytes) -> None:
        if not available("opus"):
            raise BadSound(f"{path} is WebM, which takes libopus: install the Debian package libopus0.")
        self._path, self._data = path, data
        self._track = 0
        codec = ""
        for element, content in _elements(data):
            if element == TRACK_NUMBER and not self._track:
                self._track = int.from_bytes(content, "big")
            elif element == CODEC_ID and not codec:
                codec = bytes(content).decode("ascii", "replace")
        if codec != "A_OPUS":
            raise BadSound(f"{path} is WebM with {codec or 'nothing'} in it; only Opus can be played.")

    def blocks(self) -> Iterator[Floats]:
        """Its samples between -1 and 1, as far as there are some."""
        decoder = Codec("opus", RATE)
        parts: list[bytes] = []
        for packet in self._packets():
            samples = decoder.decode(packet)
            if samples is None:
                raise BadSound(f"{self._path} is damaged in the middle.")
            parts.append(samples)
            if len(parts) == BLOCK_PACKETS:
                yield _floats(parts)
                parts.clear()
        if parts:
            yield _floats(parts)

    def _packets(self) -> Iterator[bytes]:
        for element, content in _elements(self._data):
            if element not in (SIMPLE_BLOCK, BLOCK):
                continue
            try:
                track, start = _number(content, 0)
            except IndexError:
                return
            if track == self._track and len(content) > start + 3:
                if content[start + 2] & LACING:
                    raise BadSound(f"{self._path} has laced blocks, which browsers do not write.")
                yield bytes(content[start + 3 :])


def _elements(data: bytes) -> Iterator[tuple[int, memoryview]]:
    """Every element that holds no others; what is cut off at the end is left out."""
    view, at = memoryview(data), 0
    try:
        while at < len(view):
            element, at = _number(view, at, is_id=True)
            length, begin = _number(view, at)
            at = begin if element in HOLDERS else begin + length
            if element not in HOLDERS and at <= len(view):
                yield element, view[begin:at]
    except IndexError:
        return


def _number(view: memoryview, at: int, *, is_id: bool = False) -> tuple[int, int]:
    """A number of variable length, and where the next one begins; the marker of its length belongs to an id."""
    length = 9 - view[at].bit_length()
    if length > 8 or at + length > len(view):
        raise IndexError
    found = int.from_bytes(view[at : at + length], "big")
    return (found if is_id else found & ((1 << 7 * length) - 1)), at + length


def _floats(parts: list[bytes]) -> Floats:
    samples: Floats = np.frombuffer(b"".join(parts), np.int16).astype(np.float32) / np.float32(32768)
    return samples
