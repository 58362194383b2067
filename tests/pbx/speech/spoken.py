"""Keys as the text that they stand for."""

from pbx.speech.catalogue import catalogue
from pbx.speech.grammar import PAUSE, Keys
from pbx.speech.phrase import Value


def text_of(language: str, keys: Keys) -> str:
    """Without the accents that are there for the synthesiser."""
    words = catalogue(language).words
    text = " ".join("|" if key == PAUSE else words[key].text for key in keys)
    return text.replace("\N{COMBINING ACUTE ACCENT}", "")


def said(language: str, prompt: str, **values: Value) -> str:
    """What is said for a prompt."""
    return text_of(language, catalogue(language).keys(prompt, values))
