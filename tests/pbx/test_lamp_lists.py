"""Lamps of many numbers by one subscription (RFC 4662)."""

import asyncio
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import Message
from xml.etree import ElementTree

import pytest

from pbx import watch
from storage.records import LampList, Office, User
from tests.pbx.test_notifier import lamp_office, terminals
from tests.support.office import VirtualOffice
from tests.support.watcher import PIDF, Lamp, Watched, Watcher, lamps

RLMI = "{urn:ietf:params:xml:ns:rlmi}"
SUPPORTED = ("Supported", "eventlist")
USERS = (User("anna", "Anna <& Co>"), User("boris", "Борис"))
ALL = LampList("desk", ("101", "102", "000064"))


@dataclass(frozen=True, slots=True)
class Told:
    """One NOTIFY about a list, read strictly: the numbers it names, and the documents of some of them."""

    is_full: bool
    version: int
    names: dict[str, str]
    gone: list[str]
    documents: dict[str, bytes]

    @property
    def lamps(self) -> dict[str, list[str]]:
        return {number: [lamp.state for lamp in lamps(body)] for number, body in self.documents.items()}


def payload(part: Message) -> bytes:
    found = part.get_payload(decode=True)
    assert isinstance(found, bytes)
    return found


def told(watched: Watched, which: int = -1) -> Told:
    notify = watched.notifies[which]
    assert notify.headers.get("require") == "eventlist"
    kind = notify.headers.get("content-type") or ""
    message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + notify.body, policy=policy.HTTP)
    assert not message.defects
    parts = {part["Content-ID"]: part for part in message.iter_parts()}
    root = parts[message.get_param("start")]
    assert root.get_content_type() == message.get_param("type") == "application/rlmi+xml"
    index = ElementTree.fromstring(payload(root))
    names, gone, documents = dict[str, str](), list[str](), dict[str, bytes]()
    for resource in index.findall(f"{RLMI}resource"):
        number = resource.attrib["uri"].removeprefix("sip:").partition("@")[0]
        names[number] = resource.findtext(f"{RLMI}name") or ""
        instance = resource.find(f"{RLMI}instance")
        if instance is not None and instance.attrib["state"] == "terminated":
            gone.append(number)
        elif instance is not None:
            documents[number] = payload(parts.pop(f"<{instance.attrib['cid']}>"))
    assert len(parts) == 1, "no part that nobody names"
    return Told(index.attrib["fullState"] == "true", int(index.attrib["version"]), names, gone, documents)


def change(office: VirtualOffice, *lists: LampList) -> None:
    """Another office is in force."""
    made = Office("Test", users=USERS, terminals=tuple(terminals()), lamp_lists=lists)
    office.pbx.office_changed(type(office.pbx.directory)(made, office.pbx.directory.realm))


async def watching(office: VirtualOffice, *lists: LampList, package: str = "dialog") -> Watched:
    change(office, *lists)
    found = await Watcher(await office.registered("103", extensions=frozenset(("eventlist",)))).watch(
        lists[0].id, package, SUPPORTED
    )
    await asyncio.sleep(1)
    return found


async def test_a_list_is_told_whole_first_and_then_what_has_changed() -> None:
    async with lamp_office(*terminals(), users=USERS) as office:
        watched = await watching(office, ALL)
        assert watched.response is not None
        assert watched.response.headers.get("require") == "eventlist"
        first = told(watched)
        assert (first.is_full, first.version) == (True, 0)
        assert first.names == {"101": "Anna <& Co>", "102": "Борис", "000064": ""}
        assert first.lamps == {"101": [], "102": [], "000064": []}
        caller, callee = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(caller, callee)
        seen = [told(watched, which) for which in range(1, len(watched.notifies))]
        assert all(not each.is_full and each.names.keys() <= {"101", "102"} for each in seen)
        assert [each.version for each in seen] == list(range(1, len(seen) + 1))
        assert lamps(next(each.documents["102"] for each in seen[::-1] if "102" in each.documents)) == [
            Lamp("confirmed", "recipient", "101", "Anna <& Co>")
        ]
        call.hangup()
        await ring.until_over()
        await asyncio.sleep(1)
        last = dict[str, list[str]]()
        for which in range(len(watched.notifies)):
            last |= told(watched, which).lamps
        assert last == {"101": [], "102": [], "000064": []}


async def test_presence_may_be_watched_by_list_too() -> None:
    async with lamp_office(*terminals(), users=USERS) as office:
        watched = await watching(office, ALL, package="presence")
        await office.registered("102")
        await asyncio.sleep(1)
        last = told(watched)
        assert (last.is_full, list(last.documents)) == (False, ["102"])
        assert ElementTree.fromstring(last.documents["102"]).findtext(f".//{PIDF}basic") == "open"


async def test_what_does_not_fit_into_one_notify_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MOST_BYTES", 300)
    async with lamp_office(*terminals(), users=USERS) as office:
        watched = await watching(office, LampList("desk", ("101", "102", "103", "104", "105")))
        await asyncio.sleep(2)
        seen = [told(watched, which) for which in range(len(watched.notifies))]
        assert [each.is_full for each in seen] == [True, *[False] * (len(seen) - 1)]
        assert list(seen[0].names) == ["101", "102", "103", "104", "105"]
        assert [number for each in seen for number in each.documents] == ["101", "102", "103", "104", "105"]


async def test_a_refresh_and_the_end_tell_all_again() -> None:
    async with lamp_office(*terminals(), users=USERS) as office:
        watched = await watching(office, ALL)
        for lifetime in (600, 0):
            await watched.subscribe(lifetime, SUPPORTED)
            await asyncio.sleep(1)
            assert told(watched).is_full
            assert len(told(watched).documents) == 3
        assert watched.state.state == "terminated"


async def test_what_was_refused_for_the_moment_is_told_again_with_all() -> None:
    async with lamp_office(*terminals(), users=USERS) as office:
        watched = await watching(office, ALL)
        caller, callee = await office.registered("101"), await office.registered("102")
        watched.watcher.answers, watched.watcher.retry_after_s = 503, 5
        call = caller.dial("102")
        ring = await callee.rung()
        await asyncio.sleep(1)
        watched.watcher.answers = 200
        await asyncio.sleep(6)
        assert told(watched).is_full
        assert told(watched).lamps["102"] == ["trying"]
        ring.reject(486)
        await call.until_over()


async def test_who_does_not_know_lists_is_told_that_it_has_to() -> None:
    async with lamp_office(*terminals()) as office:
        change(office, ALL)
        watched = await Watcher(await office.registered("103", extensions=frozenset(("eventlist",)))).watch("desk")
        assert watched.status == 421
        assert watched.response is not None
        assert watched.response.headers.get("require") == "eventlist"


@pytest.mark.parametrize(("number", "package", "status"), [("nobody", "dialog", 404), ("desk", "reg", 403)])
async def test_what_is_no_list_is_refused(number: str, package: str, status: int) -> None:
    async with lamp_office(*terminals()) as office:
        change(office, ALL)
        watched = await Watcher(await office.registered("103", extensions=frozenset(("eventlist",)))).watch(
            number, package, SUPPORTED
        )
        assert watched.status == status


async def test_a_list_follows_the_office() -> None:
    async with lamp_office(*terminals(), users=USERS) as office:
        watched = await watching(office, ALL)
        change(office, LampList("desk", ("104", "999")))
        await asyncio.sleep(1)
        last = told(watched)
        assert (last.is_full, list(last.documents), last.gone) == (True, ["104"], ["999"])
        change(office)
        await asyncio.sleep(1)
        assert (watched.state.state, watched.state.reason) == ("terminated", "noresource")
