"""A message is left, its lamp is lit, it comes by mail, is fetched by phone, and the lamp goes out."""

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.wire import audio_of, sdp
from pbx.speech.catalogue import catalogue
from tests.e2e.audio import RATE, RtpSocket, Samples, dominant_hz, exchange, sound_of, tone, write_wav
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Server, Site, running, terminal
from tests.e2e.test_codes import PAYLOADS, press
from tests.e2e.test_mail import mail_settings
from tests.e2e.ua import Phone, eventually, registered
from tests.support.mailserver import mail_server_beside

OFFICE = f"""
{terminal("301", trust=CALLER)}
{terminal("401", trust=CALLEE, owner="anna", max_calls=2)}
[terminals.forward]
always = "voicemail"

[[users]]
id = "anna"
name = "Anna"
email = "anna@example.com"

[[voicemail_boxes]]
number = "401"
"""
SAID_HZ = 440


def silence(seconds: float) -> Samples:
    return tone(SAID_HZ, seconds, level=0.0)


def _site(folder: Path, extra: str = "") -> Site:
    """Every prompt is a short tone, so that nobody has to listen for long."""
    site = Site.write(folder, OFFICE, sip="qualify = 0", extra=extra)
    for key in catalogue("en").words:
        path = site.data / "prompts" / "en" / f"{key}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, tone(900, 0.1))
    return site


def _leave(server: Server, seconds: float = 3.0) -> None:
    """301 leaves a message for 401 and ends it with the pound key."""
    with RtpSocket(CALLER) as rtp, Phone(server.address, "301", host=CALLER) as phone:
        call = phone.dial("401", offer=sdp(rtp.address, PAYLOADS))
        media = audio_of(call.expect(200).body).address
        call.acknowledge()
        exchange([(rtp, media, silence(1.2))])
        exchange([(rtp, media, tone(SAID_HZ, seconds))])
        press(rtp, media, "#")
        phone.expect("BYE", timeout_s=6)


def _visit(server: Server) -> Samples:
    """401 listens to its messages, deletes the first one and leaves; what it heard of it."""
    with RtpSocket(CALLEE, ssrc=7) as rtp, Phone(server.address, "401", host=CALLEE) as phone:
        call = phone.dial("*001", offer=sdp(rtp.address, PAYLOADS))
        media = audio_of(call.expect(200).body).address
        call.acknowledge()
        exchange([(rtp, media, silence(1.0))])
        press(rtp, media, "1")
        [heard] = exchange([(rtp, media, silence(4.0))])
        press(rtp, media, "7")
        exchange([(rtp, media, silence(0.8))])
        press(rtp, media, "#")
        exchange([(rtp, media, silence(0.5))])
        press(rtp, media, "#")
        phone.expect("BYE", timeout_s=6)
    return sound_of(heard)


def _lamp(phone: Phone) -> str:
    """What the phone hears next of its messages."""
    notify = phone.expect("NOTIFY", timeout_s=10)
    phone.reply(notify, 200)
    return notify.body.splitlines()[0]


def _waiting(server: Server) -> tuple[int, int]:
    found = server.json("status")["voicemail"]
    return found["messages"], found["new"]


@pytest.mark.row("VM-6")
def test_a_message_is_left_mailed_fetched_and_deleted(tmp_path: Path) -> None:
    with (
        mail_server_beside(encryption="starttls", with_login=True) as box,
        running(_site(tmp_path, mail_settings(box.port))) as server,
        registered(server.address, "401", host=CALLEE) as phone,
    ):
        _leave(server)
        assert _lamp(phone) == "Messages-Waiting: yes"
        eventually(lambda: len(box.messages) == 2, "both letters arrive", timeout_s=10)
        assert sorted(box.recipients) == ["anna@example.com", "office@example.com"]
        (audio,) = box.messages[0].iter_attachments()
        assert audio.get_content_type() == "audio/mpeg"
        (tmp_path / "mailed.mp3").write_bytes(audio.get_content())
        _is_what_was_said(tmp_path / "mailed.mp3")

        (row,) = [row for row in server.json("history", "--number", "301") if row["stage"] == "voicemail"]
        assert row["disposition"] == "ANSWERED"
        exported = server.command("recordings", "export", row["recording"], "--folder", str(tmp_path)).stdout.strip()
        assert exported.endswith("_301_401.mp3")
        _is_what_was_said(Path(exported))

        heard = _visit(server)
        loud = heard[-2 * RATE :]
        assert dominant_hz(loud) == pytest.approx(SAID_HZ, abs=5)
        assert _lamp(phone) == "Messages-Waiting: no"
        assert _waiting(server) == (0, 0)


def test_a_crash_in_the_middle_of_a_message_loses_neither_it_nor_the_lamp(tmp_path: Path) -> None:
    site = _site(tmp_path)
    with running(site) as server, RtpSocket(CALLER) as rtp, Phone(server.address, "301", host=CALLER) as phone:
        call = phone.dial("401", offer=sdp(rtp.address, PAYLOADS))
        media = audio_of(call.expect(200).body).address
        call.acknowledge()
        exchange([(rtp, media, silence(1.2))])
        exchange([(rtp, media, tone(SAID_HZ, 3.0))])
        server.kill()
    with running(site) as server, registered(server.address, "401", host=CALLEE) as phone:
        assert _lamp(phone) == "Messages-Waiting: yes"
        assert _waiting(server) == (1, 1)
        (listed,) = server.json("recordings", "list")
        assert (listed["kind"], listed["state"], listed["from_number"]) == ("message", "done", "301")
        assert listed["seconds"] > 1


def test_messages_and_their_lamp_survive_a_restart(tmp_path: Path) -> None:
    site = _site(tmp_path)
    with running(site) as server:
        _leave(server, seconds=1.5)
        eventually(lambda: _waiting(server) == (1, 1), "the message is there")
    with running(site) as server, registered(server.address, "401", host=CALLEE) as phone:
        assert _lamp(phone) == "Messages-Waiting: yes"
        _visit(server)
        assert _lamp(phone) == "Messages-Waiting: no"


def _talk_to_the_menu(server: Server, *steps: tuple[str, Samples]) -> None:
    """401 dials *001: each step is what it says, and the keys that it presses after that."""
    with RtpSocket(CALLEE, ssrc=8) as rtp, Phone(server.address, "401", host=CALLEE) as phone:
        call = phone.dial("*001", offer=sdp(rtp.address, PAYLOADS))
        media = audio_of(call.expect(200).body).address
        call.acknowledge()
        for keys, said in steps:
            exchange([(rtp, media, said)])
            press(rtp, media, keys)
        phone.expect("BYE", timeout_s=8)


@pytest.mark.row("VM-7")
def test_an_employee_has_a_greeting_a_pin_and_a_lamp_of_their_own(tmp_path: Path) -> None:
    with running(_site(tmp_path)) as server, registered(server.address, "401", host=CALLEE) as phone:
        greeting = np.concatenate([silence(1.2), tone(700, 2.0)])
        recorded = [("0", silence(1.0)), ("1", silence(0.8)), ("#", greeting), ("1", silence(1.5))]
        pin = [("5", silence(0.8)), ("8642#", silence(0.8)), ("8642#", silence(0.8))]
        _talk_to_the_menu(server, *recorded, *pin, ("*", silence(0.8)), ("#", silence(0.8)))

        with RtpSocket(CALLER) as rtp, Phone(server.address, "301", host=CALLER) as caller:
            call = caller.dial("401", offer=sdp(rtp.address, PAYLOADS))
            media = audio_of(call.expect(200).body).address
            call.acknowledge()
            [heard] = exchange([(rtp, media, silence(1.6))])
            assert dominant_hz(sound_of(heard)[4000:12000]) == pytest.approx(700, abs=5)
            exchange([(rtp, media, silence(2.0))])
            exchange([(rtp, media, tone(SAID_HZ, 2.0))])
            call.hang_up()
        assert _lamp(phone) == "Messages-Waiting: yes"

        _talk_to_the_menu(server, ("1234#", silence(0.6)), ("8642#", silence(0.6)), ("#", silence(1.0)))
        log = server.output()
        assert "wrong PIN of a mailbox" in log
        assert "8642" not in log


def _is_what_was_said(file: Path) -> None:
    samples, rate = soundfile.read(file, dtype="int16")
    assert rate == 8000
    assert len(samples) / rate == pytest.approx(3.5, abs=1.2), "without the silence at its end"
    assert dominant_hz(samples[rate : 2 * rate]) == pytest.approx(SAID_HZ, abs=5)
    assert time.time() - file.stat().st_mtime < 60
