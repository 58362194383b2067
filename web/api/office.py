"""Every list and section of the office as a resource. The document says which there are: a new section needs nothing
here (API-1, API-5, API-11)."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response

from conf.export import entry_values, section_values
from conf.office_advice import advice_on
from storage.records import OFFICE_LISTS, OFFICE_SECTIONS, OfficeList, secret_of
from web.answers import Page, Refused, answer, refused
from web.body import record_of, values_of
from web.core import Core
from web.defaults import template
from web.describe import entry_schema, gives, many, patch_schema, takes, thing
from web.door import Caller, TheCore
from web.draft import Draft, Values, copy_of, merged, of_entry, searched, without_secrets
from web.edit import change, check_match, etag, tell
from web.leaving import still_named, take_along
from web.rights import Principal

router = APIRouter()
IfMatch = Annotated[str | None, Header(alias="If-Match", description="Only if it is still this one (ETag).")]
Key = Annotated[str, Path(max_length=100)]
Secrets = Annotated[bool, Query(description="With passwords and PINs: for who may write.")]
Cascade = Annotated[
    bool, Query(description="With what is nothing without it: routes, rules and numbers of a provider; memberships.")
]
Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]
POSITION = thing(position={"type": "integer", "minimum": 0})


def shown(values: Values, *, secrets: bool = False) -> Values:
    found: Values = values if secrets else without_secrets(values)
    return found


def sorted_by(entries: list[Values], sort: str) -> list[Values]:
    """By one key, with - before it the other way round (USR-9); numbers in the order of their digits."""
    name, down = sort.lstrip("-"), sort.startswith("-")
    return sorted(entries, key=lambda each: str(each.get(name, "")).casefold(), reverse=down) if name else entries


class ListResource:
    """The endpoints of one list."""

    def __init__(self, of: OfficeList) -> None:
        self.of, self.name = of, of.name
        self.schema = entry_schema(of.name)

    async def read(
        self,
        who: Caller,
        core: TheCore,
        search: str = "",
        sort: str = "",
        limit: Limit = 1000,
        offset: Offset = 0,
        secrets: Secrets = False,
    ) -> Response:
        who.check(self.name, "write" if secrets else "read")
        entries = list((await core.snapshot()).values[self.name])
        if search:
            entries = list(searched(entries, search))
        entries = sorted_by(entries, sort)
        items = [shown(each, secrets=secrets) for each in entries[offset : offset + limit]]
        return answer(Page(items, len(entries), limit, offset))

    async def get(self, who: Caller, core: TheCore, key: Key, secrets: Secrets = False) -> Response:
        who.check(self.name, "write" if secrets else "read")
        entry = Draft((await core.snapshot()).values).entry(self.of, key)
        return answer(shown(entry, secrets=secrets), headers={"ETag": etag(entry)})

    async def default(self, who: Caller, core: TheCore) -> Response:
        who.check(self.name, "read")
        return answer(template(self.of, await core.snapshot()))

    async def create(self, request: Request, who: Caller, core: TheCore) -> Response:
        who.check(self.name, "write")
        return await self._add(core, who, await values_of(request))

    async def copy(self, request: Request, who: Caller, core: TheCore, key: Key) -> Response:
        """Another one like it; the body says at least what its key is."""
        who.check(self.name, "write")
        changes = await values_of(request)
        entry = copy_of(Draft((await core.snapshot()).values).entry(self.of, key))
        entry.pop(secret_of(self.of.record) or "", None)
        return await self._add(core, who, merged(entry, changes))

    async def _add(self, core: Core, who: Principal, entry: Values) -> Response:
        place: list[int] = []

        def edit(draft: Draft) -> None:
            place[:] = [draft.add(self.of, entry)]

        values, said = await self._changed(core, who, edit, lambda: place[0])
        await tell(core, who, "create", f"{self.name}/{values[self.of.key]}", None, values)
        headers = {"ETag": etag(values), "Location": f"/api/v3/{self.name}/{values[self.of.key]}"}
        return answer(shown(values), status=201, warning=said, headers=headers)

    async def put(self, request: Request, who: Caller, core: TheCore, key: Key, if_match: IfMatch = None) -> Response:
        """The whole entry; a password that is not given stays."""
        entry = await values_of(request)
        return await self._replace(core, who, key, if_match, lambda before: entry)

    async def patch(self, request: Request, who: Caller, core: TheCore, key: Key, if_match: IfMatch = None) -> Response:
        """What is named is changed, null is the default again, everything else stays as it is (RFC 7396)."""
        part = await values_of(request)
        return await self._replace(core, who, key, if_match, lambda before: merged(before, part))

    async def _replace(
        self, core: Core, who: Principal, key: str, if_match: str | None, made: Callable[[Values], Values]
    ) -> Response:
        who.check(self.name, "write")
        seen: list[Any] = []

        def edit(draft: Draft) -> None:
            index = draft.place(self.of, key)
            before = draft.entries(self.of)[index]
            check_match(if_match, before)
            seen[:] = [index, before]
            draft.put(self.of, index, made(before))

        values, said = await self._changed(core, who, edit, lambda: seen[0])
        await tell(core, who, "change", f"{self.name}/{key}", seen[1], values)
        return answer(shown(values), warning=said, headers={"ETag": etag(values)})

    async def delete(
        self, who: Caller, core: TheCore, key: Key, if_match: IfMatch = None, cascade: Cascade = False
    ) -> Response:
        """Refused with the places that name it, as long as there are some (USR-14)."""
        who.check(self.name, "write")
        seen: list[Values] = []

        def edit(draft: Draft) -> None:
            index = draft.place(self.of, key)
            seen[:] = [draft.entries(self.of)[index], draft.values]
            check_match(if_match, seen[0])
            draft.remove(self.of, index)
            if cascade:
                take_along(draft, self.of, key)

        try:
            await change(core, who, edit)
        except Refused as error:
            raise still_named(error, self.of, key, seen[1]) if error.status == 422 else error from None
        await tell(core, who, "delete", f"{self.name}/{key}", seen[0])
        return answer(None, info=(f"{self.of.kind} {key} is gone",))

    async def move(self, request: Request, who: Caller, core: TheCore, key: Key) -> Response:
        """To another place in the order of the list, the first is 0."""
        who.check(self.name, "write")
        position = (await record_of(request, dict[str, int])).get("position", -1)
        if position < 0:
            raise refused(422, "must be 0 or more", "position")
        await change(core, who, lambda draft: draft.move(self.of, draft.place(self.of, key), position))
        await tell(core, who, "move", f"{self.name}/{key}", None, {"position": position})
        return answer(None)

    async def _changed(
        self, core: Core, who: Principal, edit: Callable[[Draft], None], place: Callable[[], int]
    ) -> tuple[Values, tuple[str, ...]]:
        """The entry after a change and what there is to say of it, with key paths of mistakes from there on."""
        try:
            done = await change(core, who, edit)
        except Refused as error:
            raise of_entry(error, self.name, place()) if error.status == 422 else error from None
        entry = self.of.of(done.office)[place()]
        return entry_values(entry), advice_on(entry)

    def add_to(self, routes: APIRouter) -> None:
        one, tags = f"/{self.name}/{{key}}", [self.name]
        schema, part = takes(self.schema), takes(patch_schema(self.name))
        shown_one, shown_all = gives(self.schema), gives(many(self.schema))
        gone = gives({"type": "null"})
        for path, method, endpoint, responses, body in (
            (f"/{self.name}", "GET", self.read, shown_all, {}),
            (f"/{self.name}", "POST", self.create, gives(self.schema, 201, "Created."), schema),
            (f"/{self.name}:getDefault", "GET", self.default, gives({"type": "object"}), {}),
            (f"{one}:copy", "POST", self.copy, gives(self.schema, 201, "Created."), part),
            (
                f"{one}:changePriority",
                "POST",
                self.move,
                gone,
                takes(POSITION),
            ),
            (one, "GET", self.get, shown_one, {}),
            (one, "PUT", self.put, shown_one, schema),
            (one, "PATCH", self.patch, shown_one, part),
            (one, "DELETE", self.delete, gone, {}),
        ):
            verb = endpoint.__name__
            routes.add_api_route(
                path,
                endpoint,
                methods=[method],
                responses=responses,
                openapi_extra=body,
                tags=list(tags),
                operation_id=f"{self.name}_{verb}",
                status_code=201 if 201 in responses else 200,
                summary=f"{self.of.kind}: {verb}",
            )


class SectionResource:
    """The endpoints of one section, `[office]` among them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.schema = entry_schema(name)

    async def get(self, who: Caller, core: TheCore) -> Response:
        who.check(self.name, "read")
        values = (await core.snapshot()).values[self.name]
        return answer(without_secrets(values), headers={"ETag": etag(values)})

    async def put(self, request: Request, who: Caller, core: TheCore, if_match: IfMatch = None) -> Response:
        values = await values_of(request)
        return await self._replace(core, who, if_match, lambda before: values)

    async def patch(self, request: Request, who: Caller, core: TheCore, if_match: IfMatch = None) -> Response:
        part = await values_of(request)
        return await self._replace(core, who, if_match, lambda before: merged(before, part))

    async def _replace(
        self, core: Core, who: Principal, if_match: str | None, made: Callable[[Values], Values]
    ) -> Response:
        who.check(self.name, "write")
        seen: list[Values] = []

        def edit(draft: Draft) -> None:
            seen[:] = [draft.values[self.name]]
            check_match(if_match, seen[0])
            draft.values[self.name] = made(seen[0])

        try:
            done = await change(core, who, edit)
        except Refused as error:
            raise of_entry(error, self.name) if error.status == 422 else error from None
        values = section_values(done.office, self.name)
        await tell(core, who, "change", self.name, seen[0], values)
        return answer(without_secrets(values), headers={"ETag": etag(values)})

    def add_to(self, routes: APIRouter) -> None:
        for method, endpoint, body in (
            ("GET", self.get, {}),
            ("PUT", self.put, takes(self.schema)),
            ("PATCH", self.patch, takes(patch_schema(self.name))),
        ):
            routes.add_api_route(
                f"/{self.name}",
                endpoint,
                methods=[method],
                responses=gives(self.schema),
                openapi_extra=body,
                tags=[self.name],
                operation_id=f"{self.name}_{method.lower()}",
                summary=f"[{self.name}]: {method.lower()}",
            )


for each in OFFICE_LISTS:
    ListResource(each).add_to(router)
for section in ("office", *OFFICE_SECTIONS):
    SectionResource(section).add_to(router)
