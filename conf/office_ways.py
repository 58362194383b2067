"""Rules of `office.toml` about ways to numbers outside: routes lead over providers that exist, groups name routes that
exist, and no number of the office is that of an emergency."""

from collections.abc import Iterator

from conf.errors import Problem
from conf.office_namespace import claims
from conf.office_values import Values, entries, items_of, table_of, texts
from storage.records import fits

ALL_ROUTES = "*"


def problems_of_ways(values: Values) -> Iterator[Problem]:
    """Every broken rule."""
    yield from _providers(values)
    yield from _own_lines(values)
    yield from _rights(values)
    yield from _lengths(values)
    yield from _emergencies(values)


def _providers(values: Values) -> Iterator[Problem]:
    known = {provider for _, provider in texts(values, "providers", "id")}
    named = list(texts(values, "outbound_routes", "provider"))
    for path, route in entries(values, "outbound_routes"):
        named += items_of(route, path, "providers")
    for path, provider in named:
        if provider not in known:
            yield Problem(path, f'there is no provider "{provider}"')


def _own_lines(values: Values) -> Iterator[Problem]:
    """EXT-17."""
    known = {number for _, number in texts(values, "external_numbers", "number")}
    for path, line in texts(values, "terminals", "line"):
        if line and line not in known:
            yield Problem(path, f'there is no external number "{line}"')


def _rights(values: Values) -> Iterator[Problem]:
    known = {ALL_ROUTES} | {name for _, name in texts(values, "outbound_routes", "name")}
    for path, group in entries(values, "employee_groups"):
        named = list(items_of(group, path, "routes"))
        named += [((*path, "caller_ids", name), name) for name in table_of(group, "caller_ids")]
        for place, name in named:
            if name not in known:
                yield Problem(place, f'there is no outbound route "{name}"')


def _lengths(values: Values) -> Iterator[Problem]:
    for path, route in entries(values, "outbound_routes"):
        least, most = route.get("rest", -1), route.get("rest_to", 0)
        if isinstance(least, int) and isinstance(most, int) and most and not 0 <= least <= most:
            yield Problem((*path, "rest_to"), f"must not be less than rest, which is {least}")


def _emergencies(values: Values) -> Iterator[Problem]:
    """OUT-10: numbers of the office go before those outside, so that nobody who dials one would reach help."""
    for place, pattern in items_of(table_of(values, "outbound"), ("outbound",), "emergency"):
        taken = next((number for _, number in claims(values) if number.isdecimal() and fits(number, pattern)), "")
        if taken:
            yield Problem(place, f'"{taken}" is a number of the office, and would be called instead')
