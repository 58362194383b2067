"""The directory and the personal cabinet: what people find of each other, and set of their own."""

from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from pbx.party import Party
from pbx.states import DO_NOT_DISTURB
from storage.memory import MemoryStorage
from storage.records import Calendar, Office, Provider, Sound, User
from tests.support.api import Api, api, data_of, errors_of
from tests.support.builders import terminal
from tests.web.test_live_api import Operated, T, filled, ids, recording, row

OFFICE = Office(
    "Test",
    users=(
        User("anna", "Anna", "anna@example.com", mobile="+79161110001", position="chief"),
        User("boris", "Boris"),
        User("olga", "Olga"),
    ),
    terminals=(
        terminal("201", owner="anna"),
        terminal("202", owner="boris"),
        terminal("203", owner="anna", show_in_phonebook=False),
        terminal("204", owner="olga", show_in_phonebook=False),
    ),
    calendars=(Calendar("day", base="ru", name="Working day"),),
    sounds=(Sound("song", "/sounds/song.wav", name="A song"),),
)


@pytest.mark.row("USR-15")
async def test_the_directory_is_made_of_people_and_their_numbers_for_people_phones_and_names(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        key = await found.create("api_keys", name="phones", rights={"directory": "read"})
        await found.account_of("olga")
        entries = data_of(await found.client.get("/directory"))
        said = [(each["name"], each["numbers"], each["mobile"]) for each in entries]
        assert said == [("Anna", ["201"], "+79161110001"), ("Boris", ["202"], "")]
        assert [each["name"] for each in data_of(await found.client.get("/directory?search=chie"))] == ["Anna"]
        found.client.headers["Authorization"] = "Basic " + b64encode(f"phone:{key['key']}".encode()).decode()
        feed = await found.client.get("/directory.xml")
        assert feed.headers["content-type"].startswith("text/xml")
        shown = [
            (entry.findtext("Name"), [each.text for each in entry.findall("Telephone")])
            for entry in ElementTree.fromstring(feed.content)
        ]
        assert shown == [("Anna", ["201", "+79161110001"]), ("Boris", ["202"])]
        errors_of(await found.client.get("/directory"), 401)  # such credentials are for phones only
        directory = found.server.pbx.directory
        assert directory.named(Party.outside("79161110001", "TRUNK 7")).name == "Anna"
        assert directory.named(Party.outside("74950000000", "Client")).name == "Client"
        hidden = replace(Party.outside("79161110001"), is_private=True)
        assert directory.named(hidden).name == ""


@pytest.mark.row("API-9")
@pytest.mark.row("USR-16")
async def test_names_are_found_by_whole_numbers_inside_and_nine_digits_outside(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        await found.account_of("boris")
        outside = ["79161110001", "+79161110001", "89161110001", "161110001", "9161110001"]
        asked = ["201", "202", "203", "20", "299", *outside, "79161110002", "anonymous", "110001"]
        names = data_of(await found.client.post("/directory:names", json={"numbers": asked}))
        known = {"201": "Anna", "202": "Boris"} | dict.fromkeys(outside, "Anna")
        assert names == {number: known.get(number, number) for number in asked}
        errors_of(await found.client.post("/directory:names", json={"numbers": ["1"] * 1001}), 422)


@pytest.mark.row("USR-25")
@pytest.mark.real_loop
async def test_people_set_their_own_services_and_see_their_own_calls_and_nobody_elses(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE, _with_calls()) as found:
        client = found.client
        portal = await found.account_of("anna")
        chosen = data_of(await client.get("/services:choices"))
        assert chosen == {
            "calendars": [{"id": "day", "name": "Working day"}],
            "ringbacks": [{"id": "song", "name": "A song"}],
        }
        part: dict[str, Any] = {
            "forward": {"no_answer": "202", "ring_time": 20},
            "calendar": "day",
            "ringback": "song",
            "voicemail_email": "voice@example.com",
            "do_not_disturb": True,
            "password": "My-Own_Secret1",
        }
        after = data_of(await client.patch("/services/201", json=part))
        assert "password" not in after
        simple = [name for name in part if name not in ("forward", "password")]
        assert [after[name] for name in simple] == [part[name] for name in simple]
        own = found.server.office.terminals[0]
        assert (own.forward.no_answer, own.forward.ring_time, own.calendar) == ("202", 20, "day")
        assert (own.ringback, own.password) == ("song", "My-Own_Secret1")
        assert found.server.office.voicemail_boxes[0].email == "voice@example.com"
        assert found.server.pbx.states.of(DO_NOT_DISTURB) == {"anna": "on"}  # all phones of hers
        assert data_of(await client.get("/services/203"))["do_not_disturb"] is True
        data_of(await client.patch("/services/203", json={"do_not_disturb": False}))
        assert found.server.pbx.states.of(DO_NOT_DISTURB) == {}
        await _refuses(found)
        errors_of(await client.get("/services/202"), 403)
        errors_of(await client.patch("/services/202", json={"do_not_disturb": True}), 403)
        errors_of(await client.delete("/registrations/202?contact=sip:x"), 403)
        errors_of(await client.delete("/registrations/201?contact=sip:x"), 404)
        assert ids(await client.get("/history?from=2023-06-01&to=2024-01-01")) == ["4", "3", "2", "1"]
        assert sorted(ids(await client.get("/recordings"))) == ["2023~11~14~1", "2023~11~14~2"]
        period = "from=2023-11-14T00:00:00Z&to=2023-11-15T00:00:00Z"
        figures = data_of(await client.get(f"/statistics?{period}"))["numbers"]
        said = [(each["number"], each["offered"], each["missed"], each["made"]) for each in figures]
        assert said == [("201", 1, 0, 1), ("203", 0, 0, 2)]
        change = {"old": portal, "new": "Another-Pass_2"}
        data_of(await client.post("/auth:changePassword", json=change))
        await found.become("anna", "Another-Pass_2")
        await found.become()
        everybody = data_of(await client.get(f"/statistics?{period}"))["numbers"]
        assert [each["number"] for each in everybody] == ["201", "202", "203", "204"]
        audit = data_of(await client.get("/audit?object=services/201"))
        assert audit[-1]["after"]["calendar"] == "day"
        assert "My-Own_Secret1" not in str(audit)


async def _refuses(found: Api) -> None:
    """Mistakes by the names that they have in the cabinet, with nothing changed."""
    before = found.server.office
    wrong: dict[str, Any] = {
        "forward.busy": {"forward": {"busy": "299"}},
        "calendar": {"calendar": "night"},
        "ringback": {"ringback": "noise"},
        "voicemail_email": {"voicemail_email": "nobody"},
        "do_not_disturb": {"do_not_disturb": "yes"},
        "max_calls": {"max_calls": 9},
    }
    for field, part in wrong.items():
        assert set(errors_of(await found.client.patch("/services/201", json=part), 422)) == {field}
    for password in ("weak", None):
        errors_of(await found.client.patch("/services/201", json={"password": password}), 422)
    assert found.server.office is before


def _with_calls() -> MemoryStorage:
    storage = filled()
    storage.cdrs.append(row("5", 1_600_000_000.0, "201", "202"))  # of another year
    storage.cdrs.append(row("6", T + 240, "202", "204"))
    storage.recordings.put("3", recording("3", "202", "204"))
    return storage


@pytest.mark.row("USR-1")
@pytest.mark.real_loop
async def test_everything_is_told_by_person_whatever_numbers_that_one_has(tmp_path: Path) -> None:
    office = replace(OFFICE, users=(*OFFICE.users[:2], User("olga", "Olga", role="supervisor", scope=("user:anna",))))
    async with api(tmp_path, office, _with_calls()) as found:
        Operated(found)
        client = found.client
        period = "from=2023-11-14T00:00:00Z&to=2023-11-15T00:00:00Z"
        cards = data_of(await client.get("/employees"))
        assert [(each["id"], len(each["numbers"])) for each in cards] == [("anna", 2), ("boris", 1), ("olga", 1)]

        async def of(person: str) -> tuple[list[str], list[str], list[str], list[str]]:
            figures = data_of(await client.get(f"/statistics?{period}&employee={person}"))["numbers"]
            return (
                ids(await client.get(f"/calls?employee={person}")),
                ids(await client.get(f"/history?{period}&employee={person}")),
                ids(await client.get(f"/recordings?{period}&employee={person}")),
                [each["number"] for each in figures],
            )

        everything = (["c1", "c2"], ["4", "3", "2", "1"], ["2023~11~14~1", "2023~11~14~2"], ["201", "203"])
        assert tuple(map(sorted, await of("anna"))) == tuple(map(sorted, everything))
        assert await of("olga") == (["c2"], ["6"], ["2023~11~14~3"], ["204"])
        assert [each["number"] for each in data_of(await client.get("/registrations?employee=anna"))] == []
        errors_of(await client.get("/calls?employee=nobody"), 422)
        await found.account_of("olga")
        assert ids(await client.get("/employees")) == ["anna", "olga"]
        assert ids(await client.get("/calls?employee=anna")) == ["c1", "c2"]
        for path in ("calls", "recordings", "registrations", "statistics"):
            errors_of(await client.get(f"/{path}?employee=boris"), 403)
        of_boris = ids(await client.get(f"/history?{period}&employee=boris"))
        assert of_boris == ["6", "2", "1"]  # with her and hers, no others


@pytest.mark.row("API-9")
async def test_lines_are_checked_and_numbers_looked_for(tmp_path: Path) -> None:
    office = replace(OFFICE, providers=(Provider("telco", "192.0.2.1", kind="ip", disabled=True),))
    async with api(tmp_path, office) as found:
        asked: list[str] = []

        async def ask_now() -> None:
            asked.append("telco")

        line = found.server.providers.line("telco")
        assert line is not None
        line.ask_now = ask_now  # type: ignore[method-assign]
        shown = data_of(await found.client.post("/lines/telco:check"))
        assert (shown["id"], shown["state"], asked) == ("telco", "off", ["telco"])
        errors_of(await found.client.post("/lines/nobody:check"), 404)
        for number, why in (
            ("299", ""),
            ("201", "it is already used by terminals[0]"),
            ("2", "a number has 3 digits"),
            ("000", ""),
        ):
            answer = data_of(await found.client.get(f"/numbers/{number}"))
            assert (answer["is_free"], answer["why"]) == (not why, why)
        await found.account_of("anna")
        errors_of(await found.client.post("/lines/telco:check"), 403)
        errors_of(await found.client.get("/numbers/299"), 403)


@pytest.mark.row("AMB-1")
@pytest.mark.parametrize(
    ("length", "wrong", "why"),
    [
        (3, ("22", "2222"), "a number has 3 digits"),
        (5, ("22", "222222"), "a number has 3 to 5 digits"),
        (2, ("2", "222"), "a number has 2 digits"),
        (8, ("22", "222222222"), "a number has 3 to 8 digits"),
    ],
)
async def test_people_are_offered_numbers_of_three_digits_and_more_where_the_office_is_widened(
    tmp_path: Path, length: int, wrong: tuple[str, ...], why: str
) -> None:
    assert Office().number_length == 3
    office = Office("Test", number_length=length, terminals=(terminal("20"),))
    async with api(tmp_path, office) as found:
        client = found.client
        offered = data_of(await client.get("/terminals:getDefault"))["number"]
        assert len(offered) == length
        assert data_of(await client.get(f"/numbers/{offered}"))["is_free"]
        for number in wrong:
            assert data_of(await client.get(f"/numbers/{number}")) == {"number": number, "is_free": False, "why": why}
        # Technically two digits are enough, and other things have up to eight.
        data_of(await client.post("/terminals", json={"number": "22", "password": "Secret-22"}), 201)
        for number, status in (("60", 201), ("60000000", 201), ("6", 422), ("600000000", 422)):
            answer = await client.post("/groups", json={"number": number, "members": ["20"]})
            assert answer.status_code == status, answer.text
