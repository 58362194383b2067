"""What an INVITE brings for whoever is trusted at the other end of its call, passed on unread: where the caller is
(RFC 6442), and who signs for its number (RFC 8224).

Phones are told neither: a location is for emergency services, and a signature for the number that was dialled outside.
"""

from frozen import dataclass
from pbx.identity import Fields
from sipcore.body import MIXED, SDP, Part, joined, parts_of
from sipcore.errors import ParseError
from sipcore.message import Request

_OF_LOCATION = ("Geolocation", "Geolocation-Routing")
_OF_IDENTITY = ("Identity", "Date")  # the compact form of a signature needs the date (RFC 8225 §7)
_MOST_FIELDS = 8
_MOST_BYTES = 12_000  # of 16 KB that a head may have


@dataclass(frozen=True, slots=True)
class Carried:
    """Header fields, and the parts of the body that they name."""

    fields: tuple[tuple[str, str], ...] = ()
    parts: tuple[Part, ...] = ()

    @classmethod
    def of(cls, request: Request, *, is_trusted: bool) -> "Carried":
        """Only a trusted source signs for anybody. What is larger than any real one stays behind."""
        names = [*_OF_LOCATION, *(_OF_IDENTITY if is_trusted and "identity" in request.headers else ())]
        fields = [(name, value) for name in names for value in request.headers.raw(name.lower())]
        if not fields:
            return NOTHING
        locations = " ".join(value for name, value in fields if name == "Geolocation")
        parts = [each for each in _parts_of(request) if each.id and f"<cid:{each.id}>" in locations]
        size = sum(len(value) for _, value in fields) + sum(len(each.body) for each in parts)
        if len(fields) > _MOST_FIELDS or size > _MOST_BYTES:
            return NOTHING
        return cls(tuple(fields), tuple(parts))

    @property
    def locations(self) -> "Carried":
        """Where the caller is and nothing else: for an emergency service outside."""
        return Carried(tuple([each for each in self.fields if each[0] in _OF_LOCATION]), self.parts)

    @property
    def signatures(self) -> Fields:
        """Who signs for the caller."""
        return [each for each in self.fields if each[0] in _OF_IDENTITY]

    def with_offer(self, sdp: bytes, boundary: str) -> tuple[Fields, bytes]:
        """Header fields and body of an INVITE that has all of it beside our offer; `boundary` is a token that nobody
        knows."""
        if not self.parts:
            return list(self.fields), sdp
        kind = ("Content-Type", f"{MIXED};boundary={boundary}")
        return [*self.fields, ("MIME-Version", "1.0"), kind], joined([Part(SDP, sdp), *self.parts], boundary)


NOTHING = Carried()


def _parts_of(request: Request) -> tuple[Part, ...]:
    try:
        return parts_of(request)
    except ParseError:
        return ()
