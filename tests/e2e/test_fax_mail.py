"""A fax machine calls an external number: its pages arrive by mail. Both ends are libspandsp, over RTP in real time."""

import time
from pathlib import Path

import numpy as np
import pytest

from bench.wire import Address, audio_of, sdp
from media.fax.spandsp import Outcome, Terminal
from tests.e2e.audio import RtpSocket, decode, encode
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Site, running, terminal
from tests.e2e.test_mail import mail_settings
from tests.e2e.ua import Phone, eventually, registered
from tests.media.test_fax import document, page, pixels
from tests.support.mailserver import mail_server_beside

OFFICE = f"""
{terminal("401", trust=CALLEE)}

[[providers]]
id = "telco"
kind = "ip"
host = "{CALLER}"

[[external_numbers]]
number = "5550001"
provider = "telco"
target = "401"
fax = "detect"
fax_email = "fax@example.com"
"""
LONGEST_S = 60.0


def _send(file: Path, rtp: RtpSocket, to: Address) -> Outcome:
    """Everything that a fax machine says and hears, 20 ms after 20 ms."""
    outcomes: list[Outcome] = []
    machine = Terminal(str(file), outcomes.append, ident="4951234567", calls=True)
    start = time.monotonic()
    for count in range(1, round(LONGEST_S * 50)):
        rtp.send_packet(to, encode(machine.make(160), 8))
        for packet in rtp.receive_packets(max(0.001, start + count * 0.02 - time.monotonic())):
            machine.feed(np.asarray(decode(packet.payload, packet.payload_type), np.int16))
        if outcomes:
            break
    machine.close()
    return outcomes[0]


@pytest.mark.alone  # a modem loses the line when its sound stops for a moment
@pytest.mark.row("INB-32")
def test_a_fax_is_noticed_taken_and_mailed_as_pdf_and_nobody_rings(tmp_path: Path) -> None:
    source = document(tmp_path / "a.tif", page("Invoice", 300))
    with (
        mail_server_beside(encryption="starttls", with_login=True) as box,
        running(Site.write(tmp_path, OFFICE, extra=mail_settings(box.port), sip="qualify = 0")) as server,
        RtpSocket(CALLER) as rtp,
        Phone(server.address, "79161234567", host=CALLER) as machine,
        registered(server.address, "401", host=CALLEE) as nobody,
    ):
        call = machine.dial("5550001", offer=sdp(rtp.address, (8,)))
        media = audio_of(call.expect(200).body).address
        call.acknowledge()
        sent = _send(source, rtp, media)
        assert (sent.pages, sent.station, sent.problem) == (1, "5550001", "")
        call.expect_hang_up()
        nobody.expect_silence(0.1)
        eventually(lambda: bool(box.messages), "the letter arrives", timeout_s=20)
        (letter,) = box.messages
        assert (letter["to"], letter["subject"]) == ("fax@example.com", "Fax from 79161234567")
        (attached,) = letter.iter_attachments()
        assert attached.get_content_type() == "application/pdf"
        assert attached.get_content().startswith(b"%PDF")
        (kept,) = (server.data / "recordings").rglob("*-fax-*.tif")
        assert pixels(kept) == pixels(source)
        rows = server.json("history", "--number", "79161234567")
        assert [(row["stage"], row["disposition"]) for row in reversed(rows)][-1] == ("fax", "ANSWERED")
