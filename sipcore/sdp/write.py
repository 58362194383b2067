"""Print a session description in the order of RFC 8866 §5."""

from functools import lru_cache

from sipcore.sdp.model import Attributes, MediaSection, SessionDescription, has_secrets


def write_sdp(description: SessionDescription) -> bytes:
    """The body of a message with content type application/sdp."""
    origin = description.origin
    lines = [
        "v=0",
        f"o={origin.username} {origin.session_id} {origin.version} IN {_address_type(origin.address)} {origin.address}",
        f"s={description.name}",
    ]
    if description.address:
        lines.append(_connection(description.address))
    lines += [f"b={value}" for value in description.bandwidth]
    lines += [f"t={value}" for value in description.times]
    text = "\r\n".join(lines) + "\r\n" + _attributes(description.attributes)
    return (text + "".join([_section(section) for section in description.media])).encode()


def _section(section: MediaSection) -> str:
    port = f"{section.port}/{section.port_count}" if section.port_count != 1 else str(section.port)
    lines = [" ".join((f"m={section.media} {port} {section.protocol}", *section.payloads))]
    if section.address:
        lines.append(_connection(section.address))
    lines += [f"b={value}" for value in section.bandwidth]
    return "\r\n".join(lines) + "\r\n" + _attributes(section.attributes)


def _attributes(attributes: Attributes) -> str:
    return _attributes_text(attributes) if has_secrets(attributes) else _attributes_cached(attributes)


def _attributes_text(attributes: Attributes) -> str:
    return "".join([f"a={name}:{value}\r\n" if value else f"a={name}\r\n" for name, value in attributes])


_attributes_cached = lru_cache(maxsize=1024)(_attributes_text)  # what we say of our codecs is the same in many calls


def _connection(address: str) -> str:
    return f"c=IN {_address_type(address)} {address}"


def _address_type(address: str) -> str:
    return "IP6" if ":" in address else "IP4"
