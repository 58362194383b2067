"""Speech synthesisers of the system: Festival with a voice of the language, else eSpeak NG, which speaks all of them.

They run as processes of their own, before there is any call.
"""

import re
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from frozen import dataclass

STRESS = "\N{COMBINING ACUTE ACCENT}"  # in our texts after the stressed vowel, where it cannot be guessed
FESTIVAL_VOICES = Path("/usr/share/festival/voices")
FESTIVAL_NAMES = {"en": "cmu_us_slt_arctic_hts", "ru": "msu_ru_nsh_clunits"}  # festvox-us-slt-hts, festvox-ru
ESPEAK_NAMES = {"en": "en-us", "ru": "ru"}
FESTIVAL_PROCESSES = 20
PROCESS_S = 600.0
_UNSPOKEN = re.compile(r"[^\w\s.,!?:;'+-]")


class Voice(Protocol):
    """One synthesiser in one language."""

    @property
    def name(self) -> str: ...

    def speak(self, texts: Mapping[Path, str]) -> None:
        """Write a WAV file for each text; those that cannot be spoken are left out."""


def voices(language: str) -> list[Voice]:
    """What is installed for a language, the best first."""
    found: list[Voice] = []
    name = FESTIVAL_NAMES.get(language, "")
    if name and shutil.which("festival") and any(FESTIVAL_VOICES.glob(f"*/{name}")):
        found.append(Festival(name))
    if language in ESPEAK_NAMES and shutil.which("espeak-ng"):
        found.append(Espeak(ESPEAK_NAMES[language]))
    return found


@dataclass(frozen=True, slots=True)
class Festival:
    voice: str

    @property
    def name(self) -> str:
        return f"festival {self.voice}"

    def speak(self, texts: Mapping[Path, str]) -> None:
        """In one process, because loading a voice takes longer than a word. A text that it chokes on ends the process:
        the next one goes on after it, a few times."""
        left = list(texts)
        for _ in range(FESTIVAL_PROCESSES):
            if left:
                _run(
                    ["festival", "--pipe"], "\n".join([f"(voice_{self.voice})", *(_saving(p, texts[p]) for p in left)])
                )
                left = [path for path in left if not path.exists()][1:]


def _saving(path: Path, text: str) -> str:
    """Festival takes a `+` before a vowel as its stress."""
    words = _UNSPOKEN.sub(" ", re.sub(f"(.){STRESS}", r"+\1", text))
    return f'(utt.save.wave (utt.synth (Utterance Text "{words}")) "{path}" (quote riff))'


@dataclass(frozen=True, slots=True)
class Espeak:
    voice: str

    @property
    def name(self) -> str:
        return f"espeak-ng {self.voice}"

    def speak(self, texts: Mapping[Path, str]) -> None:
        for path, text in texts.items():
            _run(["espeak-ng", "-v", self.voice, "-w", str(path), "--stdin"], text.replace(STRESS, ""))


def _run(command: list[str], given: str) -> None:
    """What it has not written is missing."""
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(command, input=given.encode(), capture_output=True, timeout=PROCESS_S, check=False)
