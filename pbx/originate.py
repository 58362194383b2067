"""Calls that somebody else starts for a phone: click to dial (FEAT-29, RFC 3725 §4.1), and a transfer from outside."""

from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING

from conf.dial_template import dialled_only
from pbx.apps import run_stages
from pbx.cause import BUSY, NOT_FOUND, UNAVAILABLE, Cause
from pbx.control.messages import ControlError, Intercept, Originate
from pbx.dial import DialOutcome
from pbx.isolation import may_pick_up
from pbx.numbering import cleaned
from pbx.party import Party, display_name
from pbx.transfer import who_talks_to

if TYPE_CHECKING:
    from pbx.apps import App
    from pbx.call import Call
    from pbx.core import Pbx
    from storage.records import Terminal


class Originator:
    """What `zvon originate` and `zvon transfer` do."""

    def __init__(self, pbx: "Pbx") -> None:
        self._pbx = pbx

    def originate(self, wanted: Originate) -> str:
        """Ring a terminal, then call a number for it as if it had dialled it; the id of the call. What prevents that is
        in the history too, and raises `ControlError` with a sentence."""
        self._check_open()
        terminal = self._terminal(wanted.from_number)
        party, app = self._pbx.dialled_app(terminal, cleaned(wanted.to_number))
        shown = Party(
            party.kind, dialled_only(wanted.shown_number) or party.number, display_name(wanted.shown_name) or party.name
        )
        call = self._pbx.new_call(party, near=self._pbx.near(terminal.number, party.number))
        return self._start(call, terminal, app, wanted, shown)

    def intercept(self, wanted: Intercept) -> str:
        """Ring a terminal for a call that rings elsewhere: it has the call when it answers, unless somebody else was
        quicker. Raises `ControlError` with a sentence when nothing rings there (any longer), or it may not."""
        self._check_open()
        pbx, terminal = self._pbx, self._terminal(wanted.to_number)
        ringing = [
            leg.party.number
            for call in pbx.calls.values()
            for leg in call.ringing_legs
            if wanted.call_id in ("", call.id) and wanted.number in ("", leg.party.number)
        ]
        if not ringing:
            what = f"call {wanted.call_id} rings nowhere" if wanted.call_id else f"nothing rings at {wanted.number}"
            raise ControlError(f"{what}: only what nobody has answered yet can be picked up")
        if not any(may_pick_up(pbx.directory, terminal.number, number) for number in ringing):
            raise ControlError(f"{terminal.number} may not pick up what rings at {ringing[0]}: groups keep that apart")
        app = pbx.apps.codes["pickup"](wanted.number)
        party = Party.of_application(wanted.number or ringing[0], app.name)
        call = pbx.new_call(party, near=pbx.near(terminal.number, party.number))
        call.wanted_call = wanted.call_id
        return self._start(call, terminal, app, Originate(terminal.number, party.number), party)

    def _start(self, call: "Call", terminal: "Terminal", app: "App | None", wanted: Originate, shown: Party) -> str:
        call.begin(self._pbx.directory.party(terminal))
        obstacle = self._obstacle(terminal, wanted.to_number, app)
        if app is None or obstacle is not None:
            cause, why = obstacle or (NOT_FOUND, "")
            self._pbx.run(call, lambda _: _fails(cause), lambda: None)
            raise ControlError(why)
        ring = partial(
            self._pbx.ringer.ring_caller, by_itself=wanted.by_itself, every_phone=wanted.every_phone, shown=shown
        )
        self._pbx.run(call, lambda each: self._run(each, ring(each, terminal), call.to, app), lambda: None)
        return call.id

    def _obstacle(self, terminal: "Terminal", to: str, app: "App | None") -> tuple[Cause, str] | None:
        """Why a terminal cannot call a number now."""
        number, pbx = terminal.number, self._pbx
        if app is None:
            return NOT_FOUND, f"nobody has the number {to}"
        if not pbx.location.targets(terminal):
            return UNAVAILABLE, f"no phone of {number} is registered; `zvon registrations` lists those that are"
        if pbx.services.active.count(number) >= terminal.max_calls:
            return BUSY, f"{number} is busy: it takes part in {terminal.max_calls} of {terminal.max_calls} calls"
        return None

    def _terminal(self, number: str) -> "Terminal":
        terminal = self._pbx.terminal(number)
        if terminal is None:
            raise ControlError(f"there is no terminal {number}; `zvon export` lists them")
        return terminal

    def call_out(self, terminal: "Terminal", to: Party, app: "App", *, by_itself: bool) -> "Call":
        """Ring a terminal, which answers by itself if it can and shall, for a call of its own that `app` controls
        then."""
        ring = partial(self._pbx.ringer.ring_caller, by_itself=by_itself)
        call = self._pbx.new_call(to, near=self._pbx.near(terminal.number))
        call.begin(self._pbx.directory.party(terminal))
        self._pbx.run(call, lambda each: self._run(each, ring(each, terminal), to, app), lambda: None)
        return call

    def call_outside(self, party: Party, to: Party, app: "App") -> "Call":
        """Dial somebody outside for the office itself, for a call of its own that `app` controls then."""
        call = self._pbx.new_call(to)
        call.begin(party)
        dial = self._pbx.outside.dial_caller
        self._pbx.run(call, lambda each: self._run(each, dial(each, party), to, app), lambda: None)
        return call

    async def _run(self, call: "Call", ringing: Awaitable[DialOutcome], to: Party, app: "App") -> Cause:
        outcome = await ringing
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


async def _fails(cause: Cause) -> Cause:
    """An app that only says why not."""
    return cause
