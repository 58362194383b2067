"""What must not stand in any text of the project."""

import re

import pytest

from tests.arch.project import SOURCE, files, name_of, texts

THIS = "tests/arch/test_texts.py"

FORBIDDEN = {
    "a path of somebody's machine": re.compile(
        r"/(?:work/(?:main|shared)|root/|home/[a-z]\w*/|Users/\w+/|tmp/bash_jobs)"
    ),
    "who or what typed it": re.compile(
        r"(?i)\b(?:claude|anthropic|chatgpt|openai|copilot|language model|ai assistant)\b"
    ),
    "an address of a private package index": re.compile(r"(?i)\b(?:index-url|extra-index-url|artifactory|nexus3?)\b"),
}
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
CARRIAGE_RETURN_OR_TAIL = re.compile(r"\r|[ \t]+$", re.MULTILINE)


def hits(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in texts():
        if name_of(path) == THIS:
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{name_of(path)}:{number}: {line.strip()}")
    return found


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_text_holds(what: str) -> None:
    assert hits(FORBIDDEN[what]) == []


def test_nothing_is_left_for_later_in_the_source() -> None:
    unfinished = [
        f"{name_of(path)}: {match[0]}"
        for path in files(SOURCE, ".py", ".pyx", ".pxd", ".c")
        for match in UNFINISHED.finditer(path.read_text())
    ]
    assert unfinished == []


def test_lines_end_where_their_text_ends() -> None:
    untidy = [
        name_of(path)
        for path in files(SOURCE, ".py", ".pyx", ".pxd")
        if CARRIAGE_RETURN_OR_TAIL.search(path.read_text())
    ]
    assert untidy == []
