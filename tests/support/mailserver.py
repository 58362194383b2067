"""A real mail server on loopback, on the loop of the test: keeps what it takes, refuses what the test tells it to."""

import asyncio
import base64
import datetime as dt
import ssl
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from pbx.certificate import make_self_signed
from pbx.mail.wording import WORDINGS

LOGIN, PASSWORD, TOKEN = "pbx", "Mail-Secret_1", "fresh-token"
HOST = "127.0.0.1"
TRIALS = frozenset(texts["test"].subject for texts in WORDINGS.values())


@dataclass
class Postbox:
    """What arrived. `refuse` maps a recipient to the answer that it gets."""

    port: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    trials: list[EmailMessage] = field(default_factory=list)  # letters that only test the mail
    recipients: list[str] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    refuse_sender: str = ""
    refuse_data: str = ""

    # aiosmtpd calls these by name
    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:
        said = base64.b64decode(args[1]).decode()
        return AuthResult(success=said == f"user={LOGIN}\x01auth=Bearer {TOKEN}\x01\x01", handled=False)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refuse_sender:
            return self.refuse_sender
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.refuse_data:
            return self.refuse_data
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        if message["subject"] in TRIALS:
            self.trials.append(message)
            return f"250 2.0.0 queued as trial {len(self.trials)}"
        self.recipients += envelope.rcpt_tos
        self.sessions.append(session)
        self.messages.append(message)
        return f"250 2.0.0 queued as {len(self.messages)}"


def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    is_right = (data.login.decode(), data.password.decode()) == (LOGIN, PASSWORD)
    return AuthResult(success=is_right, handled=False)


@asynccontextmanager
async def mail_server(*, encryption: str = "none", with_login: bool = False, port: int = 0) -> AsyncIterator[Postbox]:
    """A server that offers STARTTLS, or speaks TLS at once; `with_login` it takes nothing before a login."""
    box, loop = Postbox(), asyncio.get_running_loop()
    context = None if encryption == "none" else _tls()

    def session() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it takes TLS that was there from the start for none
            return SMTP(
                box,
                hostname="mail.test",
                enable_SMTPUTF8=True,
                tls_context=context if encryption == "starttls" else None,
                require_starttls=encryption == "starttls",
                authenticator=_authenticate,
                auth_required=with_login,
                auth_require_tls=encryption == "starttls",
                auth_exclude_mechanism=() if with_login else ("LOGIN", "PLAIN"),
                loop=loop,
            )

    server = await loop.create_server(session, HOST, port, ssl=context if encryption == "tls" else None)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        await server.wait_closed()


def certificate() -> str:
    """Of the server, as PEM: who trusts it needs it."""
    return _material()[1]


def _tls() -> ssl.SSLContext:
    return _material()[0]


@cache
def _material() -> tuple[ssl.SSLContext, str]:
    with TemporaryDirectory() as folder:
        pem, key = Path(folder, "mail.pem"), Path(folder, "mail.key")
        make_self_signed(pem, key, ["localhost", HOST], dt.datetime.now(dt.UTC))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pem, key)
        return context, pem.read_text()


@contextmanager
def mail_server_beside(*, encryption: str = "none", with_login: bool = False) -> Iterator[Postbox]:
    """The same on a thread of its own, for tests without a loop."""
    opened, done = threading.Event(), threading.Event()
    boxes: list[Postbox] = []

    async def serve() -> None:
        async with mail_server(encryption=encryption, with_login=with_login) as box:
            boxes.append(box)
            opened.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="mail server")
    thread.start()
    try:
        assert opened.wait(5)
        yield boxes[0]
    finally:
        done.set()
        thread.join()
