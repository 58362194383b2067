"""Prompts whose sound files are called after what they say."""

from media.api import Playlist, PlaySource
from pbx.prompts import Prompts, PromptSet
from pbx.speech.catalogue import LANGUAGES, catalogue
from pbx.speech.grammar import PAUSE


def scripted_prompts(language: str = "en") -> Prompts:
    """Every prompt of every language is there: `en:number/2` says two in English."""
    sets = {
        each: PromptSet("scripted", recorded={key: (f"{each}:{key}",) for key in (*catalogue(each).words, PAUSE)})
        for each in LANGUAGES
    }
    prompts = Prompts(lambda: sets)
    prompts.office_changed(language)
    return prompts


def keys_of(source: PlaySource) -> list[str]:
    """What scripted prompts say, in order."""
    assert isinstance(source, Playlist)
    return [file.path for file in source.files]
