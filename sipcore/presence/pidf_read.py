"""What a phone says of its user in a presence document (RFC 3863, RFC 4479, RFC 4480), in linear time.

A document type declaration is refused whatever it declares: entities are the only way in which XML grows.
"""

from collections.abc import Sequence
from typing import NoReturn
from xml.parsers import expat

from frozen import dataclass
from sipcore.errors import ParseError

MOST_BYTES = 8192
MOST_DEPTH = 16
MOST_NOTE = 200  # characters: no phone shows more
_PIDF, _DM, _RPID = (
    "urn:ietf:params:xml:ns:pidf",
    "urn:ietf:params:xml:ns:pidf:data-model",
    "urn:ietf:params:xml:ns:pidf:rpid",
)
_BASIC = [f"{_PIDF} {name}" for name in ("presence", "tuple", "status", "basic")]
_ACTIVITIES = [f"{_PIDF} presence", f"{_DM} person", f"{_RPID} activities"]
_NOTES = (
    [f"{_PIDF} presence", f"{_PIDF} note"],
    [f"{_PIDF} presence", f"{_PIDF} tuple", f"{_PIDF} note"],
    [f"{_PIDF} presence", f"{_DM} person", f"{_DM} note"],
)
KNOWN_ACTIVITIES = frozenset(
    (
        *("appointment", "away", "breakfast", "busy", "dinner", "holiday", "in-transit", "looking-for-work", "meal"),
        *("meeting", "on-the-phone", "performance", "permanent-absence", "playing", "presentation", "shopping"),
        *("sleeping", "spectator", "steering", "travel", "tv", "vacation", "working", "worship"),
    )
)  # RFC 4480 §3.2, those that say something


@dataclass(frozen=True, slots=True)
class PublishedPresence:
    """`is_open`: None when no tuple says. `activities` as RPID names them, each once."""

    is_open: bool | None = None
    activities: tuple[str, ...] = ()
    note: str = ""


def parse_pidf(body: bytes) -> PublishedPresence:
    """Raises `ParseError`: 413 for more than 8 KB, 400 for what is no presence document."""
    if len(body) > MOST_BYTES:
        raise ParseError("the presence document is too long", 413)
    reader = _Reader()
    try:
        reader.parser.Parse(body, True)
    except ParseError:
        raise
    except (expat.ExpatError, ValueError, LookupError):
        raise ParseError("the presence document is no well-formed XML") from None
    return reader.result()


class _Reader:
    """Follows the path of open elements; everything that it does not know is passed over."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._doctype
        self._path: list[str] = []
        self._said: list[str] = []
        self._basics: list[str] = []
        self._activities: dict[str, None] = {}
        self._note = ""

    def result(self) -> PublishedPresence:
        is_open = any(basic == "open" for basic in self._basics) if self._basics else None
        return PublishedPresence(is_open, tuple(self._activities), " ".join(self._note.split())[:MOST_NOTE])

    def _start(self, name: str, _: object) -> None:
        if not self._path and name != _BASIC[0]:
            raise ParseError("the document is not of presence")
        if len(self._path) >= MOST_DEPTH:
            raise ParseError("the presence document is nested too deeply")
        space, _, local = name.partition(" ")
        if space == _RPID and local in KNOWN_ACTIVITIES and self._path == _ACTIVITIES:
            self._activities[local] = None
        self._path.append(name)
        self._said.clear()

    def _text(self, data: str) -> None:
        if self._is_read():
            self._said.append(data)

    def _end(self, _: str) -> None:
        text = "".join(self._said)
        if self._path == _BASIC:
            if text.strip() not in ("open", "closed"):
                raise ParseError("a basic status is neither open nor closed")
            self._basics.append(text.strip())
        elif self._path in _NOTES and not self._note:
            self._note = text
        self._said.clear()
        self._path.pop()

    def _is_read(self) -> bool:
        return self._path == _BASIC or self._path in _NOTES

    def _doctype(self, *_: object) -> NoReturn:
        raise ParseError("a presence document has no document type declaration")


def composed(published: Sequence[PublishedPresence]) -> PublishedPresence:
    """What several devices say of one user, the latest first: closed only when all who say it agree."""
    basics = [each.is_open for each in published if each.is_open is not None]
    activities = dict.fromkeys(activity for each in published for activity in each.activities)
    note = next((each.note for each in published if each.note), "")
    return PublishedPresence(any(basics) if basics else None, tuple(activities), note)
