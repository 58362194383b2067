"""What people are to each other and to themselves: the directory (USR-15, USR-16), the personal cabinet (USR-25)."""

from typing import Annotated, Any
from xml.etree.ElementTree import Element, SubElement, tostring

from fastapi import APIRouter, Path, Query, Request, Response

from conf.export import document_values
from pbx.control.clerk import GetReport, ReportView
from pbx.control.errands import GetDisturbance, GetNames, SetDisturbance, Unregister
from web import cabinet
from web.answers import Refused, answer, refused
from web.body import record_of, values_of
from web.cabinet import DISTURB
from web.core import Core
from web.describe import gives, many, patch_schema, takes, thing
from web.directory import Listed, listed
from web.door import Caller, Looker, TheCore, entered_by_phone
from web.draft import Draft, Values
from web.edit import change, tell
from web.rights import Principal
from web.times import Moment, seconds_of, utc

router = APIRouter()
Number = Annotated[str, Path(max_length=20)]
TEXT, FLAG = {"type": "string"}, {"type": "boolean"}
NAMES = {"type": "object", "additionalProperties": TEXT}
ENTRY = thing(name="string", numbers=many(TEXT), mobile="string", email="string")
_OFFERED = patch_schema("terminals")
_OWN = {name: _OFFERED["properties"][name] for name in (*cabinet.OF_TERMINAL, cabinet.PASSWORD)}
PART = _OFFERED | {"properties": {**_OWN, cabinet.EMAIL: TEXT, DISTURB: FLAG}}
SERVICES = thing(number="string", forward={"type": "object"}, voicemail_email="string", do_not_disturb="boolean")
CHOICE = many(thing(id="string", name="string"))
MOST_NAMES = 1000
FIGURES = ("number", "offered", "missed", "made", "talk_s", "occupancy_percent")
STATISTICS = thing(from_at="string", to_at="string", numbers=many(thing(number="string", offered="integer")))


@router.get("/directory", tags=["directory"], responses=gives(many(ENTRY)))
async def directory(
    who: Caller,
    core: TheCore,
    search: Annotated[str, Query(max_length=100)] = "",
    location: Annotated[str, Query(max_length=100, description="Those in a room or department, by its id.")] = "",
) -> Response:
    """People and their numbers, but those that are not for the phone book."""
    who.check("directory", "read")
    return answer([each.shown() for each in listed((await core.snapshot()).office, search, location)])


@router.get(
    "/directory.xml",
    tags=["directory"],
    responses={200: {"description": "For phones.", "content": {"text/xml": {}}}},
)
async def directory_feed(
    request: Request,
    core: TheCore,
    search: Annotated[str, Query(max_length=100)] = "",
    location: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """The same as phones of Yealink, Fanvil, Htek and others read a remote phone book: with an API key as the password
    of any user (RFC 7617)."""
    who = await entered_by_phone(request)
    who.check("directory", "read")
    feed = _feed(listed((await core.snapshot()).office, search, location))
    return Response(feed, media_type="text/xml; charset=utf-8")


@router.post(
    "/directory:names",
    tags=["directory"],
    responses=gives(NAMES),
    openapi_extra=takes(thing(numbers={"type": "array", "items": TEXT, "maxItems": MOST_NAMES})),
)
async def names(request: Request, who: Caller, core: TheCore) -> Response:
    """Whose the numbers are; the number itself where nobody is known."""
    who.check("directory", "read")
    numbers = (await record_of(request, dict[str, tuple[str, ...]])).get("numbers", ())
    if len(numbers) > MOST_NAMES:
        raise refused(422, f"at most {MOST_NAMES} at a time, not {len(numbers)}", "numbers")
    return answer(await core.ask(GetNames(numbers), dict[str, str]))


@router.get("/services:choices", tags=["services"], responses=gives(thing(calendars=CHOICE, ringbacks=CHOICE)))
async def choices(who: Caller, core: TheCore) -> Response:
    """The calendars and ringback tones that people can choose of."""
    who.check("services", "read")
    office = (await core.snapshot()).office
    calendars = [{"id": each.id, "name": each.name} for each in office.calendars]
    return answer({"calendars": calendars, "ringbacks": [{"id": each.id, "name": each.name} for each in office.sounds]})


@router.get("/services/{number}", tags=["services"], responses=gives(SERVICES))
async def services(who: Caller, core: TheCore, number: Number) -> Response:
    """What the owner of a number may change of it."""
    who.check("services", "read")
    who.check_number(number)
    return answer(await _services(core, (await core.snapshot()).values, number))


@router.patch("/services/{number}", tags=["services"], responses=gives(SERVICES), openapi_extra=takes(PART))
async def change_services(request: Request, who: Caller, core: TheCore, number: Number) -> Response:
    """What is named is changed: forwarding and how long it rings, the calendar of the hours, the ringback tone, where
    voice messages are mailed to, do not disturb, the SIP password."""
    who.check("services", "write")
    who.check_number(number)
    part = await values_of(request)
    if not isinstance(part.get(DISTURB, False), bool):
        raise refused(422, "must be true or false", DISTURB)
    before = await _services(core, (await core.snapshot()).values, number)
    values = await _changed(core, who, number, part)
    if DISTURB in part:
        await core.ask(SetDisturbance(number, part[DISTURB]), bool)
    after = await _services(core, values, number)
    await tell(core, who, "change", f"services/{number}", before, after)
    return answer(after)


@router.delete("/registrations/{number}", tags=["registrations"], responses=gives({"type": "null"}))
async def unregister(
    who: Caller, core: TheCore, number: Number, contact: Annotated[str, Query(max_length=500)]
) -> Response:
    """A phone of the own is rung no more, until it registers again: change the password where it shall not."""
    who.check("registrations", "write")
    who.check_number(number)
    if not await core.ask(Unregister(number, contact), bool):
        raise refused(404, f"no such phone of {number} is registered", "contact")
    await tell(core, who, "unregister", f"registrations/{number}", {"contact": contact})
    return answer(None)


@router.get("/statistics", tags=["statistics"], responses=gives(STATISTICS))
async def statistics(
    who: Looker,
    core: TheCore,
    start: Annotated[Moment, Query(alias="from")] = "",
    end: Annotated[Moment, Query(alias="to")] = "",
) -> Response:
    """What became of the calls of the numbers that are seen: the last day where no period is given."""
    who.check("statistics", "read")
    asked = GetReport("terminal-load", seconds_of(start, "from"), seconds_of(end, "to"))
    found = await core.ask(asked, ReportView, 120.0)
    numbers = [dict(zip(FIGURES, row, strict=True)) for row in found.rows if who.sees(str(row[0]))]
    return answer({"from_at": utc(found.from_at), "to_at": utc(found.to_at), "numbers": numbers})


async def _services(core: Core, values: Any, number: str) -> Values:
    cabinet.services_of(values, number, wants_none=False)  # 404 before anybody is asked
    return cabinet.services_of(values, number, wants_none=await core.ask(GetDisturbance(number), bool))


async def _changed(core: Core, who: Principal, number: str, part: Values) -> Values:
    places: list[tuple[int, int]] = []

    def edit(draft: Draft) -> None:
        places[:] = [cabinet.put_services(draft, number, part)]

    try:
        done = await change(core, who, edit)
    except Refused as error:
        raise cabinet.as_of_services(error, places[0]) if error.status == 422 and places else error from None
    return document_values(done.office)


def _feed(entries: list[Listed]) -> bytes:
    root = Element("IPPhoneDirectory")
    for each in entries:
        entry = SubElement(root, "DirectoryEntry")
        SubElement(entry, "Name").text = each.name
        for number in (*each.numbers, each.mobile):
            if number:
                SubElement(entry, "Telephone").text = number
    found: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return found
