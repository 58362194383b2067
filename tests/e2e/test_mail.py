"""Mail of a running server to a real mail server."""

from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.e2e.conftest import CALLEE, CALLER, office
from tests.e2e.harness import Site, running, terminal, zvon
from tests.e2e.test_api import signed_in
from tests.e2e.ua import Phone, eventually, registered
from tests.e2e.webserver import web_server
from tests.support.mailserver import HOST, LOGIN, PASSWORD, mail_server_beside
from tests.support.telegram import CHAT, TOKEN, bot_api


def mail_settings(port: int, password: str = PASSWORD) -> str:
    return f"""
[mail]
enabled = true
host = "{HOST}"
port = {port}
encryption = "starttls"
verify = false
login = "{LOGIN}"
password = "{password}"
from_address = "pbx@example.com"
common_address = "office@example.com"
"""


def test_a_test_letter_arrives_over_an_encrypted_connection_with_a_login(tmp_path: Path) -> None:
    with mail_server_beside(encryption="starttls", with_login=True) as box:
        with running(Site.write(tmp_path, office(), extra=mail_settings(box.port), web=True)) as server:
            eventually(lambda: len(box.trials) == 1, "new settings are tested by themselves", timeout_s=10)
            said = server.command("mail", "test", "anna@example.com").stdout
            assert said == f"the mail server {HOST} took the letter to anna@example.com (2.0.0 queued as trial 2)\n"
            with closing(signed_in(server)) as client:
                pressed = client.post("/mail:test", json={"to": "boris@example.com"})
                assert pressed.json()["data"]["said"].endswith("(2.0.0 queued as trial 3)")
            assert PASSWORD not in server.output()
        tried = [(message["to"], message["subject"]) for message in box.trials]
        subject = "Test of the mail of the phone server"
        assert tried == [(f"{each}@example.com", subject) for each in ("office", "anna", "boris")]


@pytest.mark.row("USR-28")
@pytest.mark.parametrize(("language", "subject"), [("en", "What your phone"), ("ru", "Данные для входа")])
def test_somebody_new_gets_by_mail_what_phone_and_portal_sign_in_with(
    tmp_path: Path, language: str, subject: str
) -> None:
    with (
        mail_server_beside() as box,
        running(Site.write(tmp_path, office(), extra=_without_login(box.port), web=True)) as server,
        closing(signed_in(server)) as client,
    ):
        card = {"id": "anna", "name": "Anna", "number": "250", "email": "anna@example.com", "language": language}
        assert client.post("/employees", json=card).status_code == 201
        assert client.post("/accounts", json={"login": "belkina", "user": "anna"}).status_code == 201
        sent = client.post("/employees/anna:mailCredentials", json={"portal": True})
        assert "took the letter to anna@example.com" in sent.json()["data"]["said"], sent.text
        (letter,) = [each for each in box.messages if each["to"] == "anna@example.com"]
        assert letter["subject"].startswith(subject)
        text = letter.get_body().get_content()  # type: ignore[union-attr]
        phone_line, portal_line = [line for line in text.splitlines() if "250" in line or "belkina" in line]
        with Phone(server.address, "250", phone_line.split()[-1]) as phone:
            assert phone.register().status == 200
        given = {"login": "belkina", "password": portal_line.split()[-1]}
        signed = client.post("/auth:login", json=given).json()["data"]
        assert signed["must_change_password"] is True
        for secret in (phone_line.split()[-1], given["password"]):
            assert secret not in server.output() + client.get("/audit").text


def _without_login(port: int) -> str:
    return (
        mail_settings(port)
        .replace('encryption = "starttls"', 'encryption = "none"')
        .replace(f'login = "{LOGIN}"\npassword = "{PASSWORD}"\n', "")
    )


def test_a_wrong_password_is_told_in_a_sentence(tmp_path: Path) -> None:
    with (
        mail_server_beside(encryption="starttls", with_login=True) as box,
        running(Site.write(tmp_path, office(), extra=mail_settings(box.port, "Wrong-One_1"))) as server,
    ):
        done = zvon("mail", "test", "anna@example.com", data=server.data)
        assert done.returncode == 1
        assert f"the mail server {HOST}:{box.port} does not accept the login pbx: 535" in done.stderr
        assert "Wrong-One_1" not in done.stderr + server.output()


def test_a_missed_call_is_told_in_the_language_of_who_missed_it(tmp_path: Path) -> None:
    person = '[[users]]\nid = "anna"\nname = "Anna"\nemail = "anna@example.com"\nlanguage = "ru"\n'
    office = f"{person}\n{terminal('301', trust=CALLER)}\n{terminal('401', trust=CALLEE, owner='anna')}"
    with (
        mail_server_beside(encryption="starttls", with_login=True) as box,
        running(Site.write(tmp_path, office, extra=mail_settings(box.port), sip="qualify = 0")) as server,
        Phone(server.address, "301", host=CALLER) as phone,
        registered(server.address, "401", host=CALLEE) as other,
    ):
        call = phone.dial("401")
        ringing = other.wait_for_call()
        ringing.reply(486)
        other.expect("ACK")
        call.expect(486)
        eventually(lambda: bool(box.messages), "the letter arrives", timeout_s=10)
        (letter,) = box.messages
        assert letter["to"] == "anna@example.com"
        assert letter["subject"] == "Пропущенный вызов от 301"
        body = letter.get_body()
        assert body is not None
        assert '301 звонил(а) на "Anna" <401>: занято.' in body.get_content()


class Announcement(BaseHTTPRequestHandler):
    """Says which version of Zvon is the latest."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write('{"version": "99.1", "notes": "Много нового."}'.encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.row("NOT-8")
def test_the_administrator_hears_by_mail_and_in_a_chat_of_passwords_and_a_later_version(tmp_path: Path) -> None:
    """Somebody signs in to the web and changes his password, and a web server announces a version. The chat of Telegram
    does not want to hear of who signs in."""
    with (
        mail_server_beside(encryption="starttls", with_login=True) as box,
        web_server(Announcement) as announcement,
        bot_api() as chat,
    ):
        telegram = f'[telegram]\nenabled = true\ntoken = "{TOKEN}"\nchat = "{CHAT}"\napi = "{chat.url}"\n'
        updates = f'[updates]\nurl = "{announcement}/latest.json"\n'
        extra = f"{mail_settings(box.port)}sign_ins = true\n{telegram}{updates}"
        with (
            running(Site.write(tmp_path, office(), extra=extra, web=True)) as server,
            closing(signed_in(server)),
        ):
            eventually(lambda: len(box.messages) == 3, "the letters arrive", timeout_s=10)
            eventually(lambda: len(chat.messages) == 2, "the chat has them", timeout_s=10)
            said = server.command("mail", "test", "telegram").stdout
            assert said == f"Telegram took the message: the chat {CHAT} has it\n"
            assert TOKEN not in server.output()
        assert sorted(each.partition("\n")[0] for each in chat.messages) == [
            *("Test of the mail of the phone server", "The password of admin was changed", "Zvon 99.1 is there")
        ]
        assert set(box.recipients) == {"office@example.com"}
        letters = {str(each["subject"]): each.get_content() for each in box.messages}
    assert "admin signed in from 127.0.0.1." in letters["admin has signed in"]
    assert "admin changed the password of admin from 127.0.0.1." in letters["The password of admin was changed"]
    assert "Много нового." in letters["Zvon 99.1 is there"]
