"""Documents of the dialog event package (RFC 4235): what a busy lamp shows. Always full state."""

from collections.abc import Sequence

from frozen import dataclass
from sipcore.presence.xml_text import HEAD, text

CONTENT_TYPE = "application/dialog-info+xml"


@dataclass(frozen=True, slots=True)
class DialogParty:
    """One end of a dialog: its URI and the name to show."""

    uri: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class DialogView:
    """One dialog as its `local` party sees it. `state`: trying, early, confirmed (§3.7.1); `direction`: initiator or
    recipient; `is_held`: the local party renders no media (§4.2). `call_id` and `tags` (local, remote) name it for a
    Replaces (§4.1.1, RFC 3891); empty when nobody may replace it."""

    id: str
    state: str
    direction: str
    local: DialogParty
    remote: DialogParty
    is_held: bool = False
    call_id: str = ""
    tags: tuple[str, str] = ("", "")


def dialog_info(entity: str, version: int, dialogs: Sequence[DialogView]) -> bytes:
    """The document. Without dialogs it says `terminated` in so many words: some phones keep a lamp lit otherwise."""
    inside = "".join(map(_dialog, dialogs)) or '<dialog id="none"><state>terminated</state></dialog>\n'
    return (
        f'{HEAD}<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="{version}" state="full" '
        f'entity="{text(entity)}">\n{inside}</dialog-info>\n'
    ).encode()


def _dialog(dialog: DialogView) -> str:
    rendering = '<param pname="+sip.rendering" pvalue="no"/>' if dialog.is_held else ""
    named = ""
    if dialog.call_id:
        local, remote = map(text, dialog.tags)
        named = f' call-id="{text(dialog.call_id)}" local-tag="{local}" remote-tag="{remote}"'
    return (
        f'<dialog id="{text(dialog.id)}"{named} direction="{dialog.direction}">\n<state>{dialog.state}</state>\n'
        f"<local>{_party(dialog.local, rendering)}</local>\n<remote>{_party(dialog.remote)}</remote>\n</dialog>\n"
    )


def _party(party: DialogParty, inside: str = "") -> str:
    uri = text(party.uri)
    display = f' display="{text(party.name)}"' if party.name else ""
    target = f'<target uri="{uri}">{inside}</target>' if inside else f'<target uri="{uri}"/>'
    return f"<identity{display}>{uri}</identity>{target}"
