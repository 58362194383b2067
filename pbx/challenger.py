"""A challenge without transaction or parser, for a request that does not say whose it is (RFC 3261 §8.2.7, §22.1).

It is what the stack answers after `Admission.check`, only sooner: authentication comes before everything else that is
looked at in a request (§8.2).
"""

import re

from pbx.admission import Admission
from pbx.numbering import dialled_number
from sipcore.flow import Flow
from sipcore.glance import Glance
from sipcore.stack import SipStack

CHALLENGED = frozenset(("REGISTER", "INVITE", "SUBSCRIBE", "PUBLISH", "MESSAGE", "REFER"))
_CALLED = re.compile(rb"INVITE sips?:([\x21-\x3f\x41-\x7e]*)@")
_HEAD = 256
_UNAUTHORIZED = b"SIP/2.0 401 Unauthorized"


class Challenger:
    """`answer` is for `Gate`."""

    def __init__(self, admission: Admission, stack: SipStack) -> None:
        self._admission, self._stack = admission, stack

    def answer(self, look: Glance, data: bytes, flow: Flow) -> bytes | None:
        """The 401, traced and counted; None when the stack has to look at the request."""
        if look.has_credentials or look.is_in_dialog or not look.is_plain or look.method not in CHALLENGED:
            return None
        lines = self._admission.lines_for_stranger(flow.remote[0])
        if lines is None or self._stack.holds(look.key):
            return None
        if look.method == "INVITE":
            if self._admission.takes_guests(flow.remote[0]):
                return None
            self._count(data, flow.remote[0])
        tag = self._stack.ids.stable_tag(look.key[0], look.call_id)
        response = look.answer(flow, _UNAUTHORIZED, tag.encode(), lines.encode())
        if response is not None:
            self._stack.answered(look.method, data, response, flow)
        return response

    def _count(self, data: bytes, source: str) -> None:
        found = _CALLED.match(data, 0, _HEAD)
        self._admission.sought(dialled_number(found[1].decode("ascii")) if found is not None else "", source)
