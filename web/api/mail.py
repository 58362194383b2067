"""The button that tries the mail (NOT-1). Administrators only."""

import msgspec
from fastapi import APIRouter, Request, Response

from conf.fields import email_or_empty
from pbx.control.messages import SendTestMail
from web.answers import answer, refused
from web.body import record_of
from web.describe import gives, takes, thing
from web.door import Caller, TheCore
from web.edit import tell

router = APIRouter(tags=["mail"])
TELEGRAM = "telegram"
TRYING_S = 180.0  # each answer of a mail server may take half a minute


class Trial(msgspec.Struct, forbid_unknown_fields=True):
    to: str


@router.post(
    "/mail:test", responses=gives(thing(said="string")), openapi_extra=takes(thing(to="string") | {"required": ["to"]})
)
async def test(request: Request, who: Caller, core: TheCore) -> Response:
    """Send a letter now, or with "telegram" a message into the chat, whatever the switches say; `said` is a sentence
    about what the mail server made of it."""
    who.check("mail", "write")
    to = (await record_of(request, Trial)).to
    try:
        email_or_empty(to if to != TELEGRAM else "")
    except ValueError as error:
        raise refused(422, str(error), "to") from None
    if not to:
        raise refused(422, "must not be empty", "to")
    said = await core.ask(SendTestMail(to), str, TRYING_S)
    await tell(core, who, "test", "mail", None, {"to": to})
    return answer({"said": said})
