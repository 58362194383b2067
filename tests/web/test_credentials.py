"""What phones sign in with, shown and made anew over the API and by the command line (EXT-4)."""

import asyncio
import json
from pathlib import Path
from string import ascii_letters, digits
from typing import Any

import pytest
from typer.testing import Result

from conf.passwords import weakness
from storage.records import Office, User
from tests.pbx.test_cli import zvon
from tests.support.api import Api, api, data_of, errors_of
from tests.support.builders import terminal

OFFICE = Office(
    "Test",
    users=(User("anna", "Anna"),),
    terminals=(terminal("201", owner="anna"), terminal("202", login="jane.desk")),
    login_suffix="-k7",
)


async def asked(found: Api, *arguments: str) -> Result:
    return await asyncio.to_thread(zvon, "password", *arguments, "--data", str(found.core.data))


async def made_by_command(found: Api) -> Any:
    """What `zvon password new 201` prints, after what the server in this process has to say."""
    printed = (await asked(found, "new", "201", "--json")).stdout
    return json.loads(printed[printed.index("{") :])


def stored(found: Api, number: str) -> str:
    return next(each.password for each in found.server.office.terminals if each.number == number)


@pytest.mark.real_loop
async def test_the_password_is_shown_with_the_user_name_that_goes_with_it(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        shown = data_of(await found.client.get("/terminals/201/password"))
        assert shown == {"number": "201", "login": "201-k7", "password": "Secret-201"}
        printed = (await asked(found, "show", "202")).stdout.splitlines()
        assert [line.split() for line in printed] == [
            ["number", "202"],
            ["login", "jane.desk"],
            ["password", "Secret-202"],
        ]
        assert errors_of(await found.client.get("/terminals/299/password"), 404) == {"": 'there is no terminal "299"'}
        refused = await asked(found, "show", "299")
        assert (refused.exit_code, refused.stderr) == (1, 'zvon: there is no terminal "299"\n')


@pytest.mark.real_loop
async def test_another_password_obeys_the_policy_and_is_in_force_at_once(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        made = data_of(await found.client.post("/terminals/201/password:regenerate"))
        again = await made_by_command(found)
        assert len({"Secret-201", made["password"], again["password"]}) == 3
        for each in (made, again):
            assert (each["number"], each["login"]) == ("201", "201-k7")
            assert len(each["password"]) == 20
            assert not weakness(each["password"])
            assert not set(";{}[]") & set(each["password"])
        assert stored(found, "201") == again["password"]
        assert stored(found, "202") == "Secret-202"
        assert errors_of(await found.client.post("/terminals/299/password:regenerate"), 404)
        assert (await asked(found, "new", "299")).stderr == 'zvon: there is no terminal "299"\n'


@pytest.mark.real_loop
async def test_who_saw_and_made_passwords_is_in_the_audit_and_the_passwords_are_nowhere(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with api(tmp_path, OFFICE) as found:
        data_of(await found.client.get("/terminals/201/password"))
        made = data_of(await found.client.post("/terminals/201/password:regenerate"))["password"]
        await asked(found, "show", "201")
        last = (await made_by_command(found))["password"]
        audit = data_of(await found.client.get("/audit?object=terminals/201"))
        assert [(each["user"], each["action"]) for each in audit] == [
            ("command line", "regenerate password"),
            ("command line", "show password"),
            ("admin", "regenerate password"),
            ("admin", "show password"),
        ]
        versions = data_of(await found.client.get("/versions"))
        assert versions[0]["summary"] == "~ terminal 201: password changed"
        exported = (await asyncio.to_thread(zvon, "export", "--data", str(found.core.data))).stdout
        logs = "".join(capfd.readouterr())
        for secret in ("Secret-201", made, last):
            assert secret not in f"{audit}{versions}{exported}{logs}"


@pytest.mark.real_loop
async def test_passwords_of_others_are_for_administrators(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        await found.account_of("anna")
        assert errors_of(await found.client.get("/terminals/202/password"), 403)
        assert errors_of(await found.client.post("/terminals/202/password:regenerate"), 403)
        assert stored(found, "202") == "Secret-202"


@pytest.mark.row("AMB-7")
async def test_a_weak_password_is_denied_where_it_is_new_and_taken_with_a_warning_where_it_is_imported(
    tmp_path: Path,
) -> None:
    async with api(tmp_path, OFFICE) as found:
        for weak, why in (("Abcdef1-", "too short"), ("Abcdefgh1", "signs"), ("abcdefgh1_", "an upper-case letter")):
            refused = await found.client.post("/terminals", json={"number": "203", "password": weak})
            assert why in errors_of(refused, 422)["password"]
            changed = await found.client.patch("/terminals/201", json={"password": weak})
            assert why in errors_of(changed, 422)["password"]
        table = "number;name;password\n203;Boris;Abcdefgh1\n204;Olga;Abcdefgh1_\n"
        done = data_of(await found.client.post("/import/employees?apply=true", content=table))
        assert ["signs" in str(row["warnings"]) for row in done["rows"]] == [True, False]
        assert stored(found, "203") == "Abcdefgh1"
        made = data_of(await found.client.post("/terminals/203/password:regenerate"))["password"]
        assert not weakness(made)
        assert set(made) - set(ascii_letters + digits) <= set("-_@")
