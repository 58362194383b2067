"""What phones sign in with, shown, made anew (EXT-4) and mailed (USR-28): for administrators, told to the audit."""

from dataclasses import replace
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Request, Response

from conf.passwords import generate_password
from pbx.control.errands import MailCredentials, PhoneCredentials
from storage.records import Office, login_of
from web.answers import answer, refused
from web.body import record_of
from web.describe import gives, takes, thing
from web.door import Caller, TheCore, TheDoor
from web.draft import LISTS, Draft, Values
from web.edit import change, tell

router = APIRouter(tags=["terminals"])
TERMINALS = LISTS["terminals"]
Number = Annotated[str, Path(max_length=20)]
Id = Annotated[str, Path(max_length=64)]
SENDING_S = 180.0  # each answer of a mail server may take half a minute
CREDENTIALS = thing(number="string", login="string", password="string")


class Letter(msgspec.Struct, forbid_unknown_fields=True):
    portal: bool = False


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


@router.post(
    "/employees/{id}:mailCredentials",
    responses=gives(thing(said="string")),
    openapi_extra=takes({**thing(portal="boolean"), "required": [], "additionalProperties": False}),
)
async def mail(request: Request, who: Caller, core: TheCore, door: TheDoor, id: Id) -> Response:
    """The person gets a letter with what the own phones sign in with (USR-28). `portal`: and with a new one-time
    password of the account, which counts from then on. `said` is what the mail server made of it."""
    who.check("employees", "write")
    given, office = await record_of(request, Letter), (await core.snapshot()).office
    person = next((each for each in office.users if each.id == id), None)
    if person is None:
        raise refused(404, f'there is no user "{id}"')
    if not person.email:
        raise refused(409, f'"{id}" has no e-mail address', "email")
    owned = [_credentials(office, each.number) for each in office.terminals if each.owner == id and each.password]
    account = next((each for each in (await door.accounts.all()).values() if each.user == id), None)
    if given.portal and account is None:
        raise refused(409, f'there is no account of "{id}": POST /accounts makes one', "portal")
    if not owned and not given.portal:
        raise refused(409, f'"{id}" has no phone with a password')
    letter = MailCredentials(
        person.email,
        person.language,
        person.name,
        request.url.hostname or "",
        tuple(PhoneCredentials(**each) for each in owned),
    )
    password = ""
    if given.portal and account is not None:
        password = generate_password()
        letter = replace(letter, url=str(request.base_url), login=account.login, password=password)
    said = await core.ask(letter, str, SENDING_S)
    if password and account is not None:
        await door.accounts.reset_password(account, password)
    await tell(core, who, "mail credentials", f"employees/{id}", None, {"to": person.email, "portal": given.portal})
    return answer({"said": said})


def _credentials(office: Office, number: str) -> Values:
    terminal = next((each for each in office.terminals if each.number == number), None)
    if terminal is None:
        raise refused(404, f'there is no terminal "{number}"')
    return {"number": number, "login": login_of(office, terminal), "password": terminal.password}
