"""Print a session description in the order of RFC 8866 §5."""

from sipcore.sdp.model import Attributes, MediaSection, SessionDescription


def write_sdp(description: SessionDescription) -> bytes:
    """The body of a message with content type application/sdp."""
    origin = description.origin
    address_type = _address_type(origin.address)
    lines = [
        "v=0",
        f"o={origin.username} {origin.session_id} {origin.version} IN {address_type} {origin.address}",
        f"s={description.name}",
    ]
    if description.address:
        lines.append(_connection(description.address))
    lines += [f"b={value}" for value in description.bandwidth]
    lines += [f"t={value}" for value in description.times]
    lines += _attributes(description.attributes)
    for section in description.media:
        lines += _section(section)
    return ("\r\n".join(lines) + "\r\n").encode()


def _section(section: MediaSection) -> list[str]:
    port = f"{section.port}/{section.port_count}" if section.port_count != 1 else str(section.port)
    lines = [" ".join((f"m={section.media} {port} {section.protocol}", *section.payloads))]
    if section.address:
        lines.append(_connection(section.address))
    lines += [f"b={value}" for value in section.bandwidth]
    return lines + _attributes(section.attributes)


def _attributes(attributes: Attributes) -> list[str]:
    return [f"a={name}:{value}" if value else f"a={name}" for name, value in attributes]


def _connection(address: str) -> str:
    return f"c=IN {_address_type(address)} {address}"


def _address_type(address: str) -> str:
    return "IP6" if ":" in address else "IP4"
