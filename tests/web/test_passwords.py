"""Passwords made, measured and looked up."""

from pathlib import Path
from typing import Any

import pytest

from conf.password_strength import KNOWN_MOST, Strength, label_of, strength
from conf.passwords import generate_password
from storage.records import Office, User
from tests.support.api import api, data_of, errors_of
from tests.support.builders import terminal
from web.common_passwords import is_common

OFFICE = Office(
    "Test",
    users=(User("anna", "Anna"),),
    terminals=(
        terminal("201", owner="anna", password="Password-1"),
        terminal("202", password="9fK_q7-Wm2@xTb4Zr8Lp"),
    ),
)


def measured(password: str) -> Strength:
    return strength(password, is_known=is_common(password))


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        ("kWbzTrQm", "kWbzTrQmXvLs"),  # length
        ("kwbztrqm", "kWbzTrQm"),  # small and capital letters
        ("kWbzTrQm", "kWb7TrQm"),  # digits
        ("kWb7TrQm", "kWb7T-Qm"),  # signs
        ("kWkWbWbk", "kWbzTrQm"),  # variety
        ("kWbzaaam", "kWbzaxam"),  # repeats
        ("kxQkxQ7m", "kxQpzW7m"),
        ("kWbzabcm", "kWbzabxm"),  # sequences
        ("kWbz321m", "kWbz371m"),
        ("kWqwertm", "kWqxdrtm"),
        ("kWbm1987", "kWbm1787"),  # dates
        ("kW311299", "kW711799"),
        ("Dragon-77", "Drzgon-77"),  # the list of those that are tried first
    ],
)
def test_what_makes_a_password_weaker(weaker: str, stronger: str) -> None:
    assert measured(weaker).score < measured(stronger).score


def test_a_score_lies_between_0_and_100_and_has_a_word() -> None:
    words = {0: "very weak", 19: "very weak", 20: "weak", 39: "weak", 40: "fair", 59: "fair", 60: "good", 79: "good"}
    assert {score: label_of(score) for score in words} == words
    assert (label_of(80), label_of(100)) == ("strong", "strong")
    assert (measured("").score, measured("123456").score) == (0, KNOWN_MOST)
    assert measured("a" * 8).label == "very weak"
    assert measured("password").label == measured("Password1!").label == "very weak"
    assert measured(generate_password(64)).score >= 80
    assert [measured("x" * length).fits for length in (7, 8, 64, 65)] == [False, True, True, False]


@pytest.mark.row("API-10")
async def test_passwords_are_made_measured_and_looked_up_one_by_one_and_many_at_a_time(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        client = found.client

        async def post(action: str, **values: Any) -> Any:
            return data_of(await client.post(f"/passwords:{action}", json=values))

        for length in (8, 20, 64):
            made = data_of(await client.get(f"/passwords:generate?length={length}"))
            assert len(made["password"]) == length
            assert made["score"] >= 40
        first, second = [data_of(await client.get("/passwords:generate"))["password"] for _ in range(2)]
        assert first != second
        for length in (7, 65):
            errors_of(await client.get(f"/passwords:generate?length={length}"), 422)
        weak = await post("validate", password="qwerty1987")
        assert (weak["label"], weak["fits"]) == ("very weak", True)
        assert any("sequence" in each for each in weak["problems"])
        assert any("year" in each for each in weak["problems"])
        assert await post("checkDictionary", password="Iloveyou") == {"is_known": True}
        assert await post("checkDictionary", password=first) == {"is_known": False}
        batch = await post("validateBatch", passwords=["dragon", first])
        assert [(each["is_known"], each["score"] >= 60) for each in batch] == [(True, False), (False, True)]
        errors_of(await client.post("/passwords:validateBatch", json={"passwords": ["x"] * 1001}), 422)
        errors_of(await client.post("/passwords:validate", json={"password": 1}), 422)
        (told,) = data_of(await client.get("/passwords:audit"))
        assert (told["object"], told["is_known"]) == ("terminals/201", True)
        await found.account_of("anna")
        data_of(await client.get("/passwords:generate"))
        errors_of(await client.get("/passwords:audit"), 403)
        del client.headers["Authorization"]
        errors_of(await client.get("/passwords:generate"), 401)
