"""People as cards: who they are, their numbers, whether a phone of theirs is there (USR-1…USR-14, USR-20)."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Header, Path, Query, Request, Response

from conf.export import entry_values
from conf.passwords import generate_password
from conf.places import within
from pbx.control.messages import GetRegistrations, RegistrationView
from web import employees as cards
from web.answers import Page, Refused, answer, refused
from web.body import octets, record_of, values_of
from web.core import Core
from web.defaults import free_number
from web.describe import card_schema, gives, many, takes, thing
from web.door import Caller, TheCore
from web.draft import Draft, Values
from web.edit import change, check_match, etag, tell
from web.employee_table import blank
from web.employees import Places, shown
from web.pictures import forget_picture, picture_of, put_picture
from web.rights import Principal
from web.rows import EmployeeTarget, Rows, answer_of

router = APIRouter(tags=["employees"])
Id = Annotated[str, Path(max_length=64)]
IfMatch = Annotated[str | None, Header(alias="If-Match", description="Only if it is still this one (ETag).")]
Secrets = Annotated[bool, Query(description="With SIP passwords: for administrators.")]
CARD, PART = card_schema(), card_schema(part=True)
GONE = gives({"type": "null"})
IDS = many({"type": "string"})
ROWS = many({"type": "object"})
_BINARY = {"schema": {"type": "string", "format": "binary"}}
PICTURE = {"content": dict.fromkeys(("image/jpeg", "image/png", "image/gif", "image/webp"), _BINARY)}
Sort = Annotated[str, Query(max_length=20, description="name, number, mobile, email; - before it: downwards.")]


class Batch(msgspec.Struct, forbid_unknown_fields=True):
    employees: list[dict[str, Any]]
    mode: Literal["validate", "create"] = "validate"
    skip_errors: bool = False


class Ids(msgspec.Struct, forbid_unknown_fields=True):
    ids: list[str]


@router.get("/employees", responses=gives(many(CARD)))
async def read(
    who: Caller,
    core: TheCore,
    search: Annotated[str, Query(max_length=100)] = "",
    location: Annotated[str, Query(max_length=100, description="Those in a room or department, by its id.")] = "",
    sort: Sort = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    secrets: Secrets = False,
) -> Response:
    """Those whom one may see; `search` in name, numbers, mobile and e-mail address."""
    who.check("employees", "write" if secrets else "read")
    snapshot = await core.snapshot()
    found = [each for each in cards.cards(snapshot.values, await _registered(core)) if _sees(who, each)]
    if location:
        places = within(snapshot.office.location_groups, [location])
        found = [each for each in found if each["location"] in places]
    if search:
        found = cards.searched(found, search)
    if sort:
        found = cards.sorted_by(found, sort)
    items = [shown(each, secrets=secrets) for each in found[offset : offset + limit]]
    return answer(Page(items, len(found), limit, offset))


@router.get("/employees:getDefault", responses=gives({"type": "object"}))
async def default(who: Caller, core: TheCore) -> Response:
    """What a form for somebody new begins with (USR-12)."""
    who.check("employees", "write")
    snapshot = await core.snapshot()
    owned = [each.number for each in snapshot.office.terminals if each.owner]
    found = {**blank(), "number": free_number(snapshot, owned), "password": generate_password()}
    return answer({name: value for name, value in found.items() if name != "id"})


@router.post("/employees", status_code=201, responses=gives(CARD, 201, "Created."), openapi_extra=takes(PART))
async def create(request: Request, who: Caller, core: TheCore) -> Response:
    """A person and, with a `number`, the terminal: both or neither. The answer shows the SIP password."""
    who.check("employees", "write")
    entry = await values_of(request)
    places: list[Places] = []

    def edit(draft: Draft) -> None:
        places[:] = [cards.add(draft, entry)]

    values = await _changed(core, who, edit, places)
    await tell(core, who, "create", f"employees/{values['id']}", None, values)
    headers = {"ETag": etag(values), "Location": f"/api/v3/employees/{values['id']}"}
    return answer(values, status=201, headers=headers)


@router.get("/employees/{id}", responses=gives(CARD))
async def get(who: Caller, core: TheCore, id: Id, secrets: Secrets = False) -> Response:
    who.check("employees", "write" if secrets else "read")
    values, registered = (await core.snapshot()).values, await _registered(core)
    for each in cards.cards(values, registered):
        if each["id"] == id and _sees(who, each):
            tag = etag(cards.card_of(values, id))
            return answer(shown(each, secrets=secrets), headers={"ETag": tag})
    raise refused(404, f'there is no user "{id}"')


@router.put("/employees/{id}", responses=gives(CARD), openapi_extra=takes(PART))
async def put(request: Request, who: Caller, core: TheCore, id: Id, if_match: IfMatch = None) -> Response:
    """The whole card; the number and a password that are not given stay."""
    return await _replace(request, core, who, id, if_match, whole=True)


@router.patch("/employees/{id}", responses=gives(CARD), openapi_extra=takes(PART))
async def patch(request: Request, who: Caller, core: TheCore, id: Id, if_match: IfMatch = None) -> Response:
    """What is named is changed, of the person or of the main terminal; null is the default again (RFC 7396)."""
    return await _replace(request, core, who, id, if_match, whole=False)


@router.delete("/employees/{id}", responses=GONE)
async def delete(who: Caller, core: TheCore, id: Id, if_match: IfMatch = None) -> Response:
    """With the terminals, forwarding to them and memberships. Refused while calls are sent to one of the numbers, with
    the places that do so (USR-14)."""
    who.check("employees", "write")
    await _remove(core, who, [id], if_match)
    await forget_picture(core, id)
    return answer(None)


@router.post(
    "/employees:batchCreate",
    responses=gives(thing(valid="integer", duplicates="integer", errors="integer", rows=ROWS, applied="boolean")),
    openapi_extra=takes(
        {
            "type": "object",
            "properties": {
                "employees": {"type": "array", "items": PART, "maxItems": 1000},
                "mode": {"enum": ["validate", "create"]},
                "skip_errors": {"type": "boolean"},
            },
            "required": ["employees"],
            "additionalProperties": False,
        }
    ),
)
async def batch_create(request: Request, who: Caller, core: TheCore) -> Response:
    """Many at a time; `line` counts from 1. Without `skip_errors` all or none, with it those that are right."""
    who.check("employees", "write")
    given = await record_of(request, Batch)
    if len(given.employees) > 1000:
        raise refused(422, f"at most 1000 at a time, not {len(given.employees)}", "employees")
    rows = Rows(EmployeeTarget(), enumerate(given.employees, 1), "fail_on_duplicate")
    await rows.look(core)
    left_out: list[dict[str, Any]] = []
    if given.mode == "create":
        if given.skip_errors:
            left_out = await rows.leave_out_wrong(core)
        elif rows.has_errors:
            raise Refused(
                422, *((f"employees.{row['line'] - 1}", text) for row in rows.report for text in row["errors"])
            )
        done = await rows.carry_out(core, who)
        await tell(core, who, "create many", "employees", None, {"changes": len(done.changes)})
    report = sorted([*rows.report, *left_out], key=lambda row: int(row["line"]))
    return answer(answer_of(report, applied=given.mode == "create"))


@router.post("/employees:batchDelete", responses=GONE, openapi_extra=takes(thing(ids=IDS)))
async def batch_delete(request: Request, who: Caller, core: TheCore) -> Response:
    """All or none."""
    who.check("employees", "write")
    ids = list(dict.fromkeys((await record_of(request, Ids)).ids))
    await _remove(core, who, ids, None)
    for id in ids:
        await forget_picture(core, id)
    return answer(None)


@router.post("/employees/{id}:chooseMain", responses=gives(CARD), openapi_extra=takes(thing(number="string")))
async def choose_main(request: Request, who: Caller, core: TheCore, id: Id) -> Response:
    """Another one of the numbers of the person is the main one from now on (USR-3)."""
    who.check("employees", "write")
    number = (await record_of(request, dict[str, str])).get("number", "")
    places: list[Places] = []

    def edit(draft: Draft) -> None:
        cards.choose_main(draft, id, number)
        places[:] = [cards.place_of(draft, id)]

    values = await _changed(core, who, edit, places)
    await tell(core, who, "choose main", f"employees/{id}", None, {"number": number})
    return answer(shown(values))


@router.get("/employees/{id}/avatar", responses={200: {"description": "The picture.", **PICTURE}})
async def avatar(who: Caller, core: TheCore, id: Id) -> Response:
    """Everybody sees the faces of the others, as in the directory."""
    who.check("directory", "read")
    found = await picture_of(core, id)
    if found is None:
        raise refused(404, f'there is no picture of "{id}"')
    return Response(found.octets, media_type=found.kind)


@router.put("/employees/{id}/avatar", responses=GONE, openapi_extra={"requestBody": {"required": True, **PICTURE}})
async def put_avatar(request: Request, who: Caller, core: TheCore, id: Id) -> Response:
    """A picture of 1 KB to 1 MB; people put their own."""
    await _check_own(core, who, id)
    data = await octets(request)
    kind = await put_picture(core, id, data)
    await tell(core, who, "change", f"employees/{id}/avatar", None, {"kind": kind, "size": len(data)})
    return answer(None)


@router.delete("/employees/{id}/avatar", responses=GONE)
async def delete_avatar(who: Caller, core: TheCore, id: Id) -> Response:
    await _check_own(core, who, id)
    await forget_picture(core, id)
    await tell(core, who, "delete", f"employees/{id}/avatar")
    return answer(None)


async def _check_own(core: Core, who: Principal, id: str) -> None:
    who.check("me" if id == who.user else "employees", "write")
    if all(each.id != id for each in (await core.snapshot()).office.users):
        raise refused(404, f'there is no user "{id}"')


async def _replace(
    request: Request, core: Core, who: Principal, id: str, if_match: str | None, *, whole: bool
) -> Response:
    who.check("employees", "write")
    entry = await values_of(request)
    places: list[Places] = []
    before: list[Values] = []

    def edit(draft: Draft) -> None:
        before[:] = [cards.card_of(draft.values, id)]
        check_match(if_match, before[0])
        places[:] = [(cards.put if whole else cards.patch)(draft, id, entry)]

    values = await _changed(core, who, edit, places)
    await tell(core, who, "change", f"employees/{id}", before[0], values)
    return answer(shown(values), headers={"ETag": etag(values)})


async def _changed(core: Core, who: Principal, edit: Any, places: list[Places]) -> Values:
    """The card after a change, with mistakes named as they are on it."""
    try:
        done = await change(core, who, edit)
    except Refused as error:
        raise places[0].as_of_card(error) if error.status == 422 and places else error from None
    user = done.office.users[places[0].user]
    owned = [entry_values(each) for each in done.office.terminals if each.owner == user.id]
    group = next((each.id for each in done.office.employee_groups if user.id in each.members), "")
    return cards.card(entry_values(user), cards.main_first(owned), group=group)


async def _remove(core: Core, who: Principal, ids: list[str], if_match: str | None) -> None:
    drafts: list[Draft] = []
    gone: list[Values] = []

    def edit(draft: Draft) -> None:
        drafts[:], gone[:] = [draft], []
        for id in ids:
            check_match(if_match, cards.card_of(draft.values, id))
            gone.append(cards.remove(draft, id))

    try:
        await change(core, who, edit)
    except Refused as error:
        raise cards.referrers(error, drafts[0].values) if error.status == 422 else error from None
    for each in gone:
        await tell(core, who, "delete", f"employees/{each['id']}", each)


async def _registered(core: Core) -> set[str]:
    return {each.number for each in await core.ask(GetRegistrations(), list[RegistrationView])}


def _sees(who: Principal, card: Values) -> bool:
    return who.sees_user(card["id"])
