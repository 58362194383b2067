"""All that can be said, by language: the prompts of `prompts.toml` and the words of the grammars."""

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

from frozen import dataclass
from pbx.speech import english, russian
from pbx.speech.grammar import Keys, Language, Word
from pbx.speech.phrase import BadPhrase, Phrase, Value, parse

LANGUAGES: Mapping[str, Language] = {"en": english, "ru": russian}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One language: `phrases` by the key of the prompt, and every `word` that has a sound of its own."""

    language: Language
    phrases: Mapping[str, Phrase]
    words: Mapping[str, Word]

    def keys(self, prompt: str, values: Mapping[str, Value]) -> Keys:
        """What to say; raises `BadPhrase` for a prompt that does not exist or values that do not suit it."""
        if prompt not in self.phrases:
            raise BadPhrase("there is no such prompt")
        return self.phrases[prompt].keys(self.language, values)


@lru_cache
def catalogue(language: str) -> Catalogue:
    """That of one of `LANGUAGES`."""
    phrases = phrases_of(files("pbx.speech").joinpath("prompts.toml").read_text("utf-8"), language)
    words = dict(LANGUAGES[language].WORDS)
    for phrase in phrases.values():
        words |= phrase.words
    return Catalogue(LANGUAGES[language], phrases, words)


def phrases_of(document: str, language: str) -> dict[str, Phrase]:
    """The prompts of a document such as `prompts.toml`, in one language; raises `BadPhrase`."""
    found = {}
    for section, lines in tomllib.loads(document).items():
        for name, line in lines.items():
            key = f"{section}-{name}"
            found[key] = parse(key, line[language], line.get(f"recorded_{language}", line.get("recorded", "")))
    return found
