"""Phones that say wrong things: what they send is spoilt on the way, one thing at a time."""

from random import Random

from tests.support.wire import Address, Wire

_VALUES = (
    *(
        "",
        "x",
        "*",
        "<sip:",
        "sip:102@h",
        "<sip:102@h>;tag=",
        '"',
        '"a" <sip:b@c',
        "<>",
        ";;;",
        ",,,",
        "a, b",
        "-1",
        "0",
    ),
    *(
        "4294967296",
        "99999999999999999999",
        "1 INVITE",
        "0 BYE",
        "x y z",
        "application/sdp",
        "text/plain",
        "*/*",
        "\xff\xfe",
    ),
    *(
        "SIP/2.0/UDP 1.2.3.4",
        "SIP/2.0/TCP [::1]:5;branch=z9hG4bKx;received=x;rport=y",
        "<sip:10.0.0.9;lr>",
        "<sip:h?x=y>",
    ),
    *(
        "multipart/mixed;boundary=b",
        "gzip",
        "terminated;reason=deactivated",
        "dialog;id=1",
        "100rel",
        "timer",
        "90;refresher=uas",
    ),
)
_NAMES = (
    *(
        "Via",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Contact",
        "Max-Forwards",
        "Content-Type",
        "Content-Length",
        "Content-Encoding",
    ),
    *(
        "Record-Route",
        "Route",
        "Require",
        "Supported",
        "Session-Expires",
        "Min-SE",
        "RSeq",
        "RAck",
        "Allow",
        "Expires",
        "Event",
    ),
    *(
        "Refer-To",
        "Replaces",
        "Join",
        "Privacy",
        "P-Asserted-Identity",
        "Authorization",
        "Reason",
        "Retry-After",
        "Date",
    ),
)
_SDP = (
    *(
        "v=1",
        "o=- 1 1 IN IP4",
        "o=x",
        "c=IN IP4 0.0.0.0",
        "c=IN IP6 ::1",
        "c=x",
        "t=x",
        "m=audio 0 RTP/AVP 8",
        "m=audio 9 RTP/AVP",
    ),
    *(
        "m=audio 99999 RTP/AVP 8 0",
        "m=audio 4000/2 RTP/AVP 8",
        "m=audio 4000 RTP/SAVP 8",
        "m=video 4000 RTP/AVP 96",
        "m=image 9 udptl t38",
    ),
    *(
        "a=inactive",
        "a=sendonly",
        "a=rtpmap:8 PCMA/0",
        "a=rtpmap:101 telephone-event/48000",
        "a=rtpmap:8 telephone-event/8000",
    ),
    *(
        "a=ptime:0",
        "a=ptime:9999",
        "a=rtcp:99999",
        "a=rtcp-mux",
        "a=fmtp:101 0-999",
        "a=crypto:1 X inline:y",
        "a=setup:active",
        "b=AS:0",
    ),
)

_STATUSES = (100, 180, 183, 199, 200, 202, 299, 300, 302, 401, 407, 408, 422, 481, 491, 503, 699)


def spoil(data: bytes, random: Random) -> bytes:
    """One message with one thing wrong."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    at = random.randrange(1, len(lines)) if len(lines) > 1 else 0
    match random.randrange(9):
        case 0:
            lines[at] = f"{lines[at].partition(':')[0]}: {random.choice(_VALUES)}"
        case 1:
            lines.insert(at, f"{random.choice(_NAMES)}: {random.choice(_VALUES)}")
        case 2:
            del lines[at]
        case 3:
            lines.insert(at, lines[at])
        case 4 if body:
            body = _spoilt_body(body, random)
        case 5:
            lines[0] = _spoilt_start(lines[0], random)
        case 6:
            lines[at] = _digits(lines[at], random)
        case 7:
            cut = random.randrange(len(data))
            return data[:cut] + bytes([random.randrange(256)]) + data[cut + 1 :]
        case _:
            return data[: random.randrange(len(data))]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def _spoilt_body(body: bytes, random: Random) -> bytes:
    lines = body.decode("latin-1").split("\r\n")
    at = random.randrange(len(lines))
    lines[at : at + random.randrange(2)] = [random.choice(_SDP)]
    return "\r\n".join(lines).encode("latin-1")


def _spoilt_start(line: str, random: Random) -> str:
    if line.startswith("SIP/2.0 "):
        return f"SIP/2.0 {random.choice(_STATUSES)} X"
    method = random.choice(
        ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "PRACK", "UPDATE", "REFER", "NOTIFY", "X")
    )
    return f"{method} {line.partition(' ')[2]}"


def _digits(line: str, random: Random) -> str:
    """A number, tag or branch is another."""
    places = [at for at, char in enumerate(line) if char.isalnum()]
    if not places:
        return line
    at = random.choice(places)
    return line[:at] + random.choice("0123456789abcdef") + line[at + 1 :]


class Garbler:
    """Spoils a `share` of what goes to the server, none at first."""

    def __init__(self, wire: Wire, server: Address, random: Random) -> None:
        self.share = 0.0
        self._send, self._server, self._random = wire.send, server, random
        wire.send = self._spoiling  # type: ignore[method-assign]

    def _spoiling(self, source: Address, target: Address, data: bytes) -> None:
        if target == self._server and self._random.random() < self.share:
            data = spoil(data, self._random)
        self._send(source, target, data)
