"""The `zvon` command: what people see, what scripts get, and one sentence when something is wrong."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from typer.testing import CliRunner, Result

from conf.errors import ConfError, ConfInvalid
from pbx.cli import COMMANDS, RunOptions, build_app
from pbx.control.clerk import SwitchCalendar
from pbx.control.history import ForgetHistory
from pbx.control.messages import ControlError
from storage.ports import HistoryQuery, RecordingQuery, StorageUnavailable
from tests.support.control import CALL, RECORDINGS, ROW, FakeOperator, control_server

OFFICE = """
[office]
name = "Horns"

[[terminals]]
number = "101"
password = "Long-Enough_1"
"""


CONTRACT_FIELDS = [
    *("id", "linkedid", "started_at", "answered_at", "ended_at", "duration", "talk_seconds"),
    *("from_number", "from_name", "to_number", "to_name", "external_number", "provider_in", "provider_out"),
    *("disposition", "stage", "cause", "sip_call_ids", "recording", "quality"),
    *("digits", "transfer", "call"),
]


def no_run(options: RunOptions) -> int:
    raise AssertionError("run was not asked for")


def zvon(*args: str, run: Callable[[RunOptions], int] = no_run, text: str = "") -> Result:
    return CliRunner(env={"ZVON_DATA": "", "NO_COLOR": "1"}).invoke(build_app(run), args, input=text)


async def asked(data: Path, *args: str, operator: FakeOperator | None = None, text: str = "") -> Result:
    """The command with a server running on the data folder."""
    async with control_server(data, operator or FakeOperator()):
        return await asyncio.to_thread(zvon, *args, "--data", str(data), text=text)


async def document(data: Path, *args: str, operator: FakeOperator | None = None) -> Any:
    """The JSON document that the command prints."""
    result = await asked(data, *args, "--json", operator=operator)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


# --- scripts -------------------------------------------------------------------------------------------------------


@pytest.mark.real_loop
async def test_calls_are_an_array_of_objects(tmp_path: Path) -> None:
    first, second = await document(tmp_path, "calls")
    assert first == {
        "id": "c1",
        "linkedid": "zvon-1.1",
        "from_number": "101",
        "from_name": "Anna",
        "to_number": "102",
        "to_name": "Борис",
        "state": "talking",
        "started_at": "2023-11-14T22:13:20.000Z",
        "answered_at": "2023-11-14T22:13:25.250Z",
        "duration_s": 12.5,
        "codec_a": "PCMA",
        "codec_b": "PCMU",
        "stage": "dial",
        "quality": {"from_mos": 4.37},
        "last_minute": {"from": [{
            "received": 250, "sent": 250, "lost": 0, "jitter_ms": 0.4, "round_trip_ms": 21, "mos": 4.37,
            "remote_loss_percent": None, "remote_jitter_ms": None, "remote_mos": None,
        }]},
    }  # fmt: skip
    assert (second["state"], second["answered_at"]) == ("ringing", None)


@pytest.mark.real_loop
async def test_lines_are_an_array_of_objects(tmp_path: Path) -> None:
    first, second = await document(tmp_path, "lines")
    assert (first["id"], first["state"], first["latency_ms"], first["since_at"][-1]) == (
        "telco",
        "registered",
        12.5,
        "Z",
    )
    assert (second["state"], second["error"]) == ("unreachable", "the provider does not answer")


@pytest.mark.real_loop
async def test_lines_are_a_table_for_people(tmp_path: Path) -> None:
    head, first, second = (await asked(tmp_path, "lines")).stdout.splitlines()
    assert head.split()[:3] == ["LINE", "PROVIDER", "STATE"]
    assert all(text in first for text in ("telco", "registered", "udp:192.0.2.9:5060", "12.5 ms", "1:35"))
    assert second.endswith("the provider does not answer")
    assert (await asked(tmp_path, "lines", operator=FakeOperator(lines_now=[]))).stdout == "no lines\n"


@pytest.mark.real_loop
async def test_a_test_of_the_mail_says_what_became_of_it(tmp_path: Path) -> None:
    done = await asked(tmp_path, "mail", "test", "anna@example.com")
    assert done.stdout == "the mail server took the letter to anna@example.com\n"
    failed = await asked(tmp_path, "mail", "test", "nobody@example.com")
    assert (failed.exit_code, failed.stderr) == (1, "zvon: the mail server refuses the recipient nobody@example.com\n")


@pytest.mark.real_loop
async def test_recordings_are_a_table_for_people_and_objects_for_scripts(tmp_path: Path) -> None:
    operator = FakeOperator()
    arguments = ("--id", "zvon-1.1", "--from", "2023-11-14", "--to", "2023-11-14", "--limit", "2")
    head, first, second = (
        await asked(tmp_path, "recordings", "list", *arguments, operator=operator)
    ).stdout.splitlines()
    assert head.split() == ["ID", "STARTED", "FROM", "TO", "KIND", "LENGTH", "STATE", "FORMAT", "LINKEDID"]
    assert all(text in first for text in ("2023/11/14/22/c1-call-1", "101 Anna", "0:12", "done", "opus"))
    assert "running" in second
    (query,) = operator.recording_queries
    assert query == RecordingQuery("zvon-1.1", from_at=1_699_920_000.0, to_at=1_700_006_400.0, limit=2)
    found, _ = await document(tmp_path, "recordings", "list")
    assert (found["id"], found["started_at"]) == ("2023/11/14/22/c1-call-1", "2023-11-14T22:13:20.000Z")
    assert (found["seconds"], found["channels"], found["caller_channel"]) == (12.5, 2, 1)


@pytest.mark.real_loop
async def test_recordings_are_exported_under_names_for_people_and_nothing_is_written_over(tmp_path: Path) -> None:
    mp3 = tmp_path / "made.mp3"
    mp3.write_bytes(b"sound")
    operator, folder = FakeOperator(mp3=mp3), tmp_path / "a" / "b"
    id = "2023/11/14/22/c1-call-1"
    done = await asked(tmp_path, "recordings", "export", id, id, "--folder", str(folder), operator=operator)
    names = ["2023-11-14_22-13-20_101_102.mp3", "2023-11-14_22-13-20_101_102_2.mp3"]
    assert done.stdout.splitlines() == [str(folder / name) for name in names]
    assert {file.read_bytes() for file in folder.iterdir()} == {b"sound"}
    failed = await asked(tmp_path, "recordings", "export", "nothing", operator=operator)
    assert failed.stderr == "zvon: there is no recording nothing; `zvon recordings list` shows them\n"
    failed = await asked(tmp_path, "recordings", "export", id, "--folder", str(mp3), operator=operator)
    assert (failed.exit_code, failed.stderr) == (1, f"zvon: {mp3 / names[0]} cannot be written: File exists\n")


@pytest.mark.real_loop
async def test_no_calls_are_an_empty_array(tmp_path: Path) -> None:
    assert await document(tmp_path, "calls", operator=FakeOperator(calls_now=[])) == []


@pytest.mark.real_loop
async def test_registrations_are_an_array_and_status_is_an_object(tmp_path: Path) -> None:
    (registration,) = await document(tmp_path, "registrations")
    assert registration["registered_at"] == "2023-11-14T22:13:20.500Z"
    assert (registration["number"], registration["expires_in_s"]) == ("101", 99.5)
    assert (await document(tmp_path, "status"))["sip"]["dropped"] == {"no_via": 3}


@pytest.mark.real_loop
@pytest.mark.row("CDR-15")
@pytest.mark.row("AMB-22")
async def test_history_rows_have_exactly_the_fields_of_the_contract(tmp_path: Path) -> None:
    told = replace(ROW, transfer="blind", digits="t,2", provider_in="telco", provider_out="other", recording="r1")
    (row,) = await document(tmp_path, "history", operator=FakeOperator(rows=[told]))
    assert (row["call"], row["transfer"], row["digits"], row["recording"]) == ("c1", "blind", "t,2", "r1")
    assert (row["id"], row["linkedid"], row["stage"], row["cause"]) == ("c1-1", "zvon-1.1", "dial", "normal")
    assert (row["provider_in"], row["provider_out"], row["disposition"]) == ("telco", "other", "ANSWERED")
    (recording, _) = await document(tmp_path, "recordings", "list")
    assert recording["caller_channel"] == 1
    assert list(row) == CONTRACT_FIELDS
    assert (row["started_at"], row["ended_at"]) == ("2023-11-14T22:13:20.000Z", "2023-11-14T22:13:37.750Z")
    assert (row["duration"], row["talk_seconds"], row["to_name"]) == (17.75, 12.5, "Борис")
    assert (row["sip_call_ids"], row["quality"]) == (["a@x", "b@y"], {"from_jitter_ms": 1.5})


@pytest.mark.real_loop
async def test_scripts_get_the_whole_history_people_the_newest_rows(tmp_path: Path) -> None:
    operator = FakeOperator(rows=[replace(ROW, id=f"c{n}-1") for n in range(1200)])
    assert len(await document(tmp_path, "history", operator=operator)) == 1200
    assert len(await document(tmp_path, "history", "--limit", "7", operator=operator)) == 7
    table = await asked(tmp_path, "history", operator=operator)
    assert table.stdout.count("ANSWERED") == 50


def utc(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[arg-type,misc]


@pytest.mark.real_loop
async def test_conversations_are_one_line_each(tmp_path: Path) -> None:
    (found,) = await document(tmp_path, "history", "--conversations", "--number", "101")
    assert (found["linkedid"], found["kind"], found["status"], found["rows"]) == ("zvon-1.1", "missed", "missed", 2)
    shown = (await asked(tmp_path, "history", "--conversations")).stdout
    assert len(shown.splitlines()) == 2


@pytest.mark.real_loop
@pytest.mark.parametrize(
    ("args", "query"),
    [
        (["--number", "101"], HistoryQuery("101")),
        (["--number", "101", "102"], HistoryQuery("101", "102")),
        (["--number", "74952293042 302"], HistoryQuery("74952293042", "302")),
        (["--id", "zvon-1.1"], HistoryQuery(linkedid="zvon-1.1")),
        (["--from", "2026-11-22"], HistoryQuery(from_at=utc(2026, 11, 22))),
        (["--to", "2026-11-22"], HistoryQuery(to_at=utc(2026, 11, 23))),
        (["--to", "2026-11-22T10:30"], HistoryQuery(to_at=utc(2026, 11, 22, 10, 30))),
        (["--from", "2026-11-22T10:00:00+03:00"], HistoryQuery(from_at=utc(2026, 11, 22, 7))),
        (["--search", "src:101 анна"], HistoryQuery(source="101", name="анна")),
        (["--kind", "missed", "--provider", "telco"], HistoryQuery(kind="missed", provider="telco")),
        (["--result", "busy", "--talk", "5"], HistoryQuery(disposition="BUSY", min_talk_s=5.0)),
        (["--employee", "anna", "--group", "sales"], HistoryQuery(among=(("201",), ("201",)))),
        (["--number", "101 102", "--all"], HistoryQuery("101", "102", with_unanswered=True)),
    ],
)
async def test_history_filters_reach_the_server(tmp_path: Path, args: list[str], query: HistoryQuery) -> None:
    operator = FakeOperator()
    await document(tmp_path, "history", *args, operator=operator)
    assert operator.queries == [replace(query, limit=1000)]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--from", "yesterday"], "--from is not a time such as"),
        (["102"], "give the first number with --number"),
        (["--number", "1 2 3"], "at most two numbers"),
        (["--kind", "odd"], "--kind is internal, outgoing, incoming or missed"),
        (["--result", "odd"], "--result is ANSWERED, NOANSWER, BUSY or FAILED"),
    ],
)
def test_wrong_history_filters_are_explained(args: list[str], sentence: str) -> None:
    result = zvon("history", *args)
    assert result.exit_code == 2
    assert sentence in result.stderr


@pytest.mark.real_loop
async def test_history_is_written_as_files_and_deleted(tmp_path: Path) -> None:
    sound = tmp_path / "sound.mp3"
    sound.write_bytes(b"sound")
    operator = FakeOperator(rows=[replace(ROW, recording=RECORDINGS[0].id)], mp3=sound)
    files = {kind: tmp_path / f"history.{kind}" for kind in ("csv", "xlsx", "pdf", "zip")}
    done = await asked(
        tmp_path,
        "history",
        *(part for kind, file in files.items() for part in (f"--{kind}", str(file))),
        operator=operator,
    )
    assert done.stdout == ""
    assert "2023-11-14T22:13:20.000Z,101,Anna,102,Борис" in files["csv"].read_text()
    assert files["pdf"].read_bytes().startswith(b"%PDF")
    assert files["xlsx"].read_bytes().startswith(b"PK")
    assert ZipFile(files["zip"]).namelist() == ["2023-11-14_22-13-20_101_102.mp3"]
    gone = await asked(tmp_path, "history", "--id", "zvon-1.1", "--delete", "--with-recordings", operator=operator)
    assert gone.stdout == "3 rows and 1 recordings are deleted\n"
    assert operator.requests[-1] == ForgetHistory(linkedid="zvon-1.1", with_recordings=True)


# --- people --------------------------------------------------------------------------------------------------------


@pytest.mark.real_loop
async def test_people_get_tables(tmp_path: Path) -> None:
    calls = (await asked(tmp_path, "calls")).stdout.splitlines()
    assert calls[0].split() == ["ID", "FROM", "TO", "STATE", "STARTED", "DURATION", "CODECS"]
    assert "101 Anna" in calls[1]
    assert "102 Борис" in calls[1]
    assert "PCMA/PCMU" in calls[1]
    assert "sip:101@10.0.0.5:5062" in (await asked(tmp_path, "registrations")).stdout
    assert "ANSWERED  0:12" in (await asked(tmp_path, "history")).stdout
    status = (await asked(tmp_path, "status")).stdout
    assert "sip.dropped.no_via  3" in status


@pytest.mark.real_loop
async def test_an_empty_table_is_said_in_words(tmp_path: Path) -> None:
    assert (await asked(tmp_path, "calls", operator=FakeOperator(calls_now=[]))).stdout == "no calls\n"
    assert (await asked(tmp_path, "history", operator=FakeOperator(rows=[]))).stdout == "no calls in the history\n"


@pytest.mark.real_loop
async def test_names_from_the_network_cannot_touch_the_terminal(tmp_path: Path) -> None:
    evil = replace(CALL, from_name="[red]\x1b[2J\x1b]0;owned\x07")
    shown = (await asked(tmp_path, "calls", operator=FakeOperator(calls_now=[evil]))).stdout
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[red]?[2J?]0;owned?" in shown


# --- changes -------------------------------------------------------------------------------------------------------


@pytest.mark.real_loop
async def test_plan_shows_what_would_change_and_apply_changes_it(tmp_path: Path) -> None:
    (tmp_path / "office.toml").write_text(OFFICE)
    office, operator = str(tmp_path / "office.toml"), FakeOperator()
    changes = "+ terminal 106\n~ terminal 101: max_calls 1 -> 2\n"
    assert (await asked(tmp_path / "var", "plan", office, operator=operator)).stdout == changes
    assert operator.applied == []
    assert (await asked(tmp_path / "var", "apply", office, operator=operator)).stdout == changes + "applied\n"
    assert operator.applied == [(OFFICE, office)]
    planned = await document(tmp_path / "var", "plan", office)
    assert planned["changes"][0] == {"action": "add", "kind": "terminal", "key": "106", "details": []}
    assert planned["applied"] is False


@pytest.mark.real_loop
async def test_an_office_document_may_come_from_standard_input(tmp_path: Path) -> None:
    operator = FakeOperator()
    result = await asked(tmp_path, "apply", "-", operator=operator, text="[office]\n")
    assert result.exit_code == 0
    assert operator.applied == [("[office]\n", "standard input")]
    assert (await asked(tmp_path, "plan", "-", text="")).stdout == "nothing to change\n"


@pytest.mark.real_loop
async def test_a_refused_document_shows_every_mistake(tmp_path: Path) -> None:
    result = await asked(tmp_path, "apply", "-", text="refused")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "zvon: standard input:1: office.name: refused",
        "standard input:2: refused too",
    ]


@pytest.mark.real_loop
async def test_export_prints_the_document_with_secrets_only_on_request(tmp_path: Path) -> None:
    assert (await asked(tmp_path, "export")).stdout == '[office]\nname = "Horns"\n'
    assert "password" in (await asked(tmp_path, "export", "--with-secrets")).stdout


@pytest.mark.real_loop
async def test_hangup_ends_a_call_or_says_that_there_is_none(tmp_path: Path) -> None:
    assert (await asked(tmp_path, "hangup", "c1")).stdout == "call c1 ended\n"
    missing = await asked(tmp_path, "hangup", "c9")
    assert missing.exit_code == 1
    assert missing.stderr == "zvon: there is no call c9 now; `zvon calls` lists them\n"


# --- without a server ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", ["status", "registrations", "calls", "lines", "history", "export", "hangup", "plan"]
)
def test_without_a_server_every_command_says_one_sentence(tmp_path: Path, command: str) -> None:
    (tmp_path / "office.toml").write_text(OFFICE)
    more = {"hangup": ["c1"], "plan": [str(tmp_path / "office.toml")]}.get(command, [])
    result = zvon(command, *more, "--data", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr == (
        f"zvon: no zvon runs with data folder {tmp_path}; start it with `zvon run --data {tmp_path}`\n"
    )


def test_the_data_folder_comes_from_the_environment_or_is_var() -> None:
    runner = CliRunner()
    assert "data folder var;" in runner.invoke(build_app(no_run), ["calls"], env={"ZVON_DATA": ""}).stderr
    assert "data folder /x;" in runner.invoke(build_app(no_run), ["calls"], env={"ZVON_DATA": "/x"}).stderr


def test_a_missing_document_is_said_in_a_sentence(tmp_path: Path) -> None:
    result = zvon("plan", str(tmp_path / "none.toml"), "--data", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr == f"zvon: {tmp_path / 'none.toml'}: there is no such file\n"


def test_run_calls_the_server_with_its_options_and_passes_its_exit_code() -> None:
    got: list[RunOptions] = []

    def run(options: RunOptions) -> int:
        got.append(options)
        return 3

    args = ["run", "--config", "a.toml", "--office", "b.toml", "--data", "d"]
    assert zvon(*args, run=run).exit_code == 3
    assert zvon("run", run=run).exit_code == 3
    assert got == [RunOptions(Path("a.toml"), Path("b.toml"), Path("d")), RunOptions()]


@pytest.mark.parametrize(
    "error",
    [
        ControlError("port 5060 is in use"),
        ConfInvalid([ConfError("zvon.toml", "sip.udp", 3, "port 5060 is in use")]),
        StorageUnavailable("port 5060 is in use"),
    ],
)
def test_a_start_that_fails_is_said_in_a_sentence(error: Exception) -> None:
    def run(options: RunOptions) -> int:
        raise error

    result = zvon("run", run=run)
    assert result.exit_code == 1
    assert result.stderr == f"zvon: {error}\n"


# --- check ---------------------------------------------------------------------------------------------------------


def test_check_tells_the_two_files_apart_by_their_content(tmp_path: Path) -> None:
    office, settings = tmp_path / "a.toml", tmp_path / "b.toml"
    office.write_text(OFFICE)
    settings.write_text('[sip]\nudp = ["127.0.0.1:5060"]\n')
    result = zvon("check", str(office), str(settings))
    assert result.exit_code == 0
    assert result.stdout == f"{office}: valid office (1 terminals, 0 users)\n{settings}: valid settings\n"


@pytest.mark.row("REG-9")
def test_check_warns_of_a_range_of_ports_that_a_small_office_uses_up(tmp_path: Path) -> None:
    """Two ports for each side of a call."""
    settings = tmp_path / "zvon.toml"
    for ports, calls in (("10000-10195", 49), ("20000-20003", 1)):
        settings.write_text(f'[media]\nports = "{ports}"\n')
        result = zvon("check", str(settings))
        assert result.exit_code == 0
        assert f"{settings}: media.ports {ports} is narrow: no more than {calls} calls at a time\n" in result.stdout
    settings.write_text('[media]\nports = "10000-10199"\n')
    assert "narrow" not in zvon("check", str(settings)).stdout


def test_check_reports_every_mistake_with_file_key_path_and_line(tmp_path: Path) -> None:
    office, settings = tmp_path / "a.toml", tmp_path / "b.toml"
    office.write_text(OFFICE + "colour = 1\nmax_calls = 0\n")
    settings.write_text("drain_timeout = -1\n[sip]\nudp = [7]\n")
    result = zvon("check", str(office), str(settings))
    assert result.exit_code == 1
    shown = result.stdout.splitlines()
    assert [line.partition(": ")[0] for line in shown] == [
        f"{office}:8",
        f"{office}:9",
        f"{settings}:1",
        f"{settings}:3",
    ]
    assert "terminals[0].colour" in shown[0]


def test_check_reports_a_broken_file_and_goes_on_to_the_next(tmp_path: Path) -> None:
    broken, office = tmp_path / "a.toml", tmp_path / "b.toml"
    broken.write_text("[office\n")
    office.write_text(OFFICE)
    result = zvon("check", str(broken), str(tmp_path / "none.toml"), str(office))
    assert result.exit_code == 1
    assert f"{broken}:1: " in result.stdout
    assert "none.toml: there is no such file" in result.stdout
    assert "b.toml: valid office" in result.stdout


def test_check_says_which_spoken_commands_cannot_be_heard(tmp_path: Path) -> None:
    office, settings = tmp_path / "a.toml", tmp_path / "zvon.toml"
    menu = '\n[[ivrs]]\nnumber = "700"\ndefault = "hangup"\nkeys = { "1" = "hangup" }\nphrases = { "1" = ["да"] }\n'
    office.write_text(OFFICE.replace("[office]", '[office]\nlanguage = "ru"', 1) + menu, encoding="utf-8")
    settings.write_text(f'[speech]\nmodels = {{ ru = "{tmp_path}" }}\n')
    alone, beside = zvon("check", str(office)), zvon("check", str(office), str(settings))
    assert alone.exit_code == beside.exit_code == 0
    assert f"{office}: the spoken commands of menu 700 cannot be heard: " in alone.stdout
    assert beside.stdout.splitlines()[1] != alone.stdout.splitlines()[1], "the settings name a folder"


def test_check_in_json_is_an_array_with_all_mistakes(tmp_path: Path) -> None:
    settings = tmp_path / "zvon.toml"
    settings.write_text("colour = 1\n")
    result = zvon("check", str(settings), "--json")
    assert result.exit_code == 1
    (finding,) = json.loads(result.stdout)
    assert (finding["file"], finding["kind"]) == (str(settings), "settings")
    assert (finding["errors"][0]["key_path"], finding["errors"][0]["line"]) == ("colour", 1)


@pytest.mark.parametrize(("name", "kind"), [("zvon.toml", "settings"), ("office.toml", "office")])
def test_an_empty_file_is_what_its_name_says(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).write_text("")
    assert f"valid {kind}" in zvon("check", str(tmp_path / name)).stdout


# --- help and speed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["run", *COMMANDS])
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = zvon(command, "--help")
    assert result.exit_code == 0
    assert f"Example: zvon {command}" in result.stdout


def test_a_wrong_command_line_is_a_usage_error() -> None:
    assert zvon("dance").exit_code == 2
    assert zvon("check").exit_code == 2


def test_the_command_line_starts_fast_because_it_imports_late() -> None:
    """The heavy libraries must not be imported by a question to the server."""
    script = (
        "import sys; from pbx.cli import build_app\n"
        "try: build_app(lambda _: 0)(['calls', '--data', '/nowhere'])\n"
        "except SystemExit as end: assert end.code == 1\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    imported = set(done.stdout.split())
    assert not imported & {"asyncio", "sqlalchemy", "numpy", "uvloop", "rich.console"}


@pytest.mark.real_loop
async def test_a_call_is_started_for_a_phone(tmp_path: Path) -> None:
    operator = FakeOperator()
    result = await asked(tmp_path, "originate", "101", "102", operator=operator)
    assert (result.exit_code, result.stdout) == (0, "call zvon-1.9 started\n")
    await asked(tmp_path, "originate", "101", "102", "--ring", operator=operator)
    assert operator.originated == [("101", "102", True), ("101", "102", False)]


@pytest.mark.real_loop
async def test_a_call_that_cannot_be_started_is_a_sentence(tmp_path: Path) -> None:
    result = await asked(tmp_path, "originate", "101", "999")
    assert (result.exit_code, result.stderr) == (1, "zvon: nobody has the number 999\n")


@pytest.mark.real_loop
async def test_the_caller_of_a_call_is_sent_on(tmp_path: Path) -> None:
    operator = FakeOperator()
    result = await asked(tmp_path, "transfer", CALL.id, "103", operator=operator)
    assert (result.exit_code, operator.transferred) == (0, [(CALL.id, "103")])
    assert "goes on to 103 in call zvon-1.10" in result.stdout
    assert (await asked(tmp_path, "transfer", "none", "103")).exit_code == 1


@pytest.mark.real_loop
async def test_a_call_is_explained_rule_by_rule_and_the_last_line_names_the_target(tmp_path: Path) -> None:
    assert (await asked(tmp_path, "explain", "101", "102")).stdout.splitlines() == [
        "101 calls 102",
        "└ 102 Борис (terminal)",
        "  yes forward.always       goes on to 103",
        "└ 103 (terminal)",
        "  no  do not disturb       switched off",
        "final target: 103 rings at sip:103@10.0.0.7 (udp)",
    ]
    found = await document(tmp_path, "explain", "101", "102")
    assert (found["targets"], found["cause"]) == (["103"], "")
    assert found["rules"][0] == {
        "number": "102", "name": "Борис", "app": "terminal",
        "rule": "forward.always", "matched": True, "why": "goes on to 103", "title": "", "kind": "",
    }  # fmt: skip
    refused = await asked(tmp_path, "explain", "999", "102")
    assert (refused.exit_code, refused.stderr[:13]) == (1, "zvon: 999 is ")


@pytest.mark.real_loop
async def test_calendars_are_listed_and_switched(tmp_path: Path) -> None:
    operator = FakeOperator()
    listed = await asked(tmp_path, "calendar", "list", operator=operator)
    assert [line.split()[:3] for line in listed.stdout.splitlines()[1:]] == [
        ["office-hours", "Часы", "closed"],
        ["linked", "open", "hours"],
    ]
    found = await document(tmp_path, "calendar", "list", operator=operator)
    assert (found[0]["until_at"], found[1]["error"]) == ("2023-11-14T22:13:20.000Z", "HTTP 404")
    for verb, to in (("open", "open"), ("close", "closed"), ("hours", "hours")):
        await asked(tmp_path, "calendar", verb, "office-hours", operator=operator)
        assert operator.requests[-1] == SwitchCalendar("office-hours", to)  # type: ignore[arg-type]


def test_the_schema_of_one_file_or_of_both_is_printed() -> None:
    both = json.loads(zvon("schema").stdout)
    assert set(both) == {"zvon.toml", "office.toml"}
    assert json.loads(zvon("schema", "office.toml").stdout) == both["office.toml"]
    refused = zvon("schema", "phones.toml")
    assert refused.exit_code == 2
    assert 'there is no schema of "phones.toml"' in refused.stderr
