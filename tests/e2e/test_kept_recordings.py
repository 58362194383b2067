"""What becomes of the recording of a conversation: kept small, found in the history, given out as MP3."""

from pathlib import Path

import pytest
import soundfile

from tests.e2e.audio import RtpSocket, dominant_hz, exchange, tone
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Site, running, terminal, zvon
from tests.e2e.test_codes import media_of
from tests.e2e.ua import Phone, connect, eventually, registered

OFFICE = f"""
{terminal("301", trust=CALLER)}
{terminal("401", trust=CALLEE)}
"""


@pytest.mark.row("AMB-19")
@pytest.mark.row("REC-7")
def test_a_conversation_is_kept_as_opus_and_given_out_as_mp3_named_by_date_and_numbers(tmp_path: Path) -> None:
    site = Site.write(tmp_path, OFFICE, sip="qualify = 0")
    with (
        running(site) as server,
        RtpSocket(CALLER) as here,
        RtpSocket(CALLEE) as there,
        Phone(server.address, "301", host=CALLER) as caller,
        registered(server.address, "401", host=CALLEE) as callee,
    ):
        outgoing, incoming = connect(caller, callee, (here.address, there.address))
        exchange([(here, media_of(caller), tone(440, 2.5)), (there, incoming.offered, tone(700, 2.5))])
        outgoing.hang_up()
        incoming.expect_hang_up()

        folder = server.data / "recordings"
        eventually(lambda: bool([*folder.rglob("*.opus")]), "the file is converted", timeout_s=30)
        eventually(lambda: not [*folder.rglob("*.wav*")], "the WAV file is gone", timeout_s=30)
        (row,) = server.json("history", "--number", "301")
        (listed,) = server.json("recordings", "list", "--id", row["linkedid"])
        assert row["recording"] == listed["id"]
        kept = (listed["state"], listed["suffix"], listed["channels"], listed["caller_channel"])
        assert kept == ("done", ".opus", 2, 1)
        # Conversion gives way to everything else on the machine.
        export = ("recordings", "export", listed["id"], "--folder", str(tmp_path))
        exported = Path(zvon(*export, data=server.data, timeout_s=60).stdout.strip())
    started = listed["started_at"]
    assert exported.name == f"{started[:10]}_{started[11:19].replace(':', '-')}_301_401.mp3"
    samples, rate = soundfile.read(exported, dtype="int16")
    assert rate == 8000
    left, right = samples[rate : 2 * rate].T
    assert dominant_hz(left) == pytest.approx(440, abs=5), "the caller on the left"
    assert dominant_hz(right) == pytest.approx(700, abs=5)
