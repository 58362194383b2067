"""The files of the project, for tests of the whole tree."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ("sipcore", "media", "pbx", "features", "storage", "conf", "web", "bench")
FOLDERS = (*SOURCE, "tests", "docs", "changes", ".ci")
TEXTS = {".py", ".pyi", ".pyx", ".pxd", ".c", ".h", ".md", ".toml", ".xml", ".sh", ".yaml", ".yml", ".cfg", ".html", ""}
GIT = ".git"  # a file in a worktree, with the place of the repository
BUILT = {"__pycache__", "build", "dist", "node_modules", "vectors"}

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Function:
    place: str
    lines: int


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def files(folders: tuple[str, ...], *suffixes: str) -> Iterator[Path]:
    """Files below the folders with one of the suffixes; nothing that a build leaves behind."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file() and not BUILT & set(path.parts):
                yield path


def texts() -> Iterator[Path]:
    """Every file that people read: the source, the tests, the documents at the root."""
    yield from files(FOLDERS, *TEXTS)
    yield from (path for path in sorted(ROOT.iterdir()) if path.is_file() and path.suffix in TEXTS and path.name != GIT)


def modules(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in files(folders, ".py"):
        yield path, ast.parse(path.read_text(), name_of(path))


def functions(*folders: str) -> Iterator[Function]:
    for path, module in modules(*folders):
        for node in ast.walk(module):
            if isinstance(node, FunctionNode):
                yield Function(f"{name_of(path)}:{node.lineno} {node.name}", _length(node))


def _length(node: FunctionNode) -> int:
    """Lines from `def` to the last statement, decorators and docstring left out."""
    start = node.body[1].lineno if ast.get_docstring(node) and len(node.body) > 1 else node.body[0].lineno
    return (node.body[0].lineno - node.lineno) + ((node.end_lineno or start) - start + 1)
