"""Encryption by the setting of a terminal and by its signalling; calls whose sides differ."""

import pytest

from media.api import EndpointCreated, HostPort, SrtpKeys
from pbx.codecs import Codecs
from pbx.encryption import Encryption
from pbx.media_endpoint import MediaAddress, MediaRefused
from pbx.media_session import MediaSession
from sipcore.message import Response
from sipcore.sdp.crypto import SUITES, Crypto, cryptos_in, write_crypto
from sipcore.sdp.security import Offering
from tests.support.builders import described, sdp, spec_of, terminal
from tests.support.office import open_office

CM = "AES_CM_128_HMAC_SHA1_80"


@pytest.mark.row("EXT-10")
@pytest.mark.parametrize(
    ("srtp", "transport", "offering", "takes"),
    [
        ("auto", "UDP", Offering.PLAIN, "clear dtls"),
        ("auto", "TCP", Offering.PLAIN, "clear dtls"),
        ("auto", "TLS", Offering.OPTIONAL, "clear keys dtls"),
        ("auto", "WSS", Offering.DTLS, "clear keys dtls"),
        ("auto", "WS", Offering.DTLS, "clear dtls"),
        ("off", "TLS", Offering.PLAIN, "clear"),
        ("off", "WSS", Offering.PLAIN, "clear"),
        ("optional", "UDP", Offering.OPTIONAL, "clear keys dtls"),
        ("required", "UDP", Offering.KEYED, "keys dtls"),
        ("required", "TLS", Offering.KEYED, "keys dtls"),
        ("required", "WSS", Offering.DTLS, "keys dtls"),
    ],
)
def test_what_a_setting_means_over_each_transport(srtp: str, transport: str, offering: Offering, takes: str) -> None:
    found = Encryption(srtp, transport).security()
    assert found.offering is offering
    taken = {"clear": found.takes_plain, "keys": found.takes_keys, "dtls": found.takes_dtls}
    assert [name for name, on in taken.items() if on] == takes.split()
    assert len(found.keys) == (len(SUITES) if found.takes_keys else 0)
    assert len({each.key for each in found.keys}) == len(found.keys)


def encrypted(description: bytes, protocol: str, tag: int = 1, fill: int = 9) -> bytes:
    """A phone's description with a key of its own."""
    name, value = write_crypto(Crypto(tag, CM, bytes([fill] * 30)))
    return description.replace(b"RTP/AVP", protocol.encode()) + f"a={name}:{value}\r\n".encode()


@pytest.mark.parametrize(
    ("own", "peer", "is_lite"),
    [
        ("10.0.0.1", "10.0.5.5", True),
        ("9.9.9.9", "8.8.8.8", True),
        ("8.8.4.4", "10.0.5.5", True),
        ("10.0.0.1", "8.8.8.8", False),  # behind NAT, and nobody has told us our address outside
    ],
)
def test_a_server_that_its_peer_cannot_reach_looks_for_the_way_itself(own: str, peer: str, is_lite: bool) -> None:
    media = MediaSession(7, MediaAddress(own, own), (peer,), Codecs(), encryption=Encryption("auto", "WSS"))
    fingerprint = f"sha-256 {':'.join(['AB'] * 32)}"
    assert media.creating()[0].handshake
    media.created(EndpointCreated(7, HostPort(own, 10000), 10001, 1, fingerprint=fingerprint))
    offer = media.offer(Codecs().basic)
    assert (b"a=ice-lite" in offer) is is_lite
    answer = (
        f"v=0\r\no=- 1 1 IN IP4 {peer}\r\ns=-\r\nc=IN IP4 {peer}\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 8\r\n"
        f"a=ice-ufrag:abcd\r\na=ice-pwd:{'q' * 24}\r\na=fingerprint:{fingerprint}\r\na=setup:active\r\na=rtcp-mux\r\n"
        f"a=candidate:1 1 udp 2130706431 {peer} 5000 typ host\r\na=candidate:2 1 udp 99 x.local 5000 typ host\r\n"
    )
    media.take_answer(answer.encode())
    spec = spec_of(media)
    assert spec.ice is not None
    assert (spec.ice.is_full, spec.ice.is_controlling) == (not is_lite, not is_lite)
    assert spec.ice.candidates == (HostPort(peer, 5000),)
    assert spec.dtls is not None
    assert not spec.dtls.is_client
    media.take_answer(answer.replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n").encode())
    again = spec_of(media).ice
    assert again is not None
    assert again.is_full  # of two lite agents nobody would find anything
    assert again.is_controlling


async def test_one_side_encrypts_and_the_other_does_not() -> None:
    async with open_office(terminal("101", srtp="required"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102", encrypted(sdp(a.host, a.rtp_port, a.codecs), "RTP/SAVP"))
        ring = await b.rung()
        assert ring.invite is not None
        assert described(ring.invite.body).media[0].protocol == "RTP/AVP"
        assert b"a=crypto" not in ring.invite.body
        ring.answer(ring.my_answer())
        answer = described((await call.until_answered()).sdp)
        assert answer.media[0].protocol == "RTP/SAVP"
        (line,) = cryptos_in(answer.media[0].attributes)
        spec = office.endpoint_of("101").spec
        assert spec is not None
        assert spec.crypto == SrtpKeys(CM, send=line.key, receive=bytes([9] * 30))
        other = office.endpoint_of("102").spec
        assert other is not None
        assert other.crypto is None
        call.hangup()
        await ring.until_over()


async def test_a_call_in_clear_from_a_terminal_that_must_encrypt_is_refused_with_the_reason() -> None:
    async with open_office(terminal("101", srtp="required"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102")
        assert await call.until_over() == 488
        (final,) = [each for each in a.received if isinstance(each, Response) and each.status == 488]
        assert "encrypted" in (final.headers.get("warning") or "")
        assert not b.is_ringing
    assert office.row.cause == "not_encrypted"


async def test_keys_over_signalling_in_clear_are_refused_by_default() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, _ = await office.registered("101"), await office.registered("102")
        call = a.dial("102", encrypted(sdp(a.host, a.rtp_port, a.codecs), "RTP/SAVP"))
        assert await call.until_over() == 488


def session(encryption: Encryption) -> MediaSession:
    found = MediaSession(7, MediaAddress("10.0.0.1", "10.0.0.1"), (), Codecs(), encryption=encryption)
    found.created(EndpointCreated(7, HostPort("10.0.0.1", 10000), 10001, 1))
    return found


def test_an_answer_in_clear_to_who_must_encrypt_is_refused() -> None:
    media = session(Encryption("required"))
    offer = media.offer(Codecs().basic)
    assert b"RTP/SAVP 111" in offer
    with pytest.raises(MediaRefused):
        media.take_answer(offer.replace(b"RTP/SAVP", b"RTP/AVP").partition(b"a=crypto")[0])


def test_a_changed_session_goes_on_with_the_same_keys_and_new_ones_of_the_peer_are_taken() -> None:
    media = session(Encryption("required"))
    offer = media.offer(Codecs().basic)
    media.take_answer(encrypted(offer.partition(b"a=crypto")[0].replace(b"RTP/SAVP", b"RTP/AVP"), "RTP/SAVP"))
    first = spec_of(media).crypto
    again = media.offer(Codecs().basic)
    assert cryptos_in(described(again).media[0].attributes) == cryptos_in(described(offer).media[0].attributes)[:1]
    media.take_offer(encrypted(sdp("10.0.5.5", 40000), "RTP/SAVP", tag=4, fill=8))
    answer = media.answer(Codecs().basic)
    second = spec_of(media).crypto
    assert first is not None
    assert second is not None
    assert second.send == first.send
    assert (first.receive, second.receive) == (bytes([9] * 30), bytes([8] * 30))
    (line,) = cryptos_in(described(answer).media[0].attributes)
    assert line.tag == 4
