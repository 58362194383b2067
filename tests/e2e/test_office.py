"""The office with real clients and real audio: menu to queue to agent with a recording, and a conference of three."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from bench.wire import Address
from tests.e2e.audio import RtpSocket, Samples, dominant_hz, exchange, sound_of, tone
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Server, Site, running, terminal, zvon
from tests.e2e.test_codes import answer, follow, media_of, press
from tests.e2e.ua import Phone, eventually, registered

NUMBERS = ("301", "302", "303", "401", "402")
OFFICE = "\n".join(
    [
        *(terminal(number, trust=CALLER, max_calls=5) for number in NUMBERS if number < "400"),
        *(terminal(number, trust=CALLEE) for number in NUMBERS if number > "400"),
        '[recording]\nformat = "wav"',
        '[[ivrs]]\nnumber = "700"\nname = "Main"\ndefault = "500"\ntimeout = 2\nattempts = 1\nkeys = { "1" = "500" }',
        '[[queues]]\nnumber = "500"\nname = "Sales"\nagents = ["401", "402"]\nstrategy = "linear"\nring_time = 2',
        '[[conferences]]\nnumber = "800"\nname = "Daily"',
    ]
)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(Site.write(tmp_path_factory.mktemp("office"), OFFICE, sip="qualify = 0")) as server:
        yield server


def levels(samples: Samples, *frequencies: float) -> list[float]:
    """How strong each of these tones is, as a part of the strongest."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    bins = [round(hz * len(samples) / 8000) for hz in frequencies]
    found = [float(spectrum[each - 2 : each + 3].max()) for each in bins]
    return [each / max(found) for each in found]


def test_from_the_menu_through_the_queue_to_an_agent_with_a_recording(office: Server) -> None:
    with (
        RtpSocket(CALLER) as here,
        RtpSocket(CALLEE, ssrc=0x55) as there,
        Phone(office.address, "301", host=CALLER) as caller,
        registered(office.address, "401", host=CALLEE) as first,
        registered(office.address, "402", host=CALLEE) as second,
    ):
        call = caller.dial("700", here.address)
        call.expect(200)
        call.acknowledge()
        mine = media_of(caller)
        exchange([(here, mine, tone(200, 0.3))])
        press(here, mine, "1")
        missed = first.wait_for_call()
        missed.reply(180)
        first.expect("CANCEL", timeout_s=6)
        talking = answer(second, there)
        follow(caller, here)
        heard = exchange([(here, mine, tone(440, 2.0)), (there, talking.offered, tone(700, 2.0))])
        for packets, hz in zip(heard, (700, 440), strict=True):
            assert dominant_hz(sound_of(packets[10:-10])) == pytest.approx(hz, abs=5)
        call.hang_up()
        talking.expect_hang_up()
    eventually(lambda: len(office.json("history", "--number", "301")) == 4, "four rows: menu, queue, two agents")
    rows = sorted(office.json("history", "--number", "301"), key=lambda row: row["id"])
    assert [(row["stage"], row["to_number"], row["disposition"]) for row in rows] == [
        ("ivr", "700", "NOANSWER"),
        ("queue", "500", "ANSWERED"),
        ("dial", "401", "NOANSWER"),
        ("dial", "402", "ANSWERED"),
    ]
    assert len({row["linkedid"] for row in rows}) == 1
    name = rows[3]["recording"]
    assert name
    file = office.data / "recordings" / f"{name}.wav"
    eventually(
        lambda: any(each["state"] == "done" for each in office.json("recordings", "list")), "the recording is complete"
    )
    assert _channels(file) == [pytest.approx(440, abs=5), pytest.approx(700, abs=5)], "the caller on the left"


def _channels(file: Path) -> list[float]:
    import wave

    with wave.open(str(file)) as found:
        assert found.getnchannels() == 2
        samples = np.frombuffer(found.readframes(found.getnframes()), np.int16).reshape(-1, 2)
    return [dominant_hz(samples[4000:-4000, channel]) for channel in (0, 1)]


def test_three_in_a_conference_hear_the_two_others_and_not_themselves(office: Server) -> None:
    tones = (440.0, 620.0, 850.0)
    with ExitStack() as stack:
        sockets = [stack.enter_context(RtpSocket(CALLER, ssrc=0x100 + n)) for n in range(3)]
        phones = [stack.enter_context(Phone(office.address, number, host=CALLER)) for number in ("301", "302", "303")]
        calls, media = [], []
        for phone, rtp in zip(phones, sockets, strict=True):
            calls.append(phone.dial("800", rtp.address))
            calls[-1].expect(200)
            calls[-1].acknowledge()
            media.append(media_of(phone))
            time.sleep(0.3)
        exchange([(rtp, to, tone(hz, 0.5)) for rtp, to, hz in zip(sockets, media, tones, strict=True)])
        heard = exchange([(rtp, to, tone(hz, 2.0)) for rtp, to, hz in zip(sockets, media, tones, strict=True)])
        for own, packets in enumerate(heard):
            found = levels(sound_of(packets[20:-20]), *tones)
            assert found[own] < 0.05, f"participant {own} hears itself: {found}"
            assert all(level > 0.5 for other, level in enumerate(found) if other != own), found
        for call in calls:
            call.hang_up()


def test_who_is_alone_in_a_conference_hears_something(office: Server) -> None:
    with RtpSocket(CALLER) as rtp, Phone(office.address, "301", host=CALLER) as phone:
        call = phone.dial("800", rtp.address)
        call.expect(200)
        call.acknowledge()
        to: Address = media_of(phone)
        heard = exchange([(rtp, to, tone(200, 8.0))])
        assert len(heard[0]) > 50
        call.hang_up()


def test_a_call_to_the_queue_is_explained_and_rings_whom_the_explanation_names(office: Server) -> None:
    with (
        RtpSocket(CALLER) as here,
        Phone(office.address, "301", host=CALLER) as caller,
        registered(office.address, "401", host=CALLEE) as agent,
    ):
        found = office.json("explain", "301", "500")
        assert found["targets"] == ["401"]
        states = {each["rule"]: (each["matched"], each["why"][:11]) for each in found["rules"]}
        assert (states["agent 401"], states["agent 402"][0]) == ((True, "idle, 0 ans"), False)
        lines = office.command("explain", "301", "500").stdout.splitlines()
        assert lines[-1] == "final target: 401 of queue 500, strategy linear"
        call = caller.dial("500", here.address)
        call.expect(180)
        agent.wait_for_call().reply(486)
        agent.expect("ACK")
        call.give_up()


def test_a_menu_is_copied_called_and_deleted_unless_something_leads_to_it(office: Server) -> None:
    office.command("office", "copy", "ivrs", "700", "701", "--name", "Night")
    with Phone(office.address, "301", host=CALLER) as caller, RtpSocket(CALLER) as here:
        call = caller.dial("701", here.address)
        call.expect(200)
        call.acknowledge()
        call.hang_up()
    refused = zvon("office", "delete", "queues", "500", data=office.data)
    assert refused.returncode == 1
    assert "queue 500 is still named by IVR 700 (default), IVR 701 (default), " in refused.stderr
    office.command("office", "delete", "ivrs", "701")


def test_a_call_that_was_made_is_explained_in_russian_by_what_it_has_met(office: Server) -> None:
    with (
        RtpSocket(CALLER) as here,
        Phone(office.address, "301", host=CALLER) as caller,
        registered(office.address, "401", host=CALLEE) as agent,
    ):
        call = caller.dial("500", here.address)
        call.expect(180)
        agent.wait_for_call()
        (id,) = [each["id"] for each in office.calls()]
        call.give_up()
    lines = office.command("explain", id, "--lang", "ru").stdout.splitlines()
    assert lines[0] == "301 звонит на 500"
    assert lines[1] == "└ 500 Sales (очередь)"
    assert any(line.startswith("  да  оператор 401         свободен, принято: ") for line in lines)
    assert lines[-1] == "итог: 401 из очереди 500, стратегия linear"
    assert office.command("explain", "301", "500").stdout.splitlines()[0] == "301 calls 500"
