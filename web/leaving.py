"""What goes with an entry that is deleted: the routes of a provider (PRV-18), memberships of everything else; and who
still names it otherwise."""

from typing import Any

from conf.references import cannot_go, still_names
from storage.records import OfficeList
from web.answers import Refused
from web.draft import LISTS, Draft, Values

OF_A_PROVIDER = ("external_numbers", "inbound_rules", "number_rules", "caller_lists", "tariffs")


def take_along(draft: Draft, of: OfficeList, key: str) -> None:
    """Take out of the draft what leads to the entry and is nothing without it."""
    if of.name == "providers":
        _routes_of(draft, key)
    else:
        draft.forget_members([key])


def still_named(error: Refused, of: OfficeList, key: str, values: Values) -> Refused:
    """The refusal (409): each place with who it belongs to. `values`: the document without the entry."""
    return Refused(
        409,
        *((field, cannot_go(of.kind, key, [still_names(field.split("."), values)])) for field, _ in error.problems),
    )


def _routes_of(draft: Draft, provider: str) -> None:
    """A rule that has another provider left stays, over that one."""
    kept: list[Values] = []
    for route in draft.entries(LISTS["outbound_routes"]):
        others = [each for each in (route["provider"], *route.get("providers", ())) if each != provider]
        if others:
            kept.append({**route, "provider": others[0], "providers": others[1:]})
    names = {route["name"] for route in draft.entries(LISTS["outbound_routes"])} - {route["name"] for route in kept}
    draft.values["outbound_routes"] = kept
    draft.values["employee_groups"] = [_barred(group, names) for group in draft.entries(LISTS["employee_groups"])]
    for name in OF_A_PROVIDER:
        draft.values[name] = [each for each in draft.entries(LISTS[name]) if each.get("provider") != provider]
    inbound = draft.values["inbound"]
    always = [each for each in inbound.get("always_open_providers", ()) if each != provider]
    draft.values["inbound"] = {**inbound, "always_open_providers": always}


def _barred(group: Values, routes: set[str]) -> Values:
    found: dict[str, Any] = dict(group)
    if "routes" in found:
        found["routes"] = [each for each in found["routes"] if each not in routes]
    if "caller_ids" in found:
        found["caller_ids"] = {name: value for name, value in found["caller_ids"].items() if name not in routes}
    return found
