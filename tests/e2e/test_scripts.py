"""Scripts of people control real calls, and their mistakes stay with them."""

from pathlib import Path

import pytest

from bench.wire import audio_of, sdp
from tests.e2e.audio import RtpSocket, dominant_hz, exchange, sound_of, tone, write_wav
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Site, running, terminal, zvon
from tests.e2e.test_codes import PAYLOADS, press
from tests.e2e.ua import Phone, eventually

OFFICE = f"""
{terminal("301", trust=CALLER)}
{terminal("401", trust=CALLEE)}

[[sounds]]
id = "code"
file = "code.wav"

[[applications]]
number = "*77X"
file = "door.py"

[[applications]]
number = "780"
file = "loop.py"
"""
DOOR = """
from pbx.script import Call

def main(call: Call) -> None:
    typed = call.digits(most=2, sound="code")
    print("typed", typed)
    call.store["last"] = typed
    call.set_caller(name="Door " + call.number[-1])
    call.transfer("401" if typed == "42" else "hangup")
"""
TESTS = """
async def test_the_code_leads_to_401(office):
    door, desk = await office.phone("301"), await office.phone("401")
    call = door.dial("*770")
    await call.answered()
    call.press("42")
    (await desk.rings()).refuse(486)
    await call.ended()
"""


@pytest.mark.row("FEAT-36")
def test_a_script_asks_for_a_code_and_connects_while_another_one_loops(tmp_path: Path) -> None:
    site = Site.write(tmp_path, OFFICE, sip="qualify = 0")
    write_wav(tmp_path / "code.wav", tone(700, 3))
    (tmp_path / "door.py").write_text(DOOR)
    (tmp_path / "loop.py").write_text("def main(call):\n    call.answer()\n    while True:\n        pass\n")
    with (
        running(site) as server,
        RtpSocket(CALLER) as rtp,
        Phone(server.address, "301", host=CALLER) as phone,
        Phone(server.address, "301", host=CALLER) as looping,
        Phone(server.address, "401", host=CALLEE) as callee,
    ):
        callee.register()
        stuck = looping.dial("780", offer=sdp(rtp.address, PAYLOADS))
        stuck.expect(200)
        stuck.acknowledge()
        call = phone.dial("*775", offer=sdp(rtp.address, PAYLOADS))
        media = audio_of(call.expect(200).body).address
        call.acknowledge()
        (heard,) = exchange([(rtp, media, tone(440, 1, level=0.0))])
        assert dominant_hz(sound_of(heard)[-4000:]) == pytest.approx(700, abs=5)
        press(rtp, media, "42")
        incoming = callee.wait_for_call()
        assert "Door 5" in callee.log[-1].raw.decode()
        incoming.reply(486)
        callee.expect("ACK")
        phone.expect("BYE", timeout_s=10)
        assert "typed 42" in server.output()
        looping.expect("BYE", timeout_s=14)
        eventually(lambda: "loop.py" in server.output(), "the log names the script")
        assert "it did nothing for 10 s" in server.output()

        (tmp_path / "door.py").write_text("def main(call)\n")
        refused = zvon("apply", str(site.office), data=site.data)
        assert refused.returncode == 1
        assert "door.py, line 1" in refused.stderr


def test_an_office_is_tried_out_from_the_command_line(tmp_path: Path) -> None:
    site = Site.write(tmp_path, OFFICE)
    (tmp_path / "door.py").write_text(DOOR)
    (tmp_path / "loop.py").write_text(DOOR)
    (tmp_path / "office_tests.py").write_text(TESTS)
    command = ("test", str(tmp_path / "office_tests.py"), "--office", str(site.office))
    done = zvon(*command, data=site.data, timeout_s=60)
    assert done.stdout.splitlines()[-1] == "1 passed, 0 failed", done.stdout + done.stderr
