"""Calls that somebody else starts for a phone: click to dial (FEAT-29, RFC 3725 §4.1), and a transfer from outside."""

from typing import TYPE_CHECKING

from pbx.apps import run_stages
from pbx.cause import Cause
from pbx.control.messages import ControlError
from pbx.numbering import cleaned
from pbx.transfer import who_talks_to

if TYPE_CHECKING:
    from pbx.apps import App
    from pbx.call import Call
    from pbx.core import Pbx
    from pbx.party import Party
    from storage.records import Terminal


class Originator:
    """What `zvon originate` and `zvon transfer` do."""

    def __init__(self, pbx: "Pbx") -> None:
        self._pbx = pbx

    def originate(self, number: str, to: str, *, by_itself: bool) -> str:
        """Ring the terminal `number` (`by_itself`: a single phone answers at once), then call `to` for it; the id of
        the call. Raises `ControlError` with a sentence."""
        pbx = self._pbx
        self._check_open()
        terminal = pbx.terminal(number)
        if terminal is None:
            raise ControlError(f"there is no terminal {number}; `zvon export` lists them")
        to = cleaned(to)
        party, app = pbx.route(to)
        if app is None:
            raise ControlError(f"nobody has the number {to}")
        if not pbx.location.targets(terminal):
            raise ControlError(f"no phone of {number} is registered; `zvon registrations` lists those that are")
        if pbx.services.active.count(number) >= terminal.max_calls:
            raise ControlError(f"{number} is busy: it takes part in {terminal.max_calls} of {terminal.max_calls} calls")
        call = pbx.new_call(party, near=pbx.near(number, to))
        call.begin(pbx.directory.party(terminal))
        pbx.run(call, lambda each: self._run(each, terminal, party, app, by_itself=by_itself), lambda: None)
        return call.id

    def call_out(self, terminal: "Terminal", to: "Party", app: "App") -> "Call":
        """Ring a terminal, which answers by itself if it can, for a call of its own that `app` controls then."""
        call = self._pbx.new_call(to, near=self._pbx.near(terminal.number))
        call.begin(self._pbx.directory.party(terminal))
        self._pbx.run(call, lambda each: self._run(each, terminal, to, app, by_itself=True), lambda: None)
        return call

    async def _run(self, call: "Call", terminal: "Terminal", to: "Party", app: "App", *, by_itself: bool) -> Cause:
        outcome = await self._pbx.ringer.ring_caller(call, terminal, by_itself=by_itself)
        if outcome.answered is None:
            return outcome.cause
        call.called_back(outcome.answered)
        return await run_stages(call, to, app, self._pbx)

    def transfer(self, call_id: str, to: str) -> str:
        """Send the caller of a conversation on to `to`; the id of the call in which it goes on. Raises `ControlError`
        with a sentence."""
        self._check_open()
        call = self._pbx.calls.get(call_id)
        if call is None:
            raise ControlError(f"there is no call {call_id} now; `zvon calls` lists them")
        other = who_talks_to(call.caller) if call.has_caller else None
        if other is None:
            raise ControlError(f"nobody talks in call {call_id}; only a conversation of two can be transferred")
        to = cleaned(to)
        if self._pbx.route(to)[1] is None:
            raise ControlError(f"nobody has the number {to}")
        onward = self._pbx.transfers.send(other, call.caller, to)
        if onward is None:
            raise ControlError(f"call {call_id} is being transferred already")
        return onward.id

    def _check_open(self) -> None:
        if self._pbx.draining:
            raise ControlError("the server is about to stop and takes no new calls")
