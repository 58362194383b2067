"""What of `zvon.toml` waits for a restart, and what that would cost (REG-21)."""

from pathlib import Path

import pytest

from conf.load import parse_settings
from pbx.control.messages import ControlError
from pbx.control.settings import SettingView
from pbx.restarts import settings_view

RUNNING = """
drain_timeout = 20
[sip]
udp = ["127.0.0.1:5060"]
[mail]
host = "mail.example.com"
from_address = "pbx@example.com"
login = "pbx"
password = "Top-Secret_1"
"""
NEW = (
    RUNNING.replace("5060", "5070")
    .replace("Top-Secret_1", "Other-Secret_1")
    .replace("[sip]", '[sip]\nexternal = "pbx.example.com"\nlocal_networks = ["10.0.0.0/8"]')
)


def write(folder: Path, text: str) -> Path:
    file = folder / "zvon.toml"
    file.write_text(text)
    return file


def test_each_setting_that_waits_is_told_with_both_values_and_secrets_without(tmp_path: Path) -> None:
    found = settings_view(parse_settings(RUNNING), write(tmp_path, NEW), 3)
    networks = '["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8"]'.replace('"', "")
    assert found.waiting == (
        SettingView("sip.udp", "[127.0.0.1:5060]", "[127.0.0.1:5070]"),
        SettingView("sip.external", '""', '"pbx.example.com"'),
        SettingView("sip.local_networks", networks, "[10.0.0.0/8]"),
        SettingView("mail.password", "", ""),
    )
    assert "Secret_1" not in str(found)
    assert found.advice == "4 settings wait for a restart, which waits 20 s for 3 calls, and then ends those that go on"


@pytest.mark.parametrize(
    ("text", "calls", "advice"),
    [
        (RUNNING, 5, "nothing waits for a restart"),
        (RUNNING.replace("5060", "5070"), 0, "1 setting waits for a restart, which would end no call"),
        (
            *(RUNNING.replace("5060", "5070"), 1),
            "1 setting waits for a restart, which waits 20 s for the call in progress, and then ends it",
        ),
    ],
)
def test_what_a_restart_would_cost_is_a_sentence(tmp_path: Path, text: str, calls: int, advice: str) -> None:
    assert settings_view(parse_settings(RUNNING), write(tmp_path, text), calls).advice == advice


def test_a_server_without_a_file_waits_for_nothing() -> None:
    found = settings_view(parse_settings(RUNNING), None, 1)
    assert (found.file, found.waiting) == ("", ())


def test_a_file_with_which_the_server_would_not_start_is_told_before_somebody_stops_it(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=r"would not start again:\n.*zvon.toml:\d+: sip.udp"):
        settings_view(parse_settings(RUNNING), write(tmp_path, RUNNING.replace("5060", "x")), 1)
