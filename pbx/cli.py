"""The `zvon` command. Every command but `run` and `check` asks the running server through its data folder.

Imports wait until they are needed: `zvon calls` must answer at once.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from frozen import dataclass

if TYPE_CHECKING:
    from pbx.control.client import ControlClient


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of `zvon run`; None: not given."""

    config: Path | None = None
    office: Path | None = None
    data: Path | None = None


Data = Annotated[Path, typer.Option("--data", envvar="ZVON_DATA", help="Data folder of the server.", metavar="DIR")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document, for scripts.")]
Document = Annotated[Path, typer.Argument(metavar="OFFICE", help="An office document; - reads standard input.")]
Start = Annotated[str, typer.Option("--from", metavar="T", help="From this time on: 2026-11-22T09:00, UTC.")]
End = Annotated[str, typer.Option("--to", metavar="T", help="Before this time; a date alone is included.")]
VAR = Path("var")


class _SentenceGroup(TyperGroup):
    """Whatever a command cannot do is one sentence on standard error and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        from conf.errors import ConfInvalid
        from pbx.control.messages import ControlError
        from storage.ports import StorageUnavailable

        try:
            return super().invoke(ctx)
        except (ControlError, ConfInvalid, StorageUnavailable) as error:
            typer.echo(f"zvon: {error}", err=True)
            raise typer.Exit(1) from None


def build_app(run: Callable[[RunOptions], int]) -> typer.Typer:
    """The command line; `run` is what `zvon run` does, its result the exit code."""
    app = typer.Typer(
        cls=_SentenceGroup,
        help="Zvon, a SIP phone server.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    def run_command(
        config: Annotated[Path | None, typer.Option(help="Settings of the server (zvon.toml).", metavar="FILE")] = None,
        office: Annotated[Path | None, typer.Option(help="Office document to apply first.", metavar="FILE")] = None,
        data: Annotated[
            Path | None, typer.Option(envvar="ZVON_DATA", help="Data folder, instead of the configured one.")
        ] = None,
    ) -> None:
        """Run the phone server in the foreground. SIGTERM drains, a second one or SIGINT stops now."""
        raise typer.Exit(run(RunOptions(config, office, data)))

    from pbx.cli_history import history
    from pbx.cli_report import report

    app.command("history", epilog="Example: zvon history --number 101 102 --from 2026-11-22 --json")(history)
    app.command("report", epilog="Example: zvon report quality --from 2026-11-01 --step day --xlsx quality.xlsx")(
        report
    )
    app.command("run", epilog="Example: zvon run --config zvon.toml --office office.toml --data var")(run_command)
    for name, (command, example) in COMMANDS.items():
        app.command(name, epilog=f"Example: {example}")(command)
    from pbx.cli_groups import GROUPS

    for name, (what, commands) in GROUPS.items():
        group = typer.Typer(help=what, no_args_is_help=True)
        for verb, (command, example) in commands.items():
            group.command(verb, epilog=f"Example: {example}")(command)
        app.add_typer(group, name=name)
    return app


def check(files: Annotated[list[Path], typer.Argument(metavar="FILE...")], json: Json = False) -> None:
    """Validate settings and office files, all mistakes at once. Needs no server and changes nothing."""
    from pbx.cli_check import check_files
    from pbx.cli_output import json_text

    findings = check_files(files)
    if json:
        typer.echo(json_text(findings))
    else:
        for found in findings:
            kind = " ".join(filter(None, (found.kind, f"({found.summary})" if found.summary else "")))
            lines = [str(error) for error in found.errors] or [f"{found.file}: valid {kind}"]
            typer.echo("\n".join([*lines, *(f"{found.file}: {note}" for note in found.notes)]))
    raise typer.Exit(1 if any(found.errors for found in findings) else 0)


def schema(
    file: Annotated[
        str, typer.Argument(metavar="[FILE]", help="zvon.toml or office.toml alone; both without it.")
    ] = "",
) -> None:
    """Print the JSON Schema of the two files, for editors and scripts. Needs no server."""
    from conf.json_schema import DOCUMENTS, schema_of
    from pbx.cli_output import json_text

    if file and file not in DOCUMENTS:
        raise typer.BadParameter(f'there is no schema of "{file}"; use one of {", ".join(DOCUMENTS)}')
    typer.echo(json_text(schema_of(file) if file else {name: schema_of(name) for name in DOCUMENTS}))


def plan(office: Document, data: Data = VAR, json: Json = False) -> None:
    """Show what a document would change in the running office. Changes nothing."""
    _office_change("plan", office, data, json)


def apply(office: Document, data: Data = VAR, json: Json = False) -> None:
    """Change the running office to what a document says, all or nothing. Calls go on."""
    _office_change("apply", office, data, json)


def export(
    data: Data = VAR,
    with_secrets: Annotated[bool, typer.Option("--with-secrets", help="With the passwords of terminals.")] = False,
) -> None:
    """Print the running office as one document that `apply` takes back unchanged."""
    with server_of(data) as server:
        typer.echo(server.export(with_secrets=with_secrets), nl=False)


def status(data: Data = VAR, json: Json = False) -> None:
    """Show the live state of every part of the server."""
    with server_of(data) as server:
        found = server.status()
    from pbx.cli_output import json_text, print_status

    typer.echo(json_text(found)) if json else print_status(found)


def settings(data: Data = VAR, json: Json = False) -> None:
    """Show what zvon.toml says otherwise than the server runs with, and how many calls a restart would end."""
    with server_of(data) as server:
        found = server.settings()
    from pbx.cli_output import json_text, print_settings, view_object

    typer.echo(json_text(view_object(found))) if json else print_settings(found)


def registrations(data: Data = VAR, json: Json = False) -> None:
    """List the phones that are registered now."""
    with server_of(data) as server:
        found = server.registrations()
    from pbx.cli_output import json_text, print_registrations, view_object

    typer.echo(json_text([view_object(each) for each in found])) if json else print_registrations(found)


def devices(
    number: Annotated[str, typer.Argument(metavar="[NUMBER]", help="Those of this account.")] = "",
    data: Data = VAR,
    json: Json = False,
) -> None:
    """List the phones of the last 24 hours: from where, with what, how far away, from when until when."""
    with server_of(data) as server:
        found = server.devices(number)
    from pbx.cli_output import json_text, print_devices, view_object

    typer.echo(json_text([view_object(each) for each in found])) if json else print_devices(found)


def calls(data: Data = VAR, json: Json = False) -> None:
    """List the calls in progress, one row a call."""
    with server_of(data) as server:
        found = server.calls()
    from pbx.cli_output import json_text, print_calls, view_object

    typer.echo(json_text([view_object(each) for each in found])) if json else print_calls(found)


def queues(data: Data = VAR, json: Json = False) -> None:
    """Show the call queues: who waits and for how long, and what each agent does."""
    with server_of(data) as server:
        found = server.queues()
    from pbx.cli_output import json_text, print_queues, view_object

    typer.echo(json_text([view_object(each) for each in found])) if json else print_queues(found)


def lines(data: Data = VAR, json: Json = False) -> None:
    """List the lines to providers: whether they work, since when, and why not."""
    with server_of(data) as server:
        found = server.lines()
    from pbx.cli_output import json_text, print_lines, view_object

    typer.echo(json_text([view_object(each) for each in found])) if json else print_lines(found)


def trace(
    call: Annotated[str, typer.Argument(metavar="CALL", help="The id of a call, its linkedid, or a SIP Call-ID.")],
    pcap: Annotated[
        Path | None, typer.Option("--pcap", metavar="FILE", help="Write the messages to a capture file as well.")
    ] = None,
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="With digest responses and media keys, which are masked otherwise.")
    ] = False,
    data: Data = VAR,
    json: Json = False,
) -> None:
    """Show the SIP messages of a call as a ladder, with what its audio was like."""
    with server_of(data) as server:
        found = server.trace(call, with_secrets=with_secrets)
    from pbx.cli_trace import show

    show(found, json=json, file=pcap)


def hangup(call: Annotated[str, typer.Argument(metavar="CALL", help="The id of a call.")], data: Data = VAR) -> None:
    """End a call."""
    from pbx.control.messages import ControlError

    with server_of(data) as server:
        if not server.hangup(call):
            raise ControlError(f"there is no call {call} now; `zvon calls` lists them")
    typer.echo(f"call {call} ended")


def originate(
    caller: Annotated[str, typer.Argument(metavar="FROM", help="The terminal whose phone is rung first.")],
    to: Annotated[str, typer.Argument(metavar="TO", help="The number that it calls then.")],
    ring: Annotated[bool, typer.Option("--ring", help="Let the phone ring; otherwise a single one answers.")] = False,
    data: Data = VAR,
) -> None:
    """Start a call for a phone: it answers by itself if it can, then TO is called."""
    with server_of(data) as server:
        call = server.originate(caller, to, by_itself=not ring)
    typer.echo(f"call {call} started")


def transfer(
    call: Annotated[str, typer.Argument(metavar="CALL", help="The id of a call.")],
    to: Annotated[str, typer.Argument(metavar="TO", help="Where its caller goes on to.")],
    data: Data = VAR,
) -> None:
    """Send the caller of a conversation on to another number."""
    with server_of(data) as server:
        onward = server.transfer(call, to)
    typer.echo(f"the caller of {call} goes on to {to} in call {onward}")


def explain(
    caller: Annotated[str, typer.Argument(metavar="FROM", help="The terminal that would call; or the id of a call.")],
    to: Annotated[str, typer.Argument(metavar="[TO]", help="The number that it would dial.")] = "",
    at: Annotated[
        str, typer.Option("--at", metavar="T", help="When the call comes: 2026-12-31T19:00, UTC. Otherwise now.")
    ] = "",
    line: Annotated[
        str, typer.Option("--line", metavar="NUMBER", help="The external number that somebody outside calls, as TO.")
    ] = "",
    lang: Annotated[
        str, typer.Option("--lang", metavar="LANGUAGE", help="en or ru; otherwise that of the office.")
    ] = "",
    data: Data = VAR,
    json: Json = False,
) -> None:
    """Show every rule that a call would meet, why it holds or does not, and who would ring. Rings nobody. Of one of the
    last thousand calls: what it has met."""
    from pbx.control.messages import ExplainCall

    with server_of(data) as server:
        found = server.explain(ExplainCall(caller, line or to, time_of(at, "--at"), lang))
    from pbx.cli_output import json_text, print_explanation, view_object

    typer.echo(json_text(view_object(found))) if json else print_explanation(found)


Commands = dict[str, tuple[Callable[..., None], str]]
COMMANDS: Commands = {
    "check": (check, "zvon check zvon.toml office.toml"),
    "schema": (schema, "zvon schema office.toml"),
    "plan": (plan, "zvon plan office.toml"),
    "apply": (apply, "zvon apply office.toml"),
    "export": (export, "zvon export --with-secrets > office.toml"),
    "status": (status, "zvon status --json"),
    "settings": (settings, "zvon settings --json"),
    "registrations": (registrations, "zvon registrations"),
    "devices": (devices, "zvon devices 201 --json"),
    "calls": (calls, "zvon calls --json"),
    "queues": (queues, "zvon queues"),
    "lines": (lines, "zvon lines --json"),
    "trace": (trace, "zvon trace zvon-1764000000.7 --pcap call.pcap"),
    "explain": (explain, "zvon explain 101 102 --at 2026-12-31T19:00+03:00"),
    "originate": (originate, "zvon originate 101 102"),
    "hangup": (hangup, "zvon hangup 1f3a-7"),
    "transfer": (transfer, "zvon transfer zvon-1764000000.7 103"),
}


def _office_change(action: str, office: Path, data: Path, json: bool) -> None:
    text, name = _document(office)
    with server_of(data) as server:
        view = server.apply(text, name) if action == "apply" else server.plan(text, name)
    from pbx.cli_output import json_text, plan_lines, plan_object

    typer.echo(json_text(plan_object(view)) if json else "\n".join(filter(None, plan_lines(view))))


@contextmanager
def server_of(data: Path, timeout_s: float = 60.0) -> "Iterator[ControlClient]":
    from pbx.control.client import ControlClient

    with ControlClient(data, timeout_s=timeout_s) as client:
        yield client


def _document(path: Path) -> tuple[str, str]:
    """An office document as text, and the name under which sentences speak of it."""
    if str(path) == "-":
        return sys.stdin.read(), "standard input"
    from conf.read import read_text

    return read_text(path), str(path.absolute())  # the server runs in another folder


def time_of(text: str, option: str, *, end_of_day: bool = False) -> float | None:
    """A point in time as UTC seconds; without a zone it is UTC."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f'{option} is not a time such as 2026-11-22T09:00 or 2026-11-22: "{text}"') from None
    if end_of_day and len(text) <= len("2026-11-22"):
        moment += timedelta(days=1)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
