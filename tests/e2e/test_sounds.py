"""The sound library of a running server, by command and by API, as callers hear it."""

import base64
import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.wire import audio_of, sdp
from tests.e2e.audio import RtpSocket, dominant_hz, exchange, sound_of, tone
from tests.e2e.browser import tab, web_site
from tests.e2e.conftest import CALLEE, CALLER, office
from tests.e2e.harness import Server, Site, running, zvon
from tests.e2e.test_api import signed_in
from tests.e2e.ua import Phone, connect, registered

MENU = """
[[ivrs]]
number = "700"
default = "401"
greeting = "hello"

[[sounds]]
id = "hello"
file = "beep.wav"
"""


def _file(path: Path, hz: float, kind: str, subtype: str, rate: int) -> Path:
    samples = 0.3 * np.sin(2 * np.pi * hz * np.arange(rate * 4) / rate)
    soundfile.write(path, np.repeat(samples[:, None], 2, axis=1), rate, format=kind, subtype=subtype)
    return path


def _heard_in_the_menu(server: Server) -> float:
    with RtpSocket(CALLER) as rtp, Phone(server.address, "301", host=CALLER) as caller:
        call = caller.dial("700", rtp.address)
        media = audio_of(call.expect(200).body).address
        call.acknowledge()
        (heard,) = exchange([(rtp, media, tone(350, 1.0))])
        call.hang_up()
    return dominant_hz(sound_of(heard)[4000:])


def _heard_on_hold(server: Server) -> float:
    with (
        RtpSocket(CALLER) as here, RtpSocket(CALLEE) as there, Phone(server.address, "301", host=CALLER) as caller,
        registered(server.address, "401", host=CALLEE) as callee,
    ):  # fmt: skip
        outgoing, incoming = connect(caller, callee, (here.address, there.address))
        outgoing.request("INVITE", sdp(here.address, direction="sendonly", version=2))
        outgoing.expect(200)
        outgoing.acknowledge()
        (heard,) = exchange([(there, incoming.offered, tone(350, 1.0))])
        outgoing.hang_up()
        incoming.expect_hang_up()
    return dominant_hz(sound_of(heard)[4000:])


@pytest.mark.row("SND-1")
@pytest.mark.row("SND-2")
@pytest.mark.row("SND-5")
def test_sounds_are_uploaded_heard_renamed_exported_and_deleted(tmp_path: Path) -> None:
    (tmp_path / "beep.wav").write_bytes(b"")
    site = Site.write(tmp_path, office() + MENU, sip="qualify = 0", web=True)
    with running(site) as server, closing(signed_in(server)) as client:
        (empty,) = server.json("sounds", "list")
        assert empty["problem"].endswith("beep.wav is empty.")
        assert empty["used_by"] == ["IVR 700 (greeting)"]

        mp3 = _file(tmp_path / "Hello there.mp3", 600, "MP3", "MPEG_LAYER_III", 44100)
        server.command("sounds", "add", str(mp3), "--id", "hello", "--name", "Hello", "--replace")
        assert _heard_in_the_menu(server) == pytest.approx(600, abs=5)

        opus = _file(tmp_path / "tune.opus", 900, "OGG", "OPUS", 48000).read_bytes()
        taken = client.post("/sounds:upload?id=tune&name=Tune&music=true", content=opus, timeout=60)
        assert taken.json()["data"]["seconds"] == pytest.approx(4, abs=0.1)
        assert _heard_on_hold(server) == pytest.approx(900, abs=5)
        part = client.get("/sounds/tune/audio", headers={"Range": "bytes=0-11"})
        assert (part.status_code, part.content[8:]) == (206, b"WAVE")

        assert client.patch("/sounds/tune", json={"name": "The tune"}).status_code == 200
        server.command("sounds", "change", "hello", "--note", "for everybody")
        hello, tune = server.json("sounds", "list")
        assert (hello["name"], hello["note"]) == ("Hello", "for everybody")
        assert (tune["name"], tune["music"]) == ("The tune", True)
        exported = server.command("sounds", "export", "tune", "--to", str(tmp_path / "out.wav"))
        assert exported.stdout.strip() == str(tmp_path / "out.wav")
        assert soundfile.info(tmp_path / "out.wav").samplerate == 16000

        refused = zvon("sounds", "remove", "hello", data=server.data)
        assert refused.returncode == 1
        assert refused.stderr == 'zvon: the sound "hello" is used by IVR 700 (greeting); nothing was deleted\n'
        (tmp_path / "letter.mp3").write_text("Dear Sir or Madam")
        wrong = zvon("sounds", "add", str(tmp_path / "letter.mp3"), data=server.data)
        assert "letter.mp3 is not a sound that can be played" in wrong.stderr

        assert client.delete("/sounds/tune").status_code == 200
        restored = server.command("sounds", "restore").stdout.split()
        if defaults := sorted(each.stem for each in Path("/usr/share/asterisk/moh").glob("*.wav")):
            assert restored == defaults
            assert client.delete(f"/sounds/{defaults[0]}").status_code == 200
            assert server.command("sounds", "restore").stdout.split() == defaults[:1]


# A tone of 600 Hz instead of a microphone, which a test has not.
RECORD = """
new Promise(async done => {
    const audio = new AudioContext(), tone = audio.createOscillator(), out = audio.createMediaStreamDestination();
    tone.frequency.value = 600; tone.connect(out); tone.start(); await audio.resume();
    const recorder = new MediaRecorder(out.stream), parts = [];
    recorder.ondataavailable = event => parts.push(event.data);
    recorder.onstop = async () => {
        const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
        done(recorder.mimeType + " " + btoa(String.fromCharCode(...bytes)));
    };
    recorder.start(); setTimeout(() => recorder.stop(), 1200);
})
"""


@pytest.mark.skipif(shutil.which("chromium-headless-shell") is None, reason="no browser")
def test_what_a_browser_has_recorded_is_taken(tmp_path: Path) -> None:
    site = Site.write(tmp_path, office(), sip="qualify = 0", web=True)
    with (
        running(site) as server,
        closing(signed_in(server)) as client,
        web_site() as port,
        tab(tmp_path, f"http://127.0.0.1:{port}/phone") as page,
    ):
        kind, _, recorded = page.run(RECORD).partition(" ")
        assert kind.startswith("audio/webm")
        taken = client.post("/sounds:upload?id=said&name=Said", content=base64.b64decode(recorded), timeout=60)
        assert taken.status_code == 201, taken.text
        assert 0.8 < taken.json()["data"]["seconds"] < 1.6
        exported = server.command("sounds", "export", "said", "--to", str(tmp_path / "said.wav"))
        samples, rate = soundfile.read(exported.stdout.strip(), dtype="int16")
    spectrum = np.abs(np.fft.rfft(samples[rate // 4 : rate * 3 // 4].astype(float)))
    assert np.argmax(spectrum) * 2 == pytest.approx(600, abs=4)
