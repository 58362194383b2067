"""M7: what encryption adds to a packet: an engine of this process that sends back what it gets, in clear and encrypted.

The engine decrypts each packet and encrypts it again, as it does between two encrypting phones; a leg is
half of that. CPU time is that of the engine's thread alone: of the process without this thread.
"""

import asyncio
import os
import socket
import time
from dataclasses import replace

from bench.report import Measurement
from bench.site import Subject
from media.api import CreateEndpoint, EndpointCreated, HostPort, Payload, SetEcho, SrtpKeys, StreamSpec
from media.config import EngineConfig
from media.engine.embedded import EmbeddedEngine
from media.rtp.packet import RtpPacket
from media.srtp.library import make_cipher
from media.srtp.suites import SUITES

TARGET_US = 1.5
PACKETS = 10_000
ROUNDS = 4
BURST = 20
SUITES_MEASURED = ("AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM")


def _packets(keys: SrtpKeys | None) -> list[bytes]:
    """A phone's stream of 20 ms G.711 packets."""
    plain = [RtpPacket(8, at & 0xFFFF, 160 * at, 0x1234, os.urandom(160)).encode() for at in range(PACKETS)]
    if keys is None:
        return plain
    sender = make_cipher(keys.suite, keys.receive, sending=True)
    return [sender.seal(each) for each in plain]


async def _measure(keys: SrtpKeys | None) -> tuple[float, int]:
    """CPU microseconds of the engine's thread a packet, and how many did not come back."""
    engine = EmbeddedEngine(EngineConfig(first_port=29000, last_port=29099))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.setblocking(False)
        spec = StreamSpec(HostPort(*phone.getsockname()), (Payload(8, "PCMA"),))
        (reply, _) = await engine.execute(
            CreateEndpoint(1, "127.0.0.1", replace(spec, crypto=keys)),
            SetEcho(1),
        )
        assert isinstance(reply, EndpointCreated), reply
        packets = _packets(keys)
        phone.connect((reply.rtp.host, reply.rtp.port))
        began = time.process_time() - time.thread_time()
        back = 0
        for at in range(0, PACKETS, BURST):
            for packet in packets[at : at + BURST]:
                phone.send(packet)
            back += _drain(phone, BURST)
        used_s = time.process_time() - time.thread_time() - began
    await engine.close()
    return used_s * 1e6 / PACKETS, PACKETS - back


def _drain(phone: socket.socket, count: int) -> int:
    """What has come back, after a moment."""
    found, deadline = 0, time.monotonic() + 0.05
    while found < count and time.monotonic() < deadline:
        try:
            phone.recv(2048)
            found += 1
        except BlockingIOError:
            time.sleep(0.0002)
    return found


def secure_relay(subject: Subject) -> list[Measurement]:
    """Each suite beside the same in clear: the best of rounds that take turns, because a busy machine only adds."""
    return [_leg(name) for name in SUITES_MEASURED]


def _leg(name: str) -> Measurement:
    length = SUITES[name].length
    keys = SrtpKeys(name, os.urandom(length), os.urandom(length))
    rounds = [(asyncio.run(_measure(None)), asyncio.run(_measure(keys))) for _ in range(ROUNDS)]
    plain_us, secure_us = (min(each[way][0] for each in rounds) for way in (0, 1))
    lost = sum(secure[1] for _, secure in rounds)
    each_us = (secure_us - plain_us) / 2
    met = each_us <= TARGET_US and not lost
    note = f"a packet that is decrypted and encrypted again {secure_us:.2f} us in all; {lost} lost"
    return Measurement("M7", f"SRTP leg, per packet, {name}", each_us, "us CPU", f"<= {TARGET_US}", met, note=note)
