"""Many entries at a time: CSV in, looked at before it is carried out, and CSV out (USR-17, USR-18)."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from conf.load import check_office
from storage.records import OfficeList
from web.answers import Refused, answer, refused
from web.body import octets
from web.core import Core
from web.describe import gives, many, takes, thing
from web.door import Caller, TheCore
from web.draft import LISTS, Draft, Values, merged, without_secrets
from web.edit import change, tell
from web.table import rows_of, table_of

router = APIRouter(tags=["import"])
Name = Annotated[str, Path(max_length=40, description="A list of the office.")]
Strategy = Literal["skip_duplicates", "update_existing", "fail_on_duplicate"]
ROW = thing(line="integer", key="string", status="string", errors=many({"type": "string"}))
REPORT = thing(valid="integer", duplicates="integer", errors="integer", rows=many(ROW), applied="boolean")


class Rows:
    """The rows of a file put into a draft, and what became of each."""

    def __init__(self, of: OfficeList, rows: list[tuple[int, Values]], strategy: Strategy) -> None:
        self.of, self._rows, self._strategy = of, rows, strategy
        self.report: list[dict[str, Any]] = []
        self._line_of: dict[int, int] = {}  # place in the list → row

    def put(self, draft: Draft) -> None:
        self.report, self._line_of = [], {}
        known = {entry[self.of.key]: place for place, entry in enumerate(draft.entries(self.of))}
        for line, entry in self._rows:
            key = str(entry.get(self.of.key, ""))
            row: dict[str, Any] = {"line": line, "key": key, "status": "valid", "errors": []}
            self.report.append(row)
            place = known.get(key)
            if place is None:
                place = known[key] = draft.add(self.of, entry)
            elif place in self._line_of:
                row |= {"status": "error", "errors": [f'"{key}" stands in the file twice']}
                continue
            elif self._strategy == "fail_on_duplicate":
                row |= {"status": "error", "errors": [f'there is a {self.of.kind} "{key}" already']}
                continue
            else:
                row["status"] = "duplicate"
                if self._strategy == "skip_duplicates":
                    continue
                draft.put(self.of, place, merged(draft.entries(self.of)[place], entry))
            self._line_of[place] = len(self.report) - 1

    def blame(self, error: Refused) -> None:
        """Mistakes to their rows; those of other places are nobody's and raised again."""
        others = []
        for field, text in error.problems:
            parts = field.split(".")
            at = int(parts[1]) if parts[0] == self.of.name and len(parts) > 1 and parts[1].isdecimal() else -1
            if at in self._line_of:
                row = self.report[self._line_of[at]]
                row["status"] = "error"
                row["errors"].append(": ".join(filter(None, (".".join(parts[2:]), text))))
            else:
                others.append((field, text))
        if others:
            raise Refused(422, *others)

    @property
    def has_errors(self) -> bool:
        return any(row["errors"] for row in self.report)

    def answer(self, *, applied: bool) -> dict[str, Any]:
        counts = {name: sum(row["status"] == name for row in self.report) for name in ("valid", "duplicate", "error")}
        return {
            "valid": counts["valid"],
            "duplicates": counts["duplicate"],
            "errors": counts["error"],
            "rows": self.report,
            "applied": applied,
        }


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
    of = _list(name)
    who.check(name, "write")
    rows = Rows(of, rows_of(await octets(request), of), strategy)
    await _look(core, rows)
    if not apply or rows.has_errors:
        if apply:
            raise Refused(422, *((f"line {row['line']}", text) for row in rows.report for text in row["errors"]))
        return answer(rows.answer(applied=False))
    done = await change(core, who, rows.put, "import")
    await tell(core, who, "import", name, None, {"rows": len(rows.report), "changes": len(done.changes)})
    return answer(rows.answer(applied=True), info=done.changes)


@router.get(
    "/export/{name}",
    responses={200: {"description": "The list as CSV.", "content": {"text/csv": {}}}},
)
async def export_table(who: Caller, core: TheCore, name: Name, secrets: bool = False) -> Response:
    """The whole list as CSV, which `import` takes back."""
    of = _list(name)
    who.check(name, "read")
    entries = Draft((await core.snapshot()).values).entries(of)
    shown = entries if secrets else without_secrets(entries)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(table_of(shown, of), media_type="text/csv; charset=utf-8", headers=headers)


async def _look(core: Core, rows: Rows) -> None:
    """What would become of the rows; nothing is changed."""
    snapshot = await core.snapshot()
    draft = Draft(snapshot.values)
    rows.put(draft)
    found = check_office(draft.values, snapshot.office, core.data)
    if isinstance(found, list):
        rows.blame(Refused(422, *((".".join(map(str, each.path)), each.message) for each in found)))


def _list(name: str) -> OfficeList:
    if name not in LISTS:
        raise refused(404, f'the office has no list "{name}"')
    return LISTS[name]
