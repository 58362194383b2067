"""Signing in: passwords, sessions, second factor, API keys, limits, roles."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyotp
import pytest

from pbx.bans import Bans
from pbx.border import WRONG_SSH
from storage.records import EmployeeGroup, Office, User
from tests.support.api import PASSWORD, Api, api, bare_api, data_of, errors_of
from tests.support.builders import terminal
from web import accounts, door
from web.fence import HTTP_ERROR, PROBE
from web.rights import principal_of

OFFICE = Office(
    "Test",
    users=(
        User("anna", "Anna", mobile="79160000001"),
        User("boris", "Boris", role="supervisor", scope=("group:sales",)),
        User("olga", "Olga", role="administrator"),
    ),
    terminals=(terminal("201", owner="anna"), terminal("202", owner="boris"), terminal("203")),
    employee_groups=(EmployeeGroup("sales", members=("anna",)),),
)


async def test_the_first_administrator_has_a_one_time_password_that_must_be_changed(tmp_path: Path) -> None:
    async with bare_api(tmp_path, OFFICE) as found:
        assert found.one_time_password
        errors_of(await found.sign_in(password="wrong"), 401)
        await found.become(password=found.one_time_password)
        assert data_of(await found.client.get("/me"))["must_change_password"] is True
        errors_of(await found.client.get("/terminals"), 403)
        weak = {"old": found.one_time_password, "new": "password"}
        assert "too short" in errors_of(await found.client.post("/auth:changePassword", json=weak), 422)["new"]
        await found.take_office()
        data_of(await found.client.get("/terminals"))
        assert await found.door.accounts.first() == ""


@pytest.mark.row("API-3")
async def test_the_cookie_brings_the_next_token_once_and_a_stolen_one_ends_the_session(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        first = found.client.cookies["zvon_refresh"]
        data_of(await found.client.post("/auth:refresh"))
        second = found.client.cookies["zvon_refresh"]
        assert first != second
        signed_in = await found.sign_in(remember=True)
        assert "Max-Age=2592000" in signed_in.headers["set-cookie"]
        assert "HttpOnly" in signed_in.headers["set-cookie"]
        found.client.cookies.clear()
        errors_of(await found.client.post("/auth:refresh"), 401)
        found.client.cookies.set("zvon_refresh", first)
        errors_of(await found.client.post("/auth:refresh"), 401)  # used before
        found.client.cookies.clear()
        found.client.cookies.set("zvon_refresh", second)
        errors_of(await found.client.post("/auth:refresh"), 401)  # the session is over
        errors_of(await found.client.get("/me"), 401)


async def test_signing_out_ends_the_token_at_once(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        data_of(await found.client.post("/auth:logout"))
        errors_of(await found.client.get("/me"), 401)


@pytest.mark.row("API-3")
async def test_a_token_lives_a_quarter_of_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with api(tmp_path, OFFICE) as found:
        assert data_of(await found.sign_in())["expires_in"] == 900
        monkeypatch.setattr(door, "TOKEN_S", -1)
        await found.become()
        errors_of(await found.client.get("/me"), 401)
        monkeypatch.undo()
        data_of(await found.client.post("/auth:refresh"))


@pytest.mark.row("API-3")
async def test_ten_wrong_passwords_from_one_address_are_enough(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        for _ in range(10):
            errors_of(await found.sign_in(password="wrong"), 401)
        refusal = await found.sign_in()
        assert "too many attempts" in errors_of(refusal, 429)[""]
        assert 0 < int(refusal.headers["Retry-After"]) <= 301
        found.door.logins.forget("127.0.0.1")
        data_of(await found.sign_in())


async def test_who_goes_on_signing_in_after_ten_wrong_passwords_is_banned_from_the_web(tmp_path: Path) -> None:
    async with bare_api(tmp_path, OFFICE, source="203.0.113.9") as found:
        for _ in range(10):
            errors_of(await found.sign_in(password="wrong"), 401)
        for _ in range(10):
            errors_of(await found.sign_in(password="wrong"), 429)
        assert "may not use" in errors_of(await found.sign_in(), 403)[""]
        assert "may not use" in errors_of(await found.client.get("/openapi.json"), 403)[""]
        (ban,) = found.server.border.table()
        assert (ban.source, ban.service) == ("203.0.113.9", "web")
        assert dict(ban.reasons) == {door.WRONG_SIGN_IN: 10, door.WENT_ON: 10}
        assert not found.server.border.refuses("203.0.113.9"), "its phones telephone"
        assert found.server.border.let_in("203.0.113.9")
        errors_of(await found.sign_in(), 429)
        found.door.logins.forget("203.0.113.9")
        await found.become(password=found.one_time_password)


async def test_unknown_api_keys_and_looking_for_ways_in_ban_an_address(tmp_path: Path) -> None:
    async with bare_api(tmp_path, OFFICE, source="203.0.113.9") as found:
        found.client.headers["Authorization"] = f"Bearer {accounts.KEY_MARK}unknown"
        for path in ("/.env", "/.git/config", "/cgi-bin/luci", "/index.php", "/..%2f..%2fetc/passwd") * 2:
            errors_of(await found.client.get(f"http://pbx{path}"), 404)
        for _ in range(10):
            errors_of(await found.client.get("/terminals"), 401)
        errors_of(await found.client.get("/terminals"), 403)
        (ban,) = found.server.border.table()
        assert dict(ban.reasons) == {PROBE: 10, door.WRONG_KEY: 10}


async def test_a_second_factor_counts_from_its_first_code_and_each_code_once(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        begun = data_of(await found.client.post("/auth/totp:begin"))
        assert begun["uri"].startswith("otpauth://totp/Test:admin?secret=")
        totp = pyotp.TOTP(begun["secret"])
        code = totp.now()
        errors_of(await found.client.post("/auth/totp:confirm", json={"code": "000000x"}), 422)
        data_of(await found.client.post("/auth/totp:confirm", json={"code": code}))
        assert "missing" in errors_of(await found.sign_in(), 401)["code"]
        assert "wrong" in errors_of(await found.sign_in(code=code), 401)["code"]  # used already
        data_of(await found.sign_in(code=totp.at(int(time.time()) + 30)))
        errors_of(await found.client.post("/auth/totp:remove", json={"password": "wrong"}), 403)
        data_of(await found.client.post("/auth/totp:remove", json={"password": PASSWORD}))
        data_of(await found.sign_in())


@pytest.mark.row("API-3")
async def test_a_session_ends_with_the_browser_or_after_thirty_days_and_goes_on_a_hundred_times_in_five_minutes(
    tmp_path: Path,
) -> None:
    async with api(tmp_path, OFFICE) as found:
        assert "Max-Age" not in (await found.sign_in()).headers["set-cookie"]
        assert "Max-Age=2592000" in (await found.sign_in(remember=True)).headers["set-cookie"]
        (kept,) = [each for each in (await found.door.accounts.sessions()).values() if each.remembered]
        assert kept.expires_at - time.time() == pytest.approx(30 * 86400, abs=60)
        for _ in range(100):
            data_of(await found.client.post("/auth:refresh"))
        assert "too many attempts" in errors_of(await found.client.post("/auth:refresh"), 429)[""]


@pytest.mark.row("API-3")
async def test_an_api_key_is_shown_once_and_kept_as_a_hash_with_its_end_and_its_last_use(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        key = (await found.create("api_keys", name="crm"))["key"]
        assert len(key) >= 32
        (listed,) = data_of(await found.client.get("/api_keys"))
        assert (listed["suffix"], listed["used_at"]) == (key[-4:], 0)
        secret = key.removeprefix(accounts.KEY_MARK).partition("_")[2]
        (stored,) = (await found.door.accounts.keys()).values()
        assert secret not in f"{stored}{stored.hash}"
        assert stored.hash == accounts.hashed(secret)
        found.client.headers["Authorization"] = f"Bearer {key}"
        for _ in range(2):
            (listed,) = data_of(await found.client.get("/api_keys"))
        assert listed["used_at"] == pytest.approx(time.time(), abs=60)
        assert key not in str(listed)


@pytest.mark.row("API-3")
async def test_programs_of_this_machine_need_not_sign_in_where_the_settings_say_so(tmp_path: Path) -> None:
    asked = "http://127.0.0.1/api/v3/terminals"
    async with bare_api(tmp_path, OFFICE, trusts_local=True) as found:
        data_of(await found.client.get(asked))
        data_of(await found.client.patch(f"{asked}/203", json={"max_calls": 2}))
        assert data_of(await found.client.get("http://localhost/api/v3/audit"))[0]["user"] == door.LOCAL
        for name in ("Origin", "X-Forwarded-For", "Sec-Fetch-Site", "Forwarded"):
            errors_of(await found.client.get(asked, headers={name: "x"}), 401)
        errors_of(await found.client.get("http://rebound.example.com/api/v3/terminals"), 401)
        errors_of(await found.client.get(asked, headers={"Authorization": "Bearer x"}), 401)
    async with bare_api(tmp_path / "far", OFFICE, source="192.0.2.1", trusts_local=True) as found:
        errors_of(await found.client.get(asked), 401)
    async with bare_api(tmp_path / "off", OFFICE) as found:
        errors_of(await found.client.get(asked), 401)


@pytest.mark.row("API-4")
async def test_an_api_key_does_what_its_rights_and_its_network_let_it_do(tmp_path: Path) -> None:
    async def use(found: Api, key: str) -> None:
        found.client.headers["Authorization"] = f"Bearer {key}"

    async with api(tmp_path, OFFICE) as found:
        full = await found.create("api_keys", name="all")
        part = await found.create("api_keys", name="part", rights={"terminals": "read", "users": "write"})
        far = await found.create("api_keys", name="far", network="192.0.2.0/24")
        near = await found.create("api_keys", name="near", network="127.0.0.0/8")
        listed = data_of(await found.client.get("/api_keys"))
        assert [each["suffix"] for each in listed if each["name"] == "all"] == [full["key"][-4:]]
        assert len(full["key"]) >= 32
        assert full["key"] not in str(listed)
        await use(found, part["key"])
        data_of(await found.client.get("/terminals"))
        errors_of(await found.client.patch("/terminals/201", json={}), 403)
        data_of(await found.client.patch("/users/anna", json={"position": "chief"}))
        errors_of(await found.client.get("/queues"), 403)
        await use(found, far["key"])
        assert "127.0.0.1" in errors_of(await found.client.get("/terminals"), 403)[""]
        await use(found, near["key"])
        data_of(await found.client.patch("/terminals/201", json={}))
        await use(found, full["key"])
        used = {each["name"]: each["used_at"] for each in data_of(await found.client.get("/api_keys"))}
        assert (used["near"] > 0, used["all"] > 0) == (True, True)
        data_of(await found.client.delete(f"/api_keys/{near['id']}"))
        await use(found, near["key"])
        errors_of(await found.client.get("/terminals"), 401)


async def test_what_is_kept_of_passwords_keys_and_tokens_gives_none_of_them_away(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        key = (await found.create("api_keys", name="all"))["key"]
        kept = str([(await found.core.remembered(area, dict)) for area in ("accounts", "api keys", "sessions")])
        assert PASSWORD not in kept
        assert key.removeprefix("zvk_").partition("_")[2] not in kept
        assert found.client.cookies["zvon_refresh"].partition(".")[2] not in kept
        assert "$argon2id$" in kept


async def test_accounts_are_made_reset_switched_off_and_removed(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        made = await found.create("accounts", login="anna", user="anna")
        errors_of(await found.client.post("/accounts", json={"login": "anna"}), 409)
        assert (
            "nobody"
            in errors_of(await found.client.post("/accounts", json={"login": "x", "user": "nobody"}), 422)["user"]
        )
        data_of(await found.sign_in("anna", made["password"]))
        reset = data_of(await found.client.patch("/accounts/anna", json={"reset_password": True}))
        errors_of(await found.sign_in("anna", made["password"]), 401)
        data_of(await found.sign_in("anna", reset["password"]))
        data_of(await found.client.patch("/accounts/anna", json={"disabled": True}))
        errors_of(await found.sign_in("anna", reset["password"]), 401)
        data_of(await found.client.delete("/accounts/anna"))
        assert [each["login"] for each in data_of(await found.client.get("/accounts"))] == ["admin"]
        errors_of(await found.client.delete("/accounts/admin"), 409)


async def test_people_get_the_rights_of_their_role_and_none_without_their_card(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        await found.create("accounts", login="gone", user="olga")
        await found.account_of("anna")
        assert data_of(await found.client.get("/me"))["numbers"] == ["201", "79160000001"]
        for path in ("/terminals", "/accounts", "/audit", "/versions", "/features"):
            errors_of(await found.client.get(path), 403)
        await found.become()
        data_of(await found.client.delete("/users/olga"))
        errors_of(await found.sign_in("gone", "x"), 401)


def test_a_scope_is_people_groups_or_all() -> None:
    def sees(user: User) -> set[str] | None:
        found = principal_of("x", user, OFFICE).numbers
        return None if found is None else set(found)

    anna, boris, olga = OFFICE.users
    assert sees(anna) == {"201", "79160000001"}
    assert sees(boris) == {"201", "79160000001", "202"}
    assert sees(replace(boris, scope=("user:olga",))) == {"202"}
    assert sees(replace(boris, scope=("all",))) is None
    assert sees(olga) is None


async def test_sessions_are_listed_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with api(tmp_path, OFFICE) as found:
        other = data_of(await found.sign_in())["access_token"]
        mine = data_of(await found.client.get("/auth/sessions"))
        (ended,) = [each["id"] for each in mine if not each["is_this"]][-1:]
        data_of(await found.client.delete(f"/auth/sessions/{ended}"))
        found.client.headers["Authorization"] = f"Bearer {other}"
        errors_of(await found.client.get("/me"), 401)
        monkeypatch.setattr(accounts, "SESSION_S", -1.0)
        expired = data_of(await found.sign_in())["access_token"]
        found.client.headers["Authorization"] = f"Bearer {expired}"
        errors_of(await found.client.get("/me"), 401)


@pytest.mark.row("SEC-12")
async def test_everything_that_attackers_do_counts_by_its_own_reason_and_what_people_mistype_does_not(
    tmp_path: Path,
) -> None:
    """On the web and over SSH; of phones: `tests/pbx/test_border.py`, over the whole path."""
    source = "203.0.113.66"
    async with bare_api(tmp_path, OFFICE, source=source) as found:
        border = found.server.border

        def reasons(bans: Bans) -> Mapping[str, int]:
            return dict(bans._failures[source].reasons) if source in bans._failures else {}

        await found.sign_in(password="wrong")
        await found.client.get("/me", headers={"Authorization": "Bearer zvk_none_at-all"})
        for path in (
            "http://pbx/.env",
            "http://pbx/.git/config",
            "http://pbx/cgi-bin/x",
            "http://pbx/%2e%2e/etc/passwd",
        ):
            await found.client.get(path)
        for path in ("http://pbx/nothing", "http://pbx/api/v3/nothing"):
            await found.client.get(path)
        await found.client.put("/auth:login", json={})
        assert reasons(border.web_bans) == {"wrong sign-in": 1, "unknown API key": 1, PROBE: 4, HTTP_ERROR: 3}
        await found.become(password=found.one_time_password)
        await found.client.get("/nothing")
        await found.client.get("/me")
        assert reasons(border.web_bans)[HTTP_ERROR] == 3, "who shows who it is may look for what is not there"
        border.failed_ssh(source)
        assert reasons(border.ssh_bans) == {WRONG_SSH: 1}
