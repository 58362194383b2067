"""What every header value type offers."""

from typing import ClassVar, Protocol, Self


class Header(Protocol):
    """One header value: `NAME` is the printed header name, `str()` the value as it goes on the wire."""

    NAME: ClassVar[str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse one value; raises ParseError and nothing else."""

    def __str__(self) -> str: ...
