"""What every answer of the API looks like (API-2): result, data, messages, pagination, and how long it took."""

import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import msgspec
from pydantic import BaseModel
from starlette.responses import Response

JSON = "application/json"
BEGAN: ContextVar[float] = ContextVar("began")  # when the request came, by `time.perf_counter`


class Message(BaseModel):
    """`field`: the key path of what is meant, "" for all of it."""

    text: str
    field: str = ""


class Messages(BaseModel):
    error: list[Message] = []
    warning: list[Message] = []
    info: list[Message] = []


class Meta(BaseModel):
    """How the request was carried out."""

    took_ms: float


class ErrorAnswer(BaseModel):
    """Of a request that was not: nothing has changed."""

    result: bool
    data: None = None
    messages: Messages
    pagination: None = None
    meta: Meta


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list of `total`."""

    items: Sequence[Any]
    total: int
    limit: int
    offset: int


class Refused(Exception):
    """The request is not carried out; `problems` are pairs of a key path and a sentence."""

    def __init__(self, status: int, *problems: tuple[str, str], headers: Mapping[str, str] | None = None) -> None:
        super().__init__("; ".join(text for _, text in problems))
        self.status, self.problems, self.headers = status, problems, headers


def refused(status: int, text: str, field: str = "") -> Refused:
    return Refused(status, (field, text))


def answer(
    data: Any,
    *,
    status: int = 200,
    info: Sequence[str] = (),
    warning: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A success; a `Page` brings its pagination along."""
    pagination = None
    if isinstance(data, Page):
        pagination = {"total": data.total, "limit": data.limit, "offset": data.offset}
        data = data.items
    messages = {"error": (), "warning": _messages(warning), "info": _messages(info)}
    return _response(status, {"result": True, "data": data, "messages": messages, "pagination": pagination}, headers)


def error_answer(error: Refused) -> Response:
    told = [{"text": text, "field": field} for field, text in error.problems]
    messages = {"error": told, "warning": (), "info": ()}
    body = {"result": False, "data": None, "messages": messages, "pagination": None}
    return _response(error.status, body, error.headers)


def _messages(texts: Sequence[str]) -> list[dict[str, str]]:
    return [{"text": text, "field": ""} for text in texts]


def _response(status: int, body: Mapping[str, object], headers: Mapping[str, str] | None) -> Response:
    now = time.perf_counter()
    whole = {**body, "meta": {"took_ms": round((now - BEGAN.get(now)) * 1000, 2)}}
    return Response(msgspec.json.encode(whole), status, dict(headers or {}), JSON)
