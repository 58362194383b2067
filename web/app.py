"""The ASGI application: all routes, what errors look like, and what every answer carries."""

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from pbx.control.link import ServerGone
from pbx.control.messages import ControlError
from web.answers import Refused, error_answer, refused
from web.api import (
    accounts,
    auth,
    backups,
    bulk,
    credentials,
    employees,
    events,
    guide,
    history,
    journal,
    live,
    mail,
    office,
    passwords,
    people,
    recordings,
    reports,
    settings,
    sounds,
    webhooks,
)
from web.core import Core
from web.describe import ERRORS, openapi
from web.door import Door
from web.fence import Fence
from web.hooks import Webhooks
from web.limits import OverloadGuard
from web.permissions import PERMISSION, permission_of

PREFIX = "/api/v3"
# One a line, in the order in which paths are looked for.
PARTS = (
    accounts,
    backups,
    bulk,
    credentials,
    employees,
    events,
    guide,
    history,
    journal,
    live,
    mail,
    sounds,
    office,
    passwords,
    people,
    recordings,
    reports,
    settings,
    webhooks,
)
ABOUT = "Every object of the office, its history, its live state, and what can be done with it."


def create_app() -> FastAPI:
    """The application; it needs a server behind it (`attach`)."""
    app = FastAPI(
        title="Zvon",
        version=version("zvon"),
        description=ABOUT,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        default_response_class=Response,
    )
    for part in (auth, *PARTS):
        _tell_permissions(part.router)
    routes = APIRouter(responses=ERRORS)
    routes.include_router(auth.router)
    for part in PARTS:
        routes.include_router(part.router, prefix=PREFIX)
    app.include_router(routes)
    app.openapi = lambda: openapi(app)  # type: ignore[method-assign]
    _tell_errors(app)
    app.add_middleware(Fence)
    app.add_middleware(OverloadGuard)
    return app


def attach(app: FastAPI, core: Core, door: Door, hooks: Webhooks) -> None:
    """The server that answers are asked of, who is let in, and who else hears of events."""
    app.state.core, app.state.door, app.state.border, app.state.hooks = core, door, door.border, hooks


def _tell_permissions(router: APIRouter) -> None:
    """What each operation wants is in the document (API-6)."""
    for route in router.routes:
        if isinstance(route, APIRoute) and (wanted := permission_of(route.endpoint)):
            told = {"resource": wanted.resource, "way": wanted.way}
            route.openapi_extra = {**(route.openapi_extra or {}), PERMISSION: told}


def _tell_errors(app: FastAPI) -> None:
    """Every failure is a sentence in the envelope."""

    async def told(_: Request, error: Any) -> Response:
        return error_answer(_refusal(error))

    for kind in (Refused, ControlError, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, told)


def _refusal(error: Exception) -> Refused:
    match error:
        case Refused():
            return error
        case ServerGone():
            return refused(503, "the phone server does not answer")
        case ControlError():
            return refused(409, str(error))
        case HTTPException():
            return Refused(error.status_code, ("", str(error.detail)), headers=error.headers)
        case RequestValidationError():
            return Refused(422, *((_field(each), each["msg"]) for each in error.errors()))
        case _:  # told to the log as well
            return refused(500, "the server could not do this; its log says why")


def _field(details: dict[str, Any]) -> str:
    return ".".join(str(each) for each in details["loc"][1:])
