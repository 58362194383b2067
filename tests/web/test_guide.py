"""The guided set-up, step by step as an office grows."""

from dataclasses import replace
from pathlib import Path

import pytest

from storage.records import ExternalNumber, LocationGroup, Office, OutboundRoute, Provider, Queue, User
from tests.support.api import api, data_of
from tests.support.builders import terminal
from web.guide import Step, next_step, steps

EMPTY = Office("New")
PEOPLE = replace(EMPTY, users=(User("anna", "Anna", "anna@example.com"), User("boris", "Boris")))
PLACES = replace(PEOPLE, location_groups=(LocationGroup("room-1"),))
TERMINALS = replace(PLACES, terminals=(terminal("201", owner="anna"), terminal("202")))
INBOUND = replace(TERMINALS, queues=(Queue("500", agents=("201",)),))
GATEWAYS = replace(INBOUND, providers=(Provider("telco", "sip.example.net", login="7495"),))
NUMBERS = replace(
    GATEWAYS,
    external_numbers=(ExternalNumber("74951234567", "telco", "500"),),
    outbound_routes=(OutboundRoute("City", "telco"),),
)


def of(office: Office, lines: dict[str, str] | None = None, phones: tuple[str, ...] = ()) -> dict[str, Step]:
    return {each.id: each for each in steps(office, lines or {}, phones)}


@pytest.mark.row("CFG-4")
def test_the_steps_come_in_the_order_in_which_an_office_is_set_up() -> None:
    order = ["people", "places", "terminals", "inbound", "gateways", "numbers", "calls", "tuning"]
    assert list(of(EMPTY)) == order
    optional = {id for id, step in of(EMPTY).items() if step.is_optional}
    assert optional == {"places", "inbound", "tuning"}
    works = {"telco": "registered"}
    for office, lines, phones, expected in (
        (EMPTY, {}, (), "people"),
        (PEOPLE, {}, (), "terminals"),
        (PLACES, {}, (), "terminals"),
        (TERMINALS, {}, (), "gateways"),
        (INBOUND, {}, (), "gateways"),
        (GATEWAYS, works, (), "numbers"),
        (NUMBERS, works, ("201",), "calls"),
        (NUMBERS, {"telco": "rejected"}, ("201", "202"), "calls"),
        (NUMBERS, works, ("201", "202"), ""),
    ):
        assert next_step(steps(office, lines, phones)) == expected


@pytest.mark.row("CFG-4")
def test_each_step_says_what_to_look_at_and_which_calls_to_make() -> None:
    found = of(NUMBERS, {"telco": "rejected"}, ("201", "202"))
    assert found["people"].advice == ("Boris has no e-mail address: missed calls and messages are not mailed",)
    assert found["terminals"].advice == ("Boris has no number", "nobody owns 202")
    assert found["gateways"].advice == ("the line telco does not work: rejected",)
    assert found["calls"].missing == ("no line works: calls in and out cannot be tried",)
    assert found["calls"].advice == (
        "dial 10003246 from 201: you hear yourself",
        "call 202 from 201, and 201 from 202",
        "call 74951234567 from a mobile: 500 answers",
        "call your mobile from 201",
    )
    assert found["tuning"].advice == (
        "201 rings 45 s",
        "74951234567 has no greeting",
        "music on hold is that of the installation",
    )
    unused = replace(NUMBERS, external_numbers=(), outbound_routes=())
    assert of(unused)["numbers"].advice == (
        "no number of telco is known",
        "there is no outbound route: nobody can call outside",
    )


@pytest.mark.row("CFG-4")
async def test_the_steps_are_told_by_the_api_and_lead_to_resources_that_are_there(tmp_path: Path) -> None:
    async with api(tmp_path, TERMINALS) as found:
        told = data_of(await found.client.get("/setup"))
        assert told["next"] == "gateways"
        assert [each["is_done"] for each in told["steps"]] == [True, True, True, False, False, False, False, True]
        paths = (await found.client.get("/openapi.json")).json()["paths"]
        for each in told["steps"]:
            for resource in each["resources"]:
                path = "import/{name}" if resource.startswith("import/") else resource
                assert f"/api/v3/{path}" in paths, resource
        people = await found.client.get("/import/employees:template?columns=preparation")
        assert people.text.removeprefix("\ufeff").splitlines()[0] == "number,name,position,location,email"
        numbers = (await found.client.get("/export/external_numbers")).text.splitlines()[0].split(",")
        assert {"number", "provider", "target", "greeting", "direct_dial", "record_in", "record_out"} <= {
            each.removeprefix("\ufeff") for each in numbers
        }
        page = (Path(__file__).parents[2] / "docs" / "set-up.md").read_text()
        for heading in ("## Which way in", "## Lists to prepare", "## When something does not work"):
            assert heading in page
        for each in told["steps"]:
            assert each["title"] in page
