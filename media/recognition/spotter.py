"""Phrases found in speech by PocketSphinx: each stands beside a loop of all sounds of the language, so that what is
none of them is nothing. Half an hour of speech takes a minute of a processor."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
from numpy.typing import NDArray

from frozen import dataclass

RATE = 16000
# What a phrase of n sounds has to be better by than the loop of all sounds, as a power of ten: with more, people are
# not heard by telephone, with less, short words are heard in other ones.
THRESHOLD, SHORT = 4, 4
NOISE = 40.0  # below any line's: the model takes perfect silence for something that it is not
SETTLING_S = 1.0  # "sales" may still become "sales manager"
_WORD = re.compile(r"[\w'-]+")


class CannotHear(Exception):
    """Why phrases of a language cannot be recognised: a sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Model:
    """How a language sounds: the folder of its acoustic model, and its words with their sounds."""

    acoustic: Path
    dictionary: Path


def find_model(language: str, folders: Mapping[str, str]) -> Model:
    """The model that the administrator points to, or the one of English that comes with the engine."""
    try:
        from pocketsphinx import get_model_path
    except ImportError:
        raise CannotHear('speech recognition is not installed: pip install "zvon[speech]"') from None
    if language not in folders:
        if language != "en":
            raise CannotHear(
                f'there is no speech model for "{language}": name its folder in [speech] models of zvon.toml'
            )
        own = Path(get_model_path()) / "en-us"
        return Model(own / "en-us", own / "cmudict-en-us.dict")
    folder = Path(folders[language])
    acoustic = next((each.parent for each in sorted(folder.rglob("mdef"))), None)
    dictionary = next(iter(sorted(folder.rglob("*.dict")) + sorted(folder.rglob("*.dic"))), None)
    if acoustic is None or dictionary is None:
        raise CannotHear(f"{folder} is no speech model of PocketSphinx: it needs a file mdef and a dictionary (.dict)")
    return Model(acoustic, dictionary)


def words(phrase: str) -> list[str]:
    return _WORD.findall(phrase.casefold())


class Spotter:
    """One listener: samples of 16 kHz in, phrases out. Raises `CannotHear` for words that the model does not know."""

    def __init__(self, model: Model, phrases: Iterable[str]) -> None:
        from pocketsphinx import Config, Decoder

        self._phrases = {" ".join(words(phrase)): phrase for phrase in phrases}
        known = _sounds_of(model.dictionary, tuple(sorted({word for each in self._phrases for word in each.split()})))
        with NamedTemporaryFile("w", encoding="utf-8") as dictionary, NamedTemporaryFile("w", encoding="utf-8") as keys:
            for word, ways in known.items():
                dictionary.writelines(f"{word}{'' if n == 1 else f'({n})'} {way}\n" for n, way in enumerate(ways, 1))
            for phrase in self._phrases:
                sounds = sum(len(known[word][0].split()) for word in phrase.split())
                keys.write(f"{phrase} /1e-{max(THRESHOLD * sounds - SHORT, 1)}/\n")
            dictionary.flush()
            keys.flush()
            self._decoder = Decoder(
                Config(
                    hmm=str(model.acoustic),
                    dict=dictionary.name,
                    kws=keys.name,
                    samprate=float(RATE),
                    loglevel="FATAL",
                )
            )
        self._decoder.start_utt()
        self._noise = np.random.default_rng(0)
        self._since = 0  # samples after the first phrase that was heard

    def feed(self, samples: NDArray[np.int16]) -> str:
        """The next samples; the longest phrase that was said in them, "" for none."""
        noisy = samples + self._noise.normal(0.0, NOISE, samples.size)
        self._decoder.process_raw(np.clip(noisy, -32768, 32767).astype(np.int16).tobytes(), False, False)
        heard = max((" ".join(each.word.split()) for each in self._decoder.seg() or ()), key=len, default="")
        if not heard:
            return ""
        self._since += samples.size
        if self._since < SETTLING_S * RATE and any(heard in other and heard != other for other in self._phrases):
            return ""
        self._decoder.end_utt()
        self._decoder.start_utt()
        self._since = 0
        return self._phrases[heard]


@lru_cache(maxsize=256)
def _sounds_of(dictionary: Path, wanted: Sequence[str]) -> dict[str, list[str]]:
    """How the words sound, each in all its ways."""
    found: dict[str, list[str]] = {word: [] for word in wanted}
    with dictionary.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            word, _, sounds = line.partition(" ")
            ways = found.get(word.partition("(")[0].casefold())
            if ways is not None:
                ways.append(sounds.strip())
    if unknown := [word for word, ways in found.items() if not ways]:
        raise CannotHear(f"the speech model does not know {', '.join(unknown)}: say it with other words")
    return found
