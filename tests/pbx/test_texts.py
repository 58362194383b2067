"""Text messages between terminals in a virtual office."""

import asyncio

import pytest

from pbx.texts import MOST_BODY_BYTES, MOST_UNDER_WAY, PATIENCE_S
from sipcore.build import response_to
from sipcore.events import RequestArrived
from storage.records import User
from tests.support.builders import terminal
from tests.support.office import open_office
from tests.support.ua import Phone, RawPhone
from tests.support.wire import Faults

SENDER = terminal("101", owner="anna", trust="10.0.7.1")
ANNA = User("anna", 'Anna "A" Ä')


def text(raw: RawPhone, number: str, body: bytes = b"Hello", *, kind: str = "text/plain", cseq: int = 1) -> None:
    data = raw.request("MESSAGE", number, cseq, body=body, to_tag="", branch=f"m{cseq}")
    raw.send(data.replace(b"Content-Type: application/sdp", f"Content-Type: {kind}".encode()))


def answering(phone: Phone, status: int, after_s: float = 0.0) -> None:
    """Let the phone answer every MESSAGE so."""

    def respond(event: RequestArrived) -> None:
        phone.stack.respond(event.key, response_to(event.request, status), phone.driver.now())
        phone.driver.kick()

    def answer(event: RequestArrived) -> None:
        asyncio.get_running_loop().call_later(after_s, respond, event)

    phone.on_request = answer


@pytest.mark.row("EXT-20")
async def test_a_text_reaches_every_device_with_the_senders_name() -> None:
    async with open_office(SENDER, terminal("102"), users=[ANNA]) as office:
        devices = [await office.registered("102", f"10.0.5.{at}") for at in (1, 2)]
        for device in devices:
            answering(device, 200)
        raw = office.raw("101", "10.0.7.1")
        text(raw, "102", "Привет".encode(), kind="text/plain;charset=UTF-8")
        await raw.expect(200)
        await asyncio.sleep(1)
        for device in devices:
            (got,) = device.requests("MESSAGE")
            assert got.body.decode() == "Привет"
            assert got.headers.get("content-type") == "text/plain;charset=UTF-8"
            assert (got.from_.display, got.from_.uri.user) == (ANNA.name, "101")  # type: ignore[union-attr]
            assert "contact" not in got.headers


@pytest.mark.parametrize(
    ("number", "body", "kind", "status"),
    [
        ("999", b"Hello", "text/plain", 404),
        ("10003246", b"Hello", "text/plain", 404),
        ("102", b"x" * (MOST_BODY_BYTES + 1), "text/plain", 413),
        ("102", b"\x00\x01", "application/octet-stream", 415),
    ],
)
async def test_a_text_that_cannot_be_relayed_is_refused(number: str, body: bytes, kind: str, status: int) -> None:
    async with open_office(SENDER, terminal("102")) as office:
        raw = office.raw("101", "10.0.7.1")
        text(raw, number, body, kind=kind)
        await raw.expect(status)


async def test_the_longest_and_the_empty_text_pass() -> None:
    async with open_office(SENDER, terminal("102")) as office:
        answering(callee := await office.registered("102"), 200)
        raw = office.raw("101", "10.0.7.1")
        for cseq, body in enumerate((b"x" * MOST_BODY_BYTES, b""), start=1):
            text(raw, "102", body, cseq=cseq)
            await raw.expect(200)
        assert [len(each.body) for each in callee.requests("MESSAGE")] == [MOST_BODY_BYTES, 0]
        assert all(len(bytes(each)) <= 1300 for each in callee.requests("MESSAGE"))


async def test_a_stranger_cannot_send_texts() -> None:
    async with open_office(SENDER, terminal("102")) as office:
        callee = await office.registered("102")
        raw = office.raw("101", "10.0.8.8")
        text(raw, "102")
        await raw.expect(401)
        await asyncio.sleep(1)
        assert callee.requests("MESSAGE") == []


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ((200, 486), 200),
        ((486, 200), 200),
        ((480, 481), 202),
        ((486, 486), 202),
        ((503, 603), 603),
        ((415, 404), 415),
        ((202, 202), 200),
    ],
)
async def test_one_device_that_takes_it_is_enough(answers: tuple[int, int], status: int) -> None:
    async with open_office(SENDER, terminal("102")) as office:
        for at, answer in enumerate(answers):
            answering(await office.registered("102", f"10.0.5.{at + 1}"), answer, after_s=0.1 * at)
        raw = office.raw("101", "10.0.7.1")
        text(raw, "102")
        assert (await raw.expect_final()).status == status


async def test_a_device_that_went_away_is_not_waited_for_longer_than_the_sender_waits() -> None:
    async with open_office(SENDER, terminal("102")) as office:
        office.unplug(await office.registered("102"))
        raw = office.raw("101", "10.0.7.1")
        started = asyncio.get_running_loop().time()
        text(raw, "102")
        assert (await raw.expect_final()).status == 202
        assert asyncio.get_running_loop().time() - started == pytest.approx(PATIENCE_S)


@pytest.mark.parametrize(("after_s", "trying"), [(1.0, 0), (3.4, 0), (3.6, 1), (15.0, 1)])
async def test_a_sender_that_waits_hears_100_once_its_copies_have_become_rare(after_s: float, trying: int) -> None:
    async with open_office(SENDER, terminal("102")) as office:
        answering(await office.registered("102"), 200, after_s=after_s)
        raw = office.raw("101", "10.0.7.1")
        text(raw, "102")
        await raw.expect(200)
        assert [each.status for each in raw.received] == [100] * trying + [200]  # type: ignore[union-attr]


async def test_a_sender_has_only_so_many_under_way() -> None:
    async with open_office(SENDER, terminal("102")) as office:
        office.unplug(await office.registered("102"))
        raw = office.raw("101", "10.0.7.1")
        for cseq in range(1, MOST_UNDER_WAY + 2):
            text(raw, "102", cseq=cseq)
        refused = await raw.expect_final()
        assert (refused.status, refused.headers.get("retry-after")) == (503, "1")
        for _ in range(MOST_UNDER_WAY):
            await raw.expect(202)
        answering(await office.registered("102", "10.0.5.9"), 200)
        await asyncio.sleep(60)
        text(raw, "102", cseq=99)
        await raw.expect(200)


@pytest.mark.parametrize("seed", range(6))
async def test_under_loss_a_text_is_taken_once_or_refused(seed: int) -> None:
    async with open_office(SENDER, terminal("102"), faults=Faults(0.2, 0.1, (0.01, 0.2)), seed=seed) as office:
        answering(callee := await office.registered("102"), 200)
        raw = office.raw("101", "10.0.7.1")
        for at in range(1, 6):
            for _ in range(6):  # as a phone repeats it
                text(raw, "102", f"no. {at}".encode(), cseq=at)
                await asyncio.sleep(0.5)
        await asyncio.sleep(40)
        taken = {each.via.branch: each.body for each in callee.requests("MESSAGE")}
        assert len(taken) == len(set(taken.values())), "a text came twice"
