"""Documents of the registration event package (RFC 3680): the bindings of one address-of-record. Full state."""

import zlib
from collections.abc import Sequence
from math import ceil

from sipcore.presence.xml_text import HEAD, text
from sipcore.register.binding import Binding

CONTENT_TYPE = "application/reginfo+xml"


def reginfo(aor: str, version: int, bindings: Sequence[Binding], now: float) -> bytes:
    """`bindings` are those alive at `now`."""
    state = "active" if bindings else "terminated"
    inside = "".join([_contact(binding, now) for binding in bindings])
    return (
        f'{HEAD}<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="{version}" state="full">\n'
        f'<registration aor="{text(aor)}" id="aor" state="{state}">\n{inside}</registration>\n</reginfo>\n'
    ).encode()


def _contact(binding: Binding, now: float) -> str:
    identity = f"{binding.contact} {binding.instance} {binding.reg_id} {binding.received}"
    left_s, since_s = max(0, ceil(binding.expires_at - now)), max(0, int(now - binding.registered_at))
    return (
        f'<contact id="c{zlib.crc32(identity.encode()):08x}" state="active" event="registered" expires="{left_s}" '
        f'duration-registered="{since_s}" q="{binding.q:g}" callid="{text(binding.call_id)}" cseq="{binding.cseq}">'
        f"<uri>{text(str(binding.contact))}</uri></contact>\n"
    )
