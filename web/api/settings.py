"""What of `zvon.toml` waits for a restart of the server (REG-21). Administrators only."""

import msgspec
from fastapi import APIRouter, Response

from pbx.control.settings import GetSettings, SettingsView
from web.answers import answer
from web.describe import gives, many, thing
from web.door import Caller, TheCore

router = APIRouter(tags=["settings"])
WAITING = many(thing(key="string", running="string", wanted="string"))


@router.get(
    "/settings",
    responses=gives(thing(file="string", waiting=WAITING, calls="integer", drain_s="integer", advice="string")),
)
async def settings(who: Caller, core: TheCore) -> Response:
    """Where the file says something else than the server runs with. What a restart would do to calls is a warning."""
    who.check("settings", "read")
    found = await core.ask(GetSettings(), SettingsView)
    warning = [found.advice] if found.waiting else []
    return answer(msgspec.to_builtins(found), warning=warning)
