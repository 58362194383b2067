"""What fuzzing starts from: the torture vectors cut to the parts that each target reads, and everything ever found."""

import re
import struct
from functools import lru_cache
from pathlib import Path

from media.webrtc.stun import REQUEST, USE_CANDIDATE, USERNAME, write_stun
from sipcore.presence.pidf import pidf
from tests.fuzz.packets import rtcp_seeds, rtp_seeds
from tests.fuzz.sounds import sound_seeds
from tests.fuzz.targets import HANDSHAKE, KINDS, TARGETS
from tests.fuzz.voice import voice_seeds
from tests.media.sounds import wav
from tests.support.signers import Authority, entries

VECTORS = Path(__file__).parents[1] / "vectors"
FINDINGS = VECTORS / "fuzz"
HEADERS = {
    "replaces": b"98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff;early-only",
    "session-expires": b"1800;refresher=uac",
    "min-se": b"90",
    "event": b"dialog;id=7",
    "subscription-state": b"terminated;reason=timeout;retry-after=5",
    "reason": b'Q.850;cause=16;text="Normal call clearing"',
    "privacy": b"id;critical",
    "rack": b"776656 1 INVITE",
    "rseq": b"988789",
    "retry-after": b"18000 (busy);duration=3600",
    "warning": b'307 isi.edu "Session parameter \\"foo\\" not understood"',
    "timestamp": b"54.2 0.5",
    "diversion": b'"a" <sip:1@h>;reason=user-busy;counter=1',
    "remote-party-id": b'"a" <sip:1@h>;party=calling;privacy=full',
    "www-authenticate": b'Digest realm="zvon", nonce="84a4", stale=FALSE, algorithm=MD5, qop="auth,auth-int"',
    "authorization": b'Digest username="101", realm="zvon", nonce="dcd98b", uri="sip:zvon", qop=auth, nc=00000001, '
    b'cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"',
}
PIDF = b"""<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
 xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="sip:101@zvon.test"><tuple id="t"><status><basic>open</basic>
</status><note>here &amp; there</note></tuple><dm:person id="p"><rpid:activities><rpid:meeting/></rpid:activities>
<dm:note>M\xc3\xbcnchen</dm:note></dm:person></presence>"""
STUN = struct.pack("!HHI12s", 1, 0, 0x2112A442, b"transaction1")
_AUDIO = b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\nc=IN IP4 1.2.3.4\r\nm=audio 9 %s 8\r\n"
_ICE = b"a=ice-ufrag:abcd\r\na=ice-pwd:" + b"q" * 24 + b"\r\na=candidate:1 1 udp 21307 192.0.2.9 5000 typ host\r\n"
SECRETS = [
    b"1 AES_CM_128_HMAC_SHA1_80 inline:" + b"A" * 40 + b"|2^31",
    b"sha-256 " + b":".join([b"AB"] * 32),
    b"1 1 udp 2130706431 192.0.2.1 5000 typ srflx raddr 10.0.0.1 rport 9",
    _ICE + b"a=end-of-candidates\r\n",
    _AUDIO % b"RTP/SAVP" + b"a=crypto:1 AEAD_AES_128_GCM inline:" + b"A" * 38 + b"\r\n",
    _AUDIO % b"RTP/AVP" + b"a=crypto:2 AES_256_CM_HMAC_SHA1_80 inline:" + b"A" * 62 + b"\r\n",
    _AUDIO % b"UDP/TLS/RTP/SAVPF"
    + _ICE
    + b"a=setup:actpass\r\na=mid:0\r\na=fingerprint:sha-256 "
    + b":".join([b"AB"] * 32),
]
DOCUMENTS = (
    PIDF,
    b'<!DOCTYPE p [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><presence xmlns="urn:ietf:params:xml:ns:pidf">&b;</presence>',
    b'<?xml version="1.0" encoding="utf-16"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:a@b"/>',
    b'<p:presence xmlns:p="urn:ietf:params:xml:ns:pidf"><p:tuple id="1"><p:status><p:basic>closed</p:basic></p:status>'
    b"<p:note xml:lang='en'><![CDATA[<x>]]>&#1;&amp;</p:note></p:tuple></p:presence>",
)
BODIES = [
    b"--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b\r\nContent-Type: application/pidf+xml\r\n"
    b"Content-ID: <a@b>\r\nContent-Disposition: by-reference;handling=optional\r\n\r\n<a/>\r\n--b--\r\n",
    b'hello\r\n--b \r\nc: multipart/alternative;boundary="c c"\r\n\r\n--c c\r\n\r\nx\r\n--c c--\r\n--b--',
]
FRAME = bytes([0x81, 0x85]) + bytes(4) + b"hello"


def messages() -> list[bytes]:
    """The torture messages of RFC 4475 and RFC 5118."""
    return [path.read_bytes() for path in sorted((VECTORS / "torture").rglob("*.dat"))]


def _fields() -> list[tuple[str, bytes]]:
    pattern = re.compile(rb"^([A-Za-z-]+)[ \t]*:[ \t]*((?:[^\r\n]|\r\n[ \t])*)\r?$", re.MULTILINE)
    found = [(name.decode().lower(), value) for data in messages() for name, value in pattern.findall(data)]
    return found + list(HEADERS.items())


def _headers() -> list[bytes]:
    names: dict[str, list[int]] = {}
    for index, kind in enumerate(KINDS):
        names.setdefault(kind.NAME.lower(), []).append(index)
    return [bytes([index]) + value[:200] for name, value in _fields() for index in names.get(name, ())]


@lru_cache
def seeds(target: str) -> list[bytes]:
    """Good and bad examples for a target, then its findings."""
    whole = messages()
    digests = [value for name, value in _fields() if "auth" in name]
    made: dict[str, list[bytes]] = {
        "stream": [bytes([size]) + data for data in whole for size in (0, 30)],
        "presence": [pidf("sip:1@h", is_open=True, activities=("away", "busy"), note="Обед <1>"), *DOCUMENTS],
        "uri": [uri for data in whole for uri in re.findall(rb"[a-z]+:[^\s<>]+", data)],
        "header": _headers(),
        "params": [value for data in whole for value in re.findall(rb";[^\r\n,<>]+", data)],
        "sdp": [data[data.index(b"v=0") :] for data in whole if b"v=0" in data],
        "digest": digests,
        "websocket": [b"\0" + HANDSHAKE, b"\0" + HANDSHAKE + FRAME, b"\1" + FRAME, b"\1" + FRAME[:3]]
        + [b"\1\x82" + struct.pack("!BH", 0x80 | 126, len(data)) + bytes(4) + data for data in whole[:8]],
    }
    made["stun"] = [STUN, STUN[:2] + b"\0\x08" + STUN[4:] + b"\x80\x22\0\4zvon", STUN + bytes(4)]
    made["media_path"] = [
        *made["stun"],
        write_stun(REQUEST, b"transaction1", {USERNAME: b"ours:theirs", USE_CANDIDATE: b""}, b"guess"),
        b"\x16\xfe\xff" + bytes(8) + b"\0\x10" + bytes(16),
        b"\x16\xfe\xfd" + bytes(8) + b"\0\xff\1" + bytes(11),
    ]
    made["secrets"] = SECRETS
    made["body"] = BODIES
    made["wav"] = [
        wav(bytes(range(48)), coding=coding, bits=bits, channels=channels, rate=rate)
        for coding, bits, channels, rate in ((1, 16, 1, 8000), (6, 8, 2, 8000), (3, 32, 2, 48000), (1, 24, 2, 44100))
    ] + [b"RIFF\x04\0\0\0WAVE", wav(b"abcd", claimed=0xFFFFFFFF)]
    made["passport"] = [
        Authority().signer().identity("12155551212", "12355551212", "A", 1.8e9).encode(),
        entries("12155551212", ranges=[("12155551200", 100)], code="1234"),
    ]
    made["lamp"] = [
        b"Anna\nsip:101@h",
        "Иван <\"&'> ]]>\0\x1f\r\t\nsip:a@b?c&d".encode(),
        b"\xed\xa0\x80\xef\xbf\xbf\n",
    ]
    made["digit"] = [b"Signal=5\r\nDuration=160\r\n", b"11", b"signal = *", b"!"]
    made["voice"] = voice_seeds()
    made["rtp"], made["rtcp"], made["sound"] = rtp_seeds(), rtcp_seeds(), sound_seeds()
    made["comfort"] = [bytes([40, 90, 140]), bytes([60]), bytes([0, *range(0, 255, 25)])]
    return [*dict.fromkeys(made.get(target, whole)), *findings(target)]


def findings(target: str) -> list[bytes]:
    """Inputs that once broke the target."""
    assert target in TARGETS
    return [path.read_bytes() for path in sorted((FINDINGS / target).glob("*")) if path.is_file()]
