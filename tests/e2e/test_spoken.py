"""A caller says what they want, and the menu leads there."""

from pathlib import Path

import numpy as np
import pytest

from bench.wire import audio_of, sdp
from media.files.decode import read_sound
from tests.e2e.audio import RATE, RtpSocket, Samples, exchange
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Site, running, terminal
from tests.e2e.ua import Phone

SPOKEN = Path("/usr/share/asterisk/sounds/en_US_f_Allison/call-forwarding.g722")
OFFICE = f"""
{terminal("301", trust=CALLER)}
{terminal("401", trust=CALLEE)}

[[ivrs]]
number = "700"
default = "hangup"
attempts = 1
timeout = 10
keys = {{ "1" = "hangup", "2" = "401" }}
phrases = {{ "1" = ["call waiting"], "2" = ["call forwarding"] }}

[[ivrs]]
number = "701"
default = "hangup"
keys = {{ "1" = "401" }}
phrases = {{ "1" = ["xyzzy"] }}
"""

pytest.importorskip("pocketsphinx", reason='no speech recognition: pip install "zvon[speech]"')
pytestmark = pytest.mark.skipif(not SPOKEN.exists(), reason="no recorded speech: install asterisk-core-sounds-en-g722")


def quiet(seconds: float) -> Samples:
    return np.zeros(int(RATE * seconds), np.int16)


@pytest.mark.row("IVR-1")
@pytest.mark.row("AMB-25")
def test_a_spoken_command_leads_where_its_key_leads(tmp_path: Path) -> None:
    """Human speech, G.711; the digit trail has the key. Nothing of what was said is kept."""
    with (
        running(Site.write(tmp_path, OFFICE, sip="qualify = 0")) as server,
        RtpSocket(CALLER) as rtp,
        Phone(server.address, "301", host=CALLER) as phone,
        Phone(server.address, "401", host=CALLEE) as callee,
    ):
        callee.register()
        call = phone.dial("700", offer=sdp(rtp.address, (8, 0, 101)))
        media = audio_of(call.expect(200).body).address
        call.acknowledge()
        exchange([(rtp, media, np.concatenate([quiet(0.5), read_sound(str(SPOKEN), RATE), quiet(2.5)]))])
        incoming = callee.wait_for_call(timeout_s=10)
        incoming.reply(486)
        callee.expect("ACK")
        phone.expect("BYE", timeout_s=10)
        rows = server.json("history", "--number", "301")
        assert [(row["stage"], row["digits"]) for row in rows if row["stage"] == "ivr"] == [("ivr", "2")]
        assert not list(server.data.glob("recordings/**/*.wav*"))
        assert "menu=701" in server.output()
        assert "does not know xyzzy" in server.output()
