"""Who reaches the web at all (SEC-18): the networks and the bans of the server, which decides; no kernel is needed."""

import re
from contextlib import suppress

from starlette.types import ASGIApp, Receive, Scope, Send

from pbx.control.link import ServerGone
from web.accounts import KEY_MARK
from web.answers import error_answer, refused
from web.border import Border

PROBE = "looking for a way in"
# SEC-12: what only programs ask for that look for mistakes of other servers.
_PROBES = re.compile(
    r"\.\.[/\\]|/\.(env|git|aws|ssh|htaccess|htpasswd|svn)\b|\.(php|asp|aspx|jsp|cgi)\b|/cgi-bin/|/wp-|/etc/passwd|/phpmyadmin",
    re.IGNORECASE,
)


class Fence:
    """Looks at each request before anything else does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and await self._refuses(scope):
            if scope["type"] == "websocket":
                return await send({"type": "websocket.close", "code": 1008})
            return await error_answer(refused(403, "this address may not use the web of the server"))(
                scope, receive, send
            )
        await self._app(scope, receive, send)

    async def _refuses(self, scope: Scope) -> bool:
        border: Border = scope["app"].state.border
        source = (scope.get("client") or ("",))[0]
        if await border.refuses(source, _service(scope)):
            return True
        if _PROBES.search(scope["path"]):
            with suppress(ServerGone):  # nothing works then
                await border.count(source, PROBE)
        return False


def _service(scope: Scope) -> str:
    """SEC-2: programs with an API key, or people."""
    shown = dict(scope["headers"]).get(b"authorization", b"")
    return "api" if shown.startswith((b"Bearer " + KEY_MARK.encode(), b"Basic ")) else "web"
