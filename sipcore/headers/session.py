"""Session-Expires and Min-SE (RFC 4028), Replaces (RFC 3891), Join (RFC 3911)."""

import re
from typing import ClassVar, Self

from frozen import dataclass
from sipcore.errors import ParseError
from sipcore.grammar import parse_number
from sipcore.headers.address import MAX_EXPIRES_S
from sipcore.params import NO_PARAMS, Params

_CALL_ID = re.compile(r'[A-Za-z0-9\-.!%*_+`\'~()<>:\\"/\[\]?{}@]++')


@dataclass(frozen=True, slots=True)
class _Seconds:
    """A number of seconds with parameters."""

    NAME: ClassVar[str] = ""
    value: int
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> Self:
        number, separator, params = text.partition(";")
        seconds = parse_number(number.strip(" \t"), f"the {cls.NAME}", MAX_EXPIRES_S)
        return cls(seconds, Params.parse(separator + params))

    def __str__(self) -> str:
        return f"{self.value}{self.params}"


class SessionExpires(_Seconds):
    __slots__ = ()
    NAME: ClassVar[str] = "Session-Expires"

    @property
    def refresher(self) -> str | None:
        """ "uac", "uas" or None."""
        value = (self.params.get("refresher") or "").lower()
        return value if value in ("uac", "uas") else None


class MinSE(_Seconds):
    __slots__ = ()
    NAME: ClassVar[str] = "Min-SE"


@dataclass(frozen=True, slots=True)
class NamedDialog:
    """A dialog seen from the receiver: `to_tag` is its local tag."""

    NAME: ClassVar[str] = ""
    call_id: str
    to_tag: str
    from_tag: str
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> Self:
        call_id, separator, rest = text.partition(";")
        call_id = call_id.strip(" \t")
        params = Params.parse(separator + rest)
        to_tag, from_tag = params.get("to-tag"), params.get("from-tag")
        if not _CALL_ID.fullmatch(call_id) or not to_tag or not from_tag:
            raise ParseError(f"the {cls.NAME} value needs a Call-ID, a to-tag and a from-tag")
        return cls(call_id, to_tag, from_tag, params.without("to-tag", "from-tag"))

    def __str__(self) -> str:
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{self.params}"


class Replaces(NamedDialog):
    """The dialog to be replaced."""

    __slots__ = ()
    NAME: ClassVar[str] = "Replaces"

    @property
    def early_only(self) -> bool:
        return "early-only" in self.params


class Join(NamedDialog):
    """The dialog to come into."""

    __slots__ = ()
    NAME: ClassVar[str] = "Join"
