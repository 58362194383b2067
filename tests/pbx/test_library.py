"""The sound library of a running server: what is taken, changed, deleted, restored, and what stays on the disk."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from conf.sound_uses import uses_of_sounds
from pbx import office_sound
from pbx.control.link import ControlLink
from pbx.control.messages import ControlError
from pbx.control.sounds import AddSound, ChangeSound, GetSounds, RemoveSound, RestoreSounds, SoundView
from pbx.runtime import Server
from storage.memory import MemoryStorage
from storage.records import InboundPolicy, Ivr, Office, Queue, RecordingPolicy, Sound, Terminal
from tests.media.sounds import sine, wav
from tests.pbx.test_runtime import OFFICE, serving
from tests.support.conversions import converted_here

pytestmark = pytest.mark.real_loop
__all__ = ["converted_here"]


@asynccontextmanager
async def library(folder: Path, office: Office = OFFICE) -> AsyncIterator[tuple[Server, ControlLink]]:
    async with serving(folder, office=office, storage=MemoryStorage()) as (server, _):
        await server.start()
        link = ControlLink(folder)
        try:
            yield server, link
        finally:
            await link.close()
            await server.stop()


def hello(folder: Path, hz: float = 600) -> Path:
    file = folder / "hello.wav"
    file.write_bytes(wav(sine(hz, 1.5, 16000).tobytes(), rate=16000))
    return file


def names(folder: Path) -> list[str]:
    return [each.name for each in folder.glob("*")]


async def refused(link: ControlLink, request: AddSound | RemoveSound | ChangeSound) -> str:
    with pytest.raises(ControlError) as raised:
        await link.ask(request, object)
    return str(raised.value)


@pytest.mark.row("SND-4")
@pytest.mark.row("SND-7")
async def test_a_sound_is_taken_into_one_folder_and_cannot_be_deleted_while_it_is_used(tmp_path: Path) -> None:
    async with library(tmp_path) as (server, link):
        added = await link.ask(AddSound("hello", str(hello(tmp_path)), name="Приветствие", note="noon"), SoundView)
        file = Path(added.path)
        assert file.parent == tmp_path / "sounds", "the fixed folder"
        assert (added.name, added.note, added.seconds, added.size) == ("Приветствие", "noon", 1.5, 48044)
        assert server.office.sounds == (Sound("hello", str(file), name="Приветствие", note="noon"),)
        using = replace(
            server.office,
            ivrs=(Ivr("700", "101", greeting="hello"),),
            queues=(Queue("500", music="hello", announcement="hello"),),
            recording=RecordingPolicy(notice_in="hello"),
        )
        server._take_over(using)
        users = ("queue 500 (music)", "queue 500 (announcement)", "IVR 700 (greeting)", "recording.notice_in")
        (listed,) = await link.ask(GetSounds(), list[SoundView])
        assert listed.used_by == users
        assert await refused(link, RemoveSound("hello")) == (
            f'the sound "hello" is used by {", ".join(users)}; nothing was deleted'
        )
        server._take_over(replace(using, ivrs=(), queues=(), recording=RecordingPolicy()))
        assert await link.ask(RemoveSound("hello"), bool)
        assert [*server.office.sounds] == []
        assert "there is no sound" in await refused(link, RemoveSound("hello"))


async def test_name_note_and_content_change_and_everything_else_stays(tmp_path: Path) -> None:
    async with library(tmp_path) as (server, link):
        first = await link.ask(AddSound("hello", str(hello(tmp_path)), name="Hello"), SoundView)
        assert "already" in await refused(link, AddSound("hello", str(hello(tmp_path))))
        changed = await link.ask(ChangeSound("hello", note="for all", music=True), SoundView)
        assert (changed.name, changed.note, changed.music, changed.path) == ("Hello", "for all", True, first.path)
        assert (
            await refused(link, ChangeSound("hello", name="x" * 201))
            == "name: must be at most 200 characters long, not 201"
        )
        again = await link.ask(AddSound("hello", str(hello(tmp_path, 900)), replaces=True), SoundView)
        assert (again.name, again.note, again.music) == ("Hello", "for all", True)
        assert again.path != first.path, "who hears the old one hears it to its end"
        assert [each.by for each in await server._storage.versions.newest()].count("") == 4


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (AddSound("a b", "x"), 'id: must be 1 to 64 letters A-Z a-z, digits or . _ -, not "a b"'),
        (AddSound("../../etc", "x"), 'id: must be 1 to 64 letters A-Z a-z, digits or . _ -, not "../../etc"'),
        (AddSound("a", "/nowhere/x.wav"), "/nowhere/x.wav cannot be read: No such file or directory."),
        (AddSound("a", "/nowhere/x.wav", file="the file"), "the file cannot be read: No such file or directory."),
        (AddSound("a", text="hallo", language="de"), 'no voice speaks "de"; those here speak en, ru'),
        (AddSound("a", text="x" * 2001), "the text has more than 2000 characters"),
    ],
)
async def test_what_cannot_be_taken_is_refused_in_a_sentence(tmp_path: Path, wanted: AddSound, why: str) -> None:
    async with library(tmp_path) as (server, link):
        assert await refused(link, wanted) == why
        assert server.office.sounds == ()
        assert names(tmp_path / "sounds") == []


async def test_tunes_of_the_installation_come_back_when_they_were_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a tune.wav", "b.wav"):
        (tmp_path / name).write_bytes(wav(bytes(8000)))
    monkeypatch.setattr(office_sound, "INSTALLED_MUSIC", tmp_path)
    async with library(tmp_path) as (server, link):
        assert await link.ask(RestoreSounds(), list[str]) == ["a-tune", "b"]
        assert [each.file for each in server.office.sounds if each.music] == [
            str(tmp_path / "a tune.wav"),
            str(tmp_path / "b.wav"),
        ]
        assert await link.ask(RestoreSounds(), list[str]) == []
        await link.ask(RemoveSound("b"), bool)
        assert "b.wav" in names(tmp_path), "it is not ours"
        assert await link.ask(RestoreSounds(), list[str]) == ["b"]


async def test_a_file_stays_until_no_version_of_the_office_can_bring_it_back(tmp_path: Path) -> None:
    async with library(tmp_path) as (server, link):
        file = Path((await link.ask(AddSound("hello", str(hello(tmp_path))), SoundView)).path)
        (tmp_path / "sounds" / "mine.wav").write_bytes(b"put there by hand")
        await link.ask(RemoveSound("hello"), bool)
        await server.library.tidy()
        assert file.name in names(tmp_path / "sounds")
        newest = (await server._storage.versions.newest())[0]
        last = await server._storage.versions.get(newest.id)
        assert last is not None
        await server._storage.versions.add(replace(last, id=last.id + 1), 1)
        await server.library.tidy()
        assert names(tmp_path / "sounds") == ["mine.wav"]


def test_every_place_that_names_a_sound_is_a_use_of_it() -> None:
    office = Office(
        terminals=(Terminal("101", ringback="a"),), inbound=InboundPolicy(sound="a"), ivrs=(Ivr("700", "101"),)
    )
    assert uses_of_sounds(office) == {"a": ("terminal 101 (ringback)", "inbound.sound")}
