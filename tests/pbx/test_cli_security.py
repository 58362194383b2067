"""Commands about who may not be heard, and who was there: `zvon bans`, `zvon failures`, `zvon devices`."""

from pathlib import Path

import pytest

from pbx.control.clerk import GetBans, GetDevices, GetFailures
from tests.pbx.test_cli import asked, document
from tests.support.control import FakeOperator


@pytest.mark.real_loop
async def test_bans_are_listed_searched_and_removed(tmp_path: Path) -> None:
    operator = FakeOperator()
    listed = await asked(tmp_path, "bans", "list", operator=operator)
    assert listed.stdout.splitlines()[1].split()[:2] == ["203.0.113.7", "banned"]
    assert "wrong password (20), scanner (1)" in listed.stdout
    (found,) = await document(tmp_path, "bans", "list", "203.", operator=operator)
    assert (found["until_at"], found["reasons"]) == ("2023-11-14T22:23:20.000Z", {"wrong password": 20, "scanner": 1})
    assert operator.requests[-1] == GetBans("203.")
    assert (await asked(tmp_path, "bans", "remove", "203.0.113.7", operator=operator)).exit_code == 0
    refused = await asked(tmp_path, "bans", "remove", "203.0.113.8", operator=operator)
    assert (refused.exit_code, refused.stderr) == (1, "zvon: 203.0.113.8 is not banned\n")


@pytest.mark.real_loop
async def test_failed_sign_ins_are_listed_and_cleared(tmp_path: Path) -> None:
    operator = FakeOperator()
    listed = await asked(tmp_path, "failures", "list", operator=operator)
    assert listed.stdout.splitlines()[1].split()[:5] == ["201", "203.0.113.7", "3", "wrong", "password"]
    (found,) = await document(tmp_path, "failures", "list", "201", operator=operator)
    assert (found["count"], found["last_at"]) == (3, "2023-11-14T22:14:20.000Z")
    assert operator.requests[-1] == GetFailures("201")
    assert (await asked(tmp_path, "failures", "clear", "201", operator=operator)).exit_code == 0
    refused = await asked(tmp_path, "failures", "clear", "202", operator=operator)
    assert (refused.exit_code, refused.stderr) == (1, "zvon: no sign-in of 202 has failed\n")


@pytest.mark.real_loop
async def test_devices_are_listed_with_their_sessions(tmp_path: Path) -> None:
    operator = FakeOperator()
    listed = (await asked(tmp_path, "devices", "201", operator=operator)).stdout.splitlines()
    assert operator.requests[-1] == GetDevices("201")
    assert "10.0.0.5 5060" in listed[1]
    assert "12 ms" in listed[1]
    assert "registered" in listed[1]
    assert "203.0.113.9 1024" in listed[2]
    _, over = await document(tmp_path, "devices", operator=operator)
    assert (over["address"], over["port"], over["user_agent"]) == ("203.0.113.9", 1024, "Soft")
    assert over["until_at"] == "2023-11-14T22:12:20.000Z"
