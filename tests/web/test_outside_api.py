"""Providers, routes and numbers outside through the API: order, copies, what a deletion takes along."""

from pathlib import Path

import pytest

from pbx.routing import WaysOut
from storage.records import (
    EmployeeGroup,
    ExternalNumber,
    InboundPolicy,
    InboundRule,
    Office,
    OutboundRoute,
    Provider,
    User,
)
from tests.support.api import api, data_of, errors_of
from tests.support.builders import terminal

FIRST = Provider("first", "192.0.2.10", kind="ip", login="login", qualify=0)
SECOND = Provider("second", "192.0.2.20", kind="ip", login="login", qualify=0)
OFFICE = Office(
    "Test",
    users=(User("anna", "Anna"),),
    terminals=(terminal("201", owner="anna"),),
    providers=(FIRST, SECOND),
    outbound_routes=(
        OutboundRoute("City", "first", prefix="7495", strip=4, note="in town"),
        OutboundRoute("World", "first", ("second",)),
        OutboundRoute("More of the first", "first", prefix="8"),
    ),
    external_numbers=(ExternalNumber("74951234567", "first", "201"), ExternalNumber("74957654321", "second", "201")),
    inbound_rules=(InboundRule("rest", "first", target="201"),),
    inbound=InboundPolicy(always_open_providers=("first",)),
    employee_groups=(
        EmployeeGroup("all", members=("anna",), routes=("City", "World"), caller_ids={"City": "7495", "World": "7499"}),
    ),
)


@pytest.mark.row("PRV-18")
async def test_a_provider_goes_with_its_routes_when_that_is_meant_and_stays_with_them_while_disabled(
    tmp_path: Path,
) -> None:
    async with api(tmp_path, OFFICE) as found:
        client, server = found.client, found.server
        data_of(await client.patch("/providers/first", json={"disabled": True}))
        assert [each.name for each in server.office.outbound_routes] == ["City", "World", "More of the first"]
        assert {each["id"]: each["state"] for each in data_of(await client.get("/lines"))} == {
            "first": "off",
            "second": "unchecked",
        }
        refusal = errors_of(await client.delete("/providers/first"), 409)
        sentence = "provider first is still named by outbound route City (provider)"
        assert refusal["outbound_routes.0.provider"] == sentence
        assert {"external_numbers.0.provider", "inbound_rules.0.provider"} <= set(refusal)
        data_of(await client.delete("/providers/first?cascade=true"))
        office = server.office
        assert [each.id for each in office.providers] == ["second"]
        assert [(each.name, each.provider, each.providers) for each in office.outbound_routes] == [
            ("World", "second", ())
        ]
        assert [each.number for each in office.external_numbers] == ["74957654321"]
        assert (office.inbound_rules, office.inbound.always_open_providers) == ((), ())
        (group,) = office.employee_groups
        assert (group.routes, dict(group.caller_ids)) == (("World",), {"World": "7499"})


@pytest.mark.row("OUT-1")
async def test_routes_are_an_ordered_list_with_several_for_a_provider_moved_and_copied(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        client = found.client
        routes = data_of(await client.get("/outbound_routes"))
        assert [(each["name"], each["provider"]) for each in routes] == [
            ("City", "first"), ("World", "first"), ("More of the first", "first"),
        ]  # fmt: skip
        assert (routes[0]["prefix"], routes[0]["strip"], routes[0]["note"]) == ("7495", 4, "in town")
        data_of(await client.post("/outbound_routes/World:changePriority", json={"position": 0}))
        copied = await client.post("/outbound_routes/City:copy", json={"name": "Country", "prefix": "7"})
        assert data_of(copied, 201)["strip"] == 4
        assert [each.name for each in found.server.office.outbound_routes] == [
            "World", "City", "More of the first", "Country",
        ]  # fmt: skip
        for wrong in ({"name": ""}, {"name": "x" * 101}, {"note": "x" * 1025}, {"rest": 21}, {"provider": "nobody"}):
            assert (await client.patch("/outbound_routes/City", json=wrong)).status_code == 422
        before = tried(found.server.office)
        data_of(await client.patch("/providers/first", json={"disabled": True}))
        after = tried(found.server.office)
    assert before == [
        ("World", "74951112233 is dialled over first as login, over second as login"),
        ("City", "1112233 is dialled over first as login"),
        ("More of the first", "its template does not fit 74951112233"),
        ("Country", "1112233 is dialled over first as login"),
    ]
    assert after == [
        ("World", "74951112233 is dialled over second as login"),
        ("City", "its provider is disabled"),
        ("More of the first", "its template does not fit 74951112233"),
        ("Country", "its provider is disabled"),
    ]


def tried(office: Office) -> list[tuple[str, str]]:
    """What each route makes of a number, in their order."""
    found = WaysOut(office).consider("74951112233", None, lambda _: 0)
    return [(each.rule.removeprefix("outbound "), str(each.why)) for each in found]


@pytest.mark.row("PRV-11")
async def test_an_account_is_switched_off_copied_without_its_routes_and_limited_to_a_network(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        client, server = found.client, found.server
        data_of(await client.patch("/providers/first", json={"disabled": True}))
        assert len(server.office.outbound_routes) == 3
        data_of(await client.patch("/providers/first", json={"disabled": False, "network": "192.0.2.0/24"}))
        assert (
            data_of(await client.post("/providers/first:copy", json={"id": "third"}), 201)["network"] == "192.0.2.0/24"
        )
        assert [each.id for each in server.office.providers] == ["first", "second", "third"]
        assert {each.provider for each in server.office.outbound_routes} == {"first"}
        errors_of(await client.patch("/providers/first", json={"network": "192.0.2.0/99"}), 422)


@pytest.mark.row("INB-33")
async def test_what_answers_is_made_first_then_external_numbers_lead_there(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        client = found.client
        number = {"number": "74950000000", "provider": "second", "target": "600"}
        refusal = errors_of(await client.post("/external_numbers", json=number), 422)
        assert refusal == {"target": 'there is no number "600"'}
        group = {"number": "600", "name": "Sales", "members": ["201"]}
        data_of(await client.post("/groups", json=group), 201)
        assert data_of(await client.post("/external_numbers", json=number), 201)["target"] == "600"
        assert "external_numbers.2.target" in errors_of(await client.delete("/groups/600"), 409)
