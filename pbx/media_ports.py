"""Ports of several legs in one exchange with the engine."""

import asyncio
from typing import TYPE_CHECKING

from media.api import DestroyEndpoint, EndpointCreated, Refused
from pbx.media_endpoint import MediaRefused

if TYPE_CHECKING:
    from pbx.media_session import MediaSession
    from pbx.services import Services


async def make_ports(services: "Services", *sessions: "MediaSession") -> None:
    """Create all endpoints that the sessions want and do not have; raises `MediaRefused` when some are missing."""
    wanted = [(session, session.creating()) for session in sessions]
    commands = [command for _, part in wanted for command in part]
    if not commands:
        return
    try:
        replies = await services.engine.execute(*commands)
    except asyncio.CancelledError:  # nobody wants them any more; commands are carried out in order, so none is left
        services.submit(*(DestroyEndpoint(command.endpoint) for command in commands))
        raise
    made = {reply.endpoint: reply for reply in replies if isinstance(reply, EndpointCreated)}
    for session, part in wanted:
        session.created(*(made[command.endpoint] for command in part if command.endpoint in made))
    refused = [reply.why for reply in replies if isinstance(reply, Refused)]
    if refused:
        raise MediaRefused(refused[-1], 503)
