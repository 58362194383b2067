"""What the bench measured, as a table for people and as JSON."""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Measurement:
    """One figure. `ratio` is to the reference measured beside it; `met` says whether `target` is reached; `lost` counts
    packets that should have come back."""

    id: str
    work: str
    value: float
    unit: str
    target: str
    met: bool
    ratio: float | None = None
    reference: str = ""
    note: str = ""
    lost: int = 0


COLUMNS = ("id", "work", "measured", "ratio to", "target", "", "note")


def _cells(measurement: Measurement) -> tuple[str, ...]:
    ratio = f"{measurement.ratio:.2f} x {measurement.reference}" if measurement.ratio is not None else "-"
    value = f"{measurement.value:,{'.3g' if measurement.value < 1000 else '.0f'}} {measurement.unit}"
    verdict = "met" if measurement.met else "MISSED"
    return (measurement.id, measurement.work, value, ratio, measurement.target, verdict, measurement.note)


def table(measurements: Sequence[Measurement]) -> str:
    """A text table, one line a figure."""
    rows = [COLUMNS, *map(_cells, measurements)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def write(path: Path, measurements: Sequence[Measurement], reference_us: float) -> None:
    """The same as JSON, with the machine it was measured on."""
    document = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "reference_us": round(reference_us, 2),
        "measurements": [asdict(measurement) for measurement in measurements],
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
