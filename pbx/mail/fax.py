"""Faxes by mail (INB-32): as PDF to the address of the external number, else to the common one."""

import asyncio
from pathlib import Path

import structlog

from media.api import pages
from pbx.bus import Bus
from pbx.conversion import ConversionFailed, Converter
from pbx.events import BusEvent, FaxReceived
from pbx.mail.mailer import Attachment, Mailer, Recipient
from pbx.mail.outbox import FOLDER
from pbx.mail.wording import caller_text
from pbx.recordings import file_name

KIND = "fax"

log = structlog.get_logger("fax")


class FaxMail:
    """One per server. `data` is the data folder."""

    def __init__(self, mailer: Mailer, converter: Converter, bus: Bus, data: Path) -> None:
        self._mailer, self._converter, self._data = mailer, converter, data
        self._tasks: set[asyncio.Task[None]] = set()
        bus.subscribe([FaxReceived], self._told)

    async def close(self) -> None:
        """Finish what is being posted."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _told(self, event: BusEvent) -> None:
        assert isinstance(event, FaxReceived)
        numbers = self._mailer.office.external_numbers
        address = next((each.fax_email for each in numbers if each.number == event.number and each.fax_email), "")
        recipient = self._mailer.recipient(address) or self._mailer.common
        if recipient is None or not self._mailer.sends(KIND):
            log.warning("a fax is not mailed: there is no address, or mail is off", file=event.file)
            return
        task = asyncio.ensure_future(self._post(event, recipient))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _post(self, event: FaxReceived, recipient: Recipient) -> None:
        attachment = Path(FOLDER) / f"{Path(event.file).stem}.pdf"
        try:
            await self._converter.run(pages(Path(event.file), self._data / attachment), self._data / attachment)
        except (ConversionFailed, OSError) as error:
            log.error("a fax could not be made a PDF", file=event.file, why=str(error))
            return
        name = file_name(event.at, event.from_number, event.number, self._mailer.office.timezone)
        values = {
            "caller": caller_text(event.from_name, event.from_number),
            "callee": event.number,
            "pages": str(event.pages),
            "station": event.station or event.from_number,
        }
        self._mailer.post(KIND, recipient, values, at=event.at, attachment=Attachment(str(attachment), f"{name}.pdf"))
