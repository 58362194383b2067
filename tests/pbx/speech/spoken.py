"""Keys as the text that they stand for."""

from pbx.speech.catalogue import catalogue
from pbx.speech.grammar import PAUSE, Keys
from pbx.speech.phrase import Value


def text_of(language: str, keys: Keys) -> str:
    words = catalogue(language).words
    return " ".join("|" if key == PAUSE else words[key].text for key in keys)


def said(language: str, prompt: str, **values: Value) -> str:
    """What is said for a prompt, without accents for the synthesiser."""
    return text_of(language, catalogue(language).keys(prompt, values)).replace("\u0301", "")
