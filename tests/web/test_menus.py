"""Menus copied and deleted, over the API and with the command line (IVR-15)."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from storage.records import ExternalNumber, InboundPolicy, Ivr, Office, Provider
from tests.pbx.test_cli import zvon
from tests.support.api import Api, api, data_of, errors_of
from tests.support.builders import terminal

MENU = Ivr("700", "201", "Main menu", timeout=9, attempts=5, keys={"1": "201"}, phrases={"1": ("sales",)})
OFFICE = Office(
    "Test",
    terminals=(terminal("201"), terminal("202", password="Very-Long_Secret1")),
    ivrs=(MENU, Ivr("710", "201", keys={"9": "700"})),
    providers=(Provider("telco", kind="ip", host="sip.example.net"),),
    external_numbers=(ExternalNumber("74950000001", "telco", "700"),),
    inbound=InboundPolicy(default="700"),
)


async def asked(found: Api, *arguments: str) -> tuple[int, str]:
    """The exit code of a command beside the server, and its last line."""
    done = await asyncio.to_thread(zvon, *arguments, "--data", str(found.core.data))
    return done.exit_code, done.output.strip().splitlines()[-1]


@pytest.mark.real_loop
@pytest.mark.row("IVR-15")
async def test_a_menu_is_copied_whole_and_the_copy_is_its_own(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        data_of(await found.client.post("/ivrs/700:copy", json={"number": "701", "name": "Night"}), 201)
        assert await asked(found, "office", "copy", "ivrs", "701", "702") == (0, "IVR 702 is a copy of 701")
        assert await asked(found, "office", "copy", "ivrs", "700", "703", "--name", "Day") == (
            0,
            "IVR 703 is a copy of 700",
        )
        menus = {each.number: each for each in found.server.office.ivrs}
        assert menus["701"] == replace(MENU, number="701", name="Night")
        assert menus["702"] == replace(MENU, number="702", name="Night")
        assert menus["703"] == replace(MENU, number="703", name="Day")
        data_of(await found.client.patch("/ivrs/701", json={"keys": {"1": "202"}}))
        assert {each.number: each.keys["1"] for each in found.server.office.ivrs if "1" in each.keys} == {
            **dict.fromkeys(("700", "702", "703"), "201"),
            "701": "202",
        }
        assert "already" in errors_of(await found.client.post("/ivrs/700:copy", json={"number": "701"}), 409)["number"]
        taken = await asked(found, "office", "copy", "ivrs", "700", "201")
        assert taken == (1, 'zvon: "201" is already used by terminals[0]')
        assert (await asked(found, "office", "copy", "terminals", "202", "203"))[0] == 1  # its password is its own
        assert len(found.server.office.ivrs) == 5


@pytest.mark.real_loop
@pytest.mark.row("IVR-15")
async def test_a_menu_that_is_named_stays_and_the_refusal_says_by_whom(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        refusal = errors_of(await found.client.delete("/ivrs/700"), 409)
        assert refusal == {
            "ivrs.0.keys.9": "IVR 700 is still named by IVR 710 (keys.9)",
            "external_numbers.0.target": "IVR 700 is still named by external number 74950000001 (target)",
            "inbound.default": "IVR 700 is still named by inbound.default",
        }
        users = "IVR 710 (keys.9), external number 74950000001 (target), inbound.default"
        code, said = await asked(found, "office", "delete", "ivrs", "700")
        assert (code, set(said.removeprefix("zvon: IVR 700 is still named by ").split(", "))) == (
            1,
            set(users.split(", ")),
        )
        assert found.server.office.ivrs == OFFICE.ivrs
        assert await asked(found, "office", "delete", "ivrs", "710") == (0, "IVR 710 is gone")
        assert await asked(found, "office", "delete", "ivrs", "710") == (1, 'zvon: there is no IVR "710"')
        assert (await asked(found, "office", "delete", "menus", "700"))[0] == 2
        data_of(await found.client.patch("/inbound", json={"default": "201"}))
        data_of(await found.client.patch("/external_numbers/74950000001", json={"target": "201"}))
        data_of(await found.client.delete("/ivrs/700"))
        assert found.server.office.ivrs == ()
