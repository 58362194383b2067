"""Sound for end-to-end tests: tones, G.711 by its definition (ITU-T G.711), RTP over a socket, recordings."""

import socket
import struct
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bench.wire import Address

RATE = 8000
PACKET_SAMPLES = 160
Samples = NDArray[np.int16]

_RTP = struct.Struct("!BBHII")


def tone(hz: float, seconds: float, level: float = 0.3) -> Samples:
    """A sine; `level` is a part of full scale."""
    return np.round(np.sin(2 * np.pi * hz * np.arange(int(RATE * seconds)) / RATE) * level * 32767).astype(np.int16)


def write_wav(path: Path, samples: Samples) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())


def read_wav(path: Path) -> Samples:
    """The samples of a 16 bit mono file at 8 kHz."""
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE), path
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.int16)


def _alaw_table() -> Samples:
    code = np.arange(256) ^ 0x55
    segment, step = (code >> 4) & 7, code & 15
    magnitude = np.where(segment == 0, (step << 4) + 8, ((step << 4) + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _ulaw_table() -> Samples:
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 15) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


_TABLES = {8: _alaw_table(), 0: _ulaw_table()}


def decode(payload: bytes, payload_type: int) -> Samples:
    return _TABLES[payload_type][np.frombuffer(payload, dtype=np.uint8)]


def encode(samples: Samples, payload_type: int) -> bytes:
    """The nearest code of each sample."""
    order = np.argsort(_TABLES[payload_type], kind="stable")
    levels = _TABLES[payload_type][order].astype(np.int32)
    above = np.clip(np.searchsorted(levels, samples), 1, 255)
    below_is_nearer = samples - levels[above - 1] < levels[above] - samples
    return order[np.where(below_is_nearer, above - 1, above)].astype(np.uint8).tobytes()


def dominant_hz(samples: Samples) -> float:
    """The strongest frequency, to about half a hertz for a second of sound; 0 when it is silent."""
    if len(samples) < PACKET_SAMPLES or not np.abs(samples).max() > 100:
        return 0.0
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 16))
    return float(np.argmax(spectrum)) * RATE / (1 << 16)


def silent_share(samples: Samples, threshold: int = 300) -> float:
    """The part of 20 ms frames whose peak stays under `threshold`."""
    frames = samples[: len(samples) // PACKET_SAMPLES * PACKET_SAMPLES].reshape(-1, PACKET_SAMPLES)
    return float((np.abs(frames).max(axis=1) < threshold).mean()) if len(frames) else 1.0


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet as it arrived."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    source: Address


class RtpSocket:
    """One RTP endpoint."""

    def __init__(self, host: str = "127.0.0.1", ssrc: int = 0x1234) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        own_host, own_port = self._socket.getsockname()[:2]
        self.address: Address = (own_host, own_port)
        self.ssrc, self._sequence, self._event_timestamp = ssrc, 0, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send_packet(self, to: Address, payload: bytes, payload_type: int = 8) -> None:
        header = _RTP.pack(0x80, payload_type, self._sequence & 0xFFFF, self._sequence * PACKET_SAMPLES, self.ssrc)
        self._sequence += 1
        self._socket.sendto(header + payload, to)

    def skip_packet(self) -> None:
        """One that is lost on the way."""
        self._sequence += 1

    def send_event(self, to: Address, payloads: Sequence[bytes], payload_type: int, *, again: bool = False) -> None:
        """Packets of one RFC 4733 event: they share a timestamp, that of the packets before when `again`."""
        if not again:
            self._event_timestamp = self._sequence * PACKET_SAMPLES
        for payload in payloads:
            sequence = self._sequence & 0xFFFF
            header = _RTP.pack(0x80, payload_type, sequence, self._event_timestamp & 0xFFFFFFFF, self.ssrc)
            self._sequence += 1
            self._socket.sendto(header + payload, to)

    def receive_packets(self, seconds: float) -> list[Packet]:
        """Everything that arrives within `seconds`."""
        return list(self._arriving(seconds))

    def receive_until(self, last: Callable[[Packet], bool], timeout_s: float = 4.0) -> list[Packet]:
        """Everything up to a packet that is the `last`, which must arrive in time."""
        packets: list[Packet] = []
        for packet in self._arriving(timeout_s):
            packets.append(packet)
            if last(packet):
                return packets
        raise AssertionError(f"not within {timeout_s} s: the last packet, after {packets}")

    def _arriving(self, seconds: float) -> Iterator[Packet]:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                data, source = self._socket.recvfrom(2048)
            except TimeoutError:
                break
            _, kind, sequence, timestamp, ssrc = _RTP.unpack_from(data)
            yield Packet(kind & 0x7F, sequence, timestamp, ssrc, data[_RTP.size :], source)


def exchange(talkers: Sequence[tuple[RtpSocket, Address, Samples]], payload_type: int = 8) -> list[list[Packet]]:
    """Everybody talks at once, a packet each 20 ms, until the shortest sound ends; what each one heard."""
    count = min(len(samples) for _, _, samples in talkers) // PACKET_SAMPLES
    payloads = [encode(samples, payload_type) for _, _, samples in talkers]
    heard: list[list[Packet]] = [[] for _ in talkers]
    start = time.monotonic()
    for index in range(count):
        for (rtp, to, _), payload in zip(talkers, payloads, strict=True):
            rtp.send_packet(to, payload[index * PACKET_SAMPLES : (index + 1) * PACKET_SAMPLES], payload_type)
        for packets, (rtp, _, _) in zip(heard, talkers, strict=True):
            left = start + (index + 1) * 0.02 - time.monotonic()
            packets += rtp.receive_packets(max(left, 0.0005) / len(talkers))
    for packets, (rtp, _, _) in zip(heard, talkers, strict=True):
        packets += rtp.receive_packets(0.1)
    return heard


def sound_of(packets: Sequence[Packet]) -> Samples:
    """The audio packets in order of sequence number, decoded and put together."""
    audio = sorted((packet for packet in packets if packet.payload_type in _TABLES), key=lambda packet: packet.sequence)
    return np.concatenate([decode(p.payload, p.payload_type) for p in audio]) if audio else np.zeros(0, np.int16)


def assert_talk(one: tuple[RtpSocket, Address], other: tuple[RtpSocket, Address]) -> None:
    """Two parties, each with where it sends to: each hears the other's tone and nothing else."""
    heard = exchange([(*one, tone(440, 1)), (*other, tone(700, 1))])
    for packets, hz in zip(heard, (700, 440), strict=True):
        samples = sound_of(packets)
        assert len(samples) > 6000
        assert abs(dominant_hz(samples[1600:]) - hz) < 5, (dominant_hz(samples[1600:]), hz)
