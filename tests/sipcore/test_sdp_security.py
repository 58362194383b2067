"""Encryption in descriptions: what is read, what is offered and answered, and what is refused."""

import string
from base64 import b64encode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.errors import ParseError, RemoteProtocolError
from sipcore.sdp.crypto import SUITES, Crypto, read_crypto, write_crypto
from sipcore.sdp.dtls import read_fingerprint
from sipcore.sdp.ice import Candidate, Ice, read_candidate, read_fragment, write_candidate
from sipcore.sdp.model import RtpFormat, SessionDescription
from sipcore.sdp.negotiate import make_answer, make_offer, read_answer
from sipcore.sdp.parse import parse_sdp
from sipcore.sdp.sections import LocalMedia
from sipcore.sdp.security import Offering, Security
from sipcore.sdp.write import write_sdp

CM, GCM = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"
PCMA = (RtpFormat(8, "PCMA"),)
PRINT = read_fingerprint("sha-256 " + ":".join(["AB"] * 32))
OTHER = read_fingerprint("SHA-256 " + ":".join(["0c"] * 32))
ICE = Ice("ufra", "p" * 22, True, (Candidate("192.0.2.1", 4000),))


def keys(fill: int, *suites: str) -> tuple[Crypto, ...]:
    return tuple(Crypto(tag, suite, bytes([fill] * SUITES[suite])) for tag, suite in enumerate(suites or SUITES, 1))


def keyed(offering: Offering, fill: int, *suites: str, takes_plain: bool = True) -> Security:
    return Security(offering, takes_plain=takes_plain, takes_keys=True, keys=keys(fill, *suites))


DTLS = Security(Offering.DTLS, takes_dtls=True, fingerprint=PRINT, ice=ICE)
REQUIRED = keyed(Offering.KEYED, 1, takes_plain=False)
OPTIONAL = keyed(Offering.OPTIONAL, 1)


def local(security: Security, port: int = 4000) -> LocalMedia:
    return LocalMedia("192.0.2.1", port, security=security)


def over_the_wire(description: SessionDescription) -> SessionDescription:
    return parse_sdp(write_sdp(description))


def offered(security: Security) -> SessionDescription:
    return over_the_wire(make_offer(local(security), PCMA, session_id=1))


def offer_with(protocol: str, *lines: str) -> SessionDescription:
    text = f"v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\nc=IN IP4 192.0.2.9\nt=0 0\nm=audio 5000 {protocol} 8\n"
    return parse_sdp(text + "".join(f"a={line}\n" for line in lines))


@pytest.mark.parametrize("ours", [REQUIRED, OPTIONAL])
@pytest.mark.parametrize("suite", SUITES)
def test_both_sides_of_an_offer_with_keys_have_the_same_two_keys(ours: Security, suite: str) -> None:
    offer = offered(ours)
    assert offer.media[0].protocol == ("RTP/SAVP" if ours is REQUIRED else "RTP/AVP")
    answer = make_answer(offer, local(keyed(Offering.PLAIN, 2, suite)), PCMA, session_id=2)
    assert answer is not None
    there = answer.media.secured
    here_media = read_answer(offer, over_the_wire(answer.description), ours)
    assert here_media is not None
    here = here_media.secured
    assert here is not None
    assert there is not None
    assert here.keyed is not None
    assert there.keyed is not None
    assert (here.keyed.suite, there.keyed.suite) == (suite, suite)
    assert here.keyed.send == there.keyed.receive == bytes([1] * SUITES[suite])
    assert here.keyed.receive == there.keyed.send == bytes([2] * SUITES[suite])


def test_the_answerer_takes_the_first_line_of_the_peer_that_it_can_do() -> None:
    one, two = write_crypto(keys(7, GCM)[0])[1], write_crypto(keys(8, CM)[0])[1]
    offer = offer_with("RTP/SAVP", "crypto:9 UNKNOWN inline:AAAA", f"crypto:{one}", f"crypto:{two}")
    answer = make_answer(offer, local(REQUIRED), PCMA, session_id=2)
    assert answer is not None
    (line,) = [value for name, value in answer.description.media[0].attributes if name == "crypto"]
    assert line.split()[:2] == ["1", GCM]


@pytest.mark.parametrize(
    ("offer", "ours", "fits"),
    [
        (offer_with("RTP/AVP"), Security(), True),
        (offer_with("RTP/AVP"), REQUIRED, False),
        (offer_with("RTP/AVP"), OPTIONAL, True),
        (offer_with("RTP/SAVP"), OPTIONAL, False),  # without a key
        (offer_with("RTP/SAVP", "crypto:" + write_crypto(keys(3, CM)[0])[1]), Security(), False),
        (offer_with("RTP/SAVP", "crypto:" + write_crypto(keys(3, CM)[0])[1]), OPTIONAL, True),
        (offer_with("RTP/SAVPF", "crypto:" + write_crypto(keys(3, CM)[0])[1]), REQUIRED, True),
        (offer_with("RTP/AVP", "crypto:" + write_crypto(keys(3, CM)[0])[1]), REQUIRED, True),
        (offer_with("UDP/TLS/RTP/SAVPF"), DTLS, False),  # without a fingerprint
        (offer_with("UDP/TLS/RTP/SAVPF", f"fingerprint:{PRINT}", "setup:actpass"), DTLS, True),
        (offer_with("UDP/TLS/RTP/SAVPF", f"fingerprint:{PRINT}", "setup:holdconn"), DTLS, False),
        (offer_with("UDP/TLS/RTP/SAVP", f"fingerprint:{PRINT}"), Security(), False),
        (offer_with("RTP/SAVP", f"fingerprint:{PRINT}"), DTLS, True),
        (offer_with("udp", "crypto:" + write_crypto(keys(3, CM)[0])[1]), REQUIRED, False),
    ],
)  # fmt: skip
def test_what_is_answered_and_what_is_refused(offer: SessionDescription, ours: Security, fits: bool) -> None:
    answer = make_answer(offer, local(ours), PCMA, session_id=2)
    assert (answer is not None) is fits
    if answer is not None:
        assert answer.description.media[0].protocol == offer.media[0].protocol


@pytest.mark.parametrize(
    ("ours", "lines", "protocol"),
    [
        (REQUIRED, [], "RTP/SAVP"),
        (REQUIRED, ["crypto:7 " + write_crypto(keys(2, CM)[0])[1].partition(" ")[2]], "RTP/SAVP"),  # no such tag
        (REQUIRED, ["crypto:" + write_crypto(keys(2, CM)[0])[1]], "RTP/AVP"),  # downgraded on the way
        (REQUIRED, ["crypto:" + write_crypto(keys(2, GCM)[0])[1]], "RTP/SAVP"),  # the tag of another suite
        (DTLS, ["setup:active"], "UDP/TLS/RTP/SAVPF"),
        (DTLS, [f"fingerprint:{PRINT}", "setup:actpass"], "UDP/TLS/RTP/SAVPF"),
        (DTLS, [f"fingerprint:{PRINT}", "setup:active"], "RTP/AVP"),
    ],
)
def test_an_answer_that_is_less_than_was_asked_for_is_none(ours: Security, lines: list[str], protocol: str) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        read_answer(offered(ours), offer_with(protocol, *lines), ours)
    assert refused.value.status == 488


def test_an_optional_offer_may_be_answered_in_clear() -> None:
    found = read_answer(offered(OPTIONAL), offer_with("RTP/AVP"), OPTIONAL)
    assert found is not None
    assert found.secured is None


@pytest.mark.parametrize(
    ("asked", "before", "answered", "is_client"),
    [
        ("actpass", None, "active", True),
        ("active", None, "passive", False),
        ("passive", None, "active", True),
        ("actpass", False, "passive", False),  # the association that is there keeps its roles (RFC 8842 §5.3)
    ],
)
def test_who_begins_the_handshake(asked: str, before: bool | None, answered: str, is_client: bool) -> None:
    offer = offer_with("UDP/TLS/RTP/SAVPF", f"fingerprint:{OTHER}", f"setup:{asked}", "rtcp-mux")
    answer = make_answer(offer, local(replace(DTLS, is_client=before)), PCMA, session_id=2)
    assert answer is not None
    assert answer.media.secured is not None
    assert answer.media.secured.handshake is not None
    assert answer.media.secured.handshake.is_client is is_client
    assert answer.media.secured.handshake.fingerprints == (OTHER,)
    assert answer.media.secured.ours is None  # no ICE was offered
    assert answer.description.media[0].attribute("setup") == answered
    assert answer.media.rtcp_mux


BROWSER = (
    "mid:0", "rtcp-mux", "ice-ufrag:abcd", "ice-pwd:" + "q" * 24, "ice-options:trickle", f"fingerprint:{OTHER}",
    "setup:actpass", "candidate:1 1 udp 2113937151 ab12.local 50000 typ host",
    "candidate:2 1 tcp 1518280447 192.0.2.9 9 typ host tcptype active",
    "candidate:3 1 udp 1677729535 192.0.2.9 50000 typ srflx raddr 0.0.0.0 rport 0",
)  # fmt: skip


def test_candidates_that_come_later_are_read() -> None:
    lines = [
        "a=ice-ufrag:abcd",
        "a=ice-pwd:" + "q" * 24,
        "m=audio 9 RTP/AVP 0",
        *(f"a={line}" for line in BROWSER[-3:]),
    ]
    found = read_fragment(("\r\n".join(lines) + "\r\n").encode())
    assert [(each.host, each.kind) for each in found] == [("192.0.2.9", "srflx")]
    for bad in (b"", b"\r\n", b"a=ice-ufrag:abcd", b"no lines", b"a=x:" * 5000):
        with pytest.raises(ParseError):
            read_fragment(bad)


def browser_offer() -> SessionDescription:
    head = "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE 0 1\n"
    audio = "m=audio 9 UDP/TLS/RTP/SAVPF 111 8\nc=IN IP4 0.0.0.0\na=rtpmap:111 opus/48000/2\n"
    video = "m=video 9 UDP/TLS/RTP/SAVPF 96\nc=IN IP4 0.0.0.0\na=mid:1\na=rtpmap:96 VP8/90000\n"
    return parse_sdp(head + audio + "".join(f"a={line}\n" for line in BROWSER) + video)


def test_a_browsers_offer_is_answered_with_audio_alone_in_its_bundle() -> None:
    answer = make_answer(browser_offer(), local(DTLS), PCMA, session_id=2)
    assert answer is not None
    text = write_sdp(over_the_wire(answer.description)).decode()
    session, audio, video = text.split("m=")
    assert "a=group:BUNDLE 0\r\n" in session
    assert "a=ice-lite\r\n" in session
    for line in ("a=mid:0", "a=rtcp-mux", "a=ice-ufrag:ufra", "a=setup:active", f"a=fingerprint:{PRINT}"):
        assert f"{line}\r\n" in audio
    assert "a=candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host\r\n" in audio
    assert video.startswith("video 0 ")
    assert answer.media.direction.sends  # 0.0.0.0 is no hold here: the address is still to be found
    secured = answer.media.secured
    assert secured is not None
    assert secured.theirs is not None
    assert secured.theirs.credentials == ("abcd", "q" * 24)
    assert [each.kind for each in secured.theirs.candidates] == ["srflx"]  # names and TCP are passed over
    assert not secured.is_controlling


def test_a_browser_is_offered_all_that_it_needs_and_its_answer_read() -> None:
    offer = offered(DTLS)
    for name, value in (("setup", "actpass"), ("mid", "0"), ("rtcp-mux", ""), ("msid", "zvon audio")):
        assert offer.media[0].attribute(name) == value
    assert ("group", "BUNDLE 0") in offer.attributes
    lines = [line.replace("actpass", "active") for line in BROWSER]
    found = read_answer(offer, offer_with("UDP/TLS/RTP/SAVPF", *lines), DTLS)
    assert found is not None
    assert found.secured is not None
    assert found.secured.handshake is not None
    assert not found.secured.handshake.is_client


@pytest.mark.parametrize(
    "value",
    [
        "", "1", f"1 {CM}", f"x {CM} inline:{'A' * 40}", f"1 {CM} inline:{'A' * 39}!", f"1 {CM} inline:{'A' * 36}",
        f"1 {CM} clear:{'A' * 40}", f"1 {CM} inline:{'A' * 40}|2^20|1:4", f"1 {CM} inline:{'A' * 40}|1:4",
        f"1 {CM} inline:{'A' * 40} UNENCRYPTED_SRTP", f"1 {CM} inline:{'A' * 40} FEC_ORDER=SRTP_FEC",
        f"1 {CM} inline:{'A' * 40};inline:{'B' * 40}", f"1 NONE inline:{'A' * 40}", "1" * 12 + f" {CM} inline:AA",
    ],
)  # fmt: skip
def test_keys_that_cannot_be_used_are_passed_over(value: str) -> None:
    assert read_crypto(value) is None


def test_usual_forms_of_a_key_are_read() -> None:
    key = bytes(range(30))
    plain = b64encode(key).decode()
    for value in (
        f"1 {CM} inline:{plain}",
        f"1 {CM} inline:{plain}|2^31",
        f"1 {CM.lower()} INLINE:{plain} KDR=0 WSH=64",
    ):
        assert read_crypto(value) == Crypto(1, CM, key)
    assert read_crypto("2 AES_CM_256_HMAC_SHA1_80 inline:" + "A" * 62) == Crypto(
        2, "AES_256_CM_HMAC_SHA1_80", bytes(46)
    )
    assert plain not in repr(read_crypto(f"1 {CM} inline:{plain}"))


@pytest.mark.parametrize(
    "value",
    [
        "", "sha-256", "sha-256 AB", "sha-1 " + ":".join(["AB"] * 20), "md5 " + ":".join(["AB"] * 16),
        "sha-256 " + ":".join(["AB"] * 31), "sha-256 " + ":".join(["XY"] * 32), "sha-256 " + "AB" * 32,
    ],
)  # fmt: skip
def test_fingerprints_that_prove_nothing_are_none(value: str) -> None:
    assert read_fingerprint(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "", "1 1 udp 1 192.0.2.1 5000", "1 2 udp 1 192.0.2.1 5000 typ host", "1 1 tcp 1 192.0.2.1 9 typ host",
        "1 1 udp 1 name.local 5000 typ host", "1 1 udp 0 192.0.2.1 5000 typ host", "1 1 udp 1 192.0.2.1 0 typ host",
        "1 1 udp 1 192.0.2.1 70000 typ host", "1 1 udp 1 fe80::1%eth0 5000 typ host", "1 1 udp 1 192.0.2.1 5 typ odd",
        "? 1 udp 1 192.0.2.1 5000 typ host", "1 1 udp 99999999999 192.0.2.1 5000 typ host",
    ],
)  # fmt: skip
def test_candidates_that_cannot_be_used_are_none(value: str) -> None:
    assert read_candidate(value) is None


@given(st.integers(1, (1 << 31) - 1), st.integers(1, 65535), st.text(string.ascii_letters, min_size=1, max_size=32))
def test_a_candidate_is_read_as_it_was_written(priority: int, port: int, foundation: str) -> None:
    candidate = Candidate("2001:db8::1", port, priority, "relay", foundation)
    assert read_candidate(write_candidate(candidate)) == candidate


@given(st.text(max_size=200))
def test_any_text_is_a_value_or_none(text: str) -> None:
    for value in (text, f"1 {CM} inline:{text}", f"1 1 udp 1 {text} 5000 typ host", f"sha-256 {text}"):
        read_crypto(value)
        read_candidate(value)
        read_fingerprint(value)
