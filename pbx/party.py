"""Who is at a leg. A party never changes during its leg."""

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from functools import lru_cache

from frozen import dataclass
from storage.records import Terminal, User

MAX_NON_ASCII_NAME = 40  # characters; phones and older gateways break longer ones (EXT-15)
DIRECTION_MARKS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class PartyKind(StrEnum):
    TERMINAL = "terminal"
    APPLICATION = "application"
    OUTSIDE = "outside"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Party:
    """`number` is what others dial to reach this party; `name` is fit to be shown on a phone. `presented` is the number
    to show when it is another one: of the caller beyond a gateway. `is_private`: it does not want to be shown."""

    kind: PartyKind
    number: str
    name: str = ""
    language: str = ""
    presented: str = ""
    is_private: bool = False

    @property
    def is_employee(self) -> bool:
        """At a terminal of the office; not whoever calls through a gateway."""
        return self.kind is PartyKind.TERMINAL and not self.presented

    @property
    def shown_number(self) -> str:
        return self.presented or self.number

    def labelled(self, label: str) -> "Party":
        """The same party as a phone shows it that has to know what the call is about (QUE-4)."""
        return self if not label else replace(self, name=display_name(f"{label}{self.name or self.shown_number}"))

    @classmethod
    def of_terminal(cls, terminal: Terminal, owner: User | None, language: str = "") -> "Party":
        """The party at a terminal: named after its owner, without a name when nobody owns it."""
        return cls(PartyKind.TERMINAL, terminal.number, display_name(owner.name) if owner else "", language)

    @classmethod
    def of_application(cls, number: str, name: str) -> "Party":
        return cls(PartyKind.APPLICATION, number, display_name(name))

    @classmethod
    def outside(cls, number: str, name: str = "") -> "Party":
        """Whoever is at a number outside the office."""
        return cls(PartyKind.OUTSIDE, number, display_name(name))

    @classmethod
    def unknown(cls, number: str) -> "Party":
        """Whoever would be at a number that the office does not have."""
        return cls(PartyKind.UNKNOWN, number)


@lru_cache(maxsize=4096)
def display_name(text: str) -> str:
    """A name as phones show it: one line, composed characters, at most 40 of them when any is not ASCII (EXT-15)."""
    text = " ".join("".join(map(_visible, unicodedata.normalize("NFC", text))).split())
    if text.isascii() or len(text) <= MAX_NON_ASCII_NAME:
        return text
    end = MAX_NON_ASCII_NAME
    while end > 1 and unicodedata.combining(text[end]):  # never take an accent off its letter
        end -= 1
    return text[:end].rstrip()


def _visible(char: str) -> str:
    """Controls and line ends become spaces; unpaired surrogates and marks that turn the reading direction go."""
    if char in DIRECTION_MARKS:
        return ""
    category = unicodedata.category(char)
    if category in ("Cc", "Zl", "Zp"):
        return " "
    return "" if category == "Cs" else char


ShownTo = Callable[[str, Party], Party]  # who looks, and who is seen: as that one may see it
