"""How the encryption of a stream is agreed on: the profiles of RTP (RFC 3551, 3711, 4585, 5124, 5764) and what
belongs to each, by security descriptions (RFC 4568) or by a handshake on the media path (RFC 5763).

Nothing is downgraded on the way: who asks for an encrypted profile gets an encrypted stream or a refusal.
"""

from dataclasses import field, replace
from enum import StrEnum

from frozen import dataclass
from sipcore.errors import RemoteProtocolError
from sipcore.sdp.crypto import Crypto, cryptos_in, write_crypto
from sipcore.sdp.dtls import Fingerprint, Setup, fingerprints_in, setup_in
from sipcore.sdp.ice import Ice, ice_attributes, ice_in
from sipcore.sdp.model import Attributes, MediaSection, SessionDescription, first_attribute

PLAIN_PROFILES = ("RTP/AVP", "RTP/AVPF")
KEYED_PROFILES = ("RTP/SAVP", "RTP/SAVPF")
DTLS_PROFILES = ("UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF")
PROFILES = PLAIN_PROFILES + KEYED_PROFILES + DTLS_PROFILES


class Offering(StrEnum):
    """What our offers ask for. OPTIONAL: a plain profile with keys beside it, as phones do that take either."""

    PLAIN = "plain"
    OPTIONAL = "optional"
    KEYED = "keyed"
    DTLS = "dtls"


@dataclass(frozen=True, slots=True)
class Security:
    """What we are ready for. `keys`: ours, one a suite, tags from 1 in order of preference. `is_client`: our role in
    the handshake that has been; `mid`: the name of the section (RFC 5888) when we offer; `track`: of the stream in the
    page that gets it."""

    offering: Offering = Offering.PLAIN
    takes_plain: bool = True
    takes_keys: bool = False
    takes_dtls: bool = False
    keys: tuple[Crypto, ...] = ()
    fingerprint: Fingerprint | None = None
    ice: Ice | None = None
    is_client: bool | None = None
    mid: str = "0"
    track: str = "audio"


@dataclass(frozen=True, slots=True)
class Keyed:
    """A crypto suite and the keys of both directions."""

    suite: str
    send: bytes = field(repr=False)
    receive: bytes = field(repr=False)
    tag: int = 1


@dataclass(frozen=True, slots=True)
class Handshake:
    """The peer's certificate is one of `fingerprints`; `is_client`: we begin."""

    fingerprints: tuple[Fingerprint, ...]
    is_client: bool


@dataclass(frozen=True, slots=True)
class Secured:
    """What both sides agreed on: one of `keyed` and `handshake`. `ours`, `theirs`: with ICE."""

    keyed: Keyed | None = None
    handshake: Handshake | None = None
    ours: Ice | None = None
    theirs: Ice | None = None
    is_controlling: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What goes into our section and session, and what it means; `secured` None: in clear."""

    attributes: Attributes = ()
    session: Attributes = ()
    secured: Secured | None = None


def profile_offered(security: Security) -> str:
    if security.offering is Offering.DTLS:
        return "UDP/TLS/RTP/SAVPF"  # RFC 8829 §5.1.2
    return "RTP/SAVP" if security.offering is Offering.KEYED else "RTP/AVP"


def terms_offered(security: Security) -> Terms:
    """What belongs into an offer of ours."""
    if security.offering is Offering.PLAIN:
        return Terms()
    if security.offering is not Offering.DTLS:
        return Terms(tuple([write_crypto(each) for each in security.keys]))
    bundle = ("group", f"BUNDLE {security.mid}")
    return Terms(
        (("mid", security.mid), *_handshake_attributes(security, Setup.ACTPASS)), _of_session(security, bundle)
    )


def terms_answered(security: Security, offer: SessionDescription, section: MediaSection) -> Terms | None:
    """What belongs into our answer to that section; None when it cannot be agreed to."""
    if not is_acceptable(security, offer, section):
        return None
    if is_for_handshake(offer, section):
        return _answer_handshake(security, offer, section)
    if security.takes_keys and (chosen := _choose(security, section)) is not None:
        theirs, ours = chosen
        keyed = Keyed(theirs.suite, send=ours.key, receive=theirs.key, tag=theirs.tag)
        return Terms((write_crypto(replace(ours, tag=theirs.tag)),), (), Secured(keyed=keyed))
    return Terms()


def is_acceptable(security: Security, offer: SessionDescription, section: MediaSection) -> bool:
    """Whether that section of an offer is encrypted as we want and can do it."""
    profile = section.protocol.upper()
    if is_for_handshake(offer, section):
        setup = setup_in(section.attributes, offer.attributes, Setup.ACTPASS)
        return security.takes_dtls and setup is not None and _has_fingerprint(offer, section)
    if security.takes_keys and profile in PLAIN_PROFILES + KEYED_PROFILES and _choose(security, section) is not None:
        return True
    return profile in PLAIN_PROFILES and security.takes_plain


def is_for_handshake(description: SessionDescription, section: MediaSection) -> bool:
    """Whether the keys are agreed on by DTLS; the name of the profile does not always say so."""
    profile = section.protocol.upper()
    return profile in DTLS_PROFILES or (profile in KEYED_PROFILES and _has_fingerprint(description, section))


def read_terms(
    security: Security, asked: MediaSection, answer: SessionDescription, section: MediaSection
) -> Secured | None:
    """What the answer to our offer `asked` means; None for a stream in clear. Raises RemoteProtocolError when it is
    not an answer to that, or less than must be."""
    if section.protocol.upper() not in (asked.protocol.upper(), asked.protocol.upper().removesuffix("F")):
        raise RemoteProtocolError("the answer has another transport than the offer", 488)
    if security.offering is Offering.DTLS:
        return _read_handshake(security, answer, section)
    theirs = next(iter(cryptos_in(section.attributes)), None) if security.offering is not Offering.PLAIN else None
    if theirs is None:
        if not security.takes_plain or section.protocol.upper() not in PLAIN_PROFILES:
            raise RemoteProtocolError("the answer has no key for the encrypted stream", 488)
        return None
    ours = next((each for each in security.keys if (each.tag, each.suite) == (theirs.tag, theirs.suite)), None)
    if ours is None:
        raise RemoteProtocolError("the answer names a crypto suite that was not offered", 488)
    return Secured(keyed=Keyed(ours.suite, send=ours.key, receive=theirs.key, tag=ours.tag))


def _has_fingerprint(description: SessionDescription, section: MediaSection) -> bool:
    return bool(fingerprints_in(section.attributes, description.attributes))


def _choose(security: Security, section: MediaSection) -> tuple[Crypto, Crypto] | None:
    """The first line of the peer whose suite we have a key for (§5.1.2)."""
    ours = {each.suite: each for each in security.keys}
    return next(((each, ours[each.suite]) for each in cryptos_in(section.attributes) if each.suite in ours), None)


def _answer_handshake(security: Security, offer: SessionDescription, section: MediaSection) -> Terms:
    fingerprints = fingerprints_in(section.attributes, offer.attributes)
    setup = setup_in(section.attributes, offer.attributes, Setup.ACTPASS)
    is_client = security.is_client is not False if setup is Setup.ACTPASS else setup is Setup.PASSIVE
    theirs = ice_in(section.attributes, offer.attributes) if security.ice is not None else None
    ours = security.ice if theirs is not None else None
    own = security if theirs is not None else replace(security, ice=None)
    attributes = _handshake_attributes(own, Setup.ACTIVE if is_client else Setup.PASSIVE)
    mid = first_attribute(section.attributes, "mid")
    bundle: Attributes = ()
    if mid is not None:
        attributes = (("mid", mid), *attributes)
        if any(name == "group" and value.split()[:1] == ["BUNDLE"] and mid in value.split()
               for name, value in offer.attributes):  # fmt: skip
            bundle = (("group", f"BUNDLE {mid}"),)
    # Who offers controls; but who is lite never does when the other is not (RFC 8445 §6.1.1).
    controlling = theirs is not None and theirs.lite and ours is not None and not ours.lite
    secured = Secured(None, Handshake(fingerprints, is_client), ours, theirs, controlling)
    return Terms(attributes, _of_session(own, *bundle), secured)


def _read_handshake(security: Security, answer: SessionDescription, section: MediaSection) -> Secured:
    fingerprints = fingerprints_in(section.attributes, answer.attributes)
    setup = setup_in(section.attributes, answer.attributes, Setup.ACTIVE)
    if not fingerprints or setup not in (Setup.ACTIVE, Setup.PASSIVE):
        raise RemoteProtocolError("the answer says nothing of the peer's certificate", 488)
    theirs = ice_in(section.attributes, answer.attributes)
    ours = security.ice if theirs is not None else None
    controlling = theirs is not None and ours is not None and not ours.lite
    return Secured(None, Handshake(fingerprints, setup is Setup.PASSIVE), ours, theirs, controlling)


def _handshake_attributes(security: Security, setup: Setup) -> Attributes:
    assert security.fingerprint is not None
    own = (("fingerprint", str(security.fingerprint)), ("setup", setup.value))
    stream = (("msid", f"zvon {security.track}"),)  # a page finds the sound in this MediaStream (RFC 8830)
    return (*own, *stream, *(ice_attributes(security.ice) if security.ice is not None else ()))


def _of_session(security: Security, *more: tuple[str, str]) -> Attributes:
    lite = security.ice is not None and security.ice.lite
    return (
        *more,
        *((("ice-lite", ""),) if lite else ()),
        *((("ice-options", "trickle ice2"),) if security.ice else ()),
    )
