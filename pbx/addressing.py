"""How parties are written into SIP messages, and how dialled numbers are read out of them."""

from pbx.numbering import number_of
from pbx.party import Party
from sipcore.flow import Flow
from sipcore.grammar import quote
from sipcore.message import Request

_TRANSPORT_PARAMETER = {  # "ws" is what RFC 7118 §5.2 registers, for both
    "UDP": "",
    "TCP": ";transport=tcp",
    "TLS": ";transport=tls",
    "WS": ";transport=ws",
    "WSS": ";transport=ws",
}


def dialled(request: Request) -> str:
    """The number that an INVITE is for: the user of its Request-URI."""
    return number_of(request.uri)


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def contact(number: str, flow: Flow) -> str:
    """Our Contact towards a peer on this path, standing for the party with that number."""
    return f"<sip:{number}@{flow.sent_by}{_TRANSPORT_PARAMETER[flow.transport]}>"


def focus(number: str, flow: Flow) -> str:
    """The Contact of a conference (RFC 4579 §5.1): whoever calls it may watch who is there."""
    return f"{contact(number, flow)};isfocus"


def identity(party: Party, host: str) -> str:
    """A party as a name-addr at our host."""
    address = f"<sip:{party.number}@{bracketed(host)}>"
    return f"{quote(party.name)} {address}" if party.name else address
