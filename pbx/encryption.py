"""Which encryption the media of a leg have: what the setting of its terminal and its signalling ask for.

Keys in SDP (SDES) are as secret as the signalling that carries them, so by itself nobody is offered any over UDP and
TCP. Browsers encrypt always and by DTLS, whatever they are called by.
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address

from frozen import dataclass
from media.api import DtlsPeer, EndpointCreated, HostPort, IceSpec, SrtpKeys
from sipcore.sdp.crypto import SUITES, Crypto
from sipcore.sdp.dtls import read_fingerprint
from sipcore.sdp.ice import Candidate, Ice
from sipcore.sdp.model import MediaSection, SessionDescription, first_attribute
from sipcore.sdp.sections import Negotiated
from sipcore.sdp.security import Offering, Secured, Security, is_acceptable, is_for_handshake

WEB = ("ws", "wss")
SECURE = ("tls", "wss")


@dataclass(frozen=True, slots=True)
class Encryption:
    """`srtp` is the terminal's setting: auto, off, optional or required; `transport` that of its signalling."""

    srtp: str = "auto"
    transport: str = "udp"

    def security(self) -> Security:
        """What our descriptions say, with fresh keys."""
        takes_keys = self.srtp in ("optional", "required") or (self.srtp == "auto" and self.transport.lower() in SECURE)
        return Security(
            offering=self._offering(),
            takes_plain=self.srtp != "required",
            takes_keys=takes_keys,
            takes_dtls=self.srtp != "off",
            keys=_fresh_keys() if takes_keys else (),
        )

    def _offering(self) -> Offering:
        if self.srtp == "off":
            return Offering.PLAIN
        if self.transport.lower() in WEB:
            return Offering.DTLS
        if self.srtp == "required":
            return Offering.KEYED
        return Offering.OPTIONAL if self.srtp == "optional" or self.transport.lower() == "tls" else Offering.PLAIN


def _fresh_keys() -> tuple[Crypto, ...]:
    rows = enumerate(SUITES.items(), 1)
    return tuple([Crypto(tag, suite, secrets.token_bytes(length)) for tag, (suite, length) in rows])


def needs_handshake(security: Security, offer: SessionDescription | None, section: MediaSection | None = None) -> bool:
    """Whether the endpoint must be one that can shake hands: before anything is agreed on. `section`: the m= line that
    is meant, else the first of audio that can be."""
    if offer is None or security.offering is Offering.DTLS:
        return security.offering is Offering.DTLS
    chosen = [section] if section is not None else [each for each in offer.media if each.media == "audio" and each.port]
    return any(is_for_handshake(offer, each) and is_acceptable(security, offer, each) for each in chosen)


def with_endpoint(security: Security, host: str, peers: Sequence[str], reply: EndpointCreated) -> Security:
    """The same with what the endpoint says of itself: its certificate, and as ICE agent at `host`. Where the peer can
    reach that address a lite one is enough, which waits for its checks (RFC 8445 §2.5); from behind NAT a full one
    opens the way with checks of its own."""
    if not reply.fingerprint:
        return security
    is_hidden = ip_address(host).is_private and any(not ip_address(peer).is_private for peer in peers)
    ice = _new_credentials(Ice("", "", not is_hidden, (Candidate(host, reply.rtp.port),)))
    return replace(security, fingerprint=read_fingerprint(reply.fingerprint), ice=ice)


def _new_credentials(ice: Ice) -> Ice:
    """RFC 8445 §5.3: at least 24 and 128 bits of chance."""
    return replace(ice, ufrag=secrets.token_hex(4), password=secrets.token_hex(16))


def before_answer(security: Security, agreed: Negotiated | None, offer: SessionDescription) -> Security:
    """A peer that starts ICE again gets new credentials of ours as well (RFC 8445 §9)."""
    before = agreed.secured.theirs if agreed is not None and agreed.secured is not None else None
    if before is None or security.ice is None or agreed is None or agreed.index >= len(offer.media):
        return security
    section = offer.media[agreed.index]
    now = (
        first_attribute(section.attributes, "ice-ufrag") or first_attribute(offer.attributes, "ice-ufrag"),
        first_attribute(section.attributes, "ice-pwd") or first_attribute(offer.attributes, "ice-pwd"),
    )
    return security if now == before.credentials else replace(security, ice=_new_credentials(security.ice))


def after_agreement(security: Security, agreed: Negotiated, mid: str | None) -> Security:
    """What is agreed on is what we offer from now on: an encrypted stream stays one, with the same keys."""
    secured = agreed.secured
    if secured is None:
        return security
    if secured.handshake is not None:
        return replace(
            security,
            offering=Offering.DTLS,
            is_client=secured.handshake.is_client,
            mid=mid or security.mid,
            ice=secured.ours and security.ice,
            takes_plain=False,
        )
    assert secured.keyed is not None
    kept = tuple([replace(each, tag=secured.keyed.tag) for each in security.keys if each.suite == secured.keyed.suite])
    offering = Offering.OPTIONAL if security.offering is Offering.PLAIN else security.offering
    return replace(security, offering=offering, keys=kept)


def moved(security: Security, fresh: Security, agreed: Negotiated) -> Security:
    """At another endpoint: encrypted like before, with keys of its own."""
    if agreed.secured is None:
        return replace(fresh, offering=Offering.PLAIN)
    suites = [each.suite for each in security.keys]
    keys = tuple([each for each in fresh.keys if each.suite in suites])
    return replace(fresh, offering=security.offering, takes_plain=security.takes_plain, keys=keys, mid=security.mid)


def keys_of(secured: Secured | None) -> SrtpKeys | None:
    keyed = secured.keyed if secured is not None else None
    return SrtpKeys(keyed.suite, send=keyed.send, receive=keyed.receive) if keyed is not None else None


def handshake_of(secured: Secured | None) -> DtlsPeer | None:
    handshake = secured.handshake if secured is not None else None
    if handshake is None:
        return None
    return DtlsPeer(tuple((each.algorithm, each.value) for each in handshake.fingerprints), handshake.is_client)


def ice_of(secured: Secured | None) -> IceSpec | None:
    if secured is None or secured.ours is None or secured.theirs is None:
        return None
    ours, theirs = secured.ours, secured.theirs
    candidates = tuple(HostPort(each.host, each.port) for each in theirs.candidates)
    is_full = not ours.lite or theirs.lite  # of two lite agents nobody would find anything
    controls = secured.is_controlling or theirs.lite
    return IceSpec(ours.ufrag, ours.password, theirs.ufrag, theirs.password, is_full, controls, candidates)
