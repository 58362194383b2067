"""Spoken commands: phrases are found in what people say, and in nothing else."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bench.quality import speech
from media.api import recognition
from media.dsp.resample import Rate
from media.files.decode import read_sound
from media.recognition.spotter import RATE, CannotHear, Spotter, find_model

RECORDED = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
PHRASES = ("call forwarding", "call waiting", "sales", "Technical support")

pytest.importorskip("pocketsphinx", reason='no speech recognition: pip install "zvon[speech]"')


def heard(name: str, phrases: Sequence[str] = PHRASES) -> list[str]:
    """What is heard when a recorded sentence comes by telephone, 100 ms at a time, in a pause of speech."""
    narrow = read_sound(str(RECORDED / f"{name}.g722"), 8000)
    sound = np.frombuffer(Rate(8000, RATE).convert(narrow), np.int16)
    quiet = np.zeros(RATE, np.int16)
    samples = np.concatenate([quiet, sound, quiet])
    step = RATE // 10
    spotter = Spotter(find_model("en", {}), phrases)
    found = [spotter.feed(samples[at : at + step]) for at in range(0, len(samples), step)]
    return [each for each in found if each]


@pytest.mark.skipif(not speech.phrases(), reason="no recorded speech: install asterisk-core-sounds-en-g722")
def test_phrases_are_heard_where_they_are_said_and_not_in_other_sentences() -> None:
    said = {name: heard(name) for name in ("call-forwarding", "call-waiting")}
    assert said == {"call-forwarding": ["call forwarding"], "call-waiting": ["call waiting"]}
    assert [heard(name) for name in ("conf-getpin", "vm-goodbye")] == [[], []]
    assert heard("call-forwarding", ("call", "call forwarding")) == ["call forwarding"]


def test_words_that_the_model_does_not_know_are_named() -> None:
    with pytest.raises(CannotHear, match="does not know xyzzy"):
        Spotter(find_model("en", {}), ["the xyzzy"])


def test_a_language_needs_a_model_that_is_one(tmp_path: Path) -> None:
    with pytest.raises(CannotHear, match='no speech model for "ru"'):
        find_model("ru", {})
    with pytest.raises(CannotHear, match="is no speech model of PocketSphinx"):
        find_model("ru", {"ru": str(tmp_path)})
    own = find_model("en", {})
    shutil.copytree(own.acoustic, tmp_path / "acoustic")
    (tmp_path / "ru.dict").write_text("продажи S EY L Z\n", encoding="utf-8")
    assert Spotter(find_model("ru", {"ru": str(tmp_path)}), ["Продажи"])


def test_the_process_tells_what_it_cannot_hear_and_ends_with_its_input() -> None:
    asked = [{"id": 1, "language": "en", "phrases": ["sales"]}, {"id": 2, "language": "ru", "phrases": ["да"]}]
    done = subprocess.run(
        recognition({}),
        input="".join(json.dumps(each) + "\n" for each in asked),
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first == {"id": 1, "problem": ""}
    assert second["id"] == 2
    assert "no speech model" in second["problem"]
