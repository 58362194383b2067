"""Legs whose media are on different workers meet: the media of one move (RFC 3264 §8.3.1).

The party is offered a new address by re-INVITE; until it answers nothing changes, and whatever goes wrong leaves it
where it was. Calls of one phone are placed together from the start (`Pbx.near`), so this is rare.
"""

import asyncio
from typing import TYPE_CHECKING

from media.api import EndpointId
from pbx.media_endpoint import MediaRefused
from pbx.media_ports import make_ports

if TYPE_CHECKING:
    from pbx.leg import Leg
    from pbx.services import Services

PATIENCE_S = (0.0, 1.0, 3.0)  # before each try: a change of the session may be under way


class Relocation:
    """One leg's media on the way to the worker of a group."""

    def __init__(self, leg: "Leg", group: int, services: "Services") -> None:
        self._leg, self._services = leg, services
        self._media = leg.media.elsewhere(services.new_id(), group)
        self._answer: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()

    async def run(self) -> bool:
        """Ask for ports there, then the party; whether the leg's media are there now."""
        media, services = self._media, self._services
        services.legs[media.endpoint] = self._leg
        try:
            await make_ports(services, media)
            return await self._ask()
        except MediaRefused:
            return False
        finally:
            if self._leg.media is not media:
                self._take_back()

    async def _ask(self) -> bool:
        media = self._media
        offer = media.offer(self._services.codecs.like(media.codec))
        for pause_s in PATIENCE_S:
            await asyncio.sleep(pause_s)
            if self._leg.change(offer):
                break
        else:
            return False
        answer = await self._answer
        if answer is None or not media.is_created:
            return False
        try:
            media.take_answer(answer)
        except MediaRefused:
            return False
        self._leg.move_to(media)
        return True

    def _take_back(self) -> None:
        self._services.submit(*self._media.destroying())
        self._services.legs.pop(self._media.endpoint, None)

    def answered(self, status: int, sdp: bytes) -> None:
        """What the party says to the new address."""
        if not self._answer.done():
            self._answer.set_result(sdp if status == 200 else None)

    def lost(self, endpoint: EndpointId) -> None:
        """The worker there died."""
        if endpoint == self._media.endpoint:
            self._media.lost(endpoint)
            self.answered(503, b"")


async def bring_together(a: "Leg", b: "Leg") -> bool:
    """Let two legs be on one worker; whether they are. `b` is the first to be asked to move."""
    if a.media.worker == b.media.worker:
        return True
    if await b.relocate(a.media.group):
        return True
    return not b.is_ended and await a.relocate(b.media.group)
