"""People as cards: a person with the main number, all or nothing, and what goes with somebody who leaves."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from storage.memory import MemoryStorage
from storage.records import EmployeeGroup, ExternalNumber, Forward, Group, Ivr, OffHours, Office, Provider, Queue, User
from tests.storage.examples import cdr
from tests.support.api import api, data_of, errors_of
from tests.support.builders import terminal
from web.employees import cards, searched, sorted_by

PNG = b"\x89PNG\r\n\x1a\n" + bytes(2000)
OFFICE = Office(
    "Test",
    users=(
        User("anna", "Anna Belkina", "anna@example.com", mobile="+79161110001"),
        User("boris", "Борис Орлов", "orlov@example.com"),
        User("olga", "Olga"),
    ),
    terminals=(
        terminal("205", owner="anna"),
        terminal("203", owner="anna", main=True, max_calls=3),
        terminal("1000", owner="boris"),
        terminal("201"),
    ),
    number_length=4,
)


def ids(found: Any) -> list[str]:
    return [each["id"] for each in data_of(found)]


@pytest.mark.row("USR-3")
async def test_a_person_owns_any_number_of_terminals_and_one_is_the_main_one(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        anna = data_of(await found.client.get("/employees/anna"))
        assert (anna["number"], anna["max_calls"], anna["name"]) == ("203", 3, "Anna Belkina")
        assert [(each["number"], each["is_main"]) for each in anna["numbers"]] == [("203", True), ("205", False)]
        boris = data_of(await found.client.get("/employees/boris"))
        assert [(each["number"], each["is_main"]) for each in boris["numbers"]] == [("1000", True)]
        assert data_of(await found.client.get("/employees/olga"))["numbers"] == []
        second = await found.client.patch("/terminals/205", json={"main": True})
        assert errors_of(second, 422) == {"terminals.1.main": 'terminals[0] is the main one of "anna" already'}
        nobodys = await found.client.patch("/terminals/201", json={"main": True})
        assert errors_of(nobodys, 422) == {"main": "only a terminal with an owner is the main one"}
        chosen = data_of(await found.client.post("/employees/anna:chooseMain", json={"number": "205"}))
        assert [(each["number"], each["is_main"]) for each in chosen["numbers"]] == [("205", True), ("203", False)]
        errors_of(await found.client.post("/employees/anna:chooseMain", json={"number": "1000"}), 422)
        directory = found.server.pbx.directory
        for number in ("203", "205"):
            own = directory.terminal(number)
            assert own is not None
            assert directory.party(own).name == "Anna Belkina"


@pytest.mark.row("USR-2")
async def test_a_card_has_names_of_any_script_a_place_a_language_and_a_picture(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        client = found.client
        card = {
            "name": "Žofia Нowak 山田",
            "position": "chief",
            "location": "room-12",
            "language": "ru",
            "number": "204",
        }
        made = await found.create("employees", **card, email="z@example.com")
        assert {name: made[name] for name in card} == card
        own = found.server.pbx.directory.terminal("204")
        assert own is not None
        assert found.server.pbx.directory.party(own).name == card["name"]
        for wrong, field in (({"name": ""}, "name"), ({"name": "x" * 101}, "name"), ({"language": "xx"}, "language")):
            assert set(errors_of(await client.patch(f"/employees/{made['id']}", json=wrong), 422)) == {field}
        errors_of(await client.patch(f"/employees/{made['id']}", json={"email": "no address"}), 422)
        path = f"/employees/{made['id']}/avatar"
        errors_of(await client.get(path), 404)
        for kind, data in (
            ("image/png", PNG),
            ("image/jpeg", b"\xff\xd8\xff" + bytes(1021)),
            ("image/gif", b"GIF89a" + bytes(1500)),
            ("image/webp", b"RIFF\0\0\0\0WEBP" + bytes(1500)),
        ):
            data_of(await client.put(path, content=data))
            picture = await client.get(path)
            assert (picture.headers["content-type"], picture.content) == (kind, data)
        assert "1 KB" in errors_of(await client.put(path, content=PNG[:1023]), 422)[""]
        assert "no JPEG" in errors_of(await client.put(path, content=bytes(2000)), 422)[""]
        data_of(await client.delete(path))
        errors_of(await client.get(path), 404)


@pytest.mark.row("USR-8")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("БЕЛК", []),
        ("belk", ["anna"]),
        ("орло", ["boris"]),
        ("205", ["anna"]),
        ("100", ["anna", "boris"]),
        ("7916111", ["anna"]),
        ("ORLOV@", ["boris"]),
        ("secret", []),
        ("", ["anna", "boris", "olga"]),
    ],
)
async def test_people_are_found_by_name_number_mobile_and_address(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    async with api(tmp_path, replace(OFFICE, terminals=(*OFFICE.terminals, terminal("1001", owner="anna")))) as found:
        assert ids(await found.client.get("/employees", params={"search": text})) == expected


@pytest.mark.row("USR-9")
async def test_people_are_sorted_by_name_number_mobile_and_address_both_ways(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        for sort, expected in (
            ("name", ["anna", "olga", "boris"]),
            ("-name", ["boris", "olga", "anna"]),
            ("number", ["anna", "boris", "olga"]),  # 203 before 1000, without a number last
            ("-number", ["boris", "anna", "olga"]),
            ("mobile", ["anna", "boris", "olga"]),
            ("-email", ["boris", "anna", "olga"]),
        ):
            assert ids(await found.client.get("/employees", params={"sort": sort})) == expected, sort
        page = await found.client.get("/employees?sort=name&limit=1&offset=1")
        assert (ids(page), page.json()["pagination"]["total"]) == (["olga"], 3)
        assert "one of name" in errors_of(await found.client.get("/employees?sort=password"), 422)["sort"]


@pytest.mark.row("USR-12")
async def test_a_form_for_somebody_new_is_filled_in(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        blank = data_of(await found.client.get("/employees:getDefault"))
        assert blank["number"] == "1001"  # of four digits, as the office has them
        assert len(blank["password"]) >= 9
        shown = {name: blank[name] for name in ("record", "dtmf", "transport", "network")}
        assert shown == {"record": True, "dtmf": "auto", "transport": "any", "network": ""}
        assert blank["forward"]["ring_time"] == 45
        made = await found.create("employees", **{**blank, "name": "New"})
        assert (made["number"], made["password"]) == ("1001", blank["password"])
    three = replace(OFFICE, number_length=3, terminals=(*OFFICE.terminals[:2], terminal("100")))
    for office, expected in (
        (three, "204"),  # the door phone 100 is nobody's
        (Office("Empty"), "200"),
        (replace(three, groups=(Group("204", members=("205",)),)), "206"),
        (replace(three, terminals=(terminal("999", owner="anna"),)), ""),
    ):
        async with api(tmp_path / expected / "x", office) as found:
            assert data_of(await found.client.get("/employees:getDefault"))["number"] == expected


@pytest.mark.row("USR-13")
async def test_a_card_is_checked_field_by_field_and_saved_whole_or_not_at_all(tmp_path: Path) -> None:
    good = {"name": "New", "number": "210", "mobile": "+79162220000", "email": "n@example.com"}
    async with api(tmp_path, OFFICE) as found:
        before = found.server.office
        for wrong, expected in (
            ({"name": ""}, {"name"}),
            ({"number": "2a"}, {"number"}),
            ({"number": "2"}, {"number"}),
            ({"number": "203"}, {"number"}),
            ({"mobile": "0916"}, {"mobile"}),
            ({"mobile": "79161110001"}, {"mobile"}),  # Anna's, written without a +
            ({"email": "x"}, {"email"}),
            ({"password": "Ab1_"}, {"password"}),
            ({"password": "longbutweak"}, {"password"}),
            ({"forward": {"busy": "299"}}, {"forward.busy"}),
            ({"name": "", "number": "x", "email": "x", "mobile": "x"}, {"name", "number", "email", "mobile"}),
        ):
            response = await found.client.post("/employees", json={**good, **wrong})
            assert response.status_code in (409, 422), response.text
            assert set(errors_of(response, response.status_code)) == expected
            assert found.server.office is before
        made = await found.create("employees", **good, password="")
        assert len(made["password"]) >= 9  # made, and shown this once
        assert "password" not in data_of(await found.client.get(f"/employees/{made['id']}"))
        kept = data_of(await found.client.get(f"/employees/{made['id']}?secrets=true"))
        assert kept["password"] == made["password"]
        (user,) = [each for each in found.server.office.users if each.id == made["id"]]
        (own,) = [each for each in found.server.office.terminals if each.owner == made["id"]]
        assert (user.mobile, own.number, own.password) == ("+79162220000", "210", made["password"])


async def test_a_change_of_a_card_is_one_of_the_person_and_of_the_main_terminal(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        client = found.client
        tag = (await client.get("/employees/anna")).headers["ETag"]
        part = {"position": "chief", "max_calls": 5, "forward": {"busy": "1000"}}
        changed = data_of(await client.patch("/employees/anna", json=part, headers={"If-Match": tag}))
        assert (changed["position"], changed["max_calls"], changed["forward"]["busy"]) == ("chief", 5, "1000")
        assert changed["forward"]["ring_time"] == 45
        errors_of(await client.patch("/employees/anna", json=part, headers={"If-Match": tag}), 412)
        assert found.server.office.terminals[1].password == "Secret-203"
        assert data_of(await client.patch("/employees/anna", json={"number": "207"}))["number"] == "207"
        assert found.server.office.terminals[1].password == "Secret-203"
        errors_of(await client.patch("/employees/anna", json={"max_calls": 0, "name": ""}), 422)
        assert data_of(await client.patch("/employees/olga", json={"number": "208"}))["number"] == "208"
        errors_of(await client.patch("/employees/nobody", json={}), 404)
        whole = data_of(await client.put("/employees/anna", json={"name": "Anna", "dtmf": "info"}))
        assert (whole["position"], whole["dtmf"], whole["max_calls"], whole["number"]) == ("", "info", 1, "207")
        audit = data_of(await client.get("/audit?object=employees/anna"))
        assert audit[-1]["before"]["position"] == ""
        assert audit[-1]["after"]["position"] == "chief"


NAMED = replace(
    OFFICE,
    number_length=4,
    terminals=(*OFFICE.terminals[:2], terminal("1000", owner="boris", forward=Forward(busy="203", no_answer="201")),
               terminal("201")),
    users=(*OFFICE.users[:2], replace(OFFICE.users[2], role="supervisor", scope=("user:anna", "user:boris"))),
    employee_groups=(EmployeeGroup("sales", members=("anna", "boris")),),
    groups=(Group("600", members=("203", "1000")),),
    queues=(Queue("500", agents=("205", "1000", "+79161110001")),),
)  # fmt: skip


@pytest.mark.row("USR-14")
@pytest.mark.real_loop
async def test_who_leaves_takes_everything_along_unless_calls_are_sent_there(tmp_path: Path) -> None:
    async with api(tmp_path, NAMED) as found:
        data_of(await found.client.put("/employees/anna/avatar", content=PNG))
        data_of(await found.client.delete("/employees/anna"))
        office = found.server.office
        assert [each.id for each in office.users] == ["boris", "olga"]
        assert [each.number for each in office.terminals] == ["1000", "201"]
        assert office.terminals[0].forward == Forward(no_answer="201")
        assert office.users[1].scope == ("user:boris",)
        assert (office.groups[0].members, office.queues[0].agents) == (("1000",), ("1000",))
        assert office.employee_groups[0].members == ("boris",)
        errors_of(await found.client.get("/employees/anna/avatar"), 404)
    named = replace(
        NAMED,
        providers=(Provider("telco", "sip.example.net", kind="ip"),),
        external_numbers=(ExternalNumber("74951234567", "telco", "205"),),
        off_hours=(OffHours("closed", numbers=("74951234567",), target="203"),),
        ivrs=(Ivr("700", default="203", keys={"1": "205"}),),
        queues=(Queue("500", agents=("1000",), timeout_target="205"),),
    )
    async with api(tmp_path / "named", named) as found:
        refusal = errors_of(await found.client.delete("/employees/anna"), 409)
        assert refusal == {
            "external_numbers.0.target": 'external number 74951234567 (target): there is no number "205"',
            "off_hours.0.target": 'off-hours rule closed (target): there is no number "203"',
            "ivrs.0.default": 'IVR 700 (default): there is no number "203"',
            "ivrs.0.keys.1": 'IVR 700 (keys.1): there is no number "205"',
            "queues.0.timeout_target": 'queue 500 (timeout_target): there is no number "205"',
        }
        assert found.server.office == named


@pytest.mark.row("USR-20")
async def test_many_are_made_and_removed_at_a_time(tmp_path: Path) -> None:
    people: list[dict[str, Any]] = [
        {"name": "One", "number": "301", "id": "one"},
        {"name": "", "number": "302"},
        {"name": "Three", "number": "203"},
        {"name": "Four", "number": "304", "id": "four"},
        {"name": "Again", "number": "301"},
    ]
    async with api(tmp_path, OFFICE) as found:

        async def batch(status: int = 200, **more: Any) -> Any:
            response = await found.client.post("/employees:batchCreate", json={"employees": people, **more})
            return data_of(response) if status == 200 else errors_of(response, status)

        looked = await batch()
        assert [row["status"] for row in looked["rows"]] == ["valid", "error", "error", "valid", "error"]
        assert looked["rows"][1]["errors"] == ["name: must not be empty"]
        assert (looked["valid"], looked["errors"], looked["applied"]) == (2, 3, False)
        assert set(await batch(422, mode="create")) == {"employees.1", "employees.2", "employees.4"}
        assert found.server.office == OFFICE
        made = await batch(mode="create", skip_errors=True)
        assert [row["status"] for row in made["rows"]] == ["valid", "error", "error", "valid", "error"]
        assert [each.id for each in found.server.office.users[3:]] == ["one", "four"]
        assert all(len(each.password) >= 9 for each in found.server.office.terminals[4:])
        errors_of(await found.client.post("/employees:batchDelete", json={"ids": ["one", "nobody"]}), 404)
        assert len(found.server.office.users) == 5
        data_of(await found.client.post("/employees:batchDelete", json={"ids": ["one", "four"]}))
        assert found.server.office == OFFICE


@pytest.mark.row("USR-4")
async def test_a_mobile_has_the_form_of_one_and_belongs_to_one_person(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        assert data_of(await found.client.get("/employees/boris"))["mobile"] == ""
        for good in ("+79162220000", "4912345678", "+123456789012345"):
            assert data_of(await found.client.patch("/employees/boris", json={"mobile": good}))["mobile"] == good
        for wrong in ("0916", "+", "+7916a", "8 916", "+1234567890123456", "+79161110001", "79161110001"):
            refusal = errors_of(await found.client.patch("/employees/boris", json={"mobile": wrong}), 422)
            assert set(refusal) == {"mobile"}, wrong


async def test_who_may_see_a_person_sees_the_card_and_only_administrators_change_it(tmp_path: Path) -> None:
    people = replace(OFFICE, users=(*OFFICE.users[:2], User("olga", "Olga", role="supervisor", scope=("user:anna",))))
    async with api(tmp_path, people) as found:
        await found.account_of("anna")
        assert ids(await found.client.get("/employees")) == ["anna"]
        errors_of(await found.client.get("/employees/boris"), 404)
        errors_of(await found.client.get("/employees?secrets=true"), 403)
        errors_of(await found.client.patch("/employees/anna", json={"name": "X"}), 403)
        errors_of(await found.client.delete("/employees/anna"), 403)
        errors_of(await found.client.get("/export/employees?secrets=true"), 403)
        errors_of(await found.client.post("/import/employees", content=b"number,name\n300,X\n"), 403)
        data_of(await found.client.put("/employees/anna/avatar", content=PNG))
        errors_of(await found.client.put("/employees/boris/avatar", content=PNG), 403)
        await found.become()
        await found.account_of("olga")
        assert ids(await found.client.get("/employees")) == ["anna", "olga"]
        assert "boris" not in (await found.client.get("/export/employees?columns=full")).text


def test_a_list_of_five_thousand_is_quick() -> None:
    users = [{**_USER, "id": f"u{index}", "name": f"Name {index}"} for index in range(5000)]
    terminals = [{**_TERMINAL, "number": str(10000 + index), "owner": f"u{index}"} for index in range(5000)]
    office = {"users": users, "terminals": terminals, "employee_groups": []}
    found = sorted_by(searched(cards(office, {"10007"}), "name"), "-number")
    assert (len(found), found[0]["number"]) == (5000, "14999")
    assert [each["number"] for each in found if each["is_registered"]] == ["10007"]


_USER = {"name": "", "mobile": "", "email": ""}
_TERMINAL = {"main": False}


@pytest.mark.row("GRP-11")
async def test_the_group_is_chosen_on_the_card_and_chooses_calls_of_the_history(tmp_path: Path) -> None:
    groups = (EmployeeGroup("sales", members=("anna",)), EmployeeGroup("support"))
    office = Office(
        "Test",
        users=(User("anna", "Anna"), User("boris", "Boris")),
        terminals=(terminal("201", owner="anna"), terminal("202", owner="boris")),
        employee_groups=groups,
    )
    storage = MemoryStorage()
    for id, number in (("1", "201"), ("2", "202"), ("3", "203")):
        storage.cdrs.append(cdr(id=id, from_number=number, to_number="299", started_at=time.time() - 60))
    async with api(tmp_path, office, storage) as found:
        client = found.client

        async def called_by(group: str) -> set[str]:
            return {each["from_number"] for each in data_of(await client.get(f"/history?group={group}"))}

        listed = {each["id"]: each["group"] for each in data_of(await client.get("/employees"))}
        assert listed == {"anna": "sales", "boris": ""}
        assert await called_by("sales") == {"201"}
        for person, group in (("boris", "sales"), ("anna", "support")):
            data_of(await client.patch(f"/employees/{person}", json={"group": group}))
            assert data_of(await client.get(f"/employees/{person}"))["group"] == group
        assert [each.members for each in found.server.office.employee_groups] == [("boris",), ("anna",)]
        assert (await called_by("sales"), await called_by("support")) == ({"202"}, {"201"})
        assert (
            "no employee group"
            in errors_of(await client.patch("/employees/anna", json={"group": "nobody", "name": "Other"}), 422)["group"]
        )
        data_of(await client.patch("/employees/anna", json={"name": "Anna K."}))
        assert data_of(await client.get("/employees/anna"))["group"] == "support"
        data_of(await client.patch("/employees/anna", json={"group": None}))
        assert data_of(await client.get("/employees/anna"))["group"] == ""
        made = await found.create("employees", name="Olga", number="204", group="support")
        assert made["group"] == "support"
