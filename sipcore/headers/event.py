"""Event and Subscription-State (RFC 6665 §8.2)."""

from typing import ClassVar, Self

from frozen import dataclass
from sipcore.errors import ParseError
from sipcore.grammar import is_token
from sipcore.params import NO_PARAMS, Params


@dataclass(frozen=True, slots=True)
class Event:
    """An event package with its templates, for example `presence.winfo`."""

    NAME: ClassVar[str] = "Event"
    package: str
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(*_token_and_params(text, cls.NAME))

    @property
    def id(self) -> str | None:
        return self.params.get("id")

    def __str__(self) -> str:
        return f"{self.package}{self.params}"


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    NAME: ClassVar[str] = "Subscription-State"
    state: str
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> Self:
        state, params = _token_and_params(text, cls.NAME)
        return cls(state.lower(), params)

    @property
    def reason(self) -> str | None:
        return self.params.get("reason")

    def __str__(self) -> str:
        return f"{self.state}{self.params}"


def _token_and_params(text: str, name: str) -> tuple[str, Params]:
    token, separator, params = text.partition(";")
    token = token.strip(" \t")
    if not is_token(token):
        raise ParseError(f"the {name} value is malformed")
    return token, Params.parse(separator + params)
