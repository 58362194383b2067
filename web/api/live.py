"""What happens now, and what can be done with it (API-8, API-9): calls, queues, phones, lines."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import PlainTextResponse

from pbx.control.clerk import (
    AccountFailureView,
    ClearFailures,
    DeviceView,
    GetDevices,
    GetFailures,
    GetNetworks,
    NetworkView,
)
from pbx.control.errands import CheckLine
from pbx.control.messages import (
    CallView,
    ExplainCall,
    ExplanationView,
    GetCalls,
    GetLines,
    GetQueues,
    GetRegistrations,
    GetStatus,
    HangUp,
    Intercept,
    LineView,
    Originate,
    QueueView,
    RegistrationView,
    TransferCall,
)
from web.answers import answer, refused
from web.body import record_of
from web.core import Core
from web.defaults import taken_by
from web.describe import gives, many, takes, thing
from web.door import Caller, Looker, TheCore
from web.edit import tell
from web.metrics import exposition, figures_of
from web.rights import Principal
from web.times import with_moments

router = APIRouter()
Id = Annotated[str, Path(max_length=100)]
CALL = thing(id="string", linkedid="string", from_number="string", to_number="string", state="string")
QUEUE = thing(number="string", name="string", waiting={"type": "array"}, agents={"type": "array"})
PHONE = thing(number="string", contact="string", transport="string", user_agent="string", is_reachable="boolean")
FAILURE = thing(number="string", source="string", count="integer", reason="string")
DEVICE = thing(number="string", contact="string", address="string", port="integer", since_at="string")
NETWORK = thing(network="string", kind="string", id="string", name="string", priority="integer")
LINE = thing(id="string", kind="string", state="string", error="string")
ONWARD = thing(call="string")
TO = takes(thing(to="string"))
MODES = ("listen", "whisper", "barge")


class NewCall(msgspec.Struct, forbid_unknown_fields=True):
    from_number: str
    to_number: str
    by_itself: bool = True
    every_phone: bool = False
    shown_name: Annotated[str, msgspec.Meta(max_length=50)] = ""
    shown_number: Annotated[str, msgspec.Meta(max_length=20)] = ""


class Onward(msgspec.Struct, forbid_unknown_fields=True):
    to: str


class Picker(msgspec.Struct, forbid_unknown_fields=True):
    to: str
    number: str = ""
    call: str = ""


class Listener(msgspec.Struct, forbid_unknown_fields=True):
    number: str
    to: str
    mode: str = "listen"


@router.get("/networks:choices", tags=["networks"], responses=gives(many(NETWORK)))
async def networks(who: Caller, core: TheCore) -> Response:
    """What a network filter can be: the networks of the office as they are looked through, those that this machine is
    in, and all addresses (SEC-1)."""
    who.check("networks", "read")
    return answer(await core.ask(GetNetworks(), list[NetworkView]))


@router.get("/calls", tags=["calls"], responses=gives(many(CALL)))
async def calls(who: Looker, core: TheCore) -> Response:
    """The calls in progress."""
    who.check("calls", "read")
    return answer([_view(each) for each in await _calls(core, who)])


@router.get("/calls/{id}", tags=["calls"], responses=gives(CALL))
async def call(who: Caller, core: TheCore, id: Id) -> Response:
    who.check("calls", "read")
    return answer(_view(await _call(core, who, id)))


@router.post(
    "/calls",
    tags=["calls"],
    status_code=201,
    responses=gives(ONWARD, 201, "The phone of `from_number` is rung."),
    openapi_extra=takes(
        thing(
            from_number="string",
            to_number="string",
            by_itself="boolean",
            every_phone="boolean",
            shown_name="string",
            shown_number="string",
        )
    ),
)
async def originate(request: Request, who: Caller, core: TheCore) -> Response:
    """A phone is rung, and calls a number when it has answered. It answers by itself where it can (`by_itself`), each
    of several only with `every_phone`; `shown_name` and `shown_number` are what it shows meanwhile."""
    who.check("calls", "write")
    given = await record_of(request, NewCall)
    who.check_number(given.from_number)
    id = await core.ask(Originate(**msgspec.structs.asdict(given)), str)
    await tell(core, who, "originate", f"calls/{id}", None, {"from": given.from_number, "to": given.to_number})
    return answer({"call": id}, status=201)


@router.delete("/calls/{id}", tags=["calls"], responses=gives({"type": "null"}))
async def hang_up(who: Caller, core: TheCore, id: Id) -> Response:
    who.check("calls", "write")
    await _call(core, who, id)
    if not await core.ask(HangUp(id), bool):
        raise refused(404, f'there is no call "{id}"')
    await tell(core, who, "hang up", f"calls/{id}")
    return answer(None)


@router.post("/calls/{id}:transfer", tags=["calls"], responses=gives(ONWARD), openapi_extra=TO)
async def transfer(request: Request, who: Caller, core: TheCore, id: Id) -> Response:
    """The caller goes on to another number."""
    who.check("calls", "write")
    return await _send_on(core, who, id, (await record_of(request, Onward)).to, "transfer")


@router.post("/calls/{id}:park", tags=["calls"], responses=gives(ONWARD))
async def park(who: Caller, core: TheCore, id: Id) -> Response:
    """The caller waits at a slot of the parking lot."""
    lot = (await core.snapshot()).office.features.parking.number
    if not lot:
        raise refused(409, "the office has no parking: features.parking.number is empty")
    return await _send_on(core, who, id, lot, "park")


@router.post(
    "/calls:listen",
    tags=["calls"],
    status_code=201,
    responses=gives(ONWARD, 201, "The phone of `to` is rung."),
    openapi_extra=takes(thing(number="string", to="string")),
)
async def listen(request: Request, who: Caller, core: TheCore) -> Response:
    """The phone `to` hears the conversation of `number`; `mode` is listen, whisper (to that side alone) or barge."""
    who.check("calls", "write")
    given = await record_of(request, Listener)
    if who.role == "user":
        raise refused(403, "only administrators and supervisors may listen")
    who.check_number(given.number)
    who.check_number(given.to)
    if given.mode not in MODES:
        raise refused(422, f"must be one of {', '.join(MODES)}", "mode")
    code = getattr((await core.snapshot()).office.features, given.mode)
    if not code:
        raise refused(409, f"the office has no code for it: features.{given.mode} is empty")
    id = await core.ask(Originate(given.to, code + given.number), str)
    await tell(core, who, given.mode, f"calls/{id}", None, {"number": given.number, "to": given.to})
    return answer({"call": id}, status=201)


@router.post(
    "/calls:intercept",
    tags=["calls"],
    status_code=201,
    responses=gives(ONWARD, 201, "The phone of `to` takes the call."),
    openapi_extra=takes(thing(call="string", number="string", to="string")),
)
async def intercept(request: Request, who: Caller, core: TheCore) -> Response:
    """The phone `to` picks up a call that nobody has answered: `call`, or the one that rings longest at `number`."""
    who.check("calls", "write")
    given = await record_of(request, Picker)
    if bool(given.number) == bool(given.call):
        raise refused(422, "either the call or the number where it rings has to be given", "call")
    who.check_number(given.to)
    if given.call:
        await _call(core, who, given.call)
    else:
        who.check_number(given.number)
    id = await core.ask(Intercept(given.to, given.number, given.call), str)
    changed = {"number": given.number, "call": given.call, "to": given.to}
    await tell(core, who, "intercept", f"calls/{id}", None, changed)
    return answer({"call": id}, status=201)


@router.get("/queues:live", tags=["queues"], responses=gives(many(QUEUE)))
async def queues(who: Caller, core: TheCore) -> Response:
    """Who waits in the queues, and their agents: those that one of the own numbers is an agent of."""
    who.check("queues", "read")
    found = await core.ask(GetQueues(), list[QueueView])
    return answer([_view(each) for each in found if who.sees(*(agent.number for agent in each.agents))])


@router.get("/registrations", tags=["registrations"], responses=gives(many(PHONE)))
async def registrations(who: Looker, core: TheCore) -> Response:
    """The phones that are registered."""
    who.check("registrations", "read")
    found = await core.ask(GetRegistrations(), list[RegistrationView])
    return answer([_view(each) for each in found if who.sees(each.number)])


@router.get("/registrations/failures", tags=["registrations"], responses=gives(many(FAILURE)))
async def failures(who: Caller, core: TheCore, number: Annotated[str, Query(max_length=100)] = "") -> Response:
    """Sign-ins of accounts that failed, by account and address; of `number` alone where it is given."""
    who.check("registrations", "read")
    found = await core.ask(GetFailures(number), list[AccountFailureView])
    return answer([_view(each) for each in found if who.sees(each.number)])


@router.get("/registrations/devices", tags=["registrations"], responses=gives(many(DEVICE)))
async def devices(who: Caller, core: TheCore, number: Annotated[str, Query(max_length=100)] = "") -> Response:
    """The phones of the last 24 hours, with their sessions; of `number` alone where it is given."""
    who.check("registrations", "read")
    found = await core.ask(GetDevices(number), list[DeviceView])
    return answer([_view(each) for each in found if who.sees(each.number)])


@router.delete("/registrations/failures/{number}", tags=["registrations"], responses=gives({"type": "null"}))
async def clear_failures(who: Caller, core: TheCore, number: Id) -> Response:
    """The failures of an account count anew."""
    who.check("registrations", "write")
    who.check_number(number)
    if not any(each.number == number for each in await core.ask(GetFailures(number), list[AccountFailureView])):
        raise refused(404, f"no sign-in of {number} has failed")
    await core.ask(ClearFailures(number), bool)
    await tell(core, who, "clear failures", f"registrations/failures/{number}")
    return answer(None)


@router.get("/lines", tags=["lines"], responses=gives(many(LINE)))
async def lines(who: Caller, core: TheCore) -> Response:
    """The lines to providers."""
    who.check("lines", "read")
    return answer([_view(each) for each in await core.ask(GetLines(), list[LineView])])


@router.post("/lines/{id}:check", tags=["lines"], responses=gives(LINE))
async def check_line(who: Caller, core: TheCore, id: Id) -> Response:
    """Ask the provider now, and register anew; the answer says how it is."""
    who.check("lines", "write")
    if all(each.id != id for each in (await core.snapshot()).office.providers):
        raise refused(404, f'there is no provider "{id}"')
    return answer(_view(await core.ask(CheckLine(id), LineView)))


@router.get(
    "/numbers/{number}", tags=["numbers"], responses=gives(thing(number="string", is_free="boolean", why="string"))
)
async def number(who: Caller, core: TheCore, number: Annotated[str, Path(max_length=20)]) -> Response:
    """Whether the office could give that number to somebody new, and why not."""
    who.check("numbers", "read")
    why = taken_by(await core.snapshot(), number)
    return answer({"number": number, "is_free": not why, "why": why})


@router.get("/status", tags=["status"], responses=gives({"type": "object"}))
async def status(who: Caller, core: TheCore) -> Response:
    """The live dump of every part of the server."""
    who.check("status", "read")
    return answer(await core.ask(GetStatus(), dict[str, Any]))


@router.get(
    "/metrics",
    tags=["metrics"],
    response_class=PlainTextResponse,
    responses={200: {"description": "Figures for Prometheus.", "content": {"text/plain": {}}}},
)
async def metrics(who: Caller, core: TheCore) -> Response:
    """The same as figures for Prometheus, which signs in by an API key as its bearer token."""
    who.check("metrics", "read")
    return Response(exposition(await figures_of(core)), media_type=CONTENT_TYPE_LATEST)


@router.get("/explain", tags=["explain"], responses=gives({"type": "object"}))
async def explain(
    who: Caller,
    core: TheCore,
    start: Annotated[str, Query(alias="from", max_length=40)],
    to: Annotated[str, Query(max_length=40)],
    lang: Annotated[str, Query(max_length=8, description="en or ru; otherwise that of the office.")] = "",
) -> Response:
    """Every rule that a call would meet now; rings nobody."""
    who.check("explain", "read")
    wanted = ExplainCall(start, to, language=lang)
    return answer(msgspec.to_builtins(await core.ask(wanted, ExplanationView)))


async def _send_on(core: Core, who: Principal, id: str, to: str, action: str) -> Response:
    who.check("calls", "write")
    await _call(core, who, id)
    onward = await core.ask(TransferCall(id, to), str)
    await tell(core, who, action, f"calls/{id}", None, {"to": to, "call": onward})
    return answer({"call": onward})


async def _calls(core: Core, who: Principal) -> list[CallView]:
    found = await core.ask(GetCalls(), list[CallView])
    return [each for each in found if who.sees(each.from_number, each.to_number)]


async def _call(core: Core, who: Principal, id: str) -> CallView:
    for each in await _calls(core, who):
        if each.id == id:
            return each
    raise refused(404, f'there is no call "{id}"')


def _view(view: object) -> dict[str, Any]:
    return with_moments(msgspec.to_builtins(view))
