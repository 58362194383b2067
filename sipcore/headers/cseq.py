"""CSeq (RFC 3261 §20.16), RAck and RSeq (RFC 3262 §7)."""

import re
from functools import lru_cache
from typing import ClassVar

from frozen import dataclass
from sipcore.errors import ParseError
from sipcore.grammar import TOKEN_CHARS, parse_number

_CSEQ = re.compile(rf"[ \t]*+([0-9]{{1,10}}+)[ \t]++([{TOKEN_CHARS}]++)[ \t]*+")
_RACK = re.compile(rf"[ \t]*+([0-9]{{1,10}}+)[ \t]++([0-9]{{1,10}}+)[ \t]++([{TOKEN_CHARS}]++)[ \t]*+")
_CACHED_LENGTH = 40
MAX_CSEQ = 2**31 - 1
MAX_RSEQ = 2**32 - 1


@dataclass(frozen=True, slots=True)
class CSeq:
    NAME: ClassVar[str] = "CSeq"
    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> "CSeq":
        return _parse_cached(text) if len(text) <= _CACHED_LENGTH else _parse(text)

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


@dataclass(frozen=True, slots=True)
class RAck:
    NAME: ClassVar[str] = "RAck"
    rseq: int
    cseq: int
    method: str

    @classmethod
    def parse(cls, text: str) -> "RAck":
        match = _RACK.fullmatch(text)
        if match is None:
            raise ParseError("the RAck is malformed")
        return cls(
            parse_number(match[1], "the RAck response number", MAX_RSEQ),
            parse_number(match[2], "the RAck CSeq number", MAX_CSEQ),
            match[3],
        )

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"


@dataclass(frozen=True, slots=True)
class RSeq:
    NAME: ClassVar[str] = "RSeq"
    value: int

    @classmethod
    def parse(cls, text: str) -> "RSeq":
        return cls(parse_number(text.strip(" \t"), "the RSeq", MAX_RSEQ))

    def __str__(self) -> str:
        return str(self.value)


def _parse(text: str) -> CSeq:
    match = _CSEQ.fullmatch(text)
    if match is None:
        raise ParseError("the CSeq is malformed")
    return CSeq(parse_number(match[1], "the CSeq number", MAX_CSEQ), match[2])


_parse_cached = lru_cache(maxsize=2048)(_parse)
