"""A mail provider that takes no passwords: access tokens by a refresh token, then XOAUTH2."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from conf.schema import MailSettings
from pbx.mail.oauth import EARLY_S
from pbx.mail.smtp import ServerUnavailable, SmtpServer
from tests.pbx.mail.test_smtp import LETTER, settings
from tests.support.mailserver import HOST, LOGIN, TOKEN, Postbox, mail_server

pytestmark = pytest.mark.real_loop


@asynccontextmanager
async def provider(answer: str, status: str = "200 OK") -> AsyncIterator[tuple[str, list[dict[str, list[str]]]]]:
    """Gives out tokens; its address, and the forms that it was sent."""
    forms: list[dict[str, list[str]]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length:")[1].split()[0])
        forms.append(parse_qs((await reader.readexactly(length)).decode()))
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(answer)}\r\n\r\n{answer}".encode())
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    async with server:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}/token", forms


def with_oauth(box: Postbox, url: str) -> MailSettings:
    oauth = {"token_url": url, "client_id": "zvon", "client_secret": "Client-Secret_1", "refresh_token": "Refresh_1"}
    return settings(box, login=LOGIN, oauth=oauth)


@pytest.mark.parametrize(("lifetime_s", "requests"), [(3600, 1), (EARLY_S, 2)])
async def test_a_token_is_asked_for_once_and_again_when_it_is_about_to_end(
    lifetime_s: float, requests: int, tmp_path: Path
) -> None:
    answer = f'{{"access_token": "{TOKEN}", "expires_in": {lifetime_s}}}'
    async with mail_server() as box, provider(answer) as (url, forms):
        server = SmtpServer(with_oauth(box, url), tmp_path)
        for _ in range(2):
            async with server.session() as send:
                await send(LETTER)
    assert len(box.messages) == 2
    assert len(forms) == requests
    assert forms[0] == {
        "grant_type": ["refresh_token"],
        "client_id": ["zvon"],
        "client_secret": ["Client-Secret_1"],
        "refresh_token": ["Refresh_1"],
    }


async def test_what_the_provider_says_is_told_without_the_secrets(tmp_path: Path) -> None:
    async with mail_server() as box, provider('{"error": "invalid_grant"}', "400 Bad Request") as (url, _):
        mail = with_oauth(box, url)
        with pytest.raises(ServerUnavailable, match=r"/token gives no access token: HTTP 400, invalid_grant") as raised:
            async with SmtpServer(mail, tmp_path).session():
                pass
    assert "Secret_1" not in str(raised.value) + repr(mail)
    assert "Refresh_1" not in str(raised.value) + repr(mail)
