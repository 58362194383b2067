"""The guided set-up: its steps in their order, with what is missing (CFG-4)."""

from dataclasses import asdict

from fastapi import APIRouter, Response

from pbx.control.messages import GetLines, GetRegistrations, LineView, RegistrationView
from web.answers import answer
from web.describe import gives, many, thing
from web.door import Caller, TheCore
from web.guide import next_step, steps

router = APIRouter(tags=["setup"])
TEXTS = many({"type": "string"})
STEP = thing(
    id="string", title="string", resources=TEXTS, is_optional="boolean", is_done="boolean", missing=TEXTS, advice=TEXTS
)


@router.get("/setup", responses=gives(thing(next="string", steps=many(STEP))))
async def setup(who: Caller, core: TheCore) -> Response:
    """The steps of setting up an office, in their order; `next` is the one to do now, "" when all are done."""
    who.check("setup", "read")
    lines = await core.ask(GetLines(), list[LineView])
    phones = {each.number for each in await core.ask(GetRegistrations(), list[RegistrationView])}
    found = steps((await core.snapshot()).office, {each.id: each.state for each in lines}, phones)
    return answer({"next": next_step(found), "steps": [asdict(each) | {"is_done": each.is_done} for each in found]})
