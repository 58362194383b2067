"""`zvon test`: an office and its scripts with simulated phones."""

from pathlib import Path

from typer.testing import CliRunner

from pbx.cli import build_app
from pbx.cli_rehearsal import add_test_command
from tests.support.rehearsal import rehearse

OFFICE = """
[office]
name = "Horns"

[[terminals]]
number = "101"
password = "Long-Enough_1"

[[terminals]]
number = "102"
password = "Long-Enough_2"

[[sounds]]
id = "enter-code"
file = "code.wav"

[[ivrs]]
number = "700"
default = "102"
keys = { "1" = "hangup", "2" = "102" }
phrases = { "2" = ["sales"] }

[[queues]]
number = "500"
agents = ["102"]
max_wait = 600

[[applications]]
number = "770"
file = "door.py"

[[calendars]]
id = "day"
weekly = { mon-fri = ["09:00-18:00"] }

[[providers]]
id = "first"
host = "sip.first.example"
login = "74950000001"
password = "Secret_1"
identity = "asserted"
show_caller = true

[[providers]]
id = "second"
kind = "ip"
host = "sip.second.example"

[[external_numbers]]
number = "74950000001"
provider = "first"
target = "101"
timeout = 20
calendar = "day"
closed_target = "700"

[[inbound_rules]]
id = "then"
provider = "first"
target = "102"
timeout = 30

[[outbound_routes]]
name = "All"
provider = "first"
providers = ["second"]
prefix = "[78]"
rest = 10
strip = 1
prepend = "7"
caller_id = "74950000001"
"""
DOOR = """
def main(call):
    for _ in range(3):
        if call.digits(most=4, sound="enter-code") == "1234":
            call.transfer("102")
    raise ValueError("nobody knows the code")
"""
GOOD = """
import asyncio

async def test_the_code_leads_to_boris(office):
    anna, boris = await office.phone("101"), await office.phone("102")
    call = anna.dial("770")
    await call.answered()
    await asyncio.sleep(1)
    call.press("1234")
    ring = await boris.rings()
    ring.answer()
    await asyncio.sleep(60)
    assert anna.talks_with == "102"
    call.hang_up()
    await ring.ended()
    assert anna.heard[0] == "enter-code"
    assert office.history[-1].talk_seconds > 59

async def test_without_a_code_the_script_fails_and_says_so(office):
    anna = await office.phone("101")
    assert await anna.dial("770").ended() == 200
    assert anna.heard.count("enter-code") == 3
    assert any("door.py, line 6: ValueError" in line for line in office.log)

async def test_what_is_said_counts(office):
    anna, boris = await office.phone("101"), await office.phone("102")
    call = anna.dial("700")
    await call.answered()
    call.say("sails")
    await asyncio.sleep(1)
    assert not boris.is_ringing
    call.say("sales")
    (await boris.rings()).refuse()

async def test_the_queue_gives_up_after_ten_minutes(office):
    anna, boris = await office.phone("101"), await office.phone("102")
    call = anna.dial("500")
    await asyncio.sleep(590)
    assert not call.is_over
    await asyncio.sleep(20)
    assert call.is_over
"""
OUTSIDE = """
import asyncio

CLIENT = "79161234567"

async def test_a_client_is_sent_on_from_101_to_102_by_day(office):
    await office.until("mon 10:00")
    anna, boris = await office.phone("101"), await office.phone("102")
    await asyncio.sleep(1)
    call = office.line("first").call("74950000001", CLIENT, "Client")
    ring = await anna.rings()
    assert ring.shown == CLIENT
    await asyncio.sleep(25)
    assert not anna.is_ringing and boris.is_ringing
    (await boris.rings()).answer()
    await call.answered()
    await asyncio.sleep(10)
    assert (call.talks_with, boris.talks_with) == ("102", CLIENT)
    call.hang_up()
    await asyncio.sleep(1)
    assert office.history[-1].provider_in == "first"

async def test_a_client_hears_the_menu_by_night_and_presses_keys(office):
    await office.until("sun 10:00")
    boris = await office.phone("102")
    call = office.line("first").call("74950000001", CLIENT)
    await call.answered()
    await asyncio.sleep(1)
    call.press("2")
    (await boris.rings()).answer()
    await asyncio.sleep(5)
    assert call.talks_with == "102"
    assert any("ivr" in each for each in call.heard), call.heard
    call.hang_up()

async def test_a_call_outside_takes_the_second_provider_when_the_first_refuses(office):
    anna = await office.phone("101")
    call = anna.dial("89161234567")
    ring = await office.line("first").rings()
    assert (ring.number, ring.shown) == (CLIENT, "74950000001")
    ring.refuse(503)
    ring = await office.line("second").rings()
    assert ring.number == CLIENT
    ring.answer()
    await call.answered()
    await asyncio.sleep(5)
    assert ring.talks_with == "101"
    ring.hang_up()
    await call.ended()
    assert office.history[-1].provider_out == "second"
"""
BAD = """
async def test_nobody_rings(office):
    boris = await office.phone("102")
    await boris.rings(within=5)

async def test_what_is_wrong(office):
    anna = await office.phone("101")
    assert anna.talks_with == "102", "nobody talks"

def test_no_coroutine():
    raise AssertionError
"""


def told(folder: Path, tests: str) -> tuple[int, list[str]]:
    for name, text in (("office.toml", OFFICE), ("door.py", DOOR), ("office_tests.py", tests)):
        (folder / name).write_text(text)
    app = build_app(lambda _: 0)
    add_test_command(app, rehearse)
    arguments = ["test", str(folder / "office_tests.py"), "--office", str(folder / "office.toml")]
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output.splitlines()


def test_scripts_menus_and_queues_are_tried_out_in_virtual_time(tmp_path: Path) -> None:
    status, lines = told(tmp_path, GOOD)
    assert lines[-1] == "4 passed, 0 failed", lines
    assert status == 0
    assert "test_the_queue_gives_up_after_ten_minutes: passed (610 s of the office)" in lines[3]


def test_outside_lines_are_tried_out_too(tmp_path: Path) -> None:
    status, lines = told(tmp_path, OUTSIDE)
    assert lines[-1] == "3 passed, 0 failed", lines
    assert status == 0


def test_what_fails_is_told_with_its_line(tmp_path: Path) -> None:
    status, lines = told(tmp_path, BAD)
    assert status == 1
    assert "failed at line 4: TimeoutError" in lines[0]
    assert "failed at line 8: AssertionError: nobody talks" in lines[1]
    assert lines[2] == "0 passed, 2 failed"


def test_a_file_without_tests_is_no_success(tmp_path: Path) -> None:
    assert told(tmp_path, "hello = 1\n") == (1, ["0 passed, 0 failed"])


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "office.toml").write_text(OFFICE)
    app = build_app(lambda _: 0)
    add_test_command(app, rehearse)
    result = CliRunner().invoke(app, ["test", str(tmp_path / "none.py"), "--office", str(tmp_path / "office.toml")])
    assert result.exit_code == 1
    assert result.output == f"zvon: there is no such file: {tmp_path / 'none.py'}\n"
