"""Every machine: each pair of state and input is decided, each decision cites its section, each action exists."""

import re
from collections.abc import Callable
from enum import IntEnum
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest

import sipcore
from sipcore.dialog import modify, offer_answer, refer, reliable, session_table, session_timer, subscription, update
from sipcore.dialog.offer_answer import OfferAnswer
from sipcore.dialog.refer import ReferSubscription
from sipcore.dialog.session import InviteSession
from sipcore.dialog.session_timer import SessionTimer
from sipcore.errors import LocalProtocolError
from sipcore.fsm import Ignored, Row, Table, diagrams, tables
from sipcore.proxy import branch, context
from sipcore.register import client as register_client
from sipcore.transaction import client, invite_client, invite_server, server

NONE: frozenset[Any] = frozenset()
MACHINES: dict[str, tuple[Table[Any, Any], type, frozenset[Any]]] = {
    "INVITE client": (invite_client.TABLE, invite_client.InviteClientTransaction, NONE),
    "INVITE server": (invite_server.TABLE, invite_server.InviteServerTransaction, NONE),
    "non-INVITE client": (client.TABLE, client.ClientTransaction, NONE),
    "non-INVITE server": (server.TABLE, server.ServerTransaction, NONE),
    "INVITE session": (session_table.TABLE, InviteSession, session_table.OURS_TO_AVOID),
    "modification": (modify.TABLE, InviteSession, modify.OURS_TO_AVOID),
    "subscription (notifier)": (subscription.TABLE, subscription.Subscription, subscription.OURS_TO_AVOID),
    "UPDATE without an offer": (update.TABLE, update.PlainUpdate, NONE),
    "reliable provisional response": (reliable.TABLE, reliable.ReliableProvisional, reliable.OURS_TO_AVOID),
    "session timer": (session_timer.TABLE, SessionTimer, NONE),
    "offer/answer": (offer_answer.TABLE, OfferAnswer, offer_answer.OURS_TO_AVOID),
    "REFER subscription": (refer.TABLE, ReferSubscription, NONE),
    "proxy branch": (branch.TABLE, branch.Branch, NONE),
    "proxy response context": (context.TABLE, context.ResponseContext, NONE),
    "registration client": (register_client.TABLE, register_client.ClientRegistration, NONE),
}
each_machine = pytest.mark.parametrize("name", MACHINES)
SECTION = re.compile(r"RFC \d{4} §\d+(\.\d+)*")


@each_machine
def test_every_pair_is_a_row_or_ignored_or_ours_to_avoid(name: str) -> None:
    table, _, ours = MACHINES[name]
    assert set(table.missing()) == ours


@each_machine
def test_every_row_cites_a_section(name: str) -> None:
    table = MACHINES[name][0]
    assert [row for row in table.rows if not SECTION.fullmatch(row.why)] == []


@each_machine
def test_every_ignored_pair_has_a_reason(name: str) -> None:
    table = MACHINES[name][0]
    assert [pair for pair in table.ignored if len(pair.why) < 5] == []


@each_machine
def test_every_action_is_a_method_of_the_machine(name: str) -> None:
    table, machine, _ = MACHINES[name]
    assert [row.do for row in table.rows if not callable(getattr(machine, row.do, None))] == []


@each_machine
def test_every_state_can_be_reached(name: str) -> None:
    table = MACHINES[name][0]
    first = {table.states(0)} | ({session_table.State.INCOMING} if name == "INVITE session" else set())
    reached = set(first)
    while more := {row.to for row in table.rows if row.state in reached} - reached:
        reached |= more
    assert reached == set(table.states.__members__.values())


@each_machine
def test_the_last_state_of_a_transaction_is_final(name: str) -> None:
    table = MACHINES[name][0]
    final = [state for state in table.states if state.name == "TERMINATED"]
    assert [row for row in table.rows if row.state in final] == []


def test_the_walk_covers_every_table_there_is() -> None:
    """Not those that somebody listed: those that the package holds."""
    modules = [import_module(found.name) for found in walk_packages(sipcore.__path__, "sipcore.")]
    held = {value.name for module in modules for value in vars(module).values() if isinstance(value, Table)}
    assert held == {table.name for table in tables()} == set(MACHINES)


class Light(IntEnum):
    RED = 0
    GREEN = 1


class Push(IntEnum):
    BUTTON = 0
    HANDLE = 1


def light(*rows: Row[Light, Push], ignored: tuple[Ignored[Light, Push], ...] = ()) -> Table[Light, Push]:
    return Table("light", Light, Push, rows, ignored)


GO = Row(Light.RED, Push.BUTTON, Light.GREEN, "_go", "RFC 1 §1")


def test_a_pair_cannot_be_claimed_twice() -> None:
    ignored = Ignored(Light.RED, (Push.BUTTON,), "broken")
    claims: list[Callable[[], object]] = [lambda: light(GO, GO), lambda: light(GO, ignored=(ignored,))]
    for claim in claims:
        with pytest.raises(LocalProtocolError, match="twice"):
            claim()


def test_a_missing_pair_is_our_own_mistake() -> None:
    table = light(GO, ignored=(Ignored(Light.GREEN, (Push.BUTTON,), "going already"),))
    assert table.row(Light.RED, Push.BUTTON) is GO
    assert table.row(Light.GREEN, Push.BUTTON) is None
    with pytest.raises(LocalProtocolError, match="no row for HANDLE in state RED"):
        table.row(Light.RED, Push.HANDLE)
    assert table.missing() == [(Light.RED, Push.HANDLE), (Light.GREEN, Push.HANDLE)]


def test_the_diagram_shows_each_step() -> None:
    assert light(GO).mermaid() == "stateDiagram-v2\n    RED --> GREEN: BUTTON / go"


def test_the_readme_carries_the_diagrams_of_today() -> None:
    readme = Path(session_table.__file__).parents[1] / "README.md"
    assert diagrams() in readme.read_text()
