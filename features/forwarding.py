"""Where calls to a terminal go on to: the rules of its document, the owner's mobile, and what was dialled (FWD-*)."""

from collections.abc import Sequence

from features.working_hours import is_off_duty
from frozen import dataclass
from pbx.api import (
    NOT_FOUND,
    NOT_RESPONDING,
    PEER_BUSY,
    TIMEOUT,
    UNAVAILABLE,
    AppContext,
    Call,
    DialOutcome,
    Disposition,
    Inquiry,
    Party,
    PartyKind,
    Terminal,
    say,
)

AREA = "forward"  # of what is remembered over a restart: number of the terminal → target of all its calls
UNANSWERED_S = 600.0  # FWD-4
SAME_DIGITS = 9  # what two ways to write one number outside have in common at the end (USR-16)
BUSY_STATUS, NO_ANSWER_STATUS, UNAVAILABLE_STATUS, ALWAYS_STATUS = 486, 408, 503, 302  # RFC 4458 §2
_UNREACHABLE = frozenset(cause.name for cause in (UNAVAILABLE, TIMEOUT, NOT_FOUND, PEER_BUSY))


@dataclass(frozen=True, slots=True)
class Rules:
    """Targets in force for one call to a terminal, "" is none; `ring_s` is how long its phones ring."""

    always: str = ""
    no_answer: str = ""
    busy: str = ""
    unavailable: str = ""
    ring_s: float = UNANSWERED_S

    def after(self, outcome: DialOutcome) -> tuple[str, int]:
        """The target after an outcome without an answer, and the status that stands for the reason (AMB-8)."""
        cause = outcome.cause
        if cause.disposition is Disposition.BUSY:
            return self.busy, BUSY_STATUS
        if cause.name in _UNREACHABLE or (cause.name == NOT_RESPONDING.name and not outcome.has_rung):
            return self.unavailable, UNAVAILABLE_STATUS
        return self.no_answer, NO_ANSWER_STATUS


def rules_of(call: Call | Inquiry, ctx: AppContext, terminal: Terminal) -> Rules:
    """What holds for this call; nothing where forwarding is switched off for calls of its kind (FWD-12)."""
    if _are_left_aside(call, ctx):
        return Rules()
    forward = terminal.forward
    no_answer = forward.no_answer or _mobile(ctx, terminal)
    return Rules(
        next((target for _, target in _for_all(call, ctx, terminal) if target), ""),
        no_answer,
        forward.busy,
        forward.unavailable,
        float(forward.ring_time) if no_answer and forward.ring_time else UNANSWERED_S,
    )


def explain_always(asked: Inquiry, ctx: AppContext, terminal: Terminal) -> None:
    """Write down each rule that may send a call on before anything rings, up to the one that holds."""
    if _are_left_aside(asked, ctx):
        asked.tried(
            "forwarding.skip_internal", matched=True, why=say("rules are left aside for calls between terminals")
        )
        return
    for rule, target in _for_all(asked, ctx, terminal):
        why = say("goes on to {target}", target=target) if target else say("no target")
        asked.tried(rule, matched=bool(target), why=why)
        if target:
            return


def may_go_on(
    call: Call | Inquiry, ctx: AppContext, terminal: Terminal, target: str, status: int, *, rang: bool = False
) -> bool:
    """Whether the call may be sent on to the target: to each number once, and not too often (FWD-17). Whoever is rung
    there is told where it comes from."""
    if not target.lstrip("+").isdecimal():
        return True  # a service, which sends nobody on
    most = ctx.office.forwarding.max_forwards
    return call.send_on(ctx.party(terminal), target, status, most=most, had_rung=rang) is None


def _are_left_aside(call: Call | Inquiry, ctx: AppContext) -> bool:
    policy = ctx.office.forwarding
    match call.transferred:
        case "blind":
            return policy.skip_blind_transfer
        case "attended":
            return policy.skip_attended_transfer
    caller = call.calling
    return policy.skip_internal and caller.kind is PartyKind.TERMINAL and not caller.presented


def _mobile(ctx: AppContext, terminal: Terminal) -> str:
    """AMB-10: nobody loses calls because nothing was filled in."""
    owner = ctx.owner(terminal)
    return owner.mobile if owner is not None and owner.forward_to_mobile else ""


def _for_all(call: Call | Inquiry, ctx: AppContext, terminal: Terminal) -> Sequence[tuple[str, str]]:
    """The rules that ask nothing of its phones, by name: the first with a target holds."""
    closed = terminal.forward.closed if is_off_duty(call, ctx, terminal) else ""
    return (
        ("forwarding by code", ctx.states.of(AREA).get(terminal.number) or ""),
        ("forward.always", terminal.forward.always),
        *([("forward.closed", closed)] if terminal.calendar else []),
        ("forward.callers", _for_caller(call.calling, terminal)),
    )


def _for_caller(calling: Party, terminal: Terminal) -> str:
    number = calling.shown_number
    return next((target for caller, target in terminal.forward.callers.items() if is_same(caller, number)), "")


def is_same(one: str, other: str) -> bool:
    """Whether two ways to write a number mean the same one (USR-16)."""
    one, other = one.lstrip("+"), other.lstrip("+")
    is_outside = min(len(one), len(other)) >= SAME_DIGITS
    return one[-SAME_DIGITS:] == other[-SAME_DIGITS:] if is_outside else one == other
