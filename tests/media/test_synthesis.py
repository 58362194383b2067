"""Prompts made of texts: as loud as recorded ones, without silence around them, made once."""

import json
import wave
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from media.files.decode import read_sound
from media.synthesis import voices as voices_module
from media.synthesis.finish import LEVEL_DBOV, RATE, finished, level_dbov
from media.synthesis.make import make_prompts
from media.synthesis.voices import STRESS, Espeak, Festival, voices
from tests.media.sounds import sine, wav

QUIET = np.zeros(RATE // 2, np.int16)


def _speech(level: float = 500.0, seconds: float = 1.0) -> NDArray[np.int16]:
    """Something like speech between silences."""
    return np.concatenate([QUIET, sine(300, seconds, RATE, level), QUIET])


@pytest.mark.parametrize("level", [60.0, 500.0, 8000.0, 30000.0])
def test_a_prompt_has_the_level_of_the_recorded_ones(level: float) -> None:
    prompt = finished(_speech(level), "word")
    assert prompt is not None
    assert level_dbov(prompt) == pytest.approx(LEVEL_DBOV, abs=0.3)


def test_a_prompt_never_clips() -> None:
    click = _speech(200.0)
    click[RATE] = 20000
    prompt = finished(click, "word")
    assert prompt is not None
    assert np.abs(prompt).max() <= 29000


@pytest.mark.parametrize(("text", "pause_s"), [("word", 0.1), ("Wait,", 0.15), ("Number:", 0.15), ("Goodbye.", 0.25)])
def test_silence_around_is_replaced_by_the_pause_that_the_text_asks_for(text: str, pause_s: float) -> None:
    prompt = finished(_speech(), text)
    assert prompt is not None
    assert len(prompt) / RATE == pytest.approx(1.02 + pause_s, abs=0.015)
    assert not prompt[-round(pause_s * RATE) :].any()
    assert np.abs(prompt[: RATE // 50]).max() < 100


@pytest.mark.parametrize("samples", [QUIET, np.zeros(0, np.int16), np.ones(RATE, np.int16)])
def test_silence_is_no_prompt(samples: NDArray[np.int16]) -> None:
    assert finished(samples, "word") is None


class ToneVoice:
    """Speaks tones; cannot say some texts."""

    def __init__(self, name: str = "tone", cannot: str = "") -> None:
        self.name, self.cannot = name, cannot
        self.asked: list[str] = []

    def speak(self, texts: Mapping[Path, str]) -> None:
        self.asked += texts.values()
        for path, text in texts.items():
            if text != self.cannot:
                path.write_bytes(wav(_speech().tobytes(), rate=RATE))


TEXTS = {"number/1": "one", "call-goodbye": "Goodbye.", "pause": ""}


def test_every_text_becomes_a_file_with_the_name_of_its_key(tmp_path: Path) -> None:
    made = make_prompts("en", TEXTS, tmp_path, [ToneVoice()])
    assert (made.voice, made.made, made.kept, made.failed) == ("tone", 3, 0, ())
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.wav")) == [
        "call-goodbye.wav",
        "number/1.wav",
        "pause.wav",
    ]
    with wave.open(str(tmp_path / "number/1.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
    silence = read_sound(str(tmp_path / "pause.wav"), RATE)
    assert len(silence) == RATE // 5
    assert not silence.any()


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    make_prompts("en", TEXTS, tmp_path, [ToneVoice()])
    voice = ToneVoice()
    made = make_prompts("en", TEXTS, tmp_path, [voice])
    assert (made.made, made.kept, voice.asked) == (0, 3, [])


def test_another_text_a_lost_file_and_another_voice_are_made_again(tmp_path: Path) -> None:
    make_prompts("en", TEXTS, tmp_path, [ToneVoice()])
    (tmp_path / "number/1.wav").unlink()
    voice = ToneVoice()
    make_prompts("en", {**TEXTS, "call-goodbye": "See you."}, tmp_path, [voice])
    assert sorted(voice.asked) == ["See you.", "one"]
    better = ToneVoice("better")
    make_prompts("en", TEXTS, tmp_path, [better])
    assert sorted(better.asked) == ["Goodbye.", "one"]


def test_prompts_that_are_not_wanted_any_more_are_removed(tmp_path: Path) -> None:
    make_prompts("en", TEXTS, tmp_path, [ToneVoice()])
    make_prompts("en", {"number/1": "one"}, tmp_path, [ToneVoice()])
    assert [path.name for path in tmp_path.rglob("*.wav")] == ["1.wav"]


def test_what_the_best_voice_cannot_say_another_one_says(tmp_path: Path) -> None:
    other = ToneVoice("other", cannot="Goodbye.")
    made = make_prompts("en", {**TEXTS, "x": "x"}, tmp_path, [ToneVoice(cannot="one"), other])
    assert (made.voice, made.made, made.by_others, other.asked) == ("tone", 4, 1, ["one"])


def test_what_nobody_can_say_is_told_and_tried_again_the_next_time(tmp_path: Path) -> None:
    made = make_prompts("en", TEXTS, tmp_path, [ToneVoice(cannot="one")])
    assert (made.made, made.failed) == (2, ("number/1",))
    assert make_prompts("en", TEXTS, tmp_path, [ToneVoice()]).made == 1


def test_without_a_synthesiser_there_are_pauses_and_what_was_made_before(tmp_path: Path) -> None:
    made = make_prompts("en", TEXTS, tmp_path / "fresh", [])
    assert (made.voice, made.made, made.failed) == ("", 1, ())
    make_prompts("en", TEXTS, tmp_path / "old", [ToneVoice()])
    made = make_prompts("en", TEXTS, tmp_path / "old", [])
    assert (made.made, made.kept) == (0, 3)


@pytest.mark.parametrize("damaged", ["{", "[1]", ""])
def test_a_damaged_list_means_that_all_is_made_again(tmp_path: Path, damaged: str) -> None:
    make_prompts("en", TEXTS, tmp_path, [ToneVoice()])
    (tmp_path / "made.json").write_text(damaged)
    assert make_prompts("en", TEXTS, tmp_path, [ToneVoice()]).made == 3
    assert len(json.loads((tmp_path / "made.json").read_text())) == 3


@pytest.mark.parametrize("name", ["en_US_f_Allison", "ru_RU_f_IvrvoiceRU"])
def test_the_level_is_that_of_the_recorded_sets(name: str) -> None:
    files = sorted(Path("/usr/share/asterisk/sounds", name).glob("vm-*.g722"))
    if not files:
        pytest.skip(f"{name} is not installed")
    levels = [level_dbov(read_sound(str(file), RATE)) for file in files]
    assert float(np.median(levels)) == pytest.approx(LEVEL_DBOV, abs=1.5)


SENTENCES = {"en": "Your number is twenty one.", "ru": f"Переадреса{STRESS}ция включена, «двадцать один» — два."}


@pytest.mark.parametrize("language", SENTENCES)
def test_the_synthesisers_of_this_machine_speak(language: str, tmp_path: Path) -> None:
    installed = voices(language)
    if not installed:
        pytest.skip("no speech synthesiser is installed")
    for number, voice in enumerate(installed):
        made = make_prompts(language, {"sentence": SENTENCES[language]}, tmp_path / str(number), [voice])
        assert made.failed == ()
        spoken = read_sound(str(tmp_path / str(number) / "sentence.wav"), RATE)
        assert 1.0 < len(spoken) / RATE < 6.0
        assert level_dbov(spoken) == pytest.approx(LEVEL_DBOV, abs=3.5)  # peaks are kept below the limit


def test_festival_is_preferred_and_both_are_known_by_what_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(voices_module, "FESTIVAL_VOICES", tmp_path)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert voices("ru") == [Espeak("ru")]
    (tmp_path / "russian/msu_ru_nsh_clunits").mkdir(parents=True)
    assert voices("ru") == [Festival("msu_ru_nsh_clunits"), Espeak("ru")]
    assert voices("en") == [Espeak("en-us")]
    assert voices("xx") == []
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert voices("ru") == []


def test_festival_gets_stress_as_a_plus_and_no_marks_that_end_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scripts: list[str] = []

    def run(command: list[str], given: str) -> None:
        scripts.append(given)
        path = tmp_path / ("b.wav" if len(scripts) == 2 else "a.wav")
        path.touch()

    monkeypatch.setattr(voices_module, "_run", run)
    texts = {tmp_path / "a.wav": f"за{STRESS}мок", tmp_path / "c.wav": 'x" (exit) —', tmp_path / "b.wav": "два"}
    Festival("v").speak(texts)
    assert scripts[0].splitlines()[0] == "(voice_v)"
    assert '(Utterance Text "з+амок")' in scripts[0]
    assert '(Utterance Text "x   exit   ")' in scripts[0]
    assert len(scripts) == 2, "the process ended at the second text, another one went on with the third"
    assert "два" in scripts[1]
    assert "замок" not in scripts[1]


def test_a_synthesiser_that_cannot_be_started_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    made = make_prompts("en", TEXTS, tmp_path, [Espeak("en-us")])
    assert set(made.failed) == {"number/1", "call-goodbye"}
