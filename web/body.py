"""Bodies of requests: read once, bounded, and plain values or a typed record out of them."""

from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from web.answers import refused
from web.limits import MAX_BODY

T = TypeVar("T")


async def octets(request: Request, most: int = MAX_BODY) -> bytes:
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > most:
            raise refused(413, f"the body is larger than {most // 1024 // 1024} MB")
    return bytes(found)


async def values_of(request: Request) -> dict[str, Any]:
    """The object that the body holds."""
    return await record_of(request, dict[str, Any])


async def record_of(request: Request, kind: type[T]) -> T:
    """The body as a record; raises `Refused`: 400 where it is no JSON, 422 where it is other JSON."""
    body = await octets(request)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `$")
        raise refused(422, text, place.strip(".`")) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refused(400, f"the body is no JSON: {error}") from None
