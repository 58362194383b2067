"""Tables in and out: looked at first, mistakes by line, all or nothing."""

from pathlib import Path
from typing import Any

import httpx

from storage.records import Office, User
from tests.support.api import Api, api, data_of, errors_of
from tests.support.builders import terminal

OFFICE = Office("Test", users=(User("anna", "Anna"),), terminals=(terminal("201", owner="anna", max_calls=3),))
GOOD = (
    "\ufeffnumber;owner;password;max_calls;record;forward.busy\r\n"
    "202;anna;Long-Enough_2;2;0;201\r\n"
    "\r\n"
    "203;;Long-Enough_3;;;202\r\n"
    "201;;;5;;\r\n"
)


async def posted(found: Api, text: str, query: str = "") -> httpx.Response:
    return await found.client.post(f"/import/terminals{query}", content=text.encode())


def statuses(report: Any) -> list[tuple[int, str, str]]:
    return [(row["line"], row["key"], row["status"]) for row in report["rows"]]


async def test_a_table_is_looked_at_before_it_is_carried_out(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        looked = data_of(await posted(found, GOOD))
        assert statuses(looked) == [(2, "202", "valid"), (4, "203", "valid"), (5, "201", "duplicate")]
        assert (looked["valid"], looked["duplicates"], looked["errors"], looked["applied"]) == (2, 1, 0, False)
        assert found.server.office == OFFICE
        assert data_of(await posted(found, GOOD, "?apply=true"))["applied"] is True
        one, two, three = tuple(found.server.office.terminals)
        assert (one.max_calls, two.number, two.max_calls, two.record, two.owner) == (3, "202", 2, False, "anna")
        assert (two.forward.busy, two.password, three.forward.busy) == ("201", "Long-Enough_2", "202")
        data_of(await posted(found, GOOD, "?apply=true&strategy=update_existing"))
        assert found.server.office.terminals[0].max_calls == 5
        assert found.server.office.terminals[0].password == "Secret-201"


async def test_mistakes_are_told_by_line_and_nothing_is_changed(tmp_path: Path) -> None:
    rows = ("202,weak,2,", "203,Long-Enough_3,many,", "203,Long-Enough_3,,", "204,Long-Enough_4,,red")
    bad = "\n".join(("number,password,max_calls,colour", *rows))
    async with api(tmp_path, OFFICE) as found:
        report = data_of(await posted(found, bad))
        said = {row["line"]: row["errors"] for row in report["rows"]}
        assert said[2] == ["password: the password is too short: at least 9 characters, not 4"]
        assert said[3] == ["max_calls: must be a whole number, not text"]
        assert said[4] == ['"203" stands in the file twice']
        assert said[5] == ['colour: unknown key "colour"']
        refusal = errors_of(await posted(found, bad, "?apply=true"), 422)
        assert set(refusal) == {"line 2", "line 3", "line 4", "line 5"}
        duplicate = data_of(await posted(found, GOOD, "?strategy=fail_on_duplicate"))
        assert statuses(duplicate)[2] == (5, "201", "error")
        assert found.server.office == OFFICE
        for wrong, why in ((b"", "empty"), (b"name\nx", 'no column "number"'), (b"\xff\xfe", "not UTF-8")):
            response = await found.client.post("/import/terminals", content=wrong)
            assert why in str(errors_of(response, 422))
        errors_of(await found.client.post("/import/nothing", content=b"x"), 404)


async def test_a_list_comes_out_as_a_table_that_goes_in_again(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        await found.create("users", id="x", name="=cmd()", skills=["german", "french"])
        out = await found.client.get("/export/users")
        assert out.headers["content-type"] == "text/csv; charset=utf-8"
        assert out.content.startswith(b"\xef\xbb\xbfid,name,")
        assert "'=cmd()" in out.text
        before = found.server.office
        again = await found.client.post("/import/users?apply=true&strategy=update_existing", content=out.content)
        assert data_of(again)["duplicates"] == 2
        assert found.server.office == before
        assert "Secret-201" not in (await found.client.get("/export/terminals")).text
        assert "Secret-201" in (await found.client.get("/export/terminals?secrets=true")).text
