"""INFO inside a session: digits of phones that send them so, and the answers of RFC 6086 to everything else.

`application/dtmf-relay` has `Signal=5` and `Duration=160`, `application/dtmf` the digit alone; both are older than
info packages and standardised nowhere. The one info package that we know (§4.2.2) is `trickle-ice` (RFC 8840):
candidates that a peer sends when it has found them. The checks of the peer say as much, so we need not be told.
"""

import re

from sipcore.build import Extra
from sipcore.errors import ParseError
from sipcore.message import Request
from sipcore.sdp.ice import read_fragment

TYPES = ("application/dtmf-relay", "application/dtmf")
DIGITS = "0123456789*#ABCD"
TRICKLE, FRAGMENT = "trickle-ice", "application/trickle-ice-sdpfrag"
_LONGEST = 200
_SIGNAL = re.compile(r"[ \t]*(?:signal[ \t]*=[ \t]*)?(1[0-6]|[0-9*#a-d!])[ \t]*", re.IGNORECASE)
_NUMBERED = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D", "16": "!"}  # RFC 4733 §3.2


def answer_to(request: Request) -> tuple[int, Extra, str]:
    """The status that answers an INFO, headers for it, and the digit that it brings, `0-9*#A-D`."""
    headers = request.headers
    if "info-package" in headers:
        return (*_answer_package(request), "")
    if not request.body:
        return 200, (), ""
    kind = request.content_type.partition(";")[0].strip().lower()
    if kind not in TYPES:
        return 415, [("Accept", ", ".join(TYPES))], ""
    try:
        return 200, (), digit_of(request.body)
    except ParseError:
        return 400, (), ""


def _answer_package(request: Request) -> tuple[int, Extra]:
    package = (request.headers.get("info-package") or "").partition(";")[0].strip().lower()
    if package != TRICKLE:
        return 469, [("Recv-Info", TRICKLE)]
    if request.content_type.partition(";")[0].strip().lower() != FRAGMENT:
        return 415, [("Accept", FRAGMENT)]
    try:
        read_fragment(request.body)
    except ParseError:
        return 400, ()
    return 200, ()


def digit_of(body: bytes) -> str:
    """The digit; nothing for a hook flash."""
    if len(body) > _LONGEST or not body.isascii():
        raise ParseError("the digit is malformed")
    for line in body.decode("ascii").splitlines():
        found = _SIGNAL.fullmatch(line)
        if found is not None:
            digit = _NUMBERED.get(found[1], found[1]).upper()
            return "" if digit == "!" else digit
    raise ParseError("the digit is malformed")
