"""What is said before a web process starts; that it answers is shown end to end."""

from pathlib import Path

import pytest

from conf.load import ConfInvalid, parse_settings
from pbx.control.messages import ControlError
from pbx.web_process import WebProcess


def test_plain_http_for_other_machines_must_be_asked_for() -> None:
    with pytest.raises(ConfInvalid, match="passwords would go over the network in the clear"):
        parse_settings('[web]\nlisten = "0.0.0.0:8080"')
    for more in ("tls = true", "plain = true"):
        parse_settings(f'[web]\nlisten = "0.0.0.0:8080"\n{more}')


def test_a_certificate_that_is_not_there_is_said(tmp_path: Path) -> None:
    settings = parse_settings('[web]\ntls = true\ncertificate = "no.pem"\nkey = "no.key"')
    with pytest.raises(ControlError, match=r"no\.pem"):
        WebProcess(settings, tmp_path)


async def test_without_an_address_there_is_no_web(tmp_path: Path) -> None:
    web = WebProcess(parse_settings('[web]\nlisten = ""'), tmp_path)
    web.start()
    await web.ready()
    await web.stop()
    assert web.url == ""
