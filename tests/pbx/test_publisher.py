"""Presence that phones publish, as their watchers see it."""

import asyncio
from xml.etree import ElementTree

import pytest

from pbx.directory import Directory
from sipcore.message import Response
from sipcore.presence.pidf import pidf
from storage.records import Office
from tests.pbx.test_notifier import lamp_office, terminals
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import RawPhone
from tests.support.watcher import PIDF, Watched, Watcher

DESK = terminal("102", trust="10.0.7.2")
RPID = "{urn:ietf:params:xml:ns:pidf:rpid}"


def document(*activities: str, is_open: bool = True, note: str = "") -> bytes:
    return pidf("sip:102@10.0.0.1", is_open=is_open, activities=activities, note=note)


class Desk:
    """The phone of 102 as it publishes."""

    def __init__(self, office: VirtualOffice, host: str = "10.0.7.2", port: int = 5060) -> None:
        self.raw: RawPhone = office.raw("102", host, port)
        self.raw.call_id, self.cseq, self.etag = f"pub-{host}-{port}", 0, ""

    async def publish(
        self,
        body: bytes = b"",
        *,
        expires: object = 600,
        etag: str | None = "",
        number: str = "102",
        package: str = "presence",
        kind: str = "application/pidf+xml",
    ) -> Response:
        """`etag`: "" for the last one heard, None for a first publication."""
        self.cseq += 1
        tag = self.etag if etag == "" else etag
        extra = [f"Event: {package}", f"Expires: {expires}", *([f"SIP-If-Match: {tag}"] if tag else [])]
        data = self.raw.request("PUBLISH", number, self.cseq, *extra, body=body, to_tag="")
        self.raw.send(data.replace(b"Content-Type: application/sdp", f"Content-Type: {kind}".encode()))
        response = await self.raw.expect_final()
        self.etag = response.headers.get("sip-etag") or self.etag
        return response


def seen(watched: Watched) -> tuple[str, list[str], str]:
    """Basic status, activities and note of the last document."""
    root = ElementTree.fromstring(watched.bodies[-1])
    activities = root.find(f".//{RPID}activities")
    assert activities is not None
    doing = [each.tag.removeprefix(RPID) for each in activities if each.tag != f"{RPID}unknown"]
    return root.findtext(f".//{PIDF}basic") or "", doing, root.findtext(f".//{PIDF}note") or ""


async def watching(office: VirtualOffice) -> Watched:
    watched = await Watcher(await office.registered("103")).watch("102", "presence")
    await asyncio.sleep(1)
    return watched


@pytest.mark.row("EXT-18")
async def test_watchers_see_what_a_phone_publishes_changes_refreshes_and_removes() -> None:
    async with lamp_office(*terminals()[2:], DESK) as office:
        watched, desk = await watching(office), Desk(office)
        assert seen(watched) == ("open", [], "Ready")
        first = await desk.publish(document("away", note="Lunch"))
        assert (first.status, first.headers.get("expires")) == (200, "600")
        await asyncio.sleep(1)
        assert seen(watched) == ("open", ["away"], "Lunch")
        changed = await desk.publish(document("meeting"))
        assert changed.headers.get("sip-etag") != first.headers.get("sip-etag")
        await asyncio.sleep(1)
        assert seen(watched) == ("open", ["meeting"], "Meeting")
        count = len(watched.bodies)
        await asyncio.sleep(500)
        assert (await desk.publish()).status == 200
        await asyncio.sleep(1)
        assert len(watched.bodies) == count, "a refresh is no news"
        assert (await desk.publish(expires=0)).status == 200
        await asyncio.sleep(1)
        assert seen(watched) == ("open", [], "Ready")
        assert office.pbx.publisher.describe() == 0


async def test_what_is_not_refreshed_is_forgotten() -> None:
    async with lamp_office(*terminals()[2:], DESK) as office:
        watched, desk = await watching(office), Desk(office)
        await desk.publish(document(is_open=False), expires=60)
        await asyncio.sleep(1)
        assert seen(watched) == ("closed", [], "Not available")
        await asyncio.sleep(60)
        await office.pbx.sweep()
        await asyncio.sleep(1)
        assert seen(watched) == ("open", [], "Ready")
        assert (await desk.publish()).status == 412


async def test_what_the_server_knows_is_joined_with_what_is_published() -> None:
    async with lamp_office(terminal("101"), *terminals()[2:], DESK) as office:
        phone = await office.registered("102")
        watched, desk = await watching(office), Desk(office)
        await desk.publish(document("away", "on-the-phone", note="Out"))
        call, _ = await office.connect(await office.registered("101"), phone)
        assert seen(watched) == ("open", ["on-the-phone", "away"], "On the phone")
        call.hangup()
        await asyncio.sleep(2)
        assert seen(watched) == ("open", ["away", "on-the-phone"], "Out")


async def test_who_is_not_registered_is_closed_whatever_is_published() -> None:
    async with lamp_office(*terminals()[2:], terminal("102", trust="10.0.7.0/24")) as office:
        phone = await office.registered("102")
        watched = await watching(office)
        await Desk(office).publish(document("working"))
        await asyncio.sleep(1)
        assert seen(watched) == ("open", ["working"], "Working")
        await phone.register(0)
        await asyncio.sleep(1)
        assert seen(watched) == ("closed", ["working"], "Not registered")


async def test_two_devices_are_one_user() -> None:
    async with lamp_office(*terminals()[2:], DESK) as office:
        watched, desk, soft = await watching(office), Desk(office), Desk(office, port=5070)
        await desk.publish(document(is_open=False))
        await soft.publish(document("busy"))
        await asyncio.sleep(1)
        assert seen(watched) == ("open", ["busy"], "Busy")
        assert office.pbx.publisher.describe() == 2
        await desk.publish(document("away"), etag=None)
        assert office.pbx.publisher.describe() == 2, "a device that starts anew replaces what it said"


@pytest.mark.parametrize(
    ("how", "status", "header"),
    [
        ({"package": "dialog"}, 489, "allow-events"),
        ({"package": "weather"}, 489, "allow-events"),
        ({"package": "@"}, 400, ""),
        ({"number": "103"}, 403, ""),
        ({"number": "999"}, 403, ""),
        ({"kind": "application/xpidf+xml"}, 415, "accept"),
        ({"body": b"<presence>"}, 400, ""),
        ({"body": b""}, 400, ""),
        ({"expires": 5}, 423, "min-expires"),
        ({"expires": "soon"}, 400, ""),
        ({"etag": "unknown"}, 412, ""),
        ({"etag": "no token"}, 400, ""),
    ],
)
async def test_a_publication_is_refused_for_a_stated_reason(how: dict[str, object], status: int, header: str) -> None:
    async with open_office(DESK, terminal("103")) as office:
        desk = Desk(office)
        response = await desk.publish(**{"body": document("away"), **how})  # type: ignore[arg-type]
        assert response.status == status
        assert not header or header in response.headers
        assert "sip-etag" not in response.headers
        assert office.pbx.publisher.describe() == 0


async def test_a_stranger_publishes_nothing() -> None:
    async with open_office(DESK) as office:
        assert (await Desk(office, host="10.0.8.8").publish(document("away"))).status == 401
        assert office.pbx.publisher.describe() == 0


async def test_what_was_said_of_a_number_that_is_gone_is_forgotten() -> None:
    async with open_office(DESK) as office:
        await Desk(office).publish(document("away"))
        office.pbx.office_changed(Directory(Office("Test"), office.pbx.directory.realm))
        assert office.pbx.publisher.describe() == 0
