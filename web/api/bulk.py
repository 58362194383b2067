"""Many entries at a time: CSV in, looked at before it is carried out, and CSV out (USR-17, USR-18)."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from web import employee_table
from web.answers import Refused, answer, refused
from web.body import octets
from web.describe import gives, many, takes, thing
from web.door import Caller, TheCore
from web.draft import LISTS, Draft, Values, without_secrets
from web.edit import tell
from web.employee_table import Columns
from web.employees import cards
from web.pictures import with_pictures
from web.rows import Rows, Strategy, Target, target_of
from web.table import blank_of, list_table, rows_of

router = APIRouter(tags=["import"])
MAX_FILE = 10 * 1024 * 1024
Name = Annotated[str, Path(max_length=40, description="A list of the office, or employees.")]
Number = Annotated[str, Query(max_length=8)]
WITH_PASSWORDS = ("terminals", "employees")  # that come from elsewhere, and may be weaker than ours (AMB-7)
TEXTS = many({"type": "string"})
ROW = thing(line="integer", key="string", status="string", errors=TEXTS, warnings=TEXTS)
REPORT = thing(valid="integer", duplicates="integer", errors="integer", rows=many(ROW), applied="boolean")
CSV: dict[int | str, dict[str, Any]] = {200: {"description": "The list as CSV.", "content": {"text/csv": {}}}}


@router.post("/import/{name}", responses=gives(REPORT), openapi_extra=takes({"type": "string"}, "text/csv"))
async def import_table(
    request: Request,
    who: Caller,
    core: TheCore,
    name: Name,
    strategy: Strategy = "skip_duplicates",
    apply: Annotated[bool, Query(description="false: only look at it.")] = False,
) -> Response:
    """Rows of CSV become entries, all or none. Without `apply` the answer says what would become of each line."""
    target = _target(name)
    who.check(name, "write")
    lines = _rows(await octets(request, MAX_FILE), name)
    rows = Rows(target, lines, strategy, takes_weak=name in WITH_PASSWORDS)
    await rows.look(core)
    if not apply or rows.has_errors:
        if apply:
            raise Refused(422, *rows.errors)
        return answer(rows.answer(applied=False))
    done = await rows.carry_out(core, who)
    await tell(core, who, "import", name, None, {"rows": len(rows.report), "changes": len(done.changes)})
    return answer(rows.answer(applied=True), info=done.changes)


@router.get("/import/employees:template", responses=CSV)
async def employees_template(who: Caller, columns: Columns = "standard") -> Response:
    """A table to fill in, with two rows that show how."""
    who.check("employees", "read")
    return _csv(employee_table.template(columns), "employees")


@router.get("/export/{name}", responses=CSV)
async def export_table(
    who: Caller,
    core: TheCore,
    name: Name,
    secrets: bool = False,
    columns: Columns = "standard",
    number_from: Number = "",
    number_to: Number = "",
) -> Response:
    """The whole list as CSV, which `import` takes back; of employees the columns and numbers that are wanted."""
    _target(name)
    who.check(name, "write" if secrets else "read")
    values = (await core.snapshot()).values
    if name == "employees":
        people = [_shown(each, secrets=secrets) for each in cards(values) if who.sees_user(each["id"])]
        pictures = await with_pictures(core) if columns == "full" else ()
        return _csv(employee_table.employee_table(people, pictures, columns, number_from, number_to), name)
    of = LISTS[name]
    return _csv(list_table([_shown(each, secrets=secrets) for each in Draft(values).entries(of)], of), name)


def _csv(table: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(table, media_type="text/csv; charset=utf-8", headers=headers)


def _shown(entry: Values, *, secrets: bool) -> Values:
    found: Values = entry if secrets else without_secrets(entry)
    return found


def _rows(file: bytes, name: str) -> list[tuple[int, Values]]:
    if name == "employees":
        return employee_table.employee_rows(file)
    of = LISTS[name]
    return rows_of(file, of.key, blank_of(of))


def _target(name: str) -> Target:
    found = target_of(name)
    if found is None:
        raise refused(404, f'the office has no list "{name}"')
    return found
