"""Streams that are passed through between two parties: what one says reaches the other, and back."""

from dataclasses import replace

import pytest

from sipcore.errors import RemoteProtocolError
from sipcore.sdp.model import Direction, MediaSection, RtpFormat, SessionDescription
from sipcore.sdp.negotiate import answer_nothing, make_answer, make_offer, with_others
from sipcore.sdp.parse import parse_sdp
from sipcore.sdp.passing import Passed, accepted_by, answer_passed, match, offer_passed, passed_in, read_passed
from sipcore.sdp.sections import LocalMedia, Negotiated
from sipcore.sdp.security import Security
from sipcore.sdp.write import write_sdp

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
PCMA = RtpFormat(8, "PCMA")
ZVON = LocalMedia("10.0.0.9", 12000)
VIDEO = (
    "m=video 5000 RTP/AVP 97 99 98 96",
    "b=TIAS:1024000",
    "a=rtpmap:97 H264/90000",
    "a=fmtp:97 profile-level-id=42801F;packetization-mode=1",
    "a=rtpmap:99 H264/90000",
    "a=fmtp:99 profile-level-id=42801F",
    "a=rtpmap:98 VP8/90000",
    "a=rtpmap:96 rtx/90000",
    "a=fmtp:96 apt=97",
    "a=rtcp-fb:* nack pli",
    "a=rtcp-fb:97 ccm fir",
    "a=rtcp-fb:97 transport-cc",
    "a=rtcp-fb:96 nack",
    "a=extmap:3 urn:3gpp:video-orientation",
    "a=content:main",
    "a=sendrecv",
)
T38 = (
    "m=image 6000 udptl t38",
    "a=T38FaxVersion:0",
    "a=T38MaxBitRate:14400",
    "a=T38FaxRateManagement:transferredTCF",
    "a=T38FaxUdpEC:t38UDPRedundancy",
    "a=setup:actpass",
)


def said(*lines: str) -> SessionDescription:
    return parse_sdp((HEAD + "".join(f"{line}\r\n" for line in lines)).encode())


def passed(*lines: str, security: Security | None = None) -> Passed | None:
    description = said(*lines)
    return passed_in(description, description.media[1], security or Security())


def picture() -> Passed:
    found = passed(*VIDEO)
    assert found is not None
    return found


def lines_of(section: MediaSection) -> list[str]:
    text = write_sdp(SessionDescription(said().origin, (section,))).decode()
    return text[text.index("m=") :].split("\r\n")[:-1]


def test_the_other_party_is_offered_the_same_without_what_is_ours_to_say() -> None:
    """No repair streams, whose numbers do not survive ours, no header extensions, no congestion feedback."""
    found = picture()
    assert (found.media, found.is_rtp, found.asks) == ("video", True, ("pli", "fir"))
    assert lines_of(offer_passed(found, ZVON)) == [
        "m=video 12000 RTP/AVP 97 99 98",
        "b=TIAS:1024000",
        "a=rtpmap:97 H264/90000",
        "a=fmtp:97 profile-level-id=42801F;packetization-mode=1",
        "a=rtpmap:99 H264/90000",
        "a=fmtp:99 profile-level-id=42801F",
        "a=rtpmap:98 VP8/90000",
        "a=rtcp-fb:* nack pli",
        "a=rtcp-fb:97 ccm fir",
        "a=content:main",
        "a=sendrecv",
    ]


def agreed_there(*answer: str) -> tuple[Negotiated, Passed]:
    """What the other party answers to our offer of the picture."""
    offer = make_offer(ZVON, [PCMA], session_id=1, others={1: offer_passed(picture(), ZVON)})
    description = said(*answer)
    agreed = read_passed(offer, description, 1, Security())
    theirs = passed_in(description, description.media[1], Security())
    assert agreed is not None
    assert theirs is not None
    return agreed, theirs


def test_what_the_other_party_accepts_is_answered_in_the_numbers_of_the_first() -> None:
    agreed, theirs = agreed_there(
        "m=video 7000 RTP/AVP 120 98",
        "a=rtpmap:120 H264/90000",
        "a=fmtp:120 profile-level-id=42800D",
        "a=rtpmap:98 VP8/90000",
        "a=rtcp-fb:120 nack pli",
        "a=recvonly",
    )
    assert (agreed.remote, agreed.direction) == (("192.0.2.1", 7000), Direction.SENDONLY)
    assert [each.number for each in agreed.send] == [120, 98]
    assert [each.number for each in agreed.receive] == [97, 98]
    first = said(*VIDEO)
    found = answer_passed(first, 1, accepted_by(agreed, theirs), replace(ZVON, port=13000))
    assert found is not None
    section, back = found
    assert lines_of(section) == [
        "m=video 13000 RTP/AVP 97 98",
        "a=rtpmap:97 H264/90000",
        "a=fmtp:97 profile-level-id=42800D",
        "a=rtpmap:98 VP8/90000",
        "a=rtcp-fb:97 nack pli",
        "a=recvonly",
    ]
    assert (back.remote, back.direction) == (("192.0.2.1", 5000), Direction.RECVONLY)
    assert [each.fmtp for each in back.send][:1] == ["profile-level-id=42801F;packetization-mode=1"]


def test_a_picture_that_the_other_party_refuses_is_off() -> None:
    offer = make_offer(ZVON, [PCMA], session_id=1, others={1: offer_passed(picture(), ZVON)})
    assert read_passed(offer, said("m=video 0 RTP/AVP 97"), 1, Security()) is None
    assert read_passed(offer, said("m=video 9 RTP/AVP 31"), 1, Security()) is None, "nothing of the offer"


def test_fax_is_passed_with_everything_that_is_said_of_it() -> None:
    found = passed(*T38)
    assert found is not None
    assert not found.is_rtp
    assert lines_of(offer_passed(found, ZVON)) == ["m=image 12000 udptl t38", *T38[1:5]]
    offer = make_offer(ZVON, [], session_id=1, previous=said(), others={1: offer_passed(found, ZVON)})
    assert [section.port for section in offer.media] == [0, 12000]
    answer = said("m=image 8000 UDPTL t38", "a=T38FaxVersion:0")
    agreed = read_passed(offer, answer, 1, Security())
    theirs = passed_in(answer, answer.media[1], Security())
    assert agreed is not None
    assert theirs is not None
    first = said(*T38)
    back = answer_passed(first, 1, accepted_by(agreed, theirs), replace(ZVON, port=13000))
    assert back is not None
    assert lines_of(back[0]) == ["m=image 13000 udptl t38", "a=T38FaxVersion:0"]
    whole = with_others(answer_nothing(first, ZVON, session_id=1), {1: back[0]})
    assert [section.port for section in whole.media] == [0, 13000]
    with pytest.raises(RemoteProtocolError, match="another transport"):
        read_passed(offer, said("m=image 8000 RTP/AVP 98"), 1, Security())


@pytest.mark.parametrize(
    "lines",
    [
        ["m=video 0 RTP/AVP 97", "a=rtpmap:97 H264/90000"],
        ["m=video 5000 RTP/AVP 97"],
        ["m=video 5000 RTP/AVP 97", "a=rtpmap:97 rtx/90000"],
        ["m=video 5000 RTP/SAVP 97", "a=rtpmap:97 H264/90000"],
        ["m=application 5000 UDP/DTLS/SCTP webrtc-datachannel"],
        ["m=image 5000 TCP t38"],
        ["m=message 5000 TCP/MSRP *"],
        ["m=audio 5000 RTP/AVP 0"],
    ],
)
def test_what_cannot_be_passed_is_left_out(lines: list[str]) -> None:
    assert passed(*lines) is None


def test_where_encryption_is_needed_nothing_goes_in_clear() -> None:
    needed = Security(takes_plain=False)
    assert passed(*VIDEO, security=needed) is None
    assert passed(*T38, security=needed) is None


def test_formats_are_matched_by_number_then_parameters_then_order() -> None:
    low, high = RtpFormat(96, "H264", 90000, 1, "a"), RtpFormat(97, "H264", 90000, 1, "b")
    assert match((low, high), (high, low)) == ((low, low), (high, high))
    moved = (high._replace(number=5), low._replace(number=6))
    assert match((low, high), moved) == ((low, moved[1]), (high, moved[0]))
    assert match((low, high), (low._replace(number=9, fmtp="c"),)) == ((low, low._replace(number=9, fmtp="c")),)


def test_m_lines_of_both_kinds_keep_their_places() -> None:
    first = said(*VIDEO)
    answer = make_answer(first, ZVON, [PCMA], session_id=1)
    assert answer is not None
    assert [section.port for section in answer.description.media] == [12000, 0]
    later = make_offer(
        ZVON, [PCMA], session_id=1, previous=answer.description, others={2: offer_passed(picture(), ZVON)}
    )
    assert [(section.media, section.port) for section in later.media] == [
        ("audio", 12000), ("video", 0), ("video", 12000),
    ]  # fmt: skip


def test_real_time_text_is_passed_without_its_redundancy() -> None:
    """RFC 4103: redundant blocks name numbers of payloads that each side chooses for itself."""
    text = ("m=text 7000 RTP/AVP 98 100", "a=rtpmap:98 t140/1000", "a=rtpmap:100 red/1000", "a=fmtp:100 98/98/98")
    found = passed(*text)
    assert found is not None
    assert (found.media, found.is_rtp, [each.name for each in found.formats]) == ("text", True, ["t140"])
    assert lines_of(offer_passed(found, ZVON)) == [
        *("m=text 12000 RTP/AVP 98", "a=rtpmap:98 t140/1000", "a=sendrecv"),
    ]  # fmt: skip
