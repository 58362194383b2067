"""Documents of the conference event package (RFC 4575): who is in a room. Always full state."""

from collections.abc import Sequence
from dataclasses import dataclass

from sipcore.presence.xml_text import HEAD, text

CONTENT_TYPE = "application/conference-info+xml"


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody in the room; one who is muted only hears."""

    uri: str
    name: str = ""
    is_muted: bool = False


def conference_info(entity: str, version: int, subject: str, participants: Sequence[Participant]) -> bytes:
    """The document of the room `entity`, an empty one where nobody is (§5)."""
    users = "".join(map(_user, participants))
    display = f"<display-text>{text(subject)}</display-text>" if subject else ""
    is_active = "true" if participants else "false"
    return (
        f'{HEAD}<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="{text(entity)}" state="full" '
        f'version="{version}">\n<conference-description>{display}</conference-description>\n'
        f"<conference-state><user-count>{len(participants)}</user-count><active>{is_active}</active>"
        f'</conference-state>\n<users state="full">\n{users}</users>\n</conference-info>\n'
    ).encode()


def _user(participant: Participant) -> str:
    uri = text(participant.uri)
    display = f"<display-text>{text(participant.name)}</display-text>" if participant.name else ""
    direction = "recvonly" if participant.is_muted else "sendrecv"
    return (
        f'<user entity="{uri}" state="full">{display}<endpoint entity="{uri}"><status>connected</status>'
        f'<media id="1"><type>audio</type><status>{direction}</status></media></endpoint></user>\n'
    )
