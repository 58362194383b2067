"""Sentences for people in the language of who reads them.

A sentence is written once, in English, where it is said; `sentences.toml` has it in the other languages. So the code
reads as people hear it, and a sentence without a translation is found by a test, not by a reader.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from frozen import dataclass

ENGLISH = "en"
LANGUAGES = (ENGLISH, "ru")
_FILE = Path(__file__).parent / "sentences.toml"


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence, or a part of one: its English `template` and what stands in its braces, which may be such parts
    again. As text it is English."""

    template: str
    values: Mapping[str, object]

    def within(self, language: str) -> str:
        """The sentence in that language; what has no translation there is English."""
        template = self.template if language == ENGLISH else sentences(language).get(self.template, self.template)
        if not self.values:
            return template
        return template.format_map(
            {name: each.within(language) if isinstance(each, Said) else each for name, each in self.values.items()}
        )

    def __str__(self) -> str:
        return self.within(ENGLISH)


def say(template: str, /, **values: object) -> Said:
    return Said(template, values)


def title_of(rule: str, language: str) -> str:
    """The name of a rule: keys of the document stay as they are, and what comes after the first word."""
    known = sentences(language) if language != ENGLISH else {}
    head, space, rest = rule.partition(" ")
    return known.get(rule) or f"{known.get(head, head)}{space}{rest}"


@cache
def sentences(language: str) -> Mapping[str, str]:
    """Every sentence of the program in a language, by the English one."""
    found: dict[str, dict[str, dict[str, str]]] = tomllib.loads(_FILE.read_text("utf-8"))
    texts = (each for section in found.values() for each in section.items())
    return {english: others[language] for english, others in texts if language in others}
