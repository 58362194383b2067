"""docs/protocol.md: what is said to be spoken has code and tests, and those are there."""

import ast
import re
from functools import cache

from tests.arch.project import ROOT

PAGE = (ROOT / "docs" / "protocol.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| standard")]
QUOTED = re.compile(r"`([^`]+)`")


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split(" | ")]


@cache
def defined_in(path: str) -> frozenset[str]:
    nodes = ast.walk(ast.parse((ROOT / path).read_text()))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def is_there(test: str) -> bool:
    path, _, name = test.partition("::")
    return name.startswith("test_") and (ROOT / path).is_file() and name in defined_in(path)


def test_every_standard_names_its_code_and_its_tests() -> None:
    assert len(ROWS) > 50
    assert [row for row in ROWS if len(cells(row)) != 4] == []
    assert [row for row in ROWS if not all(QUOTED.findall(cell) for cell in cells(row)[2:])] == []


def test_the_code_that_is_named_exists() -> None:
    named = [path for row in ROWS for path in QUOTED.findall(cells(row)[2])]
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_tests_that_are_named_exist() -> None:
    named = [test for row in ROWS for test in QUOTED.findall(cells(row)[3])]
    assert [test for test in named if not is_there(test)] == []
