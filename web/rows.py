"""Many entries at a time: rows put into a draft, and what became of each (USR-17, USR-20)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Protocol

from conf.passwords import weakness
from storage.records import Office, OfficeList, Terminal
from web import employees
from web.answers import Refused
from web.core import Core
from web.draft import LISTS, Draft, Values, merged
from web.edit import Done, change
from web.rights import Principal

Strategy = Literal["skip_duplicates", "update_existing", "fail_on_duplicate"]
SHORTEST = 5  # of a password that comes from elsewhere and is taken with a warning only (USR-13)


class Target(Protocol):
    """What the rows become: `kind` is what one is called, `key` the column that tells them apart. `add` and `update`
    return key paths that begin the mistakes of the row."""

    kind: str
    key: str

    def known(self, draft: Draft) -> Mapping[str, str]:
        """Key of a row → how the entry is found that is there already."""

    def add(self, draft: Draft, entry: Values) -> Sequence[str]: ...

    def update(self, draft: Draft, found: str, entry: Values) -> Sequence[str]: ...


class ListTarget:
    """Entries of a list of the office."""

    def __init__(self, of: OfficeList) -> None:
        self.of, self.kind, self.key = of, of.kind, of.key

    def known(self, draft: Draft) -> Mapping[str, str]:
        return {each[self.key]: each[self.key] for each in draft.entries(self.of)}

    def add(self, draft: Draft, entry: Values) -> Sequence[str]:
        return (f"{self.of.name}.{draft.add(self.of, entry)}",)

    def update(self, draft: Draft, found: str, entry: Values) -> Sequence[str]:
        place = draft.place(self.of, found)
        draft.put(self.of, place, merged(draft.entries(self.of)[place], entry))
        return (f"{self.of.name}.{place}",)


class EmployeeTarget:
    """People with their main terminals, by number."""

    kind, key = "employee", "number"

    def known(self, draft: Draft) -> Mapping[str, str]:
        people = {each["id"] for each in draft.values["users"]}
        return {each["number"]: each["owner"] for each in draft.values["terminals"] if each["owner"] in people}

    def add(self, draft: Draft, entry: Values) -> Sequence[str]:
        return _paths(employees.add(draft, entry))

    def update(self, draft: Draft, found: str, entry: Values) -> Sequence[str]:
        return _paths(employees.patch(draft, found, entry))


def target_of(name: str) -> Target | None:
    """By the name of the resource."""
    return EmployeeTarget() if name == "employees" else ListTarget(LISTS[name]) if name in LISTS else None


class Rows:
    """`rows` are pairs of a line and an entry. With `takes_weak` passwords that come from elsewhere may be weaker than
    new ones, and the row says so (AMB-7)."""

    def __init__(
        self, target: Target, rows: Iterable[tuple[int, Values]], strategy: Strategy, *, takes_weak: bool = False
    ) -> None:
        self.target, self._rows, self._strategy, self._takes_weak = target, list(rows), strategy, takes_weak
        self.report: list[dict[str, Any]] = []
        self._row_of: dict[str, int] = {}  # beginning of a key path → row

    async def look(self, core: Core) -> None:
        """What would become of the rows; nothing is changed."""
        snapshot = await core.snapshot()
        draft = Draft(snapshot.values)
        self._put(draft)
        found = await core.look(draft.values, self._stored(snapshot.office))
        if isinstance(found, list):
            self._blame((".".join(map(str, each.path)), each.message) for each in found)

    async def carry_out(self, core: Core, who: Principal) -> Done:
        return await change(core, who, self._put, "import", self._stored)

    async def leave_out_wrong(self, core: Core) -> list[dict[str, Any]]:
        """Look without the rows that are wrong, until none is; the report of those that were left out."""
        left_out: list[dict[str, Any]] = []
        while self.has_errors:
            wrong = {index for index, row in enumerate(self.report) if row["errors"]}
            left_out += [self.report[index] for index in wrong]
            self._rows = [row for index, row in enumerate(self._rows) if index not in wrong]
            await self.look(core)
        return left_out

    @property
    def has_errors(self) -> bool:
        return any(row["errors"] for row in self.report)

    @property
    def errors(self) -> list[tuple[str, str]]:
        """Pairs of a line and a sentence."""
        return [(f"line {row['line']}", text) for row in self.report for text in row["errors"]]

    def answer(self, *, applied: bool) -> dict[str, Any]:
        return answer_of(self.report, applied=applied)

    def _put(self, draft: Draft) -> None:
        self.report, self._row_of = [], {}
        known, seen = self.target.known(draft), set[str]()
        for index, (line, entry) in enumerate(self._rows):
            key = str(entry.get(self.target.key, ""))
            row: dict[str, Any] = {"line": line, "key": key, "status": "valid", "errors": [], "warnings": []}
            self.report.append(row)
            try:
                paths = self._put_row(draft, row, known, seen, entry)
            except Refused as error:
                paths = ()
                _mark(row, [": ".join(filter(None, each)) for each in error.problems])
            self._row_of.update(dict.fromkeys(paths, index))
            if paths:
                self._look_at_password(row, entry)

    def _put_row(
        self, draft: Draft, row: dict[str, Any], known: Mapping[str, str], seen: set[str], entry: Values
    ) -> Sequence[str]:
        key = row["key"]
        if key and key in seen:
            _mark(row, [f'"{key}" stands in the file twice'])
            return ()
        seen.add(key)
        if key not in known:
            return self.target.add(draft, entry)
        if self._strategy == "fail_on_duplicate":
            _mark(row, [f'the {self.target.kind} "{key}" is there already'])
            return ()
        row["status"] = "duplicate"
        return () if self._strategy == "skip_duplicates" else self.target.update(draft, known[key], entry)

    def _look_at_password(self, row: dict[str, Any], entry: Values) -> None:
        password = entry.get("password", "")
        if self._takes_weak and isinstance(password, str) and len(password) >= SHORTEST and (why := weakness(password)):
            row["warnings"].append(why)

    def _stored(self, office: Office) -> Office:
        """As if the passwords of the rows had been there before, where they are taken although they are weak."""
        if not self._takes_weak:
            return office
        kept = {each.number for each in office.terminals} if self._strategy != "update_existing" else ()
        given = {
            number: password
            for _, entry in self._rows
            if isinstance(password := entry.get("password"), str) and len(password) >= SHORTEST
            if (number := str(entry.get("number"))) not in kept
        }
        others = (each for each in office.terminals if each.number not in given)
        return replace(office, terminals=(*others, *(Terminal(number, password=own) for number, own in given.items())))

    def _blame(self, problems: Iterable[tuple[str, str]]) -> None:
        """Mistakes to their rows; those of other places are nobody's and raised."""
        others = []
        for field, text in problems:
            parts = field.split(".")
            at = self._row_of.get(".".join(parts[:2]))
            if at is None:
                others.append((field, text))
            else:
                _mark(self.report[at], [": ".join(filter(None, (".".join(parts[2:]), text)))])
        if others:
            raise Refused(422, *others)


def answer_of(report: Sequence[dict[str, Any]], *, applied: bool) -> dict[str, Any]:
    counts = {name: sum(row["status"] == name for row in report) for name in ("valid", "duplicate", "error")}
    return {
        "valid": counts["valid"],
        "duplicates": counts["duplicate"],
        "errors": counts["error"],
        "rows": report,
        "applied": applied,
    }


def _paths(places: employees.Places) -> Sequence[str]:
    found = [f"users.{places.user}"]
    return [*found, f"terminals.{places.terminal}"] if places.terminal >= 0 else found


def _mark(row: dict[str, Any], errors: Iterable[str]) -> None:
    row["status"] = "error"
    row["errors"] += errors
