"""Answers requests of people for themselves (`pbx.control.errands`)."""

from typing import TYPE_CHECKING

from pbx.control.errands import (
    CheckLine,
    ErrandRequest,
    GetDisturbance,
    GetNames,
    MailCredentials,
    SetDisturbance,
    Unregister,
)
from pbx.control.messages import ControlError, LineView
from pbx.mail.credentials import mail_credentials
from pbx.mail.mailer import Mailer
from pbx.states import DO_NOT_DISTURB, owner_or_number
from storage.records import Terminal

if TYPE_CHECKING:
    from pbx.core import Pbx
    from pbx.providers import Providers


class Steward:
    """Of a whole server."""

    def __init__(self, pbx: "Pbx", providers: "Providers", mailer: Mailer) -> None:
        self._pbx, self._providers, self._mailer = pbx, providers, mailer

    async def answer(self, request: ErrandRequest) -> object:
        """Raises `ControlError` with a sentence."""
        match request:
            case GetNames(numbers):
                book = self._pbx.directory.phonebook
                return {number: book.name_of(number) for number in numbers}
            case GetDisturbance(number):
                return self._key(number) in self._pbx.states.of(DO_NOT_DISTURB)
            case SetDisturbance(number, is_on):
                self._pbx.states.put(DO_NOT_DISTURB, self._key(number), "on" if is_on else None)
                return is_on
            case Unregister(number, contact):
                return self._pbx.location.forget_contact(number, contact)
            case CheckLine(id):
                return await self._check_line(id)
            case MailCredentials():
                return await mail_credentials(self._mailer, request)

    def _key(self, number: str) -> str:
        return owner_or_number(self._terminal(number))

    def _terminal(self, number: str) -> Terminal:
        found = self._pbx.terminal(number)
        if found is None:
            raise ControlError(f"there is no terminal {number}")
        return found

    async def _check_line(self, id: str) -> LineView:
        line = self._providers.line(id)
        if line is None:
            raise ControlError(f"there is no provider {id}")
        await line.ask_now()
        return next(each for each in self._providers.views() if each.id == id)
