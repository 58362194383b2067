"""Networks in the API: named, in an order, chosen by accounts, keys and providers, in force at once (SEC-1, SEC-4)."""

from pathlib import Path

import pytest

from pbx.own_networks import own_networks
from storage.records import Office
from tests.support.api import api, data_of, errors_of
from tests.support.builders import terminal

OFFICE = Office("Test", terminals=(terminal("201"),))
AWAY = "203.0.113.66"


@pytest.mark.row("SEC-1")
async def test_networks_have_a_name_and_an_order_and_accounts_keys_and_providers_choose_them(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        await found.create("networks", id="branch", network="198.51.100.0/24", name="Branch", priority=2)
        await found.create("networks", id="vpn6", network="2001:db8::/32", name="VPN", priority=1)
        choices = data_of(await found.client.get("/networks:choices"))
        assert [(each["id"], each["name"]) for each in choices[:2]] == [("vpn6", "VPN"), ("branch", "Branch")]
        ready = {each["network"]: each["kind"] for each in choices[2:]}
        assert ready == dict.fromkeys(own_networks(), "own") | {"0.0.0.0/0": "all", "::/0": "all"}
        for resource, more in (
            ("terminals", {"number": "203", "password": "Secret-Pass_203"}),
            ("providers", {"id": "gate", "kind": "inbound_register", "login": "gate", "password": "Secret-Pass_104"}),
        ):
            await found.create(resource, **more, network="branch")
            wrong = {**more, "number": "209", "id": "other", "login": "other", "network": "nowhere"}
            wrong = {name: value for name, value in wrong.items() if name in more or name == "network"}
            assert errors_of(await found.client.post(f"/{resource}", json=wrong), 422) == {
                "network": 'there is no network "nowhere"; its id is needed, or addresses such as "192.168.1.0/24"'
            }
        assert "network" in errors_of(
            await found.client.post("/api_keys", json={"name": "x", "network": "nowhere"}), 422
        )
        errors_of(await found.client.delete("/networks/branch"), 409)
        errors_of(await found.client.post("/networks", json={"id": "x", "network": "10.0.0.0/40"}), 422)
        errors_of(await found.client.post("/networks", json={"id": "x", "network": "2001:db8::/129"}), 422)
        errors_of(await found.client.post("/networks", json={"id": "17", "network": "10.0.0.0/8"}), 422)
        directory = found.server.pbx.directory
        account = directory.terminal("203")
        assert account is not None
        assert directory.may_use(account, "198.51.100.7")
        assert not directory.may_use(account, AWAY)
        border = found.server.border
        assert border.refuses(AWAY), "and the firewall uses them at once"
        data_of(await found.client.patch("/terminals/203", json={"network": ""}))
        data_of(await found.client.delete("/providers/gate"))
        data_of(await found.client.delete("/networks/branch"))
        data_of(await found.client.delete("/networks/vpn6"))
        assert not border.refuses(AWAY)


async def test_people_and_api_keys_reach_the_web_from_where_their_ticks_are(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        await found.create("networks", id="here", network=f"{AWAY}/32", web=False, api=True)
        given = data_of(await found.client.post("/api_keys", json={"name": "crm", "network": "here"}), 201)["key"]
        border = found.door.border
        assert await border.refuses(AWAY, "web")
        assert not await border.refuses(AWAY, "api")
        assert given.startswith("zvk_")


@pytest.mark.row("SEC-4")
async def test_peers_in_a_vpn_are_told_our_own_address_from_the_moment_it_is_flagged(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        addresses = found.server._addresses
        addresses.set_external(("192.0.2.99",))
        assert addresses.towards(AWAY, "127.0.0.1") == "192.0.2.99"
        await found.create("networks", id="vpn", network="203.0.113.0/24", is_local=True)
        assert addresses.towards(AWAY, "127.0.0.1") == "127.0.0.1"
        assert addresses.towards("198.51.100.1", "127.0.0.1") == "192.0.2.99"
        data_of(await found.client.patch("/networks/vpn", json={"is_local": False}))
        assert addresses.towards(AWAY, "127.0.0.1") == "192.0.2.99"
