"""What commands print: tables for people, one JSON document for scripts.

Times are shown in the zone of the machine to people, in UTC with milliseconds to scripts. What came over the network
(names, user agents) cannot move the cursor or colour the terminal.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from time import time

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pbx.control.backups import BackupView
from pbx.control.clerk import AccountFailureView, BanView, CalendarView, DeviceView, NetworkView
from pbx.control.history import ConversationView
from pbx.control.messages import (
    CallView,
    ExplanationView,
    LineView,
    PlanView,
    QueueView,
    RegistrationView,
)
from pbx.control.settings import SettingsView
from pbx.control.sounds import SoundView
from pbx.said import say
from storage.records import CdrRow, MissedCall, StoredRecording

View = (
    AccountFailureView
    | DeviceView
    | BackupView
    | BanView
    | NetworkView
    | CalendarView
    | CallView
    | ExplanationView
    | LineView
    | QueueView
    | RegistrationView
    | SettingsView
    | SoundView
)
PIPE_WIDTH = 10_000  # a pipe gets every character


def utc(at: float | None) -> str | None:
    """UTC in ISO 8601 with milliseconds: `2026-11-22T09:30:00.250Z`."""
    if at is None:
        return None
    return datetime.fromtimestamp(round(at, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_text(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def view_object(view: View | StoredRecording | MissedCall) -> dict[str, object]:
    """A view as scripts get it."""
    return {name: utc(value or None) if name.endswith("_at") else value for name, value in asdict(view).items()}


def plan_object(view: PlanView) -> dict[str, object]:
    return asdict(view)


def history_object(row: CdrRow) -> dict[str, object]:
    """A row of call history with the fields of the public contract, in its order."""
    return {
        "id": row.id,
        "linkedid": row.linkedid,
        "started_at": utc(row.started_at),
        "answered_at": utc(row.answered_at),
        "ended_at": utc(row.ended_at),
        "duration": round(row.ended_at - row.started_at, 3),
        "talk_seconds": row.talk_seconds,
        "from_number": row.from_number,
        "from_name": row.from_name,
        "to_number": row.to_number,
        "to_name": row.to_name,
        "external_number": row.external_number,
        "provider_in": row.provider_in,
        "provider_out": row.provider_out,
        "disposition": row.disposition,
        "stage": row.stage,
        "cause": row.cause,
        "sip_call_ids": row.sip_call_ids,
        "recording": row.recording,
        "quality": row.quality,
        "digits": row.digits,
        "transfer": row.transfer,
        "call": row.call,
    }


def conversation_object(view: ConversationView) -> dict[str, object]:
    return {name: utc(value) if name.endswith("_at") else value for name, value in asdict(view).items()}


# --- for people ----------------------------------------------------------------------------------------------------


def print_calls(calls: Sequence[CallView]) -> None:
    rows = [
        (call.id, _who(call.from_number, call.from_name), _who(call.to_number, call.to_name), call.state,
         _local(call.started_at), _clock(call.duration_s), "/".join(filter(None, (call.codec_a, call.codec_b))))
        for call in calls
    ]  # fmt: skip
    _print_table(("id", "from", "to", "state", "started", "duration", "codecs"), rows, empty="no calls")


def print_settings(found: SettingsView) -> None:
    rows = [(each.key, each.running, each.wanted) for each in found.waiting]
    if rows:
        _print_table(("setting", "running", "in the file"), rows, "")
    print(found.advice)


def print_registrations(registrations: Sequence[RegistrationView]) -> None:
    rows = [
        (each.number, each.contact, each.received, each.transport, _clock(each.expires_in_s), _latency(each),
         each.user_agent)
        for each in registrations
    ]  # fmt: skip
    headings = ("number", "contact", "received", "transport", "expires in", "latency", "user agent")
    _print_table(headings, rows, "no registrations", lambda row: "red" if row[5] == "unreachable" else "")


def print_devices(devices: Sequence[DeviceView]) -> None:
    rows = [
        (each.number, each.contact, f"{each.address} {each.port}", each.user_agent,
         "" if each.latency_ms is None else f"{each.latency_ms:.0f} ms", _local(each.since_at),
         "registered" if each.until_at is None else _local(each.until_at))
        for each in devices
    ]  # fmt: skip
    headings = ("number", "contact", "from", "user agent", "latency", "since", "until")
    _print_table(headings, rows, "no phone was registered in the last 24 hours")


def print_prompts(prompts: Sequence[Mapping[str, str]]) -> None:
    rows = [(each["language"], each["key"], each["voice"] or "silent", each["text"]) for each in prompts]
    _print_table(("", "key", "voice", "text"), rows, "no prompts", lambda row: "red" if row[2] == "silent" else "")


def print_sounds(sounds: Sequence[SoundView]) -> None:
    rows = [
        (each.id, each.name, _clock(each.seconds), f"{each.size / 1024:,.0f} KB", "music" if each.music else "",
         str(len(each.used_by)), ", ".join(each.used_by), each.problem)
        for each in sounds
    ]  # fmt: skip
    headings = ("id", "name", "length", "size", "", "uses", "used by", "problem")
    _print_table(headings, rows, "no sounds", lambda row: "red" if row[7] else "")


def print_backups(backups: Sequence[BackupView]) -> None:
    rows = [
        (each.name, utc(each.made_at) or "", f"{each.size / 1024:,.0f} KB", ", ".join(each.parts), each.zvon)
        for each in backups
    ]
    _print_table(("name", "made", "size", "parts", "zvon"), rows, "no backups")


def _latency(each: RegistrationView) -> str:
    if not each.is_reachable:
        return "unreachable"
    return "" if each.latency_ms is None else f"{each.latency_ms:g} ms"


def print_queues(queues: Sequence[QueueView]) -> None:
    """A line for each queue, then its note, its callers and its agents."""
    rows = []
    for queue in queues:
        rows.append((queue.number, queue.name, queue.strategy, f"{len(queue.waiting)} waiting"))
        rows += [("", queue.note, "", "")] if queue.note else []
        rows += [("", _who(each.number, each.name), "waits", _clock(each.waited_s)) for each in queue.waiting]
        rows += [("", _who(each.number, each.name), each.state, f"{each.answered} answered") for each in queue.agents]
    _print_table(("queue", "who", "state", ""), rows, "no queues")


_NETWORKS = {"office": "", "own": "this machine is in it", "all": "everybody"}


def print_bans(bans: Sequence[BanView]) -> None:
    rows = [
        (each.source, "banned" if each.is_active else "over", each.service,
         _local(each.since_at), _local(each.until_at),
         ", ".join(f"{why} ({count})" for why, count in each.reasons.items()))
        for each in bans
    ]  # fmt: skip
    headings = ("address", "state", "service", "since", "until", "reasons")
    _print_table(headings, rows, "no address is banned", lambda row: "red" if row[1] == "banned" else "")


def print_networks(networks: Sequence[NetworkView]) -> None:
    rows = [
        (each.id, each.network, each.name or _NETWORKS[each.kind], str(each.priority) if each.id else "",
         ", ".join(each.services) if each.id else "")
        for each in networks
    ]  # fmt: skip
    _print_table(("id", "network", "name", "priority", "may reach"), rows, "there is no network")


def print_failures(failures: Sequence[AccountFailureView]) -> None:
    rows = [
        (each.number, each.source, str(each.count), each.reason, _local(each.first_at), _local(each.last_at))
        for each in failures
    ]
    _print_table(("account", "address", "failed", "why", "since", "last"), rows, "no sign-in has failed")


def print_report(columns: Sequence[str], rows: Sequence[Sequence[str | int | float]]) -> None:
    _print_table(columns, [[str(cell) for cell in row] for row in rows], "nothing in this period")


def print_missed(missed: Sequence[MissedCall]) -> None:
    now = time()
    rows = [
        (each.id, _local(each.missed_at), _who(each.number, each.name), each.line, _clock(each.waited_s),
         f"{each.stage} {each.at_number}", _age(now - each.missed_at) if not each.closed_at else "",
         f"{each.closed_by} {each.closed_with} {_local(each.closed_at)}" if each.closed_at else "",
         str(each.tries or ""))
        for each in missed
    ]  # fmt: skip
    headings = ("id", "missed", "client", "line", "waited", "last", "open for", "closed", "tries")
    _print_table(headings, rows, "no missed calls", lambda row: "red" if row[6] else "")


def _age(seconds: float) -> str:
    days, rest = divmod(int(seconds), 86_400)
    return f"{days} d {rest // 3600} h" if days else f"{rest // 3600} h {rest % 3600 // 60} min"


def print_calendars(calendars: Sequence[CalendarView]) -> None:
    rows = [
        (each.id, each.name, "open" if each.is_open else "closed",
         "" if each.until_at is None else _local(each.until_at), each.why, each.error)
        for each in calendars
    ]  # fmt: skip
    headings = ("calendar", "name", "state", "until", "why", "linked calendar")
    _print_table(headings, rows, "no calendars", lambda row: "red" if row[5] else "")


def print_lines(lines: Sequence[LineView]) -> None:
    rows = [
        (each.id, each.host, each.state, _local(each.since_at), f"{each.transport}:{each.address}".strip(":"),
         "" if each.latency_ms is None else f"{each.latency_ms:g} ms",
         "" if each.expires_in_s is None else _clock(each.expires_in_s), each.error)
        for each in lines
    ]  # fmt: skip
    headings = ("line", "provider", "state", "since", "server", "latency", "expires in", "why")
    works = ("registered", "reachable", "off", "unchecked")
    _print_table(headings, rows, "no lines", lambda row: "" if row[2] in works else "red")


def print_history(rows: Sequence[CdrRow]) -> None:
    """Red is what nobody took in the whole conversation, not what one of several missed (AMB-6)."""
    answered = {row.linkedid for row in rows if row.disposition == "ANSWERED"}
    lines = [
        (_local(row.started_at), _who(row.from_number, row.from_name), _who(row.to_number, row.to_name),
         row.disposition, _clock(row.talk_seconds), row.cause, row.linkedid)
        for row in rows
    ]  # fmt: skip
    headings = ("started", "from", "to", "result", "talk", "cause", "linkedid")
    _print_table(headings, lines, "no calls in the history", lambda line: "" if line[-1] in answered else "red")


def print_conversations(conversations: Sequence[ConversationView]) -> None:
    rows = [
        (_local(each.started_at), each.kind, each.status.replace("_", " "), _who(each.from_number, each.from_name),
         _who(each.to_number, each.to_name), " ".join(each.answered_by), _clock(each.waited_s),
         _clock(each.talk_seconds), each.linkedid)
        for each in conversations
    ]  # fmt: skip
    headings = ("started", "kind", "status", "from", "to", "answered by", "wait", "talk", "linkedid")
    _print_table(headings, rows, "no calls in the history", lambda row: "red" if row[1] == "missed" else "")


def print_recordings(recordings: Sequence[StoredRecording]) -> None:
    rows = [
        (each.id, _local(each.started_at), _who(each.from_number, each.from_name), each.to_number, each.kind,
         _clock(each.seconds), each.state, each.suffix[1:], each.linkedid)
        for each in recordings
    ]  # fmt: skip
    headings = ("id", "started", "from", "to", "kind", "length", "state", "format", "linkedid")
    _print_table(headings, rows, "no recordings", lambda row: "red" if row[6] == "failed" else "")


def print_explanation(found: ExplanationView) -> None:
    """A step for each number that the call comes to, its rules in their order, and the final target."""
    called = say("{caller} calls {number}", caller=found.from_number, number=found.to_number)
    yes, no = (say(word).within(found.language) for word in ("yes", "no"))
    print(_printable(called.within(found.language)))
    for (number, name, app), rules in groupby(
        found.rules, lambda each: (each.number, each.name, each.kind or each.app)
    ):
        print(_printable(f"└ {_who(number, name)}" + (f" ({app})" if app else "")))
        for each in rules:
            print(_printable(f"  {yes if each.matched else no:<4}{each.title or each.rule:<20} {each.why}"))
    print(_printable(found.result))


def print_status(status: Mapping[str, object]) -> None:
    _print_table(("what", "value"), list(_flat(status)), empty="no status")


def plan_lines(view: PlanView) -> list[str]:
    if not view.changes:
        return ["nothing to change"]
    return [*map(str, view.changes), *(f"note: {each}" for each in view.notes), "applied" if view.applied else ""]


def _print_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    empty: str,
    style: Callable[[Sequence[str]], str] = lambda _: "",
) -> None:
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)
    if not rows:
        console.print(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading.upper(), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_printable(cell)) for cell in row), style=style(row))
    console.print(table)


def _flat(value: object, name: str = "") -> Iterable[tuple[str, str]]:
    """Nested data as dotted names and values."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        yield name, ", ".join(map(str, value)) or "-"
    else:
        yield name, "-" if value in (None, "", {}) else str(value)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def _who(number: str, name: str) -> str:
    return f"{number} {name}" if name else number


def _local(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"
