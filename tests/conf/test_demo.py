"""The demo office of a first start."""

from pathlib import Path

import pytest

from conf.demo import demo_office, write_demo_office
from conf.load import load_office


def test_five_terminals_with_owners_and_passwords_of_their_own() -> None:
    office = demo_office()
    assert [terminal.number for terminal in office.terminals] == ["101", "102", "103", "104", "105"]
    assert [terminal.owner for terminal in office.terminals] == [user.id for user in office.users]
    assert len({terminal.password for terminal in office.terminals}) == 5


def test_the_document_is_for_its_owner_only_and_gives_the_office(tmp_path: Path) -> None:
    path = tmp_path / "office.toml"
    written = write_demo_office(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_office(path) == written


def test_an_office_that_is_there_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "office.toml"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        write_demo_office(path)
    assert path.read_text() == "mine"


def test_there_is_something_of_each_kind_to_dial() -> None:
    office = demo_office()
    lists = (office.queues, office.groups, office.ivrs, office.conferences)
    assert [each.number for entries in lists for each in entries] == ["500", "600", "700", "800"]
