"""Resource lists: what a subscription to many numbers at once is told (RFC 4662 §5)."""

from collections.abc import Sequence

from frozen import dataclass
from sipcore.body import Part, joined
from sipcore.presence.xml_text import HEAD, text

CONTENT_TYPE = "application/rlmi+xml"
RELATED = "multipart/related"
OPTION = "eventlist"


@dataclass(frozen=True, slots=True)
class Resource:
    """One entry of a list, known by its `uri`: `document` is None while nothing is told of it, `is_gone` when there is
    no such resource any more."""

    uri: str
    name: str = ""
    content_type: str = ""
    document: bytes | None = None
    is_gone: bool = False


def resource_list(
    uri: str, version: int, resources: Sequence[Resource], *, is_full: bool, boundary: str
) -> tuple[str, bytes]:
    """Content-Type and body. `version` is 0 for the first; a full list names every entry, another only what is new.
    `boundary` is a token that nobody knows."""
    start = f"list.{boundary}"
    told = [(f"{index}.{boundary}", each) for index, each in enumerate(resources)]
    inside = "".join(_entry(each, name) for name, each in told)
    full = "true" if is_full else "false"
    index = (
        f'{HEAD}<list xmlns="urn:ietf:params:xml:ns:rlmi" uri="{text(uri)}" version="{version}" fullState="{full}">\n'
        f"{inside}</list>\n"
    )
    parts = [Part(f"{CONTENT_TYPE};charset=UTF-8", index.encode(), id=start)]
    parts += [Part(each.content_type, each.document, id=name) for name, each in told if each.document is not None]
    return f'{RELATED};type="{CONTENT_TYPE}";start="<{start}>";boundary={boundary}', joined(parts, boundary)


def _entry(resource: Resource, name: str) -> str:
    shown = f"<name>{text(resource.name)}</name>" if resource.name else ""
    instance = ""
    if resource.is_gone:
        instance = '<instance id="1" state="terminated" reason="noresource"/>'
    elif resource.document is not None:
        instance = f'<instance id="1" state="active" cid="{name}"/>'
    return f'<resource uri="{text(resource.uri)}">{shown}{instance}</resource>\n'
