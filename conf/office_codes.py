"""Rules of `[features]`: no code hides another one, or a number (FEAT-1)."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from conf.errors import KeyPath, Problem, path_text
from conf.office_namespace import RESERVED_NUMBERS, claims
from conf.office_values import Values, table_of
from storage.records import CALL_CODES, DIALLED_CODES, Features


def problems_of_codes(values: Values) -> Iterator[Problem]:
    """Codes pressed in a call and codes that are dialled are told apart by when they are used."""
    section = table_of(values, "features")
    yield from _among(section, CALL_CODES)
    yield from _among(section, DIALLED_CODES)
    numbers = [*claims(values), *(((), number) for number in RESERVED_NUMBERS)]
    for name, code in _codes(section, DIALLED_CODES):
        yield from _over_numbers(name, code, numbers)


def _codes(section: Values, names: Sequence[str]) -> list[tuple[str, str]]:
    found = [(name, section.get(name, getattr(Features(), name))) for name in names]
    return [(name, code) for name, code in found if isinstance(code, str) and code]


def _among(section: Values, names: Sequence[str]) -> Iterator[Problem]:
    for (name, code), (other, longer) in combinations(_codes(section, names), 2):
        if len(code) > len(longer):
            (name, code), (other, longer) = (other, longer), (name, code)
        if not longer.startswith(code):
            continue
        why = f"features.{other}" if code == longer else f'features.{other}, "{longer}", which could not be reached'
        said, of = (name, why) if name in section or code != longer else (other, f"features.{name}")
        yield Problem(("features", said), f'"{code}" is {"also" if code == longer else "the beginning of"} {of}')


def _over_numbers(name: str, code: str, numbers: Sequence[tuple[KeyPath, str]]) -> Iterator[Problem]:
    for path, number in numbers:
        if number.startswith(code):
            of = path_text(path) or RESERVED_NUMBERS[number]
            how = "is also" if number == code else f'is the beginning of "{number}",'
            yield Problem(("features", name), f'"{code}" {how} {of}')
