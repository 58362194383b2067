"""Descriptions of one leg: what is offered, answered and told to the engine."""

import pytest

from media.api import ConfigureEndpoint, CreateEndpoint, DestroyEndpoint, Direction, EndpointCreated, HostPort, Payload
from pbx.codecs import Codecs
from pbx.media_endpoint import MediaAddress, MediaRefused
from pbx.media_session import MediaSession
from tests.support.builders import FORMATS, answer_sdp, codecs_of, described, sdp, spec_of

PCMA, PCMU, G722, OPUS, EVENT = (FORMATS[name] for name in ("PCMA", "PCMU", "G722", "opus", "telephone-event"))
PEER = "10.0.5.5"
CODECS = Codecs()


def session() -> MediaSession:
    found = MediaSession(7, MediaAddress("10.0.0.1", "203.0.113.7"), ("198.51.100.9",), CODECS)
    assert found.creating() == (CreateEndpoint(7, "10.0.0.1"),)
    found.created(EndpointCreated(7, HostPort("10.0.0.1", 10000), 10001, 1))
    return found


def test_descriptions_name_the_advertised_address_and_the_engine_gets_the_bound_one() -> None:
    media = session()
    offer = described(media.offer(CODECS.basic))
    assert offer.address_of(offer.media[0]) == "203.0.113.7"
    assert offer.media[0].port == 10000
    assert media.creating() == (), "it is there already"


def test_an_answer_configures_the_engine_with_the_peers_side() -> None:
    media = session()
    media.take_offer(sdp(PEER, 40000, ("PCMU", "PCMA", "telephone-event")))
    assert codecs_of(media.answer(CODECS.like(PCMU))) == ["PCMU", "telephone-event"]
    (command,) = media.configuring()
    assert isinstance(command, ConfigureEndpoint)
    assert command.spec.remote == HostPort(PEER, 40000)
    assert command.spec.sources == ("198.51.100.9",)
    assert command.spec.payloads == (Payload(0, "PCMU"), Payload(101, "telephone-event", fmtp="0-16"))
    assert command.spec.direction is Direction.SENDRECV


@pytest.mark.parametrize("host", ["phone.example.com", "2001:db8::5", "10.0.5.999"])
def test_audio_for_an_address_that_is_none_goes_to_where_the_peer_signals_from(host: str) -> None:
    media = session()
    offer = sdp(PEER, 40000, ("PCMU",), connection=host) + f"a=rtcp:40009 IN IP4 {host}\r\n".encode()
    media.take_offer(offer)
    media.answer(CODECS.like(PCMU))
    assert spec_of(media).remote == HostPort("198.51.100.9", 40000)
    assert spec_of(media).rtcp == HostPort("198.51.100.9", 40009)


def test_an_offer_and_its_answer_in_the_peers_numbers() -> None:
    media = session()
    offer = media.offer((PCMA, PCMU, EVENT))
    answer = answer_sdp(offer, PEER, 40000, ("PCMU", "telephone-event"))
    assert answer is not None
    media.take_answer(answer.replace(b"101", b"97"))
    assert media.codec == PCMU
    assert [payload.number for payload in spec_of(media).payloads] == [0, 97]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense",
        sdp(PEER, 0),
        sdp(PEER, 40000, ("G722",)),
        sdp(PEER, 40000) + b"m=video 1 RTP/AVP 99\r\n",
        sdp(PEER, 40000).replace(b"m=audio", b"m=video"),
    ],
)
def test_an_answer_that_agrees_on_nothing_is_refused(answer: bytes) -> None:
    media = session()
    media.offer((PCMA, PCMU))
    with pytest.raises(MediaRefused):
        media.take_answer(answer)
    assert media.agreed is None


def test_an_answer_without_an_offer_is_refused() -> None:
    with pytest.raises(MediaRefused) as refusal:
        session().take_answer(sdp(PEER, 40000))
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    ("offer", "status"),
    [
        (b"nonsense", 400),
        (sdp(PEER, 0), 488),
        (sdp(PEER, 40000, ("telephone-event",)), 488),
        (sdp(PEER, 40000).replace(b"m=audio", b"m=message").replace(b"RTP/AVP", b"TCP/MSRP"), 488),
        (sdp(PEER, 40000).replace(b"RTP/AVP", b"UDP/TLS/RTP/SAVPF"), 488),
    ],
)
def test_an_offer_without_audio_that_can_be_had_is_refused(offer: bytes, status: int) -> None:
    with pytest.raises(MediaRefused) as refusal:
        session().take_offer(offer)
    assert refusal.value.status == status


def test_an_offer_without_a_common_codec_is_refused() -> None:
    media = session()
    media.take_offer(sdp(PEER, 40000, ("iLBC",)))
    with pytest.raises(MediaRefused):
        media.answer(CODECS.basic)


def test_without_ports_nothing_is_described() -> None:
    media = MediaSession(7, MediaAddress("10.0.0.1", "10.0.0.1"), (), CODECS)
    media.take_offer(sdp(PEER, 40000))
    for describe in (media.offer, media.answer):
        with pytest.raises(MediaRefused) as refusal:
            describe(CODECS.basic)
        assert refusal.value.status == 500


def test_our_description_keeps_its_version_while_it_is_the_same_and_raises_it_with_a_change() -> None:
    media = session()
    media.take_offer(sdp(PEER, 40000))
    first = media.answer(CODECS.like(PCMA))
    assert media.answer(CODECS.like(PCMA)) == first == media.repeat()
    changed = media.answer(CODECS.like(PCMU))
    assert described(changed).origin.version == described(first).origin.version + 1
    media.take_offer(sdp(PEER, 40000, direction="sendonly"))
    assert described(media.answer(CODECS.like(PCMU))).origin.version == described(first).origin.version + 2


def test_an_offer_that_was_refused_does_not_count_as_sent() -> None:
    media = session()
    media.take_offer(sdp(PEER, 40000))
    agreed = media.answer(CODECS.like(PCMA))
    media.offer((G722,))
    assert media.repeat() == agreed
    assert described(media.offer((G722,))).origin.version == described(agreed).origin.version + 1


@pytest.mark.parametrize(
    ("direction", "connection", "held"),
    [
        ("sendrecv", "", False),
        ("sendonly", "", True),
        ("inactive", "", True),
        ("recvonly", "", False),
        ("sendrecv", "0.0.0.0", True),
    ],
)
def test_a_peer_that_does_not_want_to_hear_us_holds(direction: str, connection: str, held: bool) -> None:
    media = session()
    assert not media.is_held
    media.take_offer(sdp(PEER, 40000, direction=direction, connection=connection))
    media.answer(CODECS.basic)
    assert media.is_held is held


def test_destroying_gives_the_ports_back() -> None:
    media = session()
    assert media.is_created
    assert media.destroying() == (DestroyEndpoint(7),)
    assert not media.is_created
