"""What was changed: the audit and the versions of the office, which can come back (API-13, CFG-2, CFG-8)."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from conf.diff import plan
from conf.export import export_office
from conf.load import ConfInvalid, parse_office
from conf.office_advice import advice
from pbx.control.desk import GetAudit, GetVersion, GetVersions
from storage.ports import AuditQuery
from storage.records import AuditEntry, Office, OfficeVersion
from web.answers import Refused, answer, refused
from web.body import octets
from web.core import TRIES, Core, Snapshot, busy
from web.describe import gives, many, takes, thing
from web.door import Caller, TheCore
from web.edit import tell

router = APIRouter()
Id = Annotated[int, Path(ge=0, le=2**53)]
AUDITED = thing(
    id="integer", at="number", user="string", address="string", action="string", object="string", before={}, after={}
)
VERSION = thing(id="integer", applied_at="number", by="string", source="string", summary="string")


@router.get("/audit", tags=["audit"], responses=gives(many(AUDITED)))
async def audit(
    who: Caller,
    core: TheCore,
    user: Annotated[str, Query(max_length=100)] = "",
    object: Annotated[str, Query(max_length=200, description="A resource, or one of its objects.")] = "",
    before_id: Annotated[int, Query(ge=0, le=2**53, description="Where the next page begins.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """Who changed what, newest first."""
    who.check("audit", "read")
    found = await core.ask(GetAudit(AuditQuery(user, object, before_id, limit)), list[AuditEntry])
    return answer([_entry(each) for each in found])


@router.get("/versions", tags=["versions"], responses=gives(many(VERSION)))
async def versions(who: Caller, core: TheCore) -> Response:
    """The last versions of the office, the one in force first."""
    who.check("versions", "read")
    found = await core.ask(GetVersions(), list[OfficeVersion])
    return answer([_version(each) for each in found])


@router.get("/versions/{id}:compare", tags=["versions"], responses=gives(many({"type": "string"})))
async def compare(
    who: Caller, core: TheCore, id: Id, to: Annotated[int, Query(ge=0, le=2**53, description="0: in force.")] = 0
) -> Response:
    """What would change from this version to another one, in lines."""
    who.check("versions", "read")
    other = await _office(core, to) if to else (await core.snapshot()).office
    return answer(str(plan(await _office(core, id), other)).splitlines())


@router.post("/versions/{id}:restore", tags=["versions"], responses=gives(many({"type": "string"})))
async def restore(who: Caller, core: TheCore, id: Id) -> Response:
    """Put a version into force again, as a new one; the answer says what has changed."""
    who.check("versions", "write")
    office = await _office(core, id)
    for _ in range(TRIES):
        done = await core.change(office, await core.snapshot(), who.name, f"version {id}")
        if done.is_changed:
            await tell(core, who, "restore", f"versions/{id}")
            return answer(done.changes)
    raise busy()


@router.get(
    "/document",
    tags=["document"],
    responses={200: {"description": "The office as office.toml.", "content": {"application/toml": {}}}},
)
async def document(who: Caller, core: TheCore, secrets: bool = False) -> Response:
    """The whole office as one document, as `zvon export` prints it; `secrets`: with passwords."""
    who.check("document", "read")
    text = export_office((await core.snapshot()).office, with_secrets=secrets)
    return Response(text, media_type="application/toml")


@router.put(
    "/document",
    tags=["document"],
    responses=gives(many({"type": "string"})),
    openapi_extra=takes({"type": "string"}, "application/toml"),
)
async def put_document(
    request: Request,
    who: Caller,
    core: TheCore,
    dry_run: Annotated[bool, Query(description="Only say what would change.")] = False,
) -> Response:
    """Put a whole document into force, as `zvon apply` does; the answer says what has changed, in lines."""
    who.check("document", "write")
    text = (await octets(request)).decode("utf-8", "replace")
    for _ in range(TRIES):
        snapshot = await core.snapshot()
        office = await _parsed(text, core, snapshot)
        changes, said = plan(snapshot.office, office), advice(office, snapshot.office)
        if dry_run or not changes:
            return answer(str(changes).splitlines() if changes else [], warning=said)
        done = await core.change(office, snapshot, who.name, "document")
        if done.is_changed:
            await tell(core, who, "apply", "document", None, {"changes": done.changes})
            return answer(done.changes, warning=said)
    raise busy()


async def _parsed(text: str, core: Core, snapshot: Snapshot) -> Office:
    try:
        found: Office = await core.beside(parse_office, text, str(core.data / "office.toml"), snapshot.office)
    except ConfInvalid as error:
        said = ((each.key_path, f"line {each.line}: {each.message}") for each in error.errors)
        raise Refused(422, *said) from None
    return found


async def _office(core: Core, id: int) -> Office:
    version = await core.ask(GetVersion(id), OfficeVersion | None)  # type: ignore[arg-type]
    if version is None:
        raise refused(404, f"there is no version {id} (any more)")
    try:
        return parse_office(version.document, f"version {id}", Office())
    except ConfInvalid as error:
        raise refused(409, f"this program does not take version {id}: {error}") from None


def _entry(entry: AuditEntry) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(entry)
    return found | {name: msgspec.json.decode(found[name]) if found[name] else None for name in ("before", "after")}


def _version(version: OfficeVersion) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(version)
    del found["document"]
    return found
