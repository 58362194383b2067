"""Which rows of the feature catalogue (`tests/rows.txt`) are proven by a test marked `@pytest.mark.row("ID")`.

python -m tests.rows            a line per area
python -m tests.rows EXT SEC    the rows of these areas, proven or not, with the tests that prove them
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

CATALOGUE = Path(__file__).with_name("rows.txt")
Proofs = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the catalogue; `origin` says whose wish it is."""

    id: str
    origin: tuple[str, ...]
    title: str

    @property
    def area(self) -> str:
        return self.id.partition("-")[0]


class Collector:
    """Notes the `row` marks of every test that pytest collects."""

    def __init__(self) -> None:
        self.proofs: dict[str, list[str]] = defaultdict(list)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for mark in item.iter_markers("row"):
                for row in mark.args:
                    self.proofs[row].append(item.nodeid)


def read_catalogue() -> tuple[Row, ...]:
    """The rows in catalogue order."""
    lines = CATALOGUE.read_text(encoding="utf-8").splitlines()
    fields = [[field.strip() for field in line.split("|", 2)] for line in lines if line and not line.startswith("#")]
    return tuple(Row(row, tuple(origin.split()), title) for row, origin, title in fields)


def collect_proofs() -> Proofs:
    """Row id → tests that carry its mark, over the whole suite."""
    collector, output = Collector(), StringIO()
    with redirect_stdout(output):
        status = pytest.main(["--collect-only", "-q", str(CATALOGUE.parent)], plugins=[collector])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise SystemExit(f"the tests could not be collected:\n{output.getvalue()}")
    return collector.proofs


def summary(rows: Iterable[Row], proofs: Proofs) -> list[str]:
    """One line per area, then the total."""
    areas: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        areas[row.area].append(row.id in proofs)
    lines = [f"{area:<6}{sum(proven):>4} of {len(proven):>3} proven" for area, proven in areas.items()]
    total = [proven for area in areas.values() for proven in area]
    return [*lines, f"{'all':<6}{sum(total):>4} of {len(total):>3} proven"]


def details(rows: Iterable[Row], proofs: Proofs, areas: Iterable[str]) -> list[str]:
    """Each row of the areas, with the tests that prove it."""
    wanted = {area.upper() for area in areas}
    lines: list[str] = []
    for row in (row for row in rows if row.area in wanted):
        lines.append(f"{'proven' if row.id in proofs else '-':<7}{row.id:<9}{row.title} [{' '.join(row.origin)}]")
        lines += [f"{'':16}{test}" for test in sorted(set(proofs.get(row.id, ())))]
    return lines


def main(areas: list[str]) -> int:
    rows, proofs = read_catalogue(), collect_proofs()
    print("\n".join(details(rows, proofs, areas) if areas else summary(rows, proofs)))
    unknown = sorted(set(proofs) - {row.id for row in rows})
    if unknown:
        print(f"marked in tests but not in {CATALOGUE.name}: {', '.join(unknown)}")
    return 1 if unknown else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
