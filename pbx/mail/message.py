"""A letter as it goes over the wire (RFC 5322)."""

import mimetypes
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from conf.schema import MailSettings
from storage.records import StoredLetter


def message_of(letter: StoredLetter, settings: MailSettings, data: Path) -> EmailMessage:
    """The whole message, its attachment read from the data folder; raises `ValueError` for an address that cannot be
    used and `OSError` when the attachment cannot be read."""
    sender = ascii_address(settings.from_address)
    message = EmailMessage()
    message["From"] = Address(settings.from_name, addr_spec=sender)
    message["To"] = Address(addr_spec=ascii_address(letter.recipient))
    message["Subject"] = " ".join(letter.subject.split())
    message["Date"] = format_datetime(datetime.fromtimestamp(letter.created_at, UTC))
    message["Message-ID"] = f"<{letter.id}@{sender.rpartition('@')[2]}>"  # the same at every try
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5: no answers from machines
    message.set_content(letter.text)
    if letter.attachment:
        file = data / letter.attachment
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        main, _, sub = kind.partition("/")
        message.add_attachment(file.read_bytes(), maintype=main, subtype=sub, filename=letter.attachment_name)
    return message


def ascii_address(address: str) -> str:
    """The address with its host as DNS has it; raises `ValueError` when there is no such host name."""
    local, at, host = address.rpartition("@")
    return f"{local}{at}{host.encode('idna').decode()}"
