"""Reason (RFC 3326) and Privacy (RFC 3323)."""

from typing import ClassVar, Self

from frozen import dataclass
from sipcore.errors import ParseError
from sipcore.grammar import is_token, parse_number
from sipcore.params import NO_PARAMS, Params

_MOST_VALUES = 16


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a request was sent: `Reason("SIP", 200, "Call completed elsewhere")`, `Reason("Q.850", 16)`."""

    NAME: ClassVar[str] = "Reason"
    protocol: str
    cause: int | None = None
    text: str = ""
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> Self:
        protocol, separator, rest = text.partition(";")
        protocol = protocol.strip(" \t")
        if not is_token(protocol):
            raise ParseError("the Reason value is malformed")
        params = Params.parse(separator + rest)
        cause = params.get("cause")
        number = parse_number(cause, "the Reason cause", 2**31 - 1) if cause else None
        return cls(protocol, number, params.get("text") or "", params.without("cause", "text"))

    def __str__(self) -> str:
        text = self.protocol if self.cause is None else f"{self.protocol};cause={self.cause}"
        return f"{text}{NO_PARAMS.with_quoted('text', self.text)}{self.params}" if self.text else f"{text}{self.params}"


@dataclass(frozen=True, slots=True)
class Privacy:
    """Privacy values in lower case; unlike other lists they are separated by semicolons."""

    NAME: ClassVar[str] = "Privacy"
    tokens: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        if text.count(";") > _MOST_VALUES:
            raise ParseError("the Privacy value is too long")
        tokens = tuple([token for part in text.split(";") if (token := part.strip(" \t").lower())])
        if not 0 < len(tokens) <= _MOST_VALUES or not all(map(is_token, tokens)):
            raise ParseError("the Privacy value is malformed")
        return cls(tokens)

    def __contains__(self, token: object) -> bool:
        return token in self.tokens

    def __str__(self) -> str:
        return ";".join(self.tokens)
