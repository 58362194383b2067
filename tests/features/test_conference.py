"""Conferences: real call control on the virtual network."""

import asyncio
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from media.api import JoinRoom, RecordRoom
from pbx.directory import Directory
from pbx.events import RosterChanged
from storage.records import Conference, Office, RecordingPolicy, User
from tests.features.test_transfer_codes import press
from tests.support.builders import terminal
from tests.support.office import REALM, VirtualOffice, open_office
from tests.support.ua import PhoneCall
from tests.support.watcher import Watcher

NUMBERS = ("101", "102", "103", "104")
PHONES = tuple(map(terminal, NUMBERS))
DAILY = Office("Test", conferences=(Conference("800", "Daily"), Conference("801", "Board", pin="4711")))


async def joined(office: VirtualOffice, *numbers: str, room: str = "800") -> list[PhoneCall]:
    calls = []
    for number in numbers:
        phone = await office.registered(number)
        calls.append(phone.dial(room))
        await calls[-1].until_answered()
        await asyncio.sleep(3)
    return calls


def hear_each_other(office: VirtualOffice, *numbers: str) -> bool:
    return all(office.hears_all(number) == [other for other in numbers if other != number] for number in numbers)


def has_music(office: VirtualOffice, number: str) -> bool:
    return office.endpoint_of(number).play is not None


@pytest.mark.row("CNF-1")
@pytest.mark.row("CNF-3")
@pytest.mark.row("CNF-4")
@pytest.mark.row("CNF-8")
async def test_everybody_hears_everybody_else_and_who_is_alone_hears_music() -> None:
    async with open_office(*PHONES, office=DAILY) as office:
        (first,) = await joined(office, "101")
        assert has_music(office, "101")
        second, third = await joined(office, "102", "103")
        assert not has_music(office, "101")
        assert hear_each_other(office, "101", "102", "103")
        first.hangup()
        await asyncio.sleep(1)
        assert hear_each_other(office, "102", "103")
        second.hangup()
        await asyncio.sleep(1)
        assert has_music(office, "103")
        (again,) = await joined(office, "104")
        assert not has_music(office, "103")
        assert hear_each_other(office, "103", "104")
        third.hangup()
        again.hangup()
    rows = [(row.stage, row.from_number, row.to_number, row.disposition) for row in office.rows]
    assert sorted(rows) == [("conference", number, "800", "ANSWERED") for number in NUMBERS]
    assert all(row.talk_seconds > 0 for row in office.rows)


@pytest.mark.row("CNF-5")
@pytest.mark.row("AMB-24")
async def test_any_number_of_people_fit_in() -> None:
    many = [str(number) for number in range(200, 240)]
    async with open_office(*map(terminal, many), office=DAILY) as office:
        calls = await joined(office, *many)
        assert hear_each_other(office, *many)
        for call in calls:
            call.hangup()


@pytest.mark.row("CNF-2")
@pytest.mark.parametrize(("typed", "is_in"), [(["4711"], True), (["1", "#", "4711"], True), (["0000"] * 3, False)])
async def test_a_room_with_a_pin_asks_for_it_three_times(typed: list[str], is_in: bool) -> None:
    async with open_office(*PHONES, office=DAILY) as office:
        phone = await office.registered("101")
        call = phone.dial("801")
        await call.until_answered()
        for digits in typed:
            await asyncio.sleep(1)
            press(office, "101", digits)
        await asyncio.sleep(5)
        rosters = [event.members for event in office.bus_events(RosterChanged)]
        assert bool(rosters) is is_in
        if is_in:
            call.hangup()
        else:
            await call.until_over()


@pytest.mark.row("CNF-6")
@pytest.mark.row("FEAT-12")
async def test_a_party_is_sent_in_by_the_transfer_code_and_who_sent_it_dials_the_room() -> None:
    async with open_office(*PHONES, office=DAILY) as office:
        a, b = [await office.registered(number) for number in ("101", "102")]
        call, ring = await office.connect(a, b)
        press(office, "102", "**800#")
        assert await ring.until_over() == 200
        await asyncio.sleep(5)
        assert has_music(office, "101"), "the first participant"
        back = b.dial("800")
        await back.until_answered()
        await asyncio.sleep(3)
        assert hear_each_other(office, "101", "102")
        call.hangup()
        back.hangup()


@pytest.mark.row("CNF-7")
async def test_the_whole_room_is_recorded_into_one_file_from_the_second_participant_on() -> None:
    async with open_office(*PHONES, office=DAILY) as office:
        first, second, third = await joined(office, "101", "102", "103")
        (recording,) = office.engine.of(RecordRoom)
        assert "conference-800" in recording.path
        for call in (first, second, third):
            call.hangup()


async def test_without_recording_in_the_office_no_room_is_recorded() -> None:
    quiet = Office("Test", conferences=DAILY.conferences, recording=RecordingPolicy(enabled=False))
    async with open_office(*PHONES, office=quiet) as office:
        calls = await joined(office, "101", "102")
        assert office.engine.of(RecordRoom) == []
        for call in calls:
            call.hangup()


async def test_who_holds_or_mutes_is_not_heard_but_hears() -> None:
    async with open_office(*PHONES, office=DAILY) as office:
        calls = await joined(office, "101", "102", "103")
        press(office, "101", "*1")
        await asyncio.sleep(3)
        assert office.hears_all("102") == ["103"]
        assert office.hears_all("101") == ["102", "103"]
        press(office, "101", "*1")
        await asyncio.sleep(3)
        assert hear_each_other(office, "101", "102", "103")
        calls[1].hold()
        await calls[1].until_modified()
        assert office.hears_all("101") == ["103"], "no music of a phone that holds"
        calls[1].resume()
        await calls[1].until_modified()
        assert hear_each_other(office, "101", "102", "103")
        rosters = [
            [each.party.number for each in event.members if each.is_muted] for event in office.bus_events(RosterChanged)
        ]
        assert ["101"] in rosters
        for call in calls:
            call.hangup()


async def test_a_full_room_is_busy() -> None:
    small = Office("Test", conferences=(Conference("800", "Two", max_participants=2),))
    async with open_office(*PHONES, office=small) as office:
        calls = await joined(office, "101", "102")
        third = (await office.registered("103")).dial("800")
        assert await third.until_over() == 486
        for call in calls:
            call.hangup()


async def test_talkers_are_wanted_of_every_participant() -> None:
    async with open_office(*PHONES, office=DAILY) as office:
        calls = await joined(office, "101", "102")
        assert all(command.tells for command in office.engine.of(JoinRoom))
        for call in calls:
            call.hangup()


INFO = "{urn:ietf:params:xml:ns:conference-info}"


def told(body: bytes) -> tuple[str, str, dict[str, list[str]]]:
    """State and number of people of a document, and what it says of each: one that is gone, or each of its devices."""
    root = ElementTree.fromstring(body)
    users = {}
    for user in root.iter(f"{INFO}user"):
        parts = [f"{INFO}status", f"{INFO}media/{INFO}status"]
        said = [" ".join(each.findtext(part) or "" for part in parts) for each in user.findall(f"{INFO}endpoint")]
        number = user.attrib["entity"].removeprefix("sip:").partition("@")[0]
        users[number] = said if user.attrib["state"] == "full" else [user.attrib["state"]]
    return root.attrib["state"], root.findtext(f"{INFO}conference-state/{INFO}user-count") or "", users


async def test_phones_watch_who_is_in_a_room() -> None:
    async with open_office(*PHONES, users=[User("ann", "Ann <1>")], office=DAILY) as office:
        watched = await Watcher(await office.registered("104")).watch("800", "conference")
        calls = await joined(office, "101", "102")
        assert [told(body) for body in watched.bodies] == [
            ("full", "0", {}),
            ("partial", "1", {"101": ["connected sendrecv"]}),
            ("partial", "2", {"102": ["connected sendrecv"]}),
        ]
        press(office, "101", "*1")
        await asyncio.sleep(3)
        assert told(watched.bodies[-1]) == ("partial", "2", {"101": ["connected recvonly"]})
        calls[1].hold()
        await calls[1].until_modified()
        await asyncio.sleep(2)
        assert told(watched.bodies[-1]) == ("partial", "2", {"102": ["on-hold inactive"]})
        await watched.subscribe(600)
        await asyncio.sleep(2)
        everybody = {"101": ["connected recvonly"], "102": ["on-hold inactive"]}
        assert told(watched.bodies[-1]) == ("full", "2", everybody), "a refresh is answered with all"
        versions = [int(ElementTree.fromstring(body).attrib["version"]) for body in watched.bodies]
        assert versions == list(range(len(versions)))
        for call in calls:
            call.hangup()
        await asyncio.sleep(2)
        assert told(watched.bodies[-1]) == ("partial", "0", {"101": ["deleted"], "102": ["deleted"]})
        await watched.subscribe(0)


async def test_two_devices_are_one_person_and_who_wants_privacy_has_no_number() -> None:
    async with open_office(*PHONES, office=DAILY) as office:
        watched = await Watcher(await office.registered("104")).watch("800", "conference")
        calls = await joined(office, "101")
        calls.append((await office.registered("101", "10.0.7.7")).dial("800"))
        private = await office.registered("103")
        calls.append(private.dial("800", extra=(("Privacy", "id"),)))
        for call in calls[1:]:
            await call.until_answered()
        await watched.subscribe(600)
        await asyncio.sleep(5)
        state, count, users = told(watched.bodies[-1])
        assert (state, count) == ("full", "2")
        assert [len(devices) for devices in users.values()] == [2, 1]
        assert b"103" not in watched.bodies[-1]
        for call in calls:
            call.hangup()
        await asyncio.sleep(2)
        await watched.subscribe(0)


async def test_only_conferences_are_watched_as_such() -> None:
    async with open_office(*PHONES, office=DAILY) as office:
        watcher = Watcher(await office.registered("104"))
        assert (await watcher.watch("101", "conference")).status == 489
        watched = await watcher.watch("801", "conference")
        await asyncio.sleep(1)
        office.pbx.office_changed(Directory(replace(office.pbx.office, conferences=DAILY.conferences[:1]), REALM))
        await asyncio.sleep(2)
        assert ElementTree.fromstring(watched.bodies[-1]).attrib["state"] == "deleted"
        assert "noresource" in (watched.notifies[-1].headers.get("subscription-state") or "")


async def test_the_contact_of_a_conference_says_that_it_is_one() -> None:
    """RFC 4579 §5.1."""
    async with open_office(*PHONES, office=DAILY) as office:
        (call,) = await joined(office, "101")
        answer = next(each for each in call.phone.responses(200) if each.cseq.method == "INVITE")
        assert (answer.headers.get("contact") or "").startswith("<sip:800@")
        assert (answer.headers.get("contact") or "").endswith(";isfocus")
        call.hangup()
