"""The server that takes our mail: sessions in which letters are sent, and what went wrong as a sentence for people."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol

import aiosmtplib

from conf.schema import MailSettings
from pbx.mail.message import message_of
from pbx.mail.oauth import AccessTokens
from storage.records import StoredLetter

TIMEOUT_S = 30.0  # for each answer of the server
SERVICE_CLOSES, LOGIN_WANTED, TOO_LARGE = 421, 530, 552
REFUSED = "[Errno 111]"  # in what asyncio says of a name with several addresses

Send = Callable[[StoredLetter], Awaitable[str]]


class ServerUnavailable(Exception):
    """Nothing can be sent now; the message says why and what to do."""


class LetterRefused(Exception):
    """This letter is not taken: for ever (`is_final`), or for now."""

    def __init__(self, sentence: str, *, is_final: bool) -> None:
        super().__init__(sentence)
        self.is_final = is_final


class MailServer(Protocol):
    """Whoever takes letters."""

    def session(self) -> AbstractAsyncContextManager[Send]:
        """Gives a function that sends one letter and returns what the server said. Raises `ServerUnavailable`; so does
        the function, or `LetterRefused`."""


class SmtpServer:
    """The server of `[mail]`. One connection a session."""

    def __init__(self, settings: MailSettings, data: Path) -> None:
        self._settings, self._data = settings, data
        self._tokens = AccessTokens(settings.oauth) if settings.oauth.token_url else None

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Send]:
        client = self._client()
        try:
            await client.connect()
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise ServerUnavailable(self._sentence(error)) from None

        async def send(letter: StoredLetter) -> str:
            return await self._send(client, letter)

        try:
            yield send
        finally:
            with suppress(aiosmtplib.SMTPException, OSError):
                await client.quit()
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        mail = self._settings
        return aiosmtplib.SMTP(
            hostname=mail.host,
            port=mail.port,
            username=mail.login or None,
            password=mail.password if mail.login and self._tokens is None else None,
            oauth_token_generator=None if self._tokens is None else self._tokens.get,
            timeout=TIMEOUT_S,
            use_tls=mail.encryption == "tls",
            start_tls=mail.encryption == "starttls",
            validate_certs=mail.verify,
        )

    async def _send(self, client: aiosmtplib.SMTP, letter: StoredLetter) -> str:
        try:
            message = await asyncio.to_thread(message_of, letter, self._settings, self._data)
            _, said = await client.send_message(message)
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise self._refusal(error.recipients[0], f"the recipient {letter.recipient}") from None
        except aiosmtplib.SMTPSenderRefused as error:
            if error.code == TOO_LARGE:
                raise self._refusal(error, "a letter of this size") from None
            raise ServerUnavailable(self._sentence(error)) from None
        except aiosmtplib.SMTPDataError as error:
            raise self._refusal(error, "the letter") from None
        except aiosmtplib.SMTPNotSupported as error:
            raise LetterRefused(f"{self._name} cannot send to {letter.recipient}: {error}", is_final=True) from None
        except (ValueError, FileNotFoundError) as error:
            raise LetterRefused(f"the letter to {letter.recipient} cannot be sent: {error}", is_final=True) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise ServerUnavailable(self._sentence(error)) from None
        return said

    # --- sentences ------------------------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return f"the mail server {self._settings.host}:{self._settings.port}"

    def _refusal(self, error: aiosmtplib.SMTPResponseException, what: str) -> Exception:
        if error.code in (SERVICE_CLOSES, LOGIN_WANTED):
            return ServerUnavailable(self._sentence(error))
        return LetterRefused(f"{self._name} refuses {what}: {_said(error)}", is_final=error.code >= 500)

    def _sentence(self, error: Exception) -> str:
        match error:
            case aiosmtplib.SMTPAuthenticationError():
                return f"{self._name} does not accept the login {self._settings.login}: {_said(error)}"
            case aiosmtplib.SMTPResponseException() if error.code == LOGIN_WANTED:
                return f"{self._name} wants a login or encryption first: {_said(error)}"
            case aiosmtplib.SMTPSenderRefused():
                return f"{self._name} refuses the sender {self._settings.from_address}: {_said(error)}"
            case aiosmtplib.SMTPResponseException():
                return f"{self._name} does not serve us now: {_said(error)}"
            case aiosmtplib.SMTPTimeoutError():
                return f"{self._name} does not answer within {TIMEOUT_S:g} s: {self._silence(error)}"
        return self._broken(error.__cause__ or error)

    def _broken(self, cause: BaseException) -> str:
        match cause:
            case aiosmtplib.SMTPServerDisconnected():
                return f"{self._name} ended the connection: it may not serve this machine"
            case socket.gaierror():
                return f"the mail server {self._settings.host} is not known: check [mail] host, and DNS on this machine"
            case ssl.SSLCertVerificationError():
                return (
                    f"{self._name} shows a certificate that cannot be trusted ({cause.verify_message}): "
                    "mend it there, or set verify = false if the way to the server is safe"
                )
            case ssl.SSLError():
                return f'{self._name} does not speak TLS on this port: try encryption = "starttls" or "none"'
            case OSError() if isinstance(cause, ConnectionRefusedError) or REFUSED in str(cause):
                return f"{self._name} refuses connections: check [mail] host and port"
            case OSError():
                return f"{self._name} cannot be reached: {cause.strerror or cause}"
        return self._unsuitable(str(cause))

    def _silence(self, error: aiosmtplib.SMTPTimeoutError) -> str:
        if "ready message" in str(error) and self._settings.encryption != "tls":
            return 'the port is open but nobody says hello; a server that speaks TLS at once needs encryption = "tls"'
        return "check host and port, and the firewalls between"

    def _unsuitable(self, said: str) -> str:
        if "STARTTLS" in said:
            return f'{self._name} offers no STARTTLS: use encryption = "tls" with its own port, or "none"'
        if "AUTH" in said or "authentication method" in said:
            hint = (
                "" if self._settings.encryption != "none" else '; or set encryption = "starttls", many take none before'
            )
            return f"{self._name} takes no login: leave login empty{hint}"
        return f"{self._name} cannot be used: {said}"


def _said(error: aiosmtplib.SMTPResponseException) -> str:
    return f"{error.code} {' '.join(error.message.split())}".strip()
