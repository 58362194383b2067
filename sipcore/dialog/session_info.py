"""INFO of ours in an INVITE session: digits for phones that want them beside the audio, one after the other.

A digit that overtakes another one makes another number, so the next INFO goes out when the one before was answered.
"""

from sipcore.actions import NOTHING, Actions
from sipcore.dialog import info
from sipcore.dialog.session_early import EarlySession
from sipcore.dialog.session_table import On, State
from sipcore.errors import LocalProtocolError
from sipcore.message import Request, Response


class InformingSession(EarlySession):
    """`_digits` wait to be told, the first of them is on its way."""

    __slots__ = ()

    def inform(self, now: float, digit: str, duration_ms: int) -> Actions:
        """Tell the peer of one digit of `0-9*#A-D` as soon as those before are told; nothing outside a call that
        stands."""
        if len(digit) != 1 or digit not in info.DIGITS:
            raise LocalProtocolError(f"{digit!r} is no digit")
        if self.state is not State.CONFIRMED:
            return NOTHING
        self._digits = (*self._digits, (digit, str(duration_ms)))
        return self._send_digit() if len(self._digits) == 1 else NOTHING

    def _send_digit(self) -> Actions:
        digit, duration_ms = self._digits[0]
        extra = [("Content-Type", info.TYPES[0]), ("User-Agent", self.profile.agent)]
        body = f"Signal={digit}\r\nDuration={duration_ms}\r\n".encode()
        return (self._in_dialog(self._peer, "INFO", extra=extra, body=body),)

    def _info_response(self, request: Request, response: Response, now: float) -> Actions:
        if response.status < 200:
            return NOTHING
        if self._digits and self._may_prove(request, response):
            return self._send_digit()
        return self._info_outcome(response.status, now)

    def _info_outcome(self, status: int, now: float) -> Actions:
        """A peer that does not take one gets the next all the same; one that has lost the dialog is gone."""
        self._digits = self._digits[1:]
        if status in (408, 481) and self.state is State.CONFIRMED:  # RFC 5057 §5.1
            return self._step(On.LOST, now, status)
        if status < 300:
            self._challenges = 0
        return self._send_digit() if self._digits and self.state is State.CONFIRMED else NOTHING
