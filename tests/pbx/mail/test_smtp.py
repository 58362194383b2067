"""Letters to a real mail server on loopback: encryption, login, and a sentence for whatever is wrong."""

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from conf.schema import MailSettings
from pbx.mail.smtp import LetterRefused, ServerUnavailable, SmtpServer
from storage.records import StoredLetter
from tests.support.mailserver import HOST, LOGIN, PASSWORD, Postbox, mail_server

pytestmark = pytest.mark.real_loop

LETTER = StoredLetter(
    "id1", "voicemail", "belkina@example.com", "Сообщение от\nИвана", "Привет,\n\nэто звонок.\n", 1_700_000_000.0, 0.0
)


def settings(box: Postbox, **values: object) -> MailSettings:
    plain = {"enabled": True, "host": HOST, "port": box.port, "from_address": "pbx@example.com", "from_name": "АТС"}
    return MailSettings.model_validate({**plain, **values})


async def send(mail: MailSettings, data: Path, *letters: StoredLetter) -> list[str]:
    async with SmtpServer(mail, data).session() as post:
        return [await post(letter) for letter in letters]


async def refusal(mail: MailSettings, data: Path, letter: StoredLetter = LETTER) -> str:
    with pytest.raises(ServerUnavailable) as raised:
        await send(mail, data, letter)
    assert PASSWORD not in str(raised.value)
    return str(raised.value)


async def test_a_letter_arrives_with_its_text_its_sender_and_the_audio(tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "a.mp3").write_bytes(b"\xff\xfb\x00 audio")
    letter = replace(LETTER, attachment="mail/a.mp3", attachment_name="Сообщение 1.mp3")
    async with mail_server() as box:
        (said,) = await send(settings(box), tmp_path, letter)
    assert said == "2.0.0 queued as 1"
    (message,) = box.messages
    assert box.recipients == ["belkina@example.com"]
    assert message["subject"] == "Сообщение от Ивана"
    assert message["from"] == "АТС <pbx@example.com>"
    assert message["message-id"] == "<id1@example.com>"
    assert message["date"].datetime.timestamp() == 1_700_000_000.0
    assert message["auto-submitted"] == "auto-generated"
    body = message.get_body()
    assert body is not None
    assert body.get_content().splitlines() == ["Привет,", "", "это звонок."]
    (audio,) = message.iter_attachments()
    assert (audio.get_content_type(), audio.get_filename()) == ("audio/mpeg", "Сообщение 1.mp3")
    assert audio.get_content() == b"\xff\xfb\x00 audio"


@pytest.mark.parametrize("encryption", ["starttls", "tls"])
async def test_several_letters_go_over_one_encrypted_connection_with_a_login(encryption: str, tmp_path: Path) -> None:
    async with mail_server(encryption=encryption, with_login=True) as box:
        mail = settings(box, encryption=encryption, verify=False, login=LOGIN, password=PASSWORD)
        await send(mail, tmp_path, LETTER, replace(LETTER, id="id2"))
    first, second = box.sessions
    assert first is second
    assert first.ssl is not None or encryption == "tls"
    assert first.authenticated
    assert len(box.messages) == 2


async def test_a_host_name_of_another_alphabet_is_looked_up_as_dns_has_it(tmp_path: Path) -> None:
    async with mail_server() as box:
        await send(settings(box), tmp_path, replace(LETTER, recipient="ivan@почта.рф"))
    assert box.recipients == ["ivan@xn--80a1acny.xn--p1ai"]


async def test_a_wrong_password_is_told_without_the_password(tmp_path: Path) -> None:
    async with mail_server(encryption="starttls", with_login=True) as box:
        mail = settings(box, encryption="starttls", verify=False, login=LOGIN, password="Wrong-One_1")
        said = await refusal(mail, tmp_path)
    assert said.startswith(f"the mail server {HOST}:{box.port} does not accept the login pbx: 535 ")
    assert "Wrong-One_1" not in said + repr(mail)


async def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path: Path) -> None:
    for encryption in ("starttls", "tls"):
        async with mail_server(encryption=encryption) as box:
            said = await refusal(settings(box, encryption=encryption), tmp_path)
        assert "shows a certificate that cannot be trusted (self-signed certificate)" in said
        assert not box.messages


async def test_what_the_server_wants_and_the_settings_do_not_give_is_named(tmp_path: Path) -> None:
    async with mail_server(encryption="starttls", with_login=True) as box:
        assert "wants a login or encryption first: 530 " in await refusal(settings(box), tmp_path)
        encrypted = settings(box, encryption="starttls", verify=False)
        assert "wants a login or encryption first: 530 " in await refusal(encrypted, tmp_path)


async def test_what_the_settings_want_and_the_server_does_not_give_is_named(tmp_path: Path) -> None:
    async with mail_server() as box:
        assert 'offers no STARTTLS: use encryption = "tls"' in await refusal(
            settings(box, encryption="starttls"), tmp_path
        )
        login = settings(box, login=LOGIN, password=PASSWORD)
        assert "takes no login: leave login empty; or set encryption" in await refusal(login, tmp_path)
        assert "does not speak TLS on this port" in await refusal(settings(box, encryption="tls"), tmp_path)


async def test_a_server_that_is_not_there_is_named_with_what_to_check(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        box = Postbox(unused.getsockname()[1])
        said = await refusal(settings(box), tmp_path)
    assert said == f"the mail server {HOST}:{box.port} refuses connections: check [mail] host and port"
    assert "is not known: check [mail] host" in await refusal(settings(box, host="mail.invalid"), tmp_path)


async def test_a_server_that_closes_at_once_is_named(tmp_path: Path) -> None:
    async def closes(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(closes, HOST, 0)
    async with server:
        box = Postbox(server.sockets[0].getsockname()[1])
        assert "ended the connection" in await refusal(settings(box), tmp_path)


async def test_a_server_that_says_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbx.mail.smtp.TIMEOUT_S", 0.2)
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set_result(None)

    server = await asyncio.start_server(silent, HOST, 0)
    async with server:
        box = Postbox(server.sockets[0].getsockname()[1])
        said = await refusal(settings(box), tmp_path)
        await gone
    assert said.endswith('a server that speaks TLS at once needs encryption = "tls"')


@pytest.mark.parametrize(("answer", "is_final"), [("550 no such user", True), ("451 come again", False)])
async def test_a_refused_recipient_concerns_this_letter_alone(answer: str, is_final: bool, tmp_path: Path) -> None:
    other = replace(LETTER, id="id2", recipient="orlov@example.com")
    async with mail_server() as box:
        box.refuse["belkina@example.com"] = answer
        async with SmtpServer(settings(box), tmp_path).session() as post:
            with pytest.raises(LetterRefused, match="refuses the recipient belkina@example.com: " + answer) as raised:
                await post(LETTER)
            assert raised.value.is_final is is_final
            await post(other)
    assert box.recipients == ["orlov@example.com"]


async def test_a_refused_sender_concerns_every_letter(tmp_path: Path) -> None:
    async with mail_server() as box:
        box.refuse_sender = "553 not one of ours"
        said = await refusal(settings(box), tmp_path)
    assert said.endswith("refuses the sender pbx@example.com: 553 not one of ours")


async def test_a_letter_whose_file_is_gone_or_whose_address_is_none_is_refused_for_good(tmp_path: Path) -> None:
    broken = [replace(LETTER, attachment="mail/gone.mp3"), replace(LETTER, recipient="no address")]
    async with mail_server() as box, SmtpServer(settings(box), tmp_path).session() as post:
        for letter in broken:
            with pytest.raises(LetterRefused, match="cannot be sent") as raised:
                await post(letter)
            assert raised.value.is_final
        box.refuse_data = "554 looks like spam"
        with pytest.raises(LetterRefused, match="refuses the letter: 554 looks like spam"):
            await post(LETTER)
