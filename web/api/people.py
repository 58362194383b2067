"""What people are to each other and to themselves: the directory (USR-15), the services of the own numbers (USR-25)."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from conf.export import document_values
from storage.records import Office
from web.answers import Refused, answer, refused
from web.body import values_of
from web.core import Core
from web.describe import gives, many, patch_schema, takes, thing
from web.door import Caller, TheCore
from web.draft import LISTS, Draft, Values, merged, of_entry
from web.edit import change, tell
from web.rights import Principal

router = APIRouter()
Number = Annotated[str, Path(max_length=20)]
TERMINALS = LISTS["terminals"]
OWN = ("forward",)  # what people may change of their terminals
ENTRY = thing(name="string", numbers=many({"type": "string"}))
_OFFERED = patch_schema("terminals")
PART = _OFFERED | {"properties": {name: _OFFERED["properties"][name] for name in OWN}}
SERVICES = thing(number="string", forward={"type": "object"})


@router.get("/directory", tags=["directory"], responses=gives(many(ENTRY)))
async def directory(who: Caller, core: TheCore, search: Annotated[str, Query(max_length=100)] = "") -> Response:
    """People and their numbers, but those that are not for the phone book."""
    who.check("directory", "read")
    entries = _entries((await core.snapshot()).office)
    wanted = search.casefold()
    return answer([each for each in entries if any(wanted in str(value).casefold() for value in each.values())])


@router.get("/services/{number}", tags=["services"], responses=gives(SERVICES))
async def services(who: Caller, core: TheCore, number: Number) -> Response:
    """What the owner of a number may change of it."""
    who.check("services", "read")
    return answer(_services(Draft((await core.snapshot()).values), who, number))


@router.patch("/services/{number}", tags=["services"], responses=gives(SERVICES), openapi_extra=takes(PART))
async def change_services(request: Request, who: Caller, core: TheCore, number: Number) -> Response:
    who.check("services", "write")
    part = await values_of(request)
    if others := [name for name in part if name not in OWN]:
        raise refused(422, f"only {', '.join(OWN)} can be changed here", others[0])
    return answer(await _changed(core, who, number, part))


async def _changed(core: Core, who: Principal, number: str, part: Values) -> Values:
    before: list[Values] = []
    places: list[int] = []

    def edit(draft: Draft) -> None:
        before[:] = [_services(draft, who, number)]
        places[:] = [draft.place(TERMINALS, number)]
        draft.put(TERMINALS, places[0], merged(draft.entries(TERMINALS)[places[0]], part))

    try:
        done = await change(core, who, edit)
    except Refused as error:
        raise of_entry(error, "terminals", places[0]) if error.status == 422 else error from None
    after = _services(Draft(document_values(done.office)), who, number)
    await tell(core, who, "change", f"services/{number}", before[0], after)
    return after


def _services(draft: Draft, who: Principal, number: str) -> Values:
    who.check_number(number)
    entry = draft.entry(TERMINALS, number)
    return {"number": number, **{name: entry[name] for name in OWN}}


def _entries(office: Office) -> list[dict[str, Any]]:
    """Sorted by name; who has no number to be called at is not among them."""
    found = []
    for user in office.users:
        numbers = [each.number for each in office.terminals if each.owner == user.id and each.show_in_phonebook]
        if numbers or user.mobile:
            found.append(
                {
                    "name": user.name,
                    "numbers": numbers,
                    "mobile": user.mobile,
                    "email": user.email,
                    "position": user.position,
                    "location": user.location,
                }
            )
    return sorted(found, key=lambda each: str(each["name"]).casefold())
