"""Letters that wait: what is kept, when it is tried again, and what is given up; the server is a script."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pbx.clock import Clock
from pbx.mail.outbox import KEEP_S, MOST, PAUSE_MAX_S, PAUSE_S, RETRY_S, Outbox
from pbx.mail.smtp import LetterRefused, Send, ServerUnavailable
from storage.memory import MemoryStorage
from storage.records import StoredLetter
from tests.support.office import WALL_AT_START


class ScriptedServer:
    """Takes what it is given unless `down` or `refuse` say otherwise."""

    def __init__(self) -> None:
        self.down = ""
        self.refuse: Callable[[StoredLetter], Exception | None] = lambda letter: None
        self.took: list[str] = []
        self.sessions: list[float] = []
        self.takes_s = 0.0

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Send]:
        self.sessions.append(asyncio.get_running_loop().time())
        if self.down:
            raise ServerUnavailable(self.down)
        yield self.send

    async def send(self, letter: StoredLetter) -> str:
        await asyncio.sleep(self.takes_s)
        if (error := self.refuse(letter)) is not None:
            raise error
        self.took.append(letter.id)
        return "queued"


class Rig:
    def __init__(self, data: Path, storage: MemoryStorage | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.clock = Clock(loop, lambda: WALL_AT_START + loop.time())
        self.storage, self.server, self.data = storage or MemoryStorage(), ScriptedServer(), data
        self.box = Outbox(self.storage.letters, self.server, self.clock, data)

    def letter(self, id: str, attachment: str = "") -> StoredLetter:
        now = self.clock.wall()
        if attachment:
            (self.data / "mail").mkdir(exist_ok=True)
            (self.data / attachment).touch()
        return StoredLetter(id, "voicemail", f"{id}@example.com", "s", "t", now, now, attachment=attachment)

    async def stored(self) -> list[str]:
        return [letter.id for letter in await self.storage.letters.load()]


@asynccontextmanager
async def outbox(data: Path, storage: MemoryStorage | None = None) -> AsyncIterator[Rig]:
    rig = Rig(data, storage)
    await rig.box.start()
    try:
        yield rig
    finally:
        await rig.box.close()


async def test_letters_go_at_once_in_one_session_and_leave_nothing(tmp_path: Path) -> None:
    async with outbox(tmp_path) as rig:
        rig.server.takes_s = 1.0
        for id in "abc":
            assert rig.box.post(rig.letter(id, f"mail/{id}.mp3"))
        assert await rig.stored() == ["a", "b", "c"]
        await asyncio.sleep(4)
        assert rig.server.took == ["a", "b", "c"]
        assert len(rig.server.sessions) == 1
        assert await rig.stored() == []
        assert list((tmp_path / "mail").iterdir()) == []
        assert rig.box.describe() == {"waiting": 0, "sent": 3, "postponed": 0, "dropped": 0, "last_error": ""}


async def test_a_file_goes_with_the_last_letter_that_names_it(tmp_path: Path) -> None:
    async with outbox(tmp_path) as rig:
        rig.server.refuse = lambda letter: LetterRefused("later", is_final=False) if letter.id == "b" else None
        rig.box.post(rig.letter("a", "mail/x.mp3"))
        rig.box.post(rig.letter("b", "mail/x.mp3"))
        await asyncio.sleep(1)
        assert rig.server.took == ["a"]
        assert (tmp_path / "mail/x.mp3").exists()
        rig.server.refuse = lambda letter: None
        await asyncio.sleep(RETRY_S[0])
        assert rig.server.took == ["a", "b"]
        assert not (tmp_path / "mail/x.mp3").exists()


async def test_letters_wait_over_a_restart(tmp_path: Path) -> None:
    storage = MemoryStorage()
    async with outbox(tmp_path, storage) as rig:
        rig.server.down = "no way"
        rig.box.post(rig.letter("a", "mail/a.mp3"))
        await asyncio.sleep(1)
    (tmp_path / "mail/of-nobody.mp3").touch()
    async with outbox(tmp_path, storage) as rig:
        await asyncio.sleep(1)
        assert rig.server.took == ["a"]
        assert list((tmp_path / "mail").iterdir()) == []


async def test_a_server_that_is_away_is_tried_less_and_less_often_and_told_of_once(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with outbox(tmp_path) as rig:
            rig.server.down = "the mail server refuses connections"
            rig.box.post(rig.letter("a"))
            await asyncio.sleep(6 * 3600)
            assert rig.box.describe()["last_error"] == rig.server.down
            waits = [round(later - sooner) for sooner, later in pairwise(rig.server.sessions)]
            assert waits[:3] == [PAUSE_S, 2 * PAUSE_S, 4 * PAUSE_S]
            assert waits[-1] == PAUSE_MAX_S
            rig.server.down = ""
            await asyncio.sleep(PAUSE_MAX_S)
            assert rig.server.took == ["a"]
            assert rig.box.describe()["last_error"] == ""
    assert [each["event"] for each in logs] == ["mail cannot be sent", "mail is sent again", "mail sent"]


async def test_a_letter_that_is_refused_for_now_waits_by_itself(tmp_path: Path) -> None:
    async with outbox(tmp_path) as rig:
        tries: list[float] = []

        def refuse(letter: StoredLetter) -> Exception | None:
            if letter.id != "grey":
                return None
            tries.append(rig.clock.now())
            return LetterRefused("451 come again", is_final=False)

        rig.server.refuse = refuse
        rig.box.post(rig.letter("grey"))
        rig.box.post(rig.letter("other"))
        await asyncio.sleep(3 * 3600)
        assert rig.server.took == ["other"]
        waits = [round(later - sooner) for sooner, later in pairwise(tries)]
        assert waits[:5] == list(RETRY_S)
        assert waits[-1] == RETRY_S[-1]
        (stored,) = await rig.storage.letters.load()
        assert stored.attempts == len(tries)


async def test_a_letter_that_is_refused_for_good_is_dropped_with_the_reason(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with outbox(tmp_path) as rig:
            rig.server.refuse = lambda letter: LetterRefused("550 no such user", is_final=True)
            rig.box.post(rig.letter("a", "mail/a.mp3"))
            await asyncio.sleep(1)
            assert await rig.stored() == []
            assert rig.box.describe()["dropped"] == 1
            assert not (tmp_path / "mail/a.mp3").exists()
    (line,) = logs
    assert (line["log_level"], line["recipient"], line["why"]) == ("error", "a@example.com", "550 no such user")


@pytest.mark.virtual_limit(KEEP_S + 7200)
async def test_a_letter_that_nobody_takes_for_days_is_given_up(tmp_path: Path) -> None:
    async with outbox(tmp_path) as rig:
        rig.server.down = "away"
        rig.box.post(rig.letter("a"))
        await asyncio.sleep(KEEP_S - 3600)
        assert rig.box.describe()["waiting"] == 1
        await asyncio.sleep(2 * 3600)
        assert rig.box.describe()["waiting"] == 0
        assert await rig.stored() == []


async def test_a_full_box_takes_no_more(tmp_path: Path) -> None:
    async with outbox(tmp_path) as rig:
        rig.server.down = "away"
        for number in range(MOST):
            assert rig.box.post(rig.letter(str(number)))
        assert not rig.box.post(rig.letter("more", "mail/more.mp3"))
        assert not (tmp_path / "mail/more.mp3").exists()
        assert rig.box.describe()["waiting"] == MOST


async def test_a_mistake_with_one_letter_does_not_stop_the_others(tmp_path: Path) -> None:
    async with outbox(tmp_path) as rig:
        rig.server.refuse = lambda letter: LookupError("a bug") if letter.id == "a" else None
        rig.box.post(rig.letter("a"))
        rig.box.post(rig.letter("b"))
        with capture_logs():
            await asyncio.sleep(1)
        assert rig.server.took == ["b"]
        assert (await rig.stored()) == ["a"]


async def test_a_session_that_breaks_keeps_what_was_not_sent(tmp_path: Path) -> None:
    async with outbox(tmp_path) as rig:
        rig.server.refuse = lambda letter: ServerUnavailable("gone") if letter.id == "b" else None
        for id in "abc":
            rig.box.post(rig.letter(id))
        await asyncio.sleep(1)
        assert rig.server.took == ["a"]
        rig.server.refuse = lambda letter: None
        await asyncio.sleep(PAUSE_S)
        assert rig.server.took == ["a", "b", "c"]
