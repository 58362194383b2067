"""What calls to the outside cost, in `office.toml`."""

from typing import Annotated

from pydantic import PlainValidator

from conf.fields import whole_number
from conf.model import Section
from conf.office_fields import Id, Note
from conf.office_inbound import Digits


class TariffSection(Section):
    """One of `[[tariffs]]` (REP-11)."""

    id: Id
    provider: Id
    prefix: Digits = ""
    # Hundredths of the currency: no fractions that lose money.
    minute: Annotated[int, PlainValidator(whole_number(0, 1_000_000))] = 0
    connection: Annotated[int, PlainValidator(whole_number(0, 1_000_000))] = 0
    step: Annotated[int, PlainValidator(whole_number(1, 3600))] = 60
    free: Annotated[int, PlainValidator(whole_number(0, 3600))] = 0
    note: Note = ""
