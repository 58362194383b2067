"""Who reaches the web at all (SEC-18): the networks and the bans of the server, which decides; no kernel is needed."""

import re
from contextlib import suppress
from functools import partial

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pbx.control.link import ServerGone
from web.accounts import KEY_MARK
from web.answers import error_answer, refused
from web.border import Border

PROBE, HTTP_ERROR = "looking for a way in", "HTTP error"
_ERRORS = frozenset((400, 404, 405, 413))
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
        await self._app(scope, receive, partial(self._watched, scope, send) if scope["type"] == "http" else send)

    async def _watched(self, scope: Scope, send: Send, message: Message) -> None:
        """Mistakes of strangers count (SEC-12); those of programs and people who show who they are do not."""
        is_error = message["type"] == "http.response.start" and message["status"] in _ERRORS
        if is_error and b"authorization" not in dict(scope["headers"]) and not _PROBES.search(scope["path"]):
            await self._count(scope, HTTP_ERROR)
        await send(message)

    async def _refuses(self, scope: Scope) -> bool:
        border: Border = scope["app"].state.border
        source = (scope.get("client") or ("",))[0]
        if await border.refuses(source, _service(scope)):
            return True
        if _PROBES.search(scope["path"]):
            await self._count(scope, PROBE)
        return False

    @staticmethod
    async def _count(scope: Scope, reason: str) -> None:
        border: Border = scope["app"].state.border
        with suppress(ServerGone):  # nothing works then
            await border.count((scope.get("client") or ("",))[0], reason)


def _service(scope: Scope) -> str:
    """SEC-2: programs with an API key, or people."""
    shown = dict(scope["headers"]).get(b"authorization", b"")
    return "api" if shown.startswith((b"Bearer " + KEY_MARK.encode(), b"Basic ")) else "web"
