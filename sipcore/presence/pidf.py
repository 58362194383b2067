"""Presence documents: PIDF (RFC 3863) with the activities of RPID (RFC 4480)."""

from collections.abc import Sequence

from sipcore.presence.xml_text import HEAD, text

CONTENT_TYPE = "application/pidf+xml"
_SPACES = (
    'xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" '
    'xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid"'
)


def pidf(entity: str, *, is_open: bool, activities: Sequence[str] = (), note: str = "") -> bytes:
    """`is_open`: the presentity can be called. `activities` are element names of RPID. `note` is for people."""
    basic = "open" if is_open else "closed"
    doing = "".join(f"<rpid:{activity}/>" for activity in activities or ("unknown",))
    said = f"<note>{text(note)}</note>" if note else ""
    uri = text(entity)
    return (
        f'{HEAD}<presence {_SPACES} entity="{uri}">\n'
        f'<tuple id="phone"><status><basic>{basic}</basic></status>'
        f'<contact priority="1">{uri}</contact>{said}</tuple>\n'
        f'<dm:person id="person"><rpid:activities>{doing}</rpid:activities></dm:person>\n</presence>\n'
    ).encode()
