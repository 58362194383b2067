"""Streams that are passed through between two parties (RFC 3264): pictures and text by RTP, fax by UDPTL (T.38).

Nothing of them is understood here. What one party says of such a stream is told to the other without addresses and
keys, and what the other accepts is told back. Directions in the results are seen from us.
"""

from collections.abc import Sequence
from dataclasses import replace

from frozen import dataclass
from sipcore.errors import RemoteProtocolError
from sipcore.sdp.model import Attributes, Direction, MediaSection, RtpFormat, SessionDescription
from sipcore.sdp.sections import LocalMedia, Negotiated, agreed_direction, rtcp_attributes, rtcp_of, rtp_codecs
from sipcore.sdp.security import (
    Offering,
    Secured,
    Security,
    Terms,
    is_acceptable,
    profile_offered,
    read_terms,
    terms_answered,
    terms_offered,
)

DATAGRAM_PROFILES = ("udptl", "udp", "udp/bfcp")
MOST_FORMATS = 16
# Repair streams have numbers of their own, which do not survive ours; the receiver asks for what is lost instead.
_REPAIR = ("rtx", "red", "ulpfec", "flexfec", "flexfec-03", "parityfec")
_FEEDBACK = {"nack": "nack", "nack pli": "pli", "ccm fir": "fir"}
_KEPT = ("framerate", "framesize", "imageattr", "content", "label", "lang")


@dataclass(frozen=True, slots=True)
class Passed:
    """What a party says of one stream. `profile` is empty for RTP, whose profile is the affair of each side; `payloads`
    are those of other streams. `feedback`: what may be asked of the party by RTCP, as (payload or `*`, what)."""

    media: str
    profile: str
    direction: Direction
    formats: tuple[RtpFormat, ...] = ()
    payloads: tuple[str, ...] = ()
    feedback: tuple[tuple[str, str], ...] = ()
    attributes: Attributes = ()
    bandwidth: tuple[str, ...] = ()

    @property
    def is_rtp(self) -> bool:
        return not self.profile

    @property
    def asks(self) -> tuple[str, ...]:
        """What the party can be asked for: "pli", "fir", "nack"."""
        return tuple(dict.fromkeys(_FEEDBACK[what] for _, what in self.feedback))


def passed_in(description: SessionDescription, section: MediaSection, security: Security) -> Passed | None:
    """What an m= line says that is not about sound; None when it cannot be passed, or is off."""
    if section.media == "audio" or not section.port:
        return None
    direction = description.effective_direction(section)
    if section.protocol.lower() in DATAGRAM_PROFILES:
        if not security.takes_plain:
            return None
        kept = tuple([each for each in section.attributes if _is_kept(each[0])])
        return Passed(section.media, section.protocol, direction, (), section.payloads, (), kept, section.bandwidth)
    formats = tuple([each for each in section.formats if each.name.lower() not in _REPAIR][:MOST_FORMATS])
    if not formats or not is_acceptable(security, description, section):
        return None
    kept = tuple([each for each in section.attributes if each[0] in _KEPT])
    return Passed(section.media, "", direction, formats, (), _feedback(section, formats), kept, section.bandwidth)


def _is_kept(name: str) -> bool:
    """All that is said of fax (T.38 annex D), under names that are written in several ways; and what describes."""
    return name.lower().startswith("t38") or name in _KEPT


def _feedback(section: MediaSection, formats: Sequence[RtpFormat]) -> tuple[tuple[str, str], ...]:
    known = {"*", *(str(each.number) for each in formats)}
    pairs = [value.split(" ", 1) for name, value in section.attributes if name == "rtcp-fb" and " " in value]
    return tuple([(payload, what.strip()) for payload, what in pairs if payload in known and what.strip() in _FEEDBACK])


def offer_passed(passed: Passed, local: LocalMedia) -> MediaSection:
    """Our offer of what the other party has offered us."""
    if not passed.is_rtp:
        return _section(passed, passed.profile, local, passed.direction, Terms())
    terms = terms_offered(local.security)
    mux = local.rtcp_mux or local.security.offering is Offering.DTLS
    return _section(passed, profile_offered(local.security), local, passed.direction, terms, rtcp_mux=mux)


def answer_passed(
    offer: SessionDescription, index: int, accepted: Passed, local: LocalMedia
) -> tuple[MediaSection, Negotiated] | None:
    """The answer to an m= line, with what the other party has `accepted` of it; None when that cannot be."""
    section = offer.media[index]
    if not accepted.is_rtp:
        direction = agreed_direction(offer, section, accepted.direction)
        answer = _section(accepted, section.protocol, local, direction, Terms())
        return answer, Negotiated(index, (offer.address_of(section), section.port), (), (), direction, 20)
    offered = passed_in(offer, section, local.security)
    terms = terms_answered(local.security, offer, section)
    pairs = match(offered.formats, accepted.formats) if offered is not None else ()
    if not pairs or terms is None or offered is None:
        return None
    direction = agreed_direction(offer, section, accepted.direction, terms.secured)
    mux = section.rtcp_mux and (local.rtcp_mux or (terms.secured is not None and terms.secured.handshake is not None))
    receive = tuple([theirs._replace(fmtp=said.fmtp) for theirs, said in pairs])
    numbers = {str(said.number): str(theirs.number) for theirs, said in pairs}
    feedback = [(numbers.get(payload, payload), what) for payload, what in accepted.feedback]
    common = tuple([each for each in feedback if each[0] in ("*", *numbers.values()) and each[1] in _asked(offered)])
    answer = _section(
        replace(accepted, formats=receive, feedback=common), section.protocol, local, direction, terms, rtcp_mux=mux
    )
    send = tuple([theirs for theirs, _ in pairs])
    return answer, _negotiated(offer, index, send, receive, direction, terms.secured, mux=mux)


def read_passed(
    asked: SessionDescription, answer: SessionDescription, index: int, security: Security
) -> Negotiated | None:
    """What the peer agreed to of our m= line; None when it refused. Raises RemoteProtocolError."""
    mine, section = asked.media[index], answer.media[index]
    if not section.port or not mine.port:
        return None
    if mine.protocol.lower() in DATAGRAM_PROFILES:
        if section.protocol.lower() != mine.protocol.lower():
            raise RemoteProtocolError("the answer has another transport than the offer", 488)
        direction = agreed_direction(answer, section, asked.direction_of(mine))
        return Negotiated(index, (answer.address_of(section), section.port), (), (), direction, 20)
    pairs = match(section.formats, mine.formats)
    if not pairs:
        return None
    secured = read_terms(security, mine, answer, section)
    direction = agreed_direction(answer, section, asked.direction_of(mine), secured)
    send, receive = tuple([theirs for theirs, _ in pairs]), tuple([ours for _, ours in pairs])
    return _negotiated(answer, index, send, receive, direction, secured, mux=mine.rtcp_mux and section.rtcp_mux)


def accepted_by(agreed: Negotiated, said: Passed) -> Passed:
    """What a party has accepted, for the answer to the other one: in the numbers of our offer, with the parameters that
    the party has given them."""
    numbers = {str(theirs.number): str(ours.number) for theirs, ours in zip(agreed.send, agreed.receive, strict=True)}
    formats = tuple([ours._replace(fmtp=theirs.fmtp) for theirs, ours in zip(agreed.send, agreed.receive, strict=True)])
    feedback = tuple([(numbers.get(payload, payload), what) for payload, what in said.feedback])
    return replace(said, formats=formats, feedback=feedback, direction=agreed.direction.reverse)


def match(some: Sequence[RtpFormat], others: Sequence[RtpFormat]) -> tuple[tuple[RtpFormat, RtpFormat], ...]:
    """Pairs of the same encoding in the order of `some`: of several the one with the same number, else the one with the
    same parameters, else the first; each once."""
    left = list(others)
    found = []
    for each in some:
        alike = [other for other in left if other.encoding == each.encoding]
        if alike:
            best = min(alike, key=lambda other: (other.number != each.number, other.fmtp != each.fmtp))
            left.remove(best)
            found.append((each, best))
    return tuple(found)


def _asked(offered: Passed) -> set[str]:
    return {what for _, what in offered.feedback}


def _negotiated(
    peer: SessionDescription,
    index: int,
    send: tuple[RtpFormat, ...],
    receive: tuple[RtpFormat, ...],
    direction: Direction,
    secured: Secured | None,
    *,
    mux: bool,
) -> Negotiated:
    section = peer.media[index]
    remote = (peer.address_of(section), section.port)
    return Negotiated(index, remote, send, receive, direction, 20, rtcp_of(peer, section), mux, secured)


def _section(
    passed: Passed,
    protocol: str,
    local: LocalMedia,
    direction: Direction,
    terms: Terms,
    *,
    rtcp_mux: bool = False,
) -> MediaSection:
    if not passed.is_rtp:
        stated: Attributes = () if direction is Direction.SENDRECV else ((direction.value, ""),)
        return MediaSection(
            passed.media, local.port, protocol, passed.payloads, "", (*passed.attributes, *stated), passed.bandwidth
        )
    payloads, codecs = rtp_codecs(passed.formats)
    attributes = (
        *codecs,
        *(("rtcp-fb", f"{payload} {what}") for payload, what in passed.feedback),
        *passed.attributes,
        *rtcp_attributes(local, rtcp_mux),
        (direction.value, ""),
        *terms.attributes,
    )
    return MediaSection(passed.media, local.port, protocol, payloads, "", attributes, passed.bandwidth)
