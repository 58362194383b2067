"""Pictures of people (USR-2): what is taken for one, and where they are kept."""

import base64
from collections.abc import Collection
from dataclasses import dataclass

from web.answers import refused
from web.core import Core

SMALLEST, LARGEST = 1024, 1024 * 1024
_BEGINNINGS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"GIF8": "image/gif"}
_FILES, _KINDS = "avatars", "avatar kinds"  # the kinds alone, so that nobody reads all files to know who has one


@dataclass(frozen=True, slots=True)
class Picture:
    """`kind` is the media type, `data` the file in base64."""

    kind: str
    data: str

    @property
    def octets(self) -> bytes:
        return base64.b64decode(self.data)


async def picture_of(core: Core, user: str) -> Picture | None:
    return await core.recall(_FILES, user, Picture)


async def with_pictures(core: Core) -> Collection[str]:
    """The ids of people who have one."""
    return (await core.remembered(_KINDS, str)).keys()


async def put_picture(core: Core, user: str, data: bytes) -> str:
    """The media type; raises `Refused` (422) where it is no picture."""
    kind = kind_of(data)
    await core.remember(_FILES, user, Picture(kind, base64.b64encode(data).decode()))
    await core.remember(_KINDS, user, kind)
    return kind


async def forget_picture(core: Core, user: str) -> None:
    await core.remember(_FILES, user, None)
    await core.remember(_KINDS, user, None)


def kind_of(data: bytes) -> str:
    """The media type by what is in the file, not by its name; raises `Refused` (422)."""
    if not SMALLEST <= len(data) <= LARGEST:
        raise refused(422, f"a picture has 1 KB to 1 MB, not {len(data)} octets")
    for beginning, kind in _BEGINNINGS.items():
        if data.startswith(beginning):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    raise refused(422, "the file is no JPEG, PNG, GIF or WEBP picture")
