"""Faxes by mail (INB-32)."""

import asyncio
from pathlib import Path

import pytest

from conf.schema import MailSettings
from pbx.bus import Bus
from pbx.clock import Clock
from pbx.conversion import Converter
from pbx.events import FaxReceived
from pbx.mail.fax import FaxMail
from pbx.mail.mailer import Mailer
from storage.memory import MemoryStorage
from storage.records import ExternalNumber, Office
from tests.media.test_fax import document, page
from tests.pbx.mail.test_missed import SETTINGS
from tests.pbx.mail.test_outbox import ScriptedServer
from tests.support.conversions import converted_here
from tests.support.office import WALL_AT_START

__all__ = ["converted_here"]
OFFICE = Office("Horns", external_numbers=(ExternalNumber("74951234567", "telco", fax_email="fax@x.org"),))


class Rig:
    def __init__(self, data: Path, settings: MailSettings = SETTINGS) -> None:
        loop = asyncio.get_running_loop()
        self.data, self.bus, self.storage = data, Bus(), MemoryStorage()
        clock = Clock(loop, lambda: WALL_AT_START + loop.time())
        mailer = Mailer(settings, self.storage.letters, lambda: OFFICE, clock, data, self.bus, ScriptedServer())
        self.mail = FaxMail(mailer, Converter(), self.bus, data)

    def come(self, number: str) -> None:
        file = document(self.data / "c1-fax-7.tif", page("one"), page("two"))
        self.bus.publish(
            FaxReceived(WALL_AT_START, "c1", number, "79161234567", "Anna", str(file), 2, "+7 916 1234567")
        )


@pytest.mark.row("INB-32")
@pytest.mark.parametrize(("number", "address"), [("74951234567", "fax@x.org"), ("74957654321", "all@x.org")])
async def test_the_pages_go_as_pdf_to_the_address_of_the_number_else_to_the_common_one(
    tmp_path: Path, number: str, address: str
) -> None:
    rig = Rig(tmp_path)
    rig.come(number)
    await rig.mail.close()
    (letter,) = await rig.storage.letters.load()
    assert (letter.recipient, letter.subject) == (address, 'Fax from "Anna" <79161234567>')
    assert f"for {number}" in letter.text
    assert "Pages: 2" in letter.text
    assert letter.attachment_name == f"2023-11-14_22-13-20_79161234567_{number}.pdf"
    assert (tmp_path / letter.attachment).read_bytes().startswith(b"%PDF")


async def test_pages_that_cannot_be_read_are_named_and_nothing_is_sent(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (tmp_path / "bad.tif").write_bytes(b"no pages")
    rig.bus.publish(FaxReceived(WALL_AT_START, "c1", "74951234567", "1", "", str(tmp_path / "bad.tif"), 1))
    await rig.mail.close()
    assert list(await rig.storage.letters.load()) == []
