"""What is wrong in a file: one sentence each, with the file, the key path and the line."""

from collections.abc import Sequence

from frozen import dataclass

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class ConfError:
    """One mistake. `line` is 0 when the file as a whole is meant."""

    file: str
    key_path: str
    line: int
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key_path}: {self.message}" if self.key_path else f"{place}: {self.message}"


class ConfInvalid(Exception):
    """A file cannot be used; `errors` holds every mistake found, in the order of the file."""

    def __init__(self, errors: Sequence[ConfError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = tuple(errors)


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake at a key path, before the line is known."""

    path: KeyPath
    message: str


def path_text(path: KeyPath) -> str:
    """`("terminals", 3, "number")` → `terminals[3].number`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text
