"""A party wants other streams than before, such as a picture or a fax: the other party is asked first (RFC 3264 §8).

Its answer decides. When it does not want what is new, the call goes on as it was; who wants nothing but what is new is
refused.
"""

from typing import TYPE_CHECKING

from pbx.media_endpoint import MediaRefused
from pbx.media_ports import make_ports

if TYPE_CHECKING:
    from pbx.leg import Leg
    from pbx.services import Services
    from sipcore.sdp.model import RtpFormat


async def renegotiate(leg: "Leg", peer: "Leg", formats: "tuple[RtpFormat, ...]", services: "Services") -> None:
    """`formats`: of the sound that the party of `leg` offers, none when it offers no sound."""
    wanted = leg.media.offered
    leg.others.expect(leg)
    peer.others.want(peer, wanted, with_sound=bool(formats))
    try:
        await make_ports(services, leg.media, peer.media)
    except MediaRefused as refusal:
        leg.call.log.warning("no ports for another stream", why=str(refusal))
    for each in (leg, peer):
        if each.is_ended:  # meanwhile
            services.submit(*each.media.destroying())
    if leg.is_ended:
        peer.others.forget(peer)
    elif peer.is_ended or not peer.offer(services.codecs.for_peer(formats), asked_by=leg, passing=wanted):
        peer.others.forget(peer)
        leg.decide(peer, 491)
