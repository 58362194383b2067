"""What is asked of a server that takes files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

CONNECT_S = 30.0  # for any answer of the server; a file takes as long as it takes


class PlaceFailed(Exception):
    """The server did not do what was asked; the text is a sentence for people."""


class Place(Protocol):
    """A folder elsewhere. Every method raises `PlaceFailed`."""

    @property
    def address(self) -> str:
        """As it is told to people, without a password."""
        ...

    async def put(self, file: Path) -> None:
        """Copy a file there, below its own name, complete or not at all; the folder is made where it is missing."""
        ...

    async def names(self) -> Sequence[str]:
        """What is there."""
        ...

    async def remove(self, name: str) -> None: ...


def partial(name: str) -> str:
    """How a file is called until it is complete."""
    return f"{name}.part"
