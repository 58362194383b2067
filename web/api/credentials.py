"""What the phones of a terminal sign in with, shown and made anew (EXT-4): for administrators, told to the audit."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from conf.passwords import generate_password
from storage.records import Office, login_of
from web.answers import answer, refused
from web.describe import gives, thing
from web.door import Caller, TheCore
from web.draft import LISTS, Draft, Values
from web.edit import change, tell

router = APIRouter(tags=["terminals"])
TERMINALS = LISTS["terminals"]
Number = Annotated[str, Path(max_length=20)]
CREDENTIALS = thing(number="string", login="string", password="string")


@router.get("/terminals/{number}/password", responses=gives(CREDENTIALS))
async def show(who: Caller, core: TheCore, number: Number) -> Response:
    """What has to be typed into a phone: user name and password."""
    who.check("terminals", "write")
    shown = _credentials((await core.snapshot()).office, number)
    await tell(core, who, "show password", f"terminals/{number}")
    return answer(shown)


@router.post("/terminals/{number}/password:regenerate", responses=gives(CREDENTIALS))
async def regenerate(who: Caller, core: TheCore, number: Number) -> Response:
    """Another password, in force at once: phones that still have the old one cannot call, nor register again."""
    who.check("terminals", "write")
    password = generate_password()

    def edit(draft: Draft) -> None:
        place = draft.place(TERMINALS, number)
        draft.put(TERMINALS, place, {**draft.entries(TERMINALS)[place], "password": password})

    done = await change(core, who, edit)
    await tell(core, who, "regenerate password", f"terminals/{number}")
    return answer(_credentials(done.office, number))


def _credentials(office: Office, number: str) -> Values:
    terminal = next((each for each in office.terminals if each.number == number), None)
    if terminal is None:
        raise refused(404, f'there is no terminal "{number}"')
    return {"number": number, "login": login_of(office, terminal), "password": terminal.password}
