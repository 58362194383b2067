"""Rooms and departments (GRP-3): a tree that may be there before the first terminal; directory, filters, reports."""

import asyncio
import time
from pathlib import Path

import pytest

from conf.places import place_text, within
from storage.memory import MemoryStorage
from storage.records import CdrRow, LocationGroup, Office, User
from tests.pbx.test_cli import zvon
from tests.support.api import api, data_of, errors_of
from tests.support.builders import terminal

PLACES = (
    LocationGroup("office", "Head office"),
    LocationGroup("floor", "First floor", parent="office"),
    LocationGroup("room-12", "Room 12", parent="floor"),
    LocationGroup("shop", "Shop"),
)
PEOPLE = (
    User("anna", "Anna", location="room-12"),
    User("boris", "Boris", location="floor"),
    User("olga", "Olga", location="shop"),
)
PHONES = tuple(terminal(number, owner=owner) for number, owner in (("201", "anna"), ("202", "boris"), ("203", "olga")))


def storage_of_calls() -> MemoryStorage:
    """A talk outside of each of the three, an hour ago."""
    storage, at = MemoryStorage(), time.time() - 3600
    for number, talk_s in (("201", 10.0), ("202", 20.0), ("203", 40.0)):
        end = at + 5 + talk_s
        storage.cdrs.append(
            CdrRow(number, number, at, end, number, "+79161234567", "ANSWERED", answered_at=at + 5, talk_seconds=talk_s,
                   provider_out="telco", external_number="74950000001")
        )  # fmt: skip
    return storage


@pytest.mark.real_loop
@pytest.mark.row("GRP-3")
async def test_rooms_are_made_before_terminals_and_choose_people_calls_and_figures(tmp_path: Path) -> None:
    async with api(tmp_path, Office("Test"), storage_of_calls()) as found:
        client = found.client
        for place in PLACES:
            await found.create("location_groups", id=place.id, name=place.name, parent=place.parent)
        circle = await client.patch("/location_groups/office", json={"parent": "room-12"})
        assert errors_of(circle, 422)["parent"] == '"room-12" would be inside itself'
        for user in PEOPLE:
            await found.create("users", id=user.id, name=user.name, location=user.location)
        for each in PHONES:
            await found.create("terminals", number=each.number, owner=each.owner, password=each.password)
        nowhere = await client.patch("/users/anna", json={"location": "cellar"})
        assert errors_of(nowhere, 422)["location"] == 'there is no location group "cellar"'
        refused = errors_of(await client.delete("/location_groups/floor"), 409)
        assert refused["users.1.location"] == "location group floor is still named by user boris (location)"

        listed = data_of(await client.get("/directory"))
        assert [(each["name"], each["place"]) for each in listed] == [
            ("Anna", "Head office / First floor / Room 12"),
            ("Boris", "Head office / First floor"),
            ("Olga", "Shop"),
        ]
        for query, names in {
            "location=office": ["Anna", "Boris"],
            "location=room-12": ["Anna"],
            "location=shop": ["Olga"],
            "search=first": ["Anna", "Boris"],
        }.items():
            assert [each["name"] for each in data_of(await client.get(f"/directory?{query}"))] == names, query
        assert b"Olga" not in (await client.get("/employees?location=office")).content

        for id, calls in {"office": {"201", "202"}, "room-12": {"201"}, "shop": {"203"}}.items():
            assert {each["id"] for each in data_of(await client.get(f"/history?location={id}"))} == calls
            outgoing = data_of(await client.get(f"/reports/outgoing?location={id}"))
            people = {row[outgoing["columns"].index("employee")] for row in outgoing["rows"]}
            assert people == {each.owner for each in PHONES if each.number in calls}
            asked = ("history", "--location", id, "--json", "--data", str(tmp_path))
            said = (await asyncio.to_thread(zvon, *asked)).output
            assert {each.number for each in PHONES if f'"id": "{each.number}"' in said} == calls
        spend = data_of(await client.get("/reports/spend?by=location"))
        assert {row[0]: row[1] for row in spend["rows"]} == {
            "Head office / First floor / Room 12": 1, "Head office / First floor": 1, "Shop": 1,
        }  # fmt: skip
        load = data_of(await client.get("/reports/terminal-load?location=shop"))
        assert {str(row[0]) for row in load["rows"]} == {"203"}
        assert "of no people" in str(errors_of(await client.get("/reports/lines?location=shop"), 422))
        for path in ("history", "reports/outgoing"):
            unknown = errors_of(await client.get(f"/{path}?location=cellar"), 422)
            assert 'there is no location group "cellar"' in str(unknown)


async def test_an_office_without_rooms_names_places_as_it_likes(tmp_path: Path) -> None:
    people = (User("anna", "Anna", location="by the window"),)
    async with api(tmp_path, Office("Test", users=people, terminals=(terminal("201", owner="anna"),))) as found:
        (anna,) = data_of(await found.client.get("/directory?search=window"))
        assert (anna["location"], anna["place"]) == ("by the window", "by the window")


def test_a_place_has_all_that_is_in_it() -> None:
    assert within(PLACES, ["office"]) == {"office", "floor", "room-12"}
    assert within(PLACES, ["room-12", "shop"]) == {"room-12", "shop"}
    assert within(PLACES, []) == frozenset()
    assert place_text(PLACES, "") == ""
