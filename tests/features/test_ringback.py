"""What callers hear while a terminal rings: a sound of its own (RBT-1, RBT-2), music of who talks already (FEAT-24)."""

import asyncio

import pytest

from media.api import FileSource, Play, ToneSource
from pbx.api import PlaySource
from storage.records import Features, Office, Sound
from tests.support.builders import codecs_of, terminal
from tests.support.office import VirtualOffice, open_office

JAZZ = Sound("jazz", "/s/jazz.wav")
OFFICE = Office("Test", sounds=(JAZZ, Sound("music", "/s/music.wav", music=True)))
TERMINALS = (terminal("101"), terminal("102", ringback="jazz", max_calls=2), terminal("103", max_calls=2))


def played_to(office: VirtualOffice, number: str) -> list[PlaySource]:
    playing = office.endpoint_of(number).play
    return [each.source for each in office.engine.of(Play) if each.play == playing]


@pytest.mark.row("AMB-18")
@pytest.mark.row("RBT-1")
@pytest.mark.row("RBT-2")
async def test_a_terminal_has_a_ringback_tone_of_its_own_as_early_media() -> None:
    async with open_office(*TERMINALS, office=OFFICE) as office:
        a, b = [await office.registered(number) for number in ("101", "102")]
        call = a.dial("102")
        ring = await b.rung()
        ring.ring()
        await call.until_ringing()
        assert codecs_of(a.responses(183)[-1].body) == ["PCMA", "telephone-event"]
        assert played_to(office, "101") == [FileSource("/s/jazz.wav", loop=True)]
        await asyncio.sleep(10)
        ring.answer()
        await call.until_answered()
        await asyncio.sleep(5)
        assert played_to(office, "101") == []
        assert office.hears("101") == "102"
        call.hangup()
        await ring.until_over()
    assert office.row.talk_seconds == pytest.approx(5, abs=0.5)


async def test_other_terminals_ring_as_usual() -> None:
    async with open_office(*TERMINALS, office=OFFICE) as office:
        a, c = [await office.registered(number) for number in ("101", "103")]
        call = a.dial("103")
        ring = await c.rung()
        ring.ring()
        await call.until_ringing()
        assert not a.responses(183)
        ring.reject(486)
        assert await call.until_over() == 486


@pytest.mark.row("REG-18")
async def test_a_sound_that_cannot_be_played_is_followed_by_the_tone_of_the_country() -> None:
    async with open_office(*TERMINALS, office=OFFICE) as office:
        a, b = [await office.registered(number) for number in ("101", "102")]
        call = a.dial("102")
        ring = await b.rung()
        ring.ring()
        await call.until_ringing()
        office.engine.finish_play(office.leg_of("101").media.endpoint, "there is no such file")
        await asyncio.sleep(0.1)
        (tone,) = played_to(office, "101")
        assert tone == office.services.sound.tones.ringback
        ring.reject(486)
        assert await call.until_over() == 486


@pytest.mark.row("FEAT-24")
@pytest.mark.parametrize("has_notice", [True, False])
async def test_who_calls_somebody_that_talks_hears_a_beep_and_music(has_notice: bool) -> None:
    features = Features(call_waiting_notice=has_notice)
    noticing = Office("Test", sounds=OFFICE.sounds, features=features)
    async with open_office(*TERMINALS, terminal("104"), office=noticing) as office:
        a, c, d = [await office.registered(number) for number in ("101", "103", "104")]
        first, talking = await office.connect(d, c)
        call = a.dial("103")
        ring = await c.rung()
        ring.ring()
        await call.until_ringing()
        if has_notice:
            (beep,) = played_to(office, "101")
            assert isinstance(beep, ToneSource)
            assert not beep.loop
            office.engine.finish_play(office.leg_of("101").media.endpoint, "finished")
            await asyncio.sleep(0.1)
            assert played_to(office, "101") == [office.services.sound.hold]
        else:
            assert not a.responses(183)
        ring.answer()
        await call.until_answered()
        for each in (call, first):
            each.hangup()
        await ring.until_over()
        await talking.until_over()
