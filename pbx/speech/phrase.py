"""Phrases with values in them: `You have {new:number, new message, new messages}.`

`{name}` is a number. `{name:KIND WORDS, one, few, many}` says what kind of value it is, the gender and case that the
sentence asks for (`m f n`, `nom gen acc`), and the forms of the noun after it; a language with two forms leaves `few`
out. The text around the values becomes pieces, each with a key and a sound of its own: `KEY`, or `KEY-1`, `KEY-2` when
there are several, and `KEY-NAME-one` for the forms of a noun.
"""

from collections.abc import Mapping
from datetime import date, datetime, time
from string import Formatter

from frozen import dataclass
from pbx.speech.grammar import Case, Gender, Keys, Language, Word, digits

Value = int | float | str | date | time | tuple[datetime, datetime]
KINDS = ("number", "ordinal", "digits", "phone", "duration", "time", "date", "weekday", "moment")
FORMS = {0: (), 2: ("one", "many"), 3: ("one", "few", "many")}


class BadPhrase(ValueError):
    """A template that means nothing, or a value that does not suit it; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a value goes; `nouns` is the key of the noun after it, less its form, or empty."""

    name: str
    kind: str = "number"
    gender: Gender = Gender.MASCULINE
    case: Case = Case.NOMINATIVE
    nouns: str = ""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Keys of pieces and values in the order in which they are said, and what the pieces say."""

    parts: tuple[str | Slot, ...]
    words: Mapping[str, Word]

    def keys(self, language: Language, values: Mapping[str, Value]) -> Keys:
        """What to say for these values; raises `BadPhrase`."""
        found: Keys = ()
        for part in self.parts:
            found += (part,) if isinstance(part, str) else _filled(part, language, values)
        return found


def parse(key: str, template: str, recorded: str = "") -> Phrase:
    """`recorded` names the files of the recorded set for each piece and form in the order of the template: `-` for
    none, several joined by `+`. Raises `BadPhrase`."""
    try:
        pieces = list(Formatter().parse(template))
    except ValueError as error:
        raise BadPhrase(f"{key}: {error}") from None
    texts = [literal for literal, *_ in pieces if _is_said(literal)]
    names = iter([key] if len(texts) == 1 else [f"{key}-{n}" for n in range(1, len(texts) + 1)])
    parts: list[str | Slot] = []
    said: dict[str, str] = {}
    for literal, name, spec, _ in pieces:
        if _is_said(literal):
            parts.append(next(names))
            said[str(parts[-1])] = literal.lstrip(" ,;:.").rstrip()
        if name is not None:
            slot, nouns = _slot(key, name, spec or "")
            parts.append(slot)
            said |= nouns
    return Phrase(tuple(parts), _words(key, said, recorded.split()))


def _is_said(literal: str) -> bool:
    return any(each.isalnum() for each in literal)


def _slot(key: str, name: str, spec: str) -> tuple[Slot, dict[str, str]]:
    settings, *forms = (each.strip() for each in spec.split(","))
    words = settings.split()
    kinds = [word for word in words if word in KINDS] or ["number"]
    genders = [Gender(word) for word in words if word in set(Gender)] or [Gender.MASCULINE]
    cases = [Case(word) for word in words if word in set(Case)] or [Case.NOMINATIVE]
    if not {*words} <= {*KINDS, *Gender, *Case} or len(forms) not in FORMS:
        raise BadPhrase(f'{key}: "{spec}" is not understood')
    nouns = f"{key}-{name}" if forms else ""
    slot = Slot(name, kinds[0], genders[0], cases[0], nouns)
    return slot, {f"{nouns}-{form}": text for form, text in zip(FORMS[len(forms)], forms, strict=True)}


def _words(key: str, said: Mapping[str, str], recorded: list[str]) -> dict[str, Word]:
    names = recorded or ["-"] * len(said)
    if len(names) != len(said):
        raise BadPhrase(f"{key}: {len(said)} pieces, but {len(names)} recordings")
    pairs = zip(said.items(), names, strict=True)
    return {piece: Word(text, "" if name == "-" else name) for (piece, text), name in pairs}


def _filled(slot: Slot, language: Language, values: Mapping[str, Value]) -> Keys:
    if slot.name not in values:
        raise BadPhrase(f"nobody says what {slot.name} is")
    value = values[slot.name]
    noun = (f"{slot.nouns}-{language.plural(_whole(value))}",) if slot.nouns else ()
    return (*_said(slot, language, value), *noun)


def _said(slot: Slot, language: Language, value: Value) -> Keys:
    match slot.kind, value:
        case "digits", _:
            return digits(str(value))
        case "phone", _:
            return language.phone(str(value))
        case "number", _:
            return language.number(_whole(value), slot.gender, slot.case)
        case "ordinal", _:
            return language.ordinal(_whole(value), slot.gender, slot.case)
        case "duration", _:
            return language.duration(_whole(value), slot.case)
        case "time", time():
            return language.time_of_day(value, slot.case)
        case "date", date():
            return language.calendar_day(value, slot.case)
        case "weekday", date():
            return language.weekday(value)
        case "moment", (datetime() as at, datetime() as now):
            return language.moment(at, now)
    raise BadPhrase(f"{slot.name} is no {slot.kind}: {value!r}")


def _whole(value: Value) -> int:
    if isinstance(value, int | float):
        return round(value)
    raise BadPhrase(f"{value!r} is no number")
