"""Tables in and out: looked at first, mistakes by line, all or nothing."""

import csv
import io
from pathlib import Path
from typing import Any

import httpx
import pytest

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


PEOPLE = (
    "\ufeffnumber\tname\temail\tmobile\tpassword\tforward.ring_time\n"
    "202\tБорис Орлов\torlov@example.com\t+79162220000\tLong-Enough_2\t20\n"
    "203\tOlga\t\t\tweakbutkept\t\n"
    "201\tAnna\tanna@example.com\t\t\t\n"
)


async def put_in(found: Api, text: str, query: str = "") -> httpx.Response:
    return await found.client.post(f"/import/employees{query}", content=text.encode())


@pytest.mark.row("USR-17")
async def test_people_come_in_as_a_table_after_a_look_at_every_row(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        looked = data_of(await put_in(found, PEOPLE))
        assert statuses(looked) == [(2, "202", "valid"), (3, "203", "valid"), (4, "201", "duplicate")]
        assert (looked["valid"], looked["duplicates"], looked["errors"]) == (2, 1, 0)
        assert [bool(row["warnings"]) for row in looked["rows"]] == [False, True, False]
        assert "too weak" in looked["rows"][1]["warnings"][0]
        assert found.server.office == OFFICE
        for delimiter in ",;":
            assert data_of(await put_in(found, PEOPLE.replace("\t", delimiter))) == looked
        data_of(await put_in(found, PEOPLE, "?apply=true"))
        anna, boris, olga = found.server.office.users
        assert (anna.email, boris.name, boris.mobile, olga.name) == ("", "Борис Орлов", "+79162220000", "Olga")
        _, second, third = found.server.office.terminals
        assert (second.owner, second.password, second.forward.ring_time) == (boris.id, "Long-Enough_2", 20)
        assert (third.owner, third.password, third.forward.ring_time) == (olga.id, "weakbutkept", 45)
        data_of(await put_in(found, PEOPLE, "?apply=true&strategy=update_existing"))
        assert found.server.office.users[0].email == "anna@example.com"
        assert found.server.office.terminals[0].password == "Secret-201"
        refused = data_of(await put_in(found, PEOPLE, "?strategy=fail_on_duplicate"))
        assert [row["status"] for row in refused["rows"]] == ["error"] * 3
        wrong = data_of(await put_in(found, "number,name,mobile\n204,X,abc\n205,,\n204,Y,\n206,Z,\n"))
        assert [row["status"] for row in wrong["rows"]] == ["error", "error", "error", "valid"]
        assert wrong["rows"][0]["errors"][0].startswith("mobile: must be")
        assert wrong["rows"][1]["errors"] == ['"name" is missing']
        many = "number,name\n" + "".join(f"{index},X\n" for index in range(1001))
        assert "at most 1000" in errors_of(await put_in(found, many), 422)[""]
        big = await found.client.post("/import/employees", content=b"number,name\n" + bytes(10 * 1024 * 1024))
        assert "larger than 10 MB" in errors_of(big, 413)[""]


@pytest.mark.row("USR-18")
async def test_people_come_out_in_three_sets_of_columns(tmp_path: Path) -> None:
    def lines(text: str) -> list[list[str]]:
        return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))

    async with api(tmp_path, OFFICE) as found:
        client = found.client
        data_of(await put_in(found, PEOPLE, "?apply=true"))
        out = await client.get("/export/employees?columns=minimal&secrets=true")
        assert out.content.startswith(b"\xef\xbb\xbf")
        head, *rows = lines(out.text)
        assert head == ["number", "name", "email", "mobile", "password", "forward.ring_time", "forward.no_answer"]
        assert rows[1] == ["202", "Борис Орлов", "orlov@example.com", "'+79162220000", "Long-Enough_2", "20", ""]
        standard = lines((await client.get("/export/employees")).text)
        added = ["mobile_dial", "dtmf", "transport", "record", "forward.busy", "forward.unavailable"]
        assert standard[0] == [*head, *added]
        assert "Long-Enough_2" not in str(standard)
        full = lines((await client.get("/export/employees?columns=full")).text)
        assert {*standard[0], "position", "location", "max_contacts", "network", "srtp", "avatar"} <= set(full[0])
        data_of(await client.put("/employees/anna/avatar", content=b"\x89PNG\r\n\x1a\n" + bytes(2000)))
        (anna,) = [row for row in lines((await client.get("/export/employees?columns=full")).text) if row[0] == "201"]
        assert anna[full[0].index("avatar")] == "/api/v3/employees/anna/avatar"
        some = lines((await client.get("/export/employees?number_from=202&number_to=202")).text)
        assert [row[0] for row in some[1:]] == ["202"]
        before = found.server.office
        whole = await client.get("/export/employees?columns=full&secrets=true")
        data_of(await put_in(found, whole.text, "?apply=true&strategy=update_existing"))
        assert found.server.office == before
        sample = (await client.get("/import/employees:template?columns=minimal")).text
        assert len(lines(sample)) == 3
        assert data_of(await put_in(found, sample.replace("201", "301").replace("202", "302")))["valid"] == 2


@pytest.mark.row("USR-19")
async def test_tables_of_other_systems_come_in_without_being_rewritten(tmp_path: Path) -> None:
    legacy = (
        "301;Иванов Иван;Secret_301x;79161112233;30;1\n302;Petrov;Secret_302x;79161112234;;0\n303;Sidorov;Secret_303x\n"
    )
    freepbx = (
        "extension,password,name,voicemail,ringtimer,noanswer,tech,secret,voicemail_email\n"
        "401,,Smith John,default,15,,pjsip,8f0e2c4b5a6d7e8f,smith@example.com\n"
    )
    async with api(tmp_path, OFFICE) as found:
        report = data_of(await put_in(found, legacy, "?apply=true"))
        assert statuses(report) == [(1, "301", "valid"), (2, "302", "valid"), (3, "303", "valid")]
        _, ivanov, petrov, sidorov = found.server.office.terminals
        assert (ivanov.forward.no_answer, ivanov.forward.ring_time) == ("79161112233", 30)
        assert (petrov.forward.no_answer, petrov.forward.ring_time) == ("", 45)
        assert [each.password for each in (ivanov, petrov, sidorov)] == ["Secret_301x", "Secret_302x", "Secret_303x"]
        names = [(each.name, each.mobile) for each in found.server.office.users[1:]]
        assert names == [("Иванов Иван", "79161112233"), ("Petrov", "79161112234"), ("Sidorov", "")]
        assert "line 1" in errors_of(await put_in(found, "304;Nobody\n"), 422)[""]
        data_of(await put_in(found, freepbx, "?apply=true"))
        smith, own = found.server.office.users[-1], found.server.office.terminals[-1]
        assert (smith.name, smith.email) == ("Smith John", "smith@example.com")
        assert (own.number, own.password, own.forward.ring_time) == ("401", "8f0e2c4b5a6d7e8f", 15)
