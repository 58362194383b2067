"""Tones of the office's country, and what who is held hears."""

import asyncio
from pathlib import Path

import pytest

from conf.countries import COUNTRIES
from media.api import Play, SharedSource, StopPlay
from media.engine.tones import compile_tone
from pbx import cause, office_sound
from pbx.office_sound import HOLD_TONE, OfficeSound
from pbx.tones import TONES, CountryTones, tones_of
from storage.records import Office, Sound
from tests.support.fakepbx import FakePbx

MUSIC = (Sound("greeting", "/sounds/hello.wav"), Sound("one", "/sounds/one.mp3", music=True))


@pytest.fixture(autouse=True)
def _without_installed_music(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(office_sound, "INSTALLED_MUSIC", tmp_path)


@pytest.mark.parametrize("country", COUNTRIES)
def test_every_country_has_tones_that_can_be_played_and_told_apart(country: str) -> None:
    tones = TONES[country]
    for tone in (tones.dial, tones.ringback, tones.busy, tones.congestion, tones.waiting):
        assert compile_tone(tone)
        assert tone.loop
        assert any(hz for hz, _ in tone.steps)
    assert tones.ringback != tones.busy
    assert {ms for hz, ms in tones.ringback.steps if not hz} - {200} >= {2000} or sum(
        ms for _, ms in tones.ringback.steps
    ) >= 3000, "ringing pauses for seconds"


def _cadence(tones: CountryTones) -> str:
    steps = tones.ringback.steps
    return " ".join(f"{'+'.join(f'{each:g}' for each in hz) or 0}/{ms}" for hz, ms in steps)


@pytest.mark.parametrize(
    ("country", "language", "ringback"),
    [
        ("", "ru", "425/1000 0/4000"),
        ("", "en", "440+480/2000 0/4000"),
        ("uk", "en", "400+450/400 0/200 400+450/400 0/2000"),
        ("de", "ru", "425/1000 0/4000"),
        ("fr", "en", "440/1500 0/3500"),
        ("jp", "en", "392+408/1000 0/2000"),
    ],
)
def test_tones_follow_the_country_and_without_one_the_language(country: str, language: str, ringback: str) -> None:
    assert _cadence(tones_of(country, language)) == ringback


def test_who_is_held_hears_all_music_of_the_office_or_what_is_installed_or_a_tone(tmp_path: Path) -> None:
    assert OfficeSound.of(Office(sounds=MUSIC)).hold == SharedSource(("/sounds/one.mp3",))
    assert OfficeSound.of(Office(sounds=MUSIC[:1])).hold == HOLD_TONE
    (tmp_path / "b.wav").touch()
    (tmp_path / "a.wav").touch()
    installed = OfficeSound.of(Office()).hold
    assert isinstance(installed, SharedSource)
    assert installed.paths == (str(tmp_path / "a.wav"), str(tmp_path / "b.wav"))


@pytest.mark.row("SND-6")
def test_all_music_of_the_office_is_one_class_and_each_file_is_one_too() -> None:
    sound = OfficeSound.of(Office(sounds=(*MUSIC, Sound("two", "/sounds/two.wav", music=True))))
    assert sound.hold == sound.music("") == SharedSource(("/sounds/one.mp3", "/sounds/two.wav"))
    assert sound.music("two") == SharedSource(("/sounds/two.wav",))
    assert sound.music("greeting") == SharedSource(("/sounds/hello.wav",)), "it need not be music on hold"


async def _held() -> FakePbx:
    pbx = FakePbx("102")
    pbx.services.sound = OfficeSound.of(Office(sounds=MUSIC))
    await pbx.prepare(pbx.call)
    pbx.caller.answer()
    pbx.services.sound.play_hold(pbx.caller)
    return pbx


async def test_music_that_cannot_be_played_is_replaced_by_a_tone() -> None:
    pbx = await _held()
    pbx.engine.finish_play(pbx.caller.media.endpoint, "/sounds/one.mp3 is damaged.")
    await asyncio.sleep(1)
    assert [each.source for each in pbx.engine.of(Play)] == [SharedSource(("/sounds/one.mp3",)), HOLD_TONE]
    pbx.caller.hung_up(cause.NORMAL)


async def test_music_that_is_stopped_or_ends_with_its_party_is_not_replaced() -> None:
    pbx = await _held()
    pbx.caller.stop_plays()
    await asyncio.sleep(1)
    pbx.services.sound.play_hold(pbx.caller)
    pbx.caller.hung_up(cause.NORMAL)
    await asyncio.sleep(1)
    assert len(pbx.engine.of(Play)) == 2


@pytest.mark.parametrize(("why", "tone"), [(cause.BUSY, "busy"), (cause.UNAVAILABLE, "congestion")])
async def test_an_answered_caller_hears_why_nothing_comes_of_it(why: cause.Cause, tone: str) -> None:
    pbx = FakePbx("102")
    pbx.services.sound = OfficeSound.of(Office(country="de"))
    await pbx.prepare(pbx.call)
    before = asyncio.get_running_loop().time()
    await pbx.play_failure(pbx.call, why)
    assert asyncio.get_running_loop().time() == before, "who is not answered can be refused"
    pbx.caller.answer()
    await pbx.play_failure(pbx.call, why)
    assert asyncio.get_running_loop().time() == before + 5
    assert [each.source for each in pbx.engine.of(Play)] == [getattr(TONES["de"], tone)]
    assert len(pbx.engine.of(StopPlay)) == 1
    pbx.caller.hung_up(cause.NORMAL)
