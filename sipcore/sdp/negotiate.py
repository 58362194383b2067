"""The offer/answer model (RFC 3264) for one RTP audio stream, as pure functions.

An m= line that we do not do is answered with port 0 in its place. Directions in the results are seen from us.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from frozen import dataclass
from sipcore.errors import RemoteProtocolError
from sipcore.sdp.model import (
    Attributes,
    Direction,
    MediaSection,
    Origin,
    RtpFormat,
    SessionDescription,
    first_attribute,
)
from sipcore.sdp.sections import (
    NO_OTHERS,
    LocalMedia,
    Negotiated,
    agreed_direction,
    in_place,
    refused,
    rtcp_attributes,
    rtcp_of,
    rtp_codecs,
)
from sipcore.sdp.security import (
    Offering,
    Security,
    Terms,
    is_acceptable,
    profile_offered,
    read_terms,
    terms_answered,
    terms_offered,
)

_LONGEST_PTIME_MS = 200
_METRICS: Attributes = (("rtcp-xr", "voip-metrics"),)
_NAMES = {each: each.value for each in Direction}


@dataclass(frozen=True, slots=True)
class Answer:
    description: SessionDescription
    media: Negotiated


def make_offer(
    local: LocalMedia,
    formats: Sequence[RtpFormat],
    *,
    session_id: int | str,
    version: int = 1,
    direction: Direction = Direction.SENDRECV,
    previous: SessionDescription | None = None,
    others: Mapping[int, MediaSection] = NO_OTHERS,
) -> SessionDescription:
    """An offer of one audio stream, none without formats. `previous` is what we last sent in this dialog: its m= lines
    keep their places. `others`: m= lines of other kinds with their places."""
    terms, security = terms_offered(local.security), local.security
    mux = local.rtcp_mux or security.offering is Offering.DTLS  # one way to find through NAT, one handshake
    offered = _section(
        profile_offered(security), local, formats, direction, local.ptime_ms, terms, rtcp_mux=mux, rtcp_xr=True
    )
    media = in_place(offered if formats else None, previous, others)
    return _describe(local, session_id, version, media, terms)


def make_answer(
    offer: SessionDescription,
    local: LocalMedia,
    ours: Sequence[RtpFormat],
    *,
    session_id: int | str,
    version: int = 1,
    direction: Direction = Direction.SENDRECV,
    only_first: bool = False,
) -> Answer | None:
    """The answer to an offer in our order of preference; None when nothing fits (488).

    `direction` is what we want; the answer never exceeds what the offer allows. `only_first` accepts one codec with
    its companions (telephone-event, comfort noise of the same clock rate) instead of all common ones.
    """
    index, common = _choose_section(offer, ours, only_first, local.security)
    if index is None:
        return None
    section = offer.media[index]
    terms = terms_answered(local.security, offer, section) or Terms()
    agreed = agreed_direction(offer, section, direction, terms.secured)
    ptime_ms = _ptime(section, local.ptime_ms)
    mux = section.rtcp_mux and (local.rtcp_mux or (terms.secured is not None and terms.secured.handshake is not None))
    receive = tuple([_renumber(mine, theirs) for mine, theirs in common])
    metrics = _wants_metrics(offer, section)
    accepted = _section(section.protocol, local, receive, agreed, ptime_ms, terms, rtcp_mux=mux, rtcp_xr=metrics)
    media = tuple([accepted if at == index else refused(each) for at, each in enumerate(offer.media)])
    negotiated = Negotiated(
        index,
        (offer.address_of(section), section.port),
        tuple([theirs for _, theirs in common]),
        receive,
        agreed,
        ptime_ms,
        rtcp_of(offer, section),
        mux,
        terms.secured,
        metrics,
    )
    return Answer(_describe(local, session_id, version, media, terms), negotiated)


def answer_nothing(
    offer: SessionDescription, local: LocalMedia, *, session_id: int | str, version: int = 1
) -> SessionDescription:
    """The answer that refuses everything."""
    return _describe(local, session_id, version, tuple(map(refused, offer.media)), Terms())


def with_others(description: SessionDescription, others: Mapping[int, MediaSection]) -> SessionDescription:
    """The same with m= lines of other kinds in their places."""
    if not others:
        return description
    media = tuple([others.get(at, each) for at, each in enumerate(description.media)])
    return replace(description, media=media)


def read_answer(
    offer: SessionDescription, answer: SessionDescription, security: Security | None = None
) -> Negotiated | None:
    """What the peer agreed to of the sound; None when it refused it (port 0). `security`: what the offer was made with.

    Raises RemoteProtocolError when the answer does not belong to the offer (RFC 3264 §6).
    """
    if len(answer.media) != len(offer.media):
        raise RemoteProtocolError("the answer has another number of media sections than the offer", 488)
    if any(mine.media != theirs.media for mine, theirs in zip(offer.media, answer.media, strict=True)):
        raise RemoteProtocolError("the answer has its media sections in another order than the offer", 488)
    index = next((at for at, section in enumerate(offer.media) if section.port and section.media == "audio"), None)
    if index is None or answer.media[index].port == 0:
        return None
    asked, section = offer.media[index], answer.media[index]
    pairs = _common(section.formats, asked.formats)
    if not any(mine.is_audio for _, mine in pairs):
        raise RemoteProtocolError("the answer accepts the stream without any encoding of the offer", 488)
    secured = read_terms(security or Security(), asked, answer, section)
    return Negotiated(
        index,
        (answer.address_of(section), section.port),
        tuple([theirs for theirs, _ in pairs]),
        tuple([mine for _, mine in pairs]),
        agreed_direction(answer, section, offer.direction_of(asked), secured),
        _ptime(section, asked.ptime_ms or 20),
        rtcp_of(answer, section),
        asked.rtcp_mux and section.rtcp_mux,
        secured,
        _wants_metrics(answer, section),
    )


def revise(previous: SessionDescription, new: SessionDescription) -> SessionDescription:
    """`new` as the next revision of `previous`: the same o= line, its version one higher if anything differs (§8)."""
    candidate = replace(new, origin=previous.origin)
    if candidate == previous:
        return previous
    return replace(candidate, origin=replace(previous.origin, version=previous.origin.version + 1))


Pairs = Sequence[tuple[RtpFormat, RtpFormat]]


def _choose_section(
    offer: SessionDescription, ours: Sequence[RtpFormat], only_first: bool, security: Security
) -> tuple[int | None, Pairs]:
    for index, section in enumerate(offer.media):
        if section.media == "audio" and section.port and is_acceptable(security, offer, section):
            pairs = _accept(tuple(ours), section.formats, only_first)
            if pairs:
                return index, pairs
    return None, ()


@lru_cache(maxsize=256)
def _accept(ours: tuple[RtpFormat, ...], theirs: tuple[RtpFormat, ...], only_first: bool) -> Pairs:
    """The common formats in our order; companions only with a codec of their clock rate (RFC 4733 §2.1). Phones that
    offer digits at another rate only have no other: they are taken at their word."""
    pairs = _common(ours, theirs)
    codecs = [pair for pair in pairs if pair[0].is_audio]
    if only_first:
        codecs = codecs[:1]
    rates = {mine.clock_rate for mine, _ in codecs}
    companions = [pair for pair in pairs if not pair[0].is_audio]
    fitting = [pair for pair in companions if pair[0].clock_rate in rates]
    if codecs and not any(map(_is_digits, fitting)):
        fitting += filter(_is_digits, companions)
    return (*codecs, *fitting)


def _is_digits(pair: tuple[RtpFormat, RtpFormat]) -> bool:
    return pair[0].name.lower() == "telephone-event"


@lru_cache(maxsize=256)
def _common(some: tuple[RtpFormat, ...], others: tuple[RtpFormat, ...]) -> Pairs:
    """Pairs of the same encoding in the order of `some`, each payload used once."""
    first: dict[tuple[str, int, int], RtpFormat] = {}
    for other in others:
        first.setdefault(other.encoding, other)
    pairs = [(each, first.pop(each.encoding, None)) for each in some]
    return tuple([(each, other) for each, other in pairs if other is not None])


def _renumber(mine: RtpFormat, theirs: RtpFormat) -> RtpFormat:
    """Our format under the peer's number; its parameters when we have none of our own."""
    if mine.number == theirs.number and (mine.fmtp or not theirs.fmtp):
        return mine
    return RtpFormat(theirs.number, mine.name, mine.clock_rate, mine.channels, mine.fmtp or theirs.fmtp)


def _ptime(section: MediaSection, default_ms: int) -> int:
    """The packet time that the peer asked for, within reason: whole tens, no longer than its maxptime."""
    ptime_ms = section.ptime_ms or default_ms
    if ptime_ms % 10 or ptime_ms > _LONGEST_PTIME_MS:
        ptime_ms = default_ms
    longest = section.maxptime_ms
    if longest is not None and longest < ptime_ms:
        ptime_ms = max(10, longest - longest % 10)
    return ptime_ms


def _wants_metrics(description: SessionDescription, section: MediaSection) -> bool:
    wanted = section.attribute("rtcp-xr") or first_attribute(description.attributes, "rtcp-xr") or ""
    return "voip-metrics" in wanted.split()


def _describe(
    local: LocalMedia, session_id: int | str, version: int, media: tuple[MediaSection, ...], terms: Terms
) -> SessionDescription:
    origin = Origin(str(session_id), version, local.host)
    return SessionDescription(origin, media, local.host, attributes=terms.session)


def _section(
    protocol: str,
    local: LocalMedia,
    formats: Sequence[RtpFormat],
    direction: Direction,
    ptime_ms: int,
    terms: Terms,
    *,
    rtcp_mux: bool,
    rtcp_xr: bool,
) -> MediaSection:
    payloads, codecs = rtp_codecs(tuple(formats))
    attributes = (
        *codecs,
        ("ptime", str(ptime_ms)),
        *rtcp_attributes(local, rtcp_mux),
        *(_METRICS if rtcp_xr else ()),
        (_NAMES[direction], ""),
        *terms.attributes,
    )
    return MediaSection("audio", local.port, protocol, payloads, "", attributes)
