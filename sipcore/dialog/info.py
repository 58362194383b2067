"""INFO inside a session: digits of phones that send them so, and the answers of RFC 6086 to everything else.

`application/dtmf-relay` has `Signal=5` and `Duration=160`, `application/dtmf` the digit alone; both are older than
info packages and standardised nowhere. We know no info package (§4.2.2).
"""

import re

from sipcore.build import Extra
from sipcore.errors import ParseError
from sipcore.message import Request

TYPES = ("application/dtmf-relay", "application/dtmf")
_LONGEST = 200
_SIGNAL = re.compile(r"[ \t]*(?:signal[ \t]*=[ \t]*)?(1[0-6]|[0-9*#a-d!])[ \t]*", re.IGNORECASE)
_NUMBERED = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D", "16": "!"}  # RFC 4733 §3.2


def answer_to(request: Request) -> tuple[int, Extra, str]:
    """The status that answers an INFO, headers for it, and the digit that it brings, `0-9*#A-D`."""
    headers = request.headers
    if "info-package" in headers:
        return 469, [("Recv-Info", "")], ""
    if not request.body:
        return 200, (), ""
    kind = request.content_type.partition(";")[0].strip().lower()
    if kind not in TYPES:
        return 415, [("Accept", ", ".join(TYPES))], ""
    try:
        return 200, (), digit_of(request.body)
    except ParseError:
        return 400, (), ""


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
