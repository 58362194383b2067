"""Faxes by libspandsp: what one end sends is what the other has, over packets that come late or never; pages as PDF."""

import asyncio
import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from media.codec import g711
from media.fax import spandsp
from media.fax.arriving import Arriving
from media.fax.pages import BadPages, to_fax, to_pdf
from media.fax.process import Lines
from media.fax.spandsp import CallingTone, NoFax, Outcome, Samples, Terminal
from media.rtp.packet import RtpPacket
from tests.media.sounds import sine


def page(text: str, height: int = 600) -> Image.Image:
    image = Image.new("1", (1728, height), 1)
    draw = ImageDraw.Draw(image)
    draw.text((200, 100), text, fill=0)
    draw.rectangle((300, 200, 900, 300), fill=0)
    return image


def document(path: Path, *pages: Image.Image) -> Path:
    pages[0].save(path, save_all=True, append_images=pages[1:], compression="group4", dpi=(204, 196))
    return path


def pixels(path: Path) -> list[bytes]:
    with Image.open(path) as image:
        found = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            found.append(image.convert("1").tobytes())
        return found


class Wire:
    """Two terminals, 20 ms after 20 ms, through A-law."""

    def __init__(self, source: Path, target: Path) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.sender = Terminal(
            str(source), lambda outcome: self.outcomes.update(sent=outcome), ident="+7 495 1234567", calls=True
        )
        self.receiver = Terminal(
            str(target), lambda outcome: self.outcomes.update(received=outcome), ident="74957654321"
        )

    def run(self, lost: frozenset[int] = frozenset()) -> None:
        for number in range(20_000):
            if len(self.outcomes) == 2:
                break
            there, back = self.sender.make(160), self.receiver.make(160)
            if number in lost:
                self.receiver.lost(160)
            else:
                self.receiver.feed(through_alaw(there))
            self.sender.feed(through_alaw(back))
        self.sender.close()
        self.receiver.close()


def through_alaw(samples: Samples) -> Samples:
    return np.frombuffer(g711.decode_alaw(g711.encode_alaw(samples)), np.int16)


def test_pages_arrive_as_they_were_sent(tmp_path: Path) -> None:
    source = document(tmp_path / "a.tif", page("first"), page("second", 900))
    wire = Wire(source, tmp_path / "b.tif")
    wire.run()
    assert wire.outcomes["received"] == Outcome(2, "+7 495 1234567", 14400)
    assert wire.outcomes["sent"] == Outcome(2, "74957654321", 14400)
    assert pixels(tmp_path / "b.tif") == pixels(source)


def test_packets_that_are_lost_are_made_good_by_error_correction(tmp_path: Path) -> None:
    source = document(tmp_path / "a.tif", page("one", 2200))
    wire = Wire(source, tmp_path / "b.tif")
    wire.run(lost=frozenset(random.Random(7).sample(range(600, 900), 3)))
    assert (wire.outcomes["received"].pages, wire.outcomes["received"].problem) == (1, "")
    assert pixels(tmp_path / "b.tif") == pixels(source)


def test_a_caller_who_is_no_fax_is_given_up_with_the_reason(tmp_path: Path) -> None:
    ended: list[Outcome] = []
    terminal = Terminal(str(tmp_path / "b.tif"), ended.append)
    for _ in range(10_000):
        terminal.make(160)
        terminal.feed(np.zeros(160, np.int16))
        if ended:
            break
    terminal.close()
    assert (ended[0].pages, bool(ended[0].problem)) == (0, True)


def test_the_tone_of_a_calling_fax_is_told_from_speech_and_other_tones() -> None:
    def heard(samples: Samples) -> bool:
        tone = CallingTone()
        found = max(map(tone.feed, np.split(samples, len(samples) // 160)))
        tone.close()
        return found

    cng = np.concatenate([np.zeros(8000, np.int16), sine(1100, 0.5, level=3000), np.zeros(8000, np.int16)])
    assert heard(cng)
    for hz in (425, 697, 1000, 1209, 1400, 2100):
        assert not heard(np.concatenate([sine(hz, 0.5), np.zeros(8000, np.int16)])), hz
    assert not heard(sine(1100, 0.2))


def test_without_the_library_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spandsp, "LIBRARY", "libnothing.so.1")
    spandsp.library.cache_clear()
    with pytest.raises(NoFax, match="Install the Debian package libspandsp2"):
        CallingTone()
    spandsp.library.cache_clear()


# --- packets -------------------------------------------------------------------------------------------------------


def packet(at: int, payload: bytes = b"x" * 160, ssrc: int = 1) -> RtpPacket:
    return RtpPacket(8, 0, at % (1 << 32), ssrc, payload)


@pytest.mark.parametrize(
    ("arrived", "taken"),
    [
        ([0, 160, 320], [160, 160, 160]),
        ([0, 320, 160, 480], [160, 160, 160, 160]),
        ([0, 160, 160, 0], [160, 160]),
        ([0, 320, 480, 640, 800, 960], [160, -160, 160, 160, 160, 160, 160]),
        ([(1 << 32) - 160, 0, 160], [160, 160, 160]),
        ([0, 1_000_000, 1_000_160], [160, 160, 160]),
    ],
)
def test_packets_are_put_in_order_and_gaps_have_their_length(arrived: Sequence[int], taken: Sequence[int]) -> None:
    arriving = Arriving()
    parts = [part for at in arrived for part in arriving.take(packet(at))]
    assert [-part if isinstance(part, int) else len(part) for part in parts] == taken


def test_another_sender_begins_anew() -> None:
    arriving = Arriving()
    assert arriving.take(packet(0)) == [b"x" * 160]
    assert arriving.take(packet(7, b"y" * 160, ssrc=2)) == [b"y" * 160]


# --- pages ---------------------------------------------------------------------------------------------------------


def test_a_fax_becomes_a_pdf_with_its_pages_in_their_proportions(tmp_path: Path) -> None:
    coarse = page("coarse", 1100)
    coarse.save(tmp_path / "a.tif", compression="group3", dpi=(204, 98))
    to_pdf(tmp_path / "a.tif", tmp_path / "a.pdf")
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/Width 1728\n/Height 2290" in pdf, "twice as high as it has lines"
    document(tmp_path / "b.tif", page("one"), page("two"), page("three"))
    to_pdf(tmp_path / "b.tif", tmp_path / "b.pdf")
    assert b"/Count 3" in (tmp_path / "b.pdf").read_bytes()


def test_a_picture_becomes_a_page_that_a_fax_can_send(tmp_path: Path) -> None:
    Image.new("RGB", (800, 1131), "white").save(tmp_path / "a.png")
    to_fax(tmp_path / "a.png", tmp_path / "a.tif")
    with Image.open(tmp_path / "a.tif") as found:
        assert (found.size, found.mode) == ((1728, 2347), "1")


@pytest.mark.parametrize("content", [b"", b"no picture", b"II*\0" + bytes(40)])
def test_what_has_no_pages_is_refused_with_nothing_made(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises((BadPages, OSError)):
        to_pdf(tmp_path / "a.tif", tmp_path / "a.pdf")
    assert [each.name for each in tmp_path.iterdir()] == ["a.tif"]


# --- the process ---------------------------------------------------------------------------------------------------


@pytest.mark.real_loop
async def test_the_process_hears_that_a_fax_calls(tmp_path: Path) -> None:
    told: asyncio.Queue[object] = asyncio.Queue()
    lines = Lines(told.put_nowait)
    for id in (1, 2):
        await lines.take({"id": id, "open": 8})
    one, two = [json.loads(json.dumps(await told.get())) for _ in range(2)]
    assert one["problem"] == two["problem"] == ""
    await lines.take({"id": 1, "peer": two["port"]})
    await lines.take({"id": 2, "peer": one["port"]})
    await lines.take({"id": 2, "send": str(document(tmp_path / "a.tif", page("one"))), "ident": "1"})
    assert await asyncio.wait_for(told.get(), 20) == {"id": 1, "calling": True}
    await lines.take({"id": 2, "close": True})
    await lines.take({"id": 2, "peer": 1})
    lines.close()
