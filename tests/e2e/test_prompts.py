"""The server speaks: tones in place of words, to hear each of them exactly, and the prompts of this machine."""

import time
from pathlib import Path

import numpy as np
import pytest

from bench.wire import audio_of
from media.files.decode import read_sound
from media.synthesis.finish import level_dbov
from pbx.prompts import GAIN_DB, PromptFolders, Prompts
from tests.e2e.audio import RATE, RtpSocket, Samples, dominant_hz, exchange, sound_of, tone, write_wav
from tests.e2e.conftest import CALLER, office
from tests.e2e.harness import Server, Site, password_of, running
from tests.e2e.softphone import softphone
from tests.e2e.ua import Phone

WORD_S = 0.4
TONES = {"call-own-number": 350, "number/3": 500, "number/0": 700, "number/1": 900, "number/2": 1100}


def _own_prompts(site: Site, language: str) -> None:
    for key, hz in TONES.items():
        path = site.data / "prompts" / language / f"{key}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, tone(hz, WORD_S))


def _dial(server: Server, number: str, caller: str, seconds: float, *, hangs_up: bool = True) -> Samples:
    """What a phone hears that says 200 Hz, until one of the two hangs up."""
    with RtpSocket(CALLER) as rtp, Phone(server.address, caller, host=CALLER) as phone:
        call = phone.dial(number, rtp.address)
        answer = call.expect(200)
        call.acknowledge()
        [heard] = exchange([(rtp, audio_of(answer.body).address, tone(200, seconds))])
        if hangs_up:
            phone.expect("BYE", timeout_s=6)
        else:
            call.hang_up()
    return sound_of(heard)


def _tones(samples: Samples) -> list[int]:
    """The tones that are heard one after the other, each named once, silence left out."""
    step = RATE // 10
    found: list[int] = []
    for start in range(0, len(samples) - step, step):
        hz = dominant_hz(samples[start : start + step])
        near = next((each for each in TONES.values() if abs(each - hz) < 15), 0)
        if not near or not found or found[-1] != near:
            found.append(near)
    return [hz for hz in found if hz]


@pytest.mark.row("FEAT-32")
@pytest.mark.parametrize(("language", "caller"), [("en", "301"), ("ru", "302")])
def test_the_test_numbers_say_who_calls_sound_and_echo(language: str, caller: str, tmp_path: Path) -> None:
    site = Site.write(tmp_path, office(), sip="qualify = 0")
    text = site.office.read_text("utf-8")
    site.office.write_text(text.replace("[office]", f'[office]\nlanguage = "{language}"'), "utf-8")
    _own_prompts(site, language)
    with running(site) as server:
        heard = _tones(_dial(server, "000063", caller, 6.0))
        expected = [TONES["call-own-number"], *(TONES[f"number/{digit}"] for digit in caller)]
        assert heard == expected * 2
        assert dominant_hz(_dial(server, "000064", caller, 1.0, hangs_up=False)[2000:]) == pytest.approx(1000, abs=5)
        assert dominant_hz(_dial(server, "10003246", caller, 1.0, hangs_up=False)[2000:]) == pytest.approx(200, abs=5)
        status = server.json("status")["prompts"]
        assert (status["language"], status[language]["own"]) == (language, len(TONES))


def test_without_any_prompt_the_call_goes_on_in_silence_and_the_log_says_so(tmp_path: Path) -> None:
    site = Site.write(tmp_path, office(), sip="qualify = 0")
    own = site.data / "prompts" / "en" / "call-own-number.wav"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"no sound at all")
    with running(site) as server:
        _dial(server, "000063", "301", 4.0)
        assert "is not a sound that can be played" in server.output()


def _spoken(server: Server, prompt: str, number: str) -> Samples:
    """What the prompts of this machine say, at 8 kHz."""
    prompts = Prompts(PromptFolders(server.data / "prompts").sets)
    files = prompts.say(prompt, number=number, value=number).files
    if len(files) < len(number):
        pytest.skip("no prompts are installed: `make prompts`")
    return np.concatenate([read_sound(file.path, RATE) for file in files])


def _likeness(heard: Samples, expected: Samples) -> float:
    """The best correlation of what was expected with any part of what was heard, 1 for the same."""
    size = 1 << (len(heard) + len(expected)).bit_length()
    a, b = heard.astype(float), expected.astype(float)
    products = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)[: len(a) - len(b)]
    sums = np.concatenate([[0.0], np.cumsum(a**2)])
    energy = sums[len(b) : len(a)] - sums[: len(a) - len(b)]
    return float((products / np.sqrt(np.maximum(energy, 1.0) * (b**2).sum())).max())


def test_a_softphone_hears_its_number_in_speech(server: Server, tmp_path: Path) -> None:
    expected = {number: _spoken(server, "call-own-number", number) for number in ("206", "211")}
    digits = {number: _spoken(server, "say-digits", number) for number in expected}
    heard, lasted_s = {}, {}
    for number in expected:
        with softphone(tmp_path / number, server.address, number, password_of(number), tone(200, 20)) as phone:
            phone.wait_until_registered()
            phone.dial("000063")
            phone.wait_for("CALL_ESTABLISHED")
            established = time.monotonic()
            phone.wait_for("CALL_CLOSED", 20)
            lasted_s[number] = time.monotonic() - established
            heard[number] = phone.heard()
    for number, other in (("206", "211"), ("211", "206")):
        assert lasted_s[number] == pytest.approx(2 * len(expected[number]) / RATE + 1, abs=1), "twice, and a pause"
        assert len(heard[number]) == pytest.approx(2 * len(expected[number]), abs=RATE // 5), "the pause is not sent"
        assert level_dbov(heard[number]) == pytest.approx(level_dbov(expected[number]) + GAIN_DB, abs=2)
        assert _likeness(heard[number], expected[number]) > 0.9
        assert _likeness(heard[number], digits[number]) > 0.9
        assert _likeness(heard[number], digits[other]) < 0.6
