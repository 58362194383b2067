"""All ways to a mail server that there are, each to a real one on loopback."""

from pathlib import Path

import pytest

from conf.schema import MailSettings
from tests.pbx.mail.test_oauth import provider
from tests.pbx.mail.test_smtp import LETTER, refusal, send, settings
from tests.support.mailserver import LOGIN, PASSWORD, TOKEN, certificate, mail_server

pytestmark = pytest.mark.real_loop


@pytest.mark.row("NOT-1")
async def test_every_way_to_a_mail_server_works_and_what_is_wrong_with_one_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain, STARTTLS and TLS, with password or OAuth2, the certificate looked at; the test at the start and at any
    time: `test_trial.py`, `test_mailer.py`, `tests/e2e/test_mail.py`."""
    assert (MailSettings().port, MailSettings().encryption, MailSettings().verify) == (25, "none", True)
    trusted = tmp_path / "mail.pem"
    trusted.write_text(certificate())
    answer = f'{{"access_token": "{TOKEN}", "expires_in": 3600}}'
    for encryption in ("none", "starttls", "tls"):
        async with mail_server(encryption=encryption, with_login=encryption != "none") as box:
            login = {} if encryption == "none" else {"login": LOGIN, "password": PASSWORD}
            mail = settings(box, encryption=encryption, **login)
            if encryption != "none":
                assert "certificate that cannot be trusted" in await refusal(mail, tmp_path)
                monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
            await send(mail, tmp_path, LETTER)
            monkeypatch.delenv("SSL_CERT_FILE", raising=False)
            if encryption != "none":
                async with provider(answer) as (url, _):
                    oauth = {"token_url": url, "client_id": "zvon", "refresh_token": "Refresh_1"}
                    await send(
                        settings(box, encryption=encryption, verify=False, login=LOGIN, oauth=oauth), tmp_path, LETTER
                    )
        assert {each["from"] for each in box.messages} == {"АТС <pbx@example.com>"}
        assert len(box.messages) == (1 if encryption == "none" else 2)
