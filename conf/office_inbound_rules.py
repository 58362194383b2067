"""Rules of `office.toml` about calls from outside: numbers and accounts that exist, and each external number once."""

from collections.abc import Iterator

from conf.errors import KeyPath, Problem, path_text
from conf.office_values import Values, entries, items_of, table_of, texts, texts_of


def problems_of_inbound(values: Values) -> Iterator[Problem]:
    providers = {provider for _, provider in texts(values, "providers", "id")}
    named = [
        use
        for section in ("external_numbers", "inbound_rules", "number_rules", "caller_lists", "tariffs")
        for use in texts(values, section, "provider")
    ]
    named += items_of(table_of(values, "inbound"), ("inbound",), "always_open_providers")
    for path, provider in named:
        if provider not in providers:
            yield Problem(path, f'there is no provider "{provider}"')
    scripts = {number for _, number in texts(values, "applications", "number")}
    named = [*texts(values, "providers", "script"), *texts_of(table_of(values, "inbound"), ("inbound",), "script")]
    for path, script in named:
        if script not in scripts:
            yield Problem(path, f'there is no application "{script}"')
    yield from _numbers(values)


def _numbers(values: Values) -> Iterator[Problem]:
    first: dict[str, KeyPath] = {}
    for path, number in texts(values, "external_numbers", "number"):
        same = number.lstrip("+")
        if same in first:
            yield Problem(path, f'"{number}" is already used by {path_text(first[same][:2])}')
        first.setdefault(same, path)
    for path, rule in entries(values, "off_hours"):
        for place, number in items_of(rule, path, "numbers"):
            if number.lstrip("+") not in first:
                yield Problem(place, f'there is no external number "{number}"')
    known = first.keys() | {number for _, number in texts(values, "queues", "number")}
    for path, number in texts(values, "lost_call_alarms", "number"):
        if number.lstrip("+") not in known:
            yield Problem(path, f'there is no external number or queue "{number}"')
