"""The tones of every country as a phone hears them (REG-18), against ITU-T E.180 and national practice."""

import asyncio

import numpy as np
import pytest
from numpy.typing import NDArray

from media.api import Play, ToneSource
from media.rtp.packet import RtpPacket
from pbx.tones import TONES, CountryTones, tones_of
from tests.media.peer import Peer, accept, embedded, open_endpoint, peers
from tests.media.sounds import heard, level_dbov

pytestmark = pytest.mark.real_loop
Samples = NDArray[np.int16]

# Hz and then seconds of sound and silence, in turn; a dial tone without seconds goes on.
EXPECTED: dict[str, tuple[tuple[float, ...], ...]] = {
    "ru": ((425,), (1, 4), (425,), (0.35, 0.35), (425,), ()),
    "us": ((440, 480), (2, 4), (480, 620), (0.5, 0.5), (350, 440), ()),
    "uk": ((400, 450), (0.4, 0.2, 0.4, 2), (400,), (0.375, 0.375), (350, 440), ()),
    "de": ((425,), (1, 4), (425,), (0.48, 0.48), (425,), ()),
    "dk": ((425,), (1, 4), (425,), (0.5, 0.5), (425,), ()),
    "es": ((425,), (1.5, 3), (425,), (0.2, 0.2), (425,), ()),
    "gr": ((425,), (1, 4), (425,), (0.3, 0.3), (425,), (0.2, 0.3, 0.7, 0.8)),
    "fr": ((440,), (1.5, 3.5), (440,), (0.5, 0.5), (440,), ()),
    "it": ((425,), (1, 4), (425,), (0.5, 0.5), (425,), (0.2, 0.2, 0.6, 1)),
    "jp": ((392, 408), (1, 2), (400,), (0.5, 0.5), (400,), ()),
    "nl": ((425,), (1, 4), (425,), (0.5, 0.5), (425,), ()),
    "pl": ((425,), (1, 4), (425,), (0.5, 0.5), (425,), ()),
    "pt": ((425,), (1, 5), (425,), (0.5, 0.5), (425,), ()),
}
NAMES = ("ringback", "busy", "dial")
MORE_S = 0.2  # what is heard beyond one period: it begins again
CONTINUOUS_S = 0.8
FRAME = 80


def _cadence(samples: Samples) -> list[float]:
    """Seconds of sound and silence in turn, beginning with sound."""
    frames = np.abs(samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME).astype(float)).max(axis=1) > 400
    # A beat of two tones passes through silence for a moment.
    loud = np.convolve(frames, np.ones(7), "same") > 0
    changes = np.flatnonzero(np.diff(loud.astype(int))) + 1
    return [float(each) * FRAME / 8000 for each in np.diff([0, *changes])]


def _expected(country: str, name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    at = NAMES.index(name) * 2
    return EXPECTED[country][at], EXPECTED[country][at + 1]


def _source(tones: CountryTones, name: str) -> ToneSource:
    found: ToneSource = getattr(tones, name)
    return found


def _strongest_hz(samples: Samples, count: int) -> list[float]:
    """The peaks of the spectrum; those of Japan are 16 Hz apart."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 65536))
    found: list[float] = []
    for place in np.argsort(spectrum)[::-1]:
        hz = float(place) * 8000 / 65536
        if all(abs(hz - other) > 12 for other in found):
            found.append(hz)
        if len(found) == count:
            break
    return sorted(found)


async def _tone(peer: Peer, seconds: float) -> Samples:
    packets: list[RtpPacket] = await peer.receive_many(round(seconds * 50))
    return heard(packets)


@pytest.mark.row("REG-18")
async def test_ringing_busy_and_dial_tones_have_the_frequencies_and_the_cadence_of_their_country() -> None:
    wanted = [(country, name) for country in EXPECTED for name in NAMES]
    async with peers(*(Peer() for _ in wanted)) as phones, embedded() as engine:
        listening = []
        for id, (phone, (country, name)) in enumerate(zip(phones, wanted, strict=True), start=1):
            hz, periods = _expected(country, name)
            await open_endpoint(engine, id, phone.spec())
            await accept(engine, Play(id, id, _source(tones_of(country, "en"), name)))
            listening.append(_tone(phone, (sum(periods) or CONTINUOUS_S) + MORE_S))
        found = await asyncio.gather(*listening)
    for (country, name), samples in zip(wanted, found, strict=True):
        hz, periods = _expected(country, name)
        said = f"{country} {name}"
        first = samples[400 : round((periods[0] if periods else CONTINUOUS_S) * 8000) - 400]
        assert _strongest_hz(first, len(hz)) == [pytest.approx(each, abs=3) for each in hz], said
        assert level_dbov(first) == pytest.approx(-18, abs=1), said
        assert _cadence(samples)[: len(periods)] == [pytest.approx(each, abs=0.08) for each in periods], said


@pytest.mark.row("REG-18")
def test_an_office_without_a_country_has_the_tones_of_its_language_and_any_other_those_of_russia() -> None:
    assert tones_of("", "en") == TONES["us"]
    assert tones_of("", "ru") == tones_of("", "xx") == TONES["ru"]
    assert tones_of("it", "ru") == TONES["it"]
    assert TONES.keys() == EXPECTED.keys()
