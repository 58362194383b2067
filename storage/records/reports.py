"""What reports are made of beside whole rows of history: their columns, the journal of events, tariffs."""

from typing import NamedTuple

from frozen import dataclass


class ScannedRow(NamedTuple):
    """The columns of a history row that reports read, by the hundred thousand."""

    id: str
    linkedid: str
    started_at: float
    answered_at: float | None
    ended_at: float
    talk_seconds: float
    from_number: str
    to_number: str
    external_number: str
    provider_in: str
    provider_out: str
    disposition: str
    stage: str
    cause: str
    recording: str


class Tally(NamedTuple):
    """What rows of history that have the same `keys` come to together. A row waits until its answer, or its end."""

    keys: tuple[str | float, ...]
    rows: int
    talk_s: float
    wait_s: float
    wait_max_s: float


@dataclass(frozen=True, slots=True)
class Rollup:
    """A day of history (of UTC, counted from 1970) put together, made of `rows` whose places in the table come to
    `sum`; `packed` is opaque, empty in what only says which rows there are."""

    day: int
    rows: int
    sum: int
    format: int = 0
    packed: bytes = b""


@dataclass(frozen=True, slots=True)
class Happening:
    """One entry of the journal of events (REP-6): `kind` such as "terminal_unavailable", `subject` what it is about,
    `text` a value or a sentence."""

    id: str
    at: float
    kind: str
    subject: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Tariff:
    """What calls over a provider cost (REP-11): to numbers that begin with `prefix`, `connection` and `minute` in
    hundredths of the currency; each begun `step` of seconds counts, the first `free` seconds do not."""

    id: str
    provider: str
    prefix: str = ""
    minute: int = 0
    connection: int = 0
    step: int = 60
    free: int = 0
    note: str = ""
