"""What somebody signs in with, by letter (USR-28): the phones, and the portal where there is an account for it.

The letter goes out at once and is kept nowhere, for it has passwords: who sends it hears the answer and tries again.
"""

from collections.abc import Iterable

from pbx.control.errands import MailCredentials, PhoneCredentials
from pbx.mail.mailer import Mailer, Recipient

_PHONE = {
    "en": "Number {number}: user name {login}, password {password}",
    "ru": "Номер {number}: имя пользователя {login}, пароль {password}",
}
_PORTAL = {
    "en": "Your calls and settings in the browser: {url}\nLogin {login}, one-time password {password}",
    "ru": "Ваши звонки и настройки в браузере: {url}\nЛогин {login}, одноразовый пароль {password}",
}


async def mail_credentials(mailer: Mailer, asked: MailCredentials) -> str:
    """A sentence about what the mail server made of it; raises `ControlError`."""
    to = mailer.recipient(asked.address, asked.language) or Recipient(asked.address, "en")
    values = {
        "name": asked.name,
        "server": asked.server,
        "phones": "\n".join(_phones(asked.phones, to.language)),
        "portal": _said(_PORTAL, to.language).format(url=asked.url, login=asked.login, password=asked.password)
        if asked.login
        else "",
    }
    return await mailer.send("credentials", to, values)


def _phones(phones: Iterable[PhoneCredentials], language: str) -> Iterable[str]:
    for each in phones:
        yield _said(_PHONE, language).format(number=each.number, login=each.login, password=each.password)


def _said(texts: dict[str, str], language: str) -> str:
    return texts.get(language, texts["en"])
