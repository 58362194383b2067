"""The changes of an office document as clients see them."""

from collections.abc import Iterator

from conf.diff import Changes, Plan
from pbx.control.messages import ChangeView, PlanView


def plan_view(plan: Plan, *, applied: bool = False) -> PlanView:
    """What a plan changes, in the order office, users, terminals."""
    return PlanView(tuple(_changes(plan)), applied)


def _changes(plan: Plan) -> Iterator[ChangeView]:
    if plan.office:
        yield ChangeView("change", "office", "", plan.office)
    yield from _of_list("user", plan.users)
    yield from _of_list("terminal", plan.terminals)


def _of_list(kind: str, changes: Changes) -> Iterator[ChangeView]:
    yield from (ChangeView("add", kind, key) for key in changes.added)
    yield from (ChangeView("change", kind, key, details) for key, details in changes.changed.items())
    yield from (ChangeView("remove", kind, key) for key in changes.removed)
