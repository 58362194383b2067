"""State machines as data.

A machine is a `Table` of rows (state, input) -> (next state, action, the section that says so) and one method per
action name. Every pair of state and input is either a row or is ignored with a stated reason: a missing pair is a
bug of ours and raises `LocalProtocolError`. The same table draws the diagram (`python -m sipcore.fsm`) and is walked
by the tests.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from importlib import import_module
from typing import Any, Generic, Literal, TypeVar

from frozen import dataclass
from sipcore.errors import LocalProtocolError

MACHINES = (
    *("transaction.invite_client", "transaction.invite_server", "transaction.client", "transaction.server"),
    *("dialog.session_table", "dialog.modify", "dialog.update", "dialog.offer_answer", "dialog.session_timer"),
    "dialog.reliable",
    *("dialog.subscription", "dialog.refer"),
    *("proxy.branch", "proxy.context", "register.client"),
)
S = TypeVar("S", bound=IntEnum)
I = TypeVar("I", bound=IntEnum)  # noqa: E741 - the input of a machine


@dataclass(frozen=True, slots=True)
class Row(Generic[S, I]):
    """In `state`, on input `on`: go to `to` and run the machine's method `do`; `why` names the section."""

    state: S
    on: I
    to: S
    do: str
    why: str


@dataclass(frozen=True, slots=True)
class Ignored(Generic[S, I]):
    """In `state` the inputs `on` change nothing, for the reason `why`."""

    state: S
    on: tuple[I, ...]
    why: str


class Table(Generic[S, I]):
    """All rows of one machine, indexed by the integer values of state and input."""

    def __init__(
        self,
        name: str,
        states: type[S],
        inputs: type[I],
        rows: Iterable[Row[S, I]],
        ignored: Iterable[Ignored[S, I]] = (),
    ) -> None:
        self.name, self.states, self.inputs = name, states, inputs
        self.rows: Sequence[Row[S, I]] = tuple(rows)
        self.ignored: Sequence[Ignored[S, I]] = tuple(ignored)
        width = max(inputs) + 1
        self._index: list[list[Row[S, I] | Literal[False] | None]] = [[False] * width for _ in range(max(states) + 1)]
        for row in self.rows:
            self._claim(row.state, row.on)
            self._index[row.state][row.on] = row
        for pair in self.ignored:
            for on in pair.on:
                self._claim(pair.state, on)
                self._index[pair.state][on] = None
        # For steps that are taken with each message: what is no row is looked up by `row`.
        self.index: list[list[Row[S, I] | None]] = [
            [row if isinstance(row, Row) else None for row in line] for line in self._index
        ]

    def _claim(self, state: S, on: I) -> None:
        if self._index[state][on] is not False:
            raise LocalProtocolError(f"{self.name}: ({state.name}, {on.name}) is in the table twice")

    def row(self, state: S, on: I) -> Row[S, I] | None:
        """The row to take, or None when the input is ignored on purpose."""
        found = self._index[state][on]
        if found is False:
            raise LocalProtocolError(f"{self.name}: no row for {on.name} in state {state.name}")
        return found

    def missing(self) -> list[tuple[S, I]]:
        """Pairs that are neither a row nor ignored."""
        return [(s, i) for s in self.states for i in self.inputs if self._index[s][i] is False]

    def mermaid(self) -> str:
        """The machine as a Mermaid state diagram."""
        lines = ["stateDiagram-v2"]
        lines += [f"    {r.state.name} --> {r.to.name}: {r.on.name} / {r.do.strip('_')}" for r in self.rows]
        return "\n".join(lines)


def tables() -> list[Table[Any, Any]]:
    """The tables of every machine of the stack."""
    return [import_module(f"sipcore.{name}").TABLE for name in MACHINES]


def diagrams() -> str:
    """All machines as Markdown sections with Mermaid diagrams."""
    return "\n".join([f"### {table.name}\n\n```mermaid\n{table.mermaid()}\n```\n" for table in tables()])


if __name__ == "__main__":
    print(diagrams(), end="")
