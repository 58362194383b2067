"""Bodies of requests: read once, bounded, and plain values or a typed record out of them."""

import asyncio
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from web.answers import refused
from web.limits import MAX_BODY, MAX_UPLOAD

T = TypeVar("T")


async def octets(request: Request, most: int = MAX_BODY) -> bytes:
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > most:
            raise refused(413, f"the body is larger than {most // 1024 // 1024} MB")
    return bytes(found)


async def saved(request: Request, file: Path, most: int = MAX_UPLOAD) -> None:
    """The body as a file, which is there complete or not at all."""
    try:
        await asyncio.to_thread(file.parent.mkdir, parents=True, exist_ok=True)
        with file.open("wb") as opened:
            size = 0
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise refused(413, f"the body is larger than {most // 1024 // 1024} MB")
                await asyncio.to_thread(opened.write, part)
    except BaseException as error:
        await asyncio.to_thread(file.unlink, missing_ok=True)
        if isinstance(error, OSError):
            raise refused(503, f"the upload cannot be written: {error.strerror}") from None
        raise


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
