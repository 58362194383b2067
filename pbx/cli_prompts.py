"""`zvon prompts`: makes the prompts that no recording says, and lists what can be said.

Imports wait until they are needed: every command loads this module.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from pbx.cli import VAR, Data, Json

if TYPE_CHECKING:
    from pbx.prompts import PromptSet

NO_SET = "no recorded set of {language} in {folder}: install the package asterisk-core-sounds-{language}-g722"
NO_VOICE = "no speech synthesiser of {language}: install espeak-ng, or festival with {package}, and run this again"
FESTIVAL_PACKAGES = {"en": "festvox-us-slt-hts", "ru": "festvox-ru"}


class Making(Protocol):
    """What became of the prompts of one language."""

    @property
    def voice(self) -> str:
        """The best synthesiser of the language; empty: there is none."""

    @property
    def made(self) -> int: ...

    @property
    def failed(self) -> tuple[str, ...]: ...


Maker = Callable[[str, Mapping[str, str], Path], Making]


def add_prompts_command(app: typer.Typer, maker: Maker) -> None:
    """`maker` makes the prompts of one language from their texts, below a folder; raises OSError."""

    def prompts(
        list_all: Annotated[bool, typer.Option("--list", help="Show every prompt: its key, text and files.")] = False,
        data: Data = VAR,
        json: Json = False,
    ) -> None:
        """Make the prompts that no recording says. Needs no server; a running one takes them with the next apply."""
        if not (list_all or json):
            for line in make_all(maker):
                typer.echo(line)
            return
        from pbx.cli_output import json_text, print_prompts

        found = list(listing(data))
        typer.echo(json_text(found)) if json else print_prompts(found)

    app.command("prompts", epilog="Example: zvon prompts --list --json")(prompts)


def make_all(maker: Maker) -> Iterator[str]:
    """Make the prompts of all languages at once; what became of them, as lines for people."""
    from pbx.prompts import PromptFolders
    from pbx.speech.catalogue import LANGUAGES

    with ThreadPoolExecutor() as pool:
        makings = list(pool.map(lambda language: _make(maker, language), LANGUAGES))
    sets = PromptFolders(Path()).sets()
    for language, making in zip(LANGUAGES, makings, strict=True):
        yield from _report(language, making, sets[language])


def _make(maker: Maker, language: str) -> Making:
    from pbx.control.messages import ControlError
    from pbx.prompts import GENERATED
    from pbx.speech.catalogue import catalogue
    from pbx.speech.grammar import PAUSE

    texts = {key: word.text for key, word in catalogue(language).words.items()}
    try:
        return maker(language, {**texts, PAUSE: ""}, GENERATED / language)
    except OSError as error:
        raise ControlError(f"prompts cannot be written to {GENERATED}: {error.strerror}") from None


def _report(language: str, making: Making, found: "PromptSet") -> Iterator[str]:
    from pbx.prompts import INSTALLED, RECORDED_SETS
    from pbx.speech.catalogue import catalogue

    keys = tuple(catalogue(language).words)
    counts = found.describe(keys)
    voice = f" by {making.voice}" if making.voice else ""
    yield (
        f"{language}: {counts['recorded']} of {len(keys)} prompts recorded, {counts['generated']} generated{voice}"
        f" ({making.made} now), {counts['silent']} silent"
    )
    if not found.name:
        yield "  " + NO_SET.format(language=language, folder=INSTALLED / RECORDED_SETS[language])
    if not making.voice:
        yield "  " + NO_VOICE.format(language=language, package=FESTIVAL_PACKAGES[language])
    if making.failed:
        yield f"  could not be said: {', '.join(making.failed)}"


def listing(data: Path) -> Iterator[dict[str, str]]:
    """Every key in every language: what it says, who says it, and the files."""
    from pbx.prompts import PromptFolders
    from pbx.speech.catalogue import catalogue

    for language, found in PromptFolders(data / "prompts").sets().items():
        voices = {"own": found.own, "recorded": found.recorded, "generated": found.generated}
        for key, word in sorted(catalogue(language).words.items()):
            name = next((name for name, voice in voices.items() if key in voice), "")
            files = voices[name][key] if name else ()
            yield {"language": language, "key": key, "text": word.text, "voice": name, "files": " ".join(files)}
