"""The secrets that survive a restart."""

import re
import stat
from pathlib import Path

import pytest

from pbx import keys
from pbx.control.messages import ControlError
from pbx.keys import FILE, ServerKeys


def test_keys_are_made_once_and_found_again(tmp_path: Path) -> None:
    made = ServerKeys.load(tmp_path)
    assert ServerKeys.load(tmp_path) == made
    assert len(made.nonce_bytes) == 32


def test_two_servers_have_different_keys(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    one, other = ServerKeys.load(tmp_path / "a"), ServerKeys.load(tmp_path / "b")
    assert one.nonce_key != other.nonce_key


@pytest.mark.row("REG-15")
def test_the_realm_comes_of_the_hardware_address_does_not_show_it_and_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c", "d", "e"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(keys, "getnode", lambda: 0x020000C0FFEE)
    realm = ServerKeys.load(tmp_path / "a").realm
    assert re.fullmatch("[0-9a-f]{12}", realm)
    assert realm != "020000c0ffee"
    assert ServerKeys.load(tmp_path / "b").realm == realm, "who begins anew on the same machine"
    monkeypatch.setattr(keys, "getnode", lambda: 0x020000C0FFEF)
    assert ServerKeys.load(tmp_path / "c").realm != realm
    assert ServerKeys.load(tmp_path / "a").realm == realm, "phones know it"
    monkeypatch.setattr(keys, "getnode", lambda: 0x010000000000)  # made up, as its lowest bit of the first octet says
    assert ServerKeys.load(tmp_path / "d").realm != ServerKeys.load(tmp_path / "e").realm


def test_only_the_owner_may_read_them_and_no_half_written_file_stays(tmp_path: Path) -> None:
    ServerKeys.load(tmp_path)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "7", '{"realm": "x"}', '{"realm": "x", "nonce_key": "zz"}', '{"realm": 1, "nonce_key": 2}', "\x00"],
)
def test_a_damaged_file_is_a_sentence_that_says_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(ControlError, match="is damaged: restore it from a backup or remove it"):
        ServerKeys.load(tmp_path)


def test_a_file_of_bytes_that_are_no_text_is_a_sentence_too(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ControlError, match="is damaged"):
        ServerKeys.load(tmp_path)


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=r"cannot be used: No such file"):
        ServerKeys.load(tmp_path / "nowhere")
