"""A challenge without transaction or parser, for a request that does not say whose it is (RFC 3261 §8.2.7, §22.1).

It is what the stack answers after `Admission.check`, only sooner: authentication comes before everything else that is
looked at in a request (§8.2).
"""

from pbx.admission import Admission
from sipcore.flow import Flow
from sipcore.glance import Glance
from sipcore.stack import SipStack

CHALLENGED = frozenset(("REGISTER", "INVITE", "SUBSCRIBE", "PUBLISH", "MESSAGE", "REFER"))
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
        tag = self._stack.ids.stable_tag(look.key[0], look.call_id)
        response = look.answer(flow, _UNAUTHORIZED, tag.encode(), lines.encode())
        if response is not None:
            self._stack.answered(look.method, data, response, flow)
        return response
