"""Documents of the conference event package (RFC 4575): who is in a room, wholly or what has changed of it."""

from collections.abc import Collection, Sequence

from frozen import dataclass
from sipcore.presence.xml_text import HEAD, text

CONTENT_TYPE = "application/conference-info+xml"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One device of a participant (§5.7). `joined_at` is a date and time of RFC 3339; one that is muted or holds is not
    heard, one that holds may not hear either."""

    id: str
    joined_at: str
    is_muted: bool = False
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody in the room (§5.6), at one device or several. No two have the same `uri`."""

    uri: str
    name: str
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class Description:
    """What the room is (§5.3); `most` 0: for any number of devices."""

    name: str = ""
    most: int = 0


def conference_info(entity: str, version: int, room: Description, participants: Sequence[Participant]) -> bytes:
    """Full state of the room `entity`, an empty one where nobody is (§5)."""
    display = f"<display-text>{text(room.name)}</display-text>" if room.name else ""
    most = f"<maximum-user-count>{room.most}</maximum-user-count>" if room.most else ""
    users = "".join(map(_user, participants))
    inside = (
        f"<conference-description>{display}{most}</conference-description>\n{_state(participants)}"
        f'<users state="full">\n{users}</users>\n'
    )
    return _document(entity, version, "full", inside)


def conference_change(
    entity: str, version: int, participants: Sequence[Participant], earlier: Collection[Participant]
) -> bytes:
    """Partial state: what is different from what the same subscriber was told earlier (§4.3, §4.4)."""
    there = {each.uri for each in participants}
    users = "".join(_user(each) for each in participants if each not in earlier)
    gone = "".join(f'<user entity="{text(each.uri)}" state="deleted"/>\n' for each in earlier if each.uri not in there)
    inside = f'{_state(participants)}<users state="partial">\n{users}{gone}</users>\n'
    return _document(entity, version, "partial", inside)


def conference_gone(entity: str, version: int) -> bytes:
    """The room exists no longer (§5.1)."""
    return _document(entity, version, "deleted", "")


def _document(entity: str, version: int, state: str, inside: str) -> bytes:
    return (
        f'{HEAD}<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="{text(entity)}" '
        f'state="{state}" version="{version}">\n{inside}</conference-info>\n'
    ).encode()


def _state(participants: Sequence[Participant]) -> str:
    is_active = "true" if participants else "false"
    return (
        f"<conference-state><user-count>{len(participants)}</user-count><active>{is_active}</active>"
        "</conference-state>\n"
    )


def _user(participant: Participant) -> str:
    uri = text(participant.uri)
    display = f"<display-text>{text(participant.name)}</display-text>" if participant.name else ""
    endpoints = "".join(_endpoint(uri, each) for each in participant.endpoints)
    return f'<user entity="{uri}" state="full">{display}{endpoints}</user>\n'


def _endpoint(uri: str, endpoint: Endpoint) -> str:
    """Directions are those of the device (§5.8)."""
    direction = "inactive" if endpoint.is_held else "recvonly" if endpoint.is_muted else "sendrecv"
    status = "on-hold" if endpoint.is_held else "connected"
    return (
        f'<endpoint entity="{uri};endpoint={text(endpoint.id)}" state="full"><status>{status}</status>'
        "<joining-method>dialed-in</joining-method>"
        f"<joining-info><when>{endpoint.joined_at}</when></joining-info>"
        f'<media id="1"><type>audio</type><status>{direction}</status></media></endpoint>'
    )
