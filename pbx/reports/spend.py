"""What calls to the outside cost, by tariff (REP-11). Pure."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pbx.reports.calls import Table
from storage.records import Tally, Tariff

BY = ("provider_out", "external_number", "from_number", "to_number", "talk_seconds")


def price(tariffs: Sequence[Tariff], provider: str, number: str, talk_s: float) -> int | None:
    """Hundredths of the currency by the tariff with the longest beginning; None where there is none."""
    digits = number.removeprefix("+")
    fitting = (each for each in tariffs if each.provider == provider and digits.startswith(each.prefix))
    found = max(fitting, key=lambda each: len(each.prefix), default=None)
    if found is None:
        return None
    counted_s = 0.0 if talk_s <= found.free else talk_s
    steps = math.ceil(counted_s / found.step)
    return (found.connection if counted_s else 0) + round(steps * found.step * found.minute / 60)


def spend(calls: Iterable[Tally], tariffs: Sequence[Tariff], by: str, group_of: Mapping[str, str]) -> Table:
    """By line, provider, department or location (`group_of`: of who called), out of tallies by `BY`. Calls without a
    tariff are counted apart."""
    sums: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0, 0])
    for each in calls:
        provider, line, caller, number, talk_s = each.keys
        group = group_of.get(str(caller), "")
        key = {"line": line, "provider": provider, "department": group, "location": group}[by]
        cost = price(tariffs, str(provider), str(number), float(talk_s))
        found = sums[str(key)]
        found[0] += each.rows
        found[1] += each.talk_s
        found[2] += (cost or 0) * each.rows
        found[3] += each.rows if cost is None else 0
    found_rows = tuple(
        (key, int(calls), round(talk_s / 60, 1), round(cost / 100, 2), int(unpriced))
        for key, (calls, talk_s, cost, unpriced) in sorted(sums.items())
    )
    return Table((by, "calls", "minutes", "cost", "without_tariff"), found_rows)
