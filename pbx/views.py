"""Live state as the command line and the web see it."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from conf.diff import Changes, Plan
from media.api import read_intervals
from pbx.call import Call
from pbx.clock import Clock
from pbx.control.messages import CallState, CallView, ChangeView, PlanView, RegistrationView
from pbx.events import LegId
from pbx.leg import Leg
from pbx.quality import Measured
from sipcore.register.binding import Binding


def call_view(call: Call, clock: Clock, measured: Mapping[LegId, Measured] = MappingProxyType({})) -> CallView:
    """One call; the callee is the leg that answered. `measured`: what is known of its media, by leg."""
    caller, callee = call.caller, callee_of(call)
    sides = {"from": measured.get(caller.id), "to": measured.get(callee.id) if callee is not None else None}
    answered_at = call.answered_at
    return CallView(
        id=call.id,
        linkedid=call.linkedid,
        from_number=caller.party.number,
        from_name=caller.party.name,
        to_number=call.to.number,
        to_name=call.to.name,
        state=_state(caller, callee),
        started_at=call.started_at,
        answered_at=answered_at,
        duration_s=round(clock.wall() - (answered_at or call.started_at), 3),
        codec_a=_codec(caller),
        codec_b=_codec(callee),
        stage=call.stage,
        quality={
            f"{side}_{name}": value for side, each in sides.items() if each for name, value in each.quality.items()
        },
        last_minute={side: read_intervals(each.intervals) for side, each in sides.items() if each},
    )


def callee_of(call: Call) -> Leg | None:
    return next((leg for leg in call.legs if leg is not call.caller and leg.is_answered), None)


def _state(caller: Leg, callee: Leg | None) -> CallState:
    if not caller.is_answered:
        return "ringing"
    return "held" if caller.held or (callee is not None and callee.held) else "talking"


def _codec(leg: Leg | None) -> str:
    codec = leg.media.codec if leg is not None else None
    return f"{codec.name}/{codec.clock_rate}" if codec is not None else ""


def registration_view(number: str, binding: Binding, clock: Clock, latency_ms: float | None = None) -> RegistrationView:
    host, port = binding.received or ("", 0)
    return RegistrationView(
        number=number,
        contact=str(binding.contact),
        received=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        transport=binding.flow.transport.lower() if binding.flow is not None else "",
        user_agent=binding.user_agent,
        registered_at=clock.wall_at(binding.registered_at),
        expires_in_s=round(binding.expires_at - clock.now(), 1),
        is_reachable=binding.reachable,
        latency_ms=latency_ms,
    )


def plan_view(plan: Plan, notes: Iterable[str] = (), *, applied: bool = False) -> PlanView:
    changes = [ChangeView("change", "office", "", plan.office)] if plan.office else []
    changes += [ChangeView("change", name, "", said) for name, said in plan.sections.items() if said]
    for kind, found in plan.lists.items():
        changes += _change_views(kind, found)
    return PlanView(tuple(changes), applied, tuple(notes))


def _change_views(kind: str, changes: Changes) -> list[ChangeView]:
    return [
        *(ChangeView("add", kind, key) for key in changes.added),
        *(ChangeView("change", kind, key, details) for key, details in changes.changed.items()),
        *(ChangeView("remove", kind, key) for key in changes.removed),
    ]
