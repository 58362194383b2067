"""Regular expressions that work on every supported Python."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("sipcore", "pbx", "media", "storage", "conf", "features")
# `(…)?+`, `(…)*+`, `(…)++`, `(…){1,2}+`: possessive groups. A single set may be possessive: `[a-z]++`.
POSSESSIVE_GROUP = re.compile(r"\)(?:[?*+]|\{[0-9,]+\})\+")


def test_no_group_is_possessive() -> None:
    """Python 3.11.0 to 3.11.3, Debian 12's among them, forget to go back when a possessive group fails half-way: such
    an expression refuses what it should take, and the other way round."""
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if POSSESSIVE_GROUP.search(line)
    ]
    assert not found
