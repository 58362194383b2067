"""What stands before the stack: scanners are dropped, new work is refused while there is no time for it, and whoever
does not say who it is gets a challenge.

All look at bytes, so that whoever floods the server pays for no more than that.
"""

import re
import time
import zlib
from collections.abc import Callable, Iterable

from pbx.border import SCANNER, Border
from pbx.overload import Level, OverloadControl
from pbx.refusal import sketch, top_of, unavailable
from pbx.source_rate import SourceRate
from sipcore.flow import Flow
from sipcore.glance import Glance, glance
from sipcore.overload import OverloadReport
from sipcore.transaction.keys import Key

# They begin something; everything else goes on with, ends or is about something that exists already.
NEW_WORK = (b"INVITE ", b"REGISTER ", b"SUBSCRIBE ", b"PUBLISH ", b"MESSAGE ", b"OPTIONS ", b"REFER ")
MEASURED_EVERY_S = 0.002
_HEAD = 4096
# Where a tool names itself; tags, branches and Call-IDs are random and hold any short text sooner or later.
_NAMED = re.compile(rb"\n(?:user-agent|from|f)[ \t]*:([^\r\n;]*)", re.IGNORECASE)
SILENCE = b""
RETRY_STRANGER_S = 2
_UNAVAILABLE = b"SIP/2.0 503 Service Unavailable"
Challenger = Callable[[Glance, bytes, Flow], bytes | None]


class Gate:
    """`judge` is for `SipDriver.gate`. `waiting`: messages in the receive queues; `is_known`: the transaction exists,
    so that a retransmission of what was taken is never refused; `rate`: what strangers may bring; `lag`: how late the
    event loop runs its timers; `border`: who is heard at all; `challenge`: the answer to a request whose sender has to
    say who it is, None when the stack has to look."""

    def __init__(
        self,
        waiting: Callable[[], float],
        is_known: Callable[[Key], bool],
        scanners: Iterable[str] = (),
        *,
        rate: SourceRate | None = None,
        border: Border | None = None,
        challenge: Challenger | None = None,
        lag: Callable[[], float] = lambda: 0.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waiting, self._is_known, self._lag, self._now = waiting, is_known, lag, now
        self._scanners = tuple(each.lower().encode() for each in scanners)
        self._challenge = challenge
        self._rate = rate or SourceRate(0)
        self._border = border
        self._measure_at = 0.0
        self.control = OverloadControl()
        self.scans = 0

    def judge(self, data: bytes, flow: Flow) -> bytes | None:
        """None: the stack may have it. Bytes: the answer, empty for none."""
        if self._border is not None and self._border.refuses(flow.remote[0], flow.transport):
            return SILENCE
        control = self.control
        self._measure()
        answer = self._new_work(data, flow) if data.startswith(NEW_WORK) else None
        if answer is None:
            control.fed()
        return answer

    def _new_work(self, data: bytes, flow: Flow) -> bytes | None:
        look = glance(data)
        if look.names(self._scanners) if look is not None else _names(data, self._scanners):
            self.scans += 1
            if self._border is not None:
                self._border.failed(flow.remote[0], SCANNER)
            return SILENCE
        if self._rate.exceeds(flow.remote[0], self._now()):
            return self._too_many(look, data, flow)
        if self.control.level is not Level.NOTHING and (answer := self._refusal(look, data, flow)) is not None:
            return answer
        if look is None or self._challenge is None:
            return None
        answer = self._challenge(look, data, flow)
        if answer is not None:
            self.control.fed()
        return answer

    def _measure(self) -> None:
        now = self._now()
        if now >= self._measure_at:
            self._measure_at = now + MEASURED_EVERY_S
            self.control.measure(now, self._waiting(), self._lag())

    def _refusal(self, look: Glance | None, data: bytes, flow: Flow) -> bytes | None:
        if look is None:
            return self._other_refusal(data, flow)
        if look.is_in_dialog or self._is_known(look.key):
            return None
        if not self.control.refuses(known=look.has_credentials):
            return None
        return self._unavailable(look, flow, self.control.retry_after_s(zlib.crc32(look.call_id.encode())))

    @staticmethod
    def _unavailable(look: Glance, flow: Flow, retry_after_s: int) -> bytes | None:
        """503 with Retry-After (RFC 3261 §21.5.4), the same for a retransmission."""
        tag = b"%08x" % zlib.crc32(f"{look.call_id}{look.key[0]}".encode())
        return look.answer(flow, _UNAVAILABLE, tag, b"Retry-After: %d\r\n" % retry_after_s)

    def _other_refusal(self, data: bytes, flow: Flow) -> bytes | None:
        """Of a request that is not written in the usual way."""
        request = sketch(data)
        if request is None or request.is_in_dialog:
            return None
        top = top_of(request, flow, self._report())
        if top is None or self._is_known(top.key) or not self.control.refuses(known=request.has_credentials):
            return None
        return unavailable(request, top, self.control.retry_after_s(zlib.crc32(request.call_id)))

    def _too_many(self, look: Glance | None, data: bytes, flow: Flow) -> bytes:
        if look is not None:
            return self._unavailable(look, flow, RETRY_STRANGER_S) or SILENCE
        request = sketch(data)
        top = top_of(request, flow, self._report()) if request is not None else None
        return SILENCE if request is None or top is None else unavailable(request, top, RETRY_STRANGER_S)

    def report(self) -> OverloadReport:
        """What servers are told that offer overload control (RFC 7339)."""
        self._measure()
        return self._report()

    def _report(self) -> OverloadReport:
        return OverloadReport(self.control.reduction, time.time())

    def describe(self) -> dict[str, object]:
        """Live dump; as it is now, also when no message has come for long."""
        self._measure()
        return {**self.control.describe(), "scanners_dropped": self.scans, "rate": self._rate.describe()}


def _names(data: bytes, signatures: Iterable[bytes]) -> bool:
    """Whether who sends the request calls itself by one of these names."""
    names = b" ".join(_NAMED.findall(data, 0, _HEAD)).lower()
    return any(each in names for each in signatures)
