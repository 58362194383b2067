"""PATCH loses nothing, whatever kind of object it changes."""

from copy import deepcopy
from typing import Any

import pytest

from conf.export import document_values
from storage.records import OFFICE_LISTS, OFFICE_SECTIONS, OfficeList, secret_of
from tests.storage.examples import OFFICE
from web import employees
from web.draft import Draft, merged

VALUES = document_values(OFFICE)


def patched(of: OfficeList, index: int, part: dict[str, Any]) -> Any:
    """The entries of a list after a PATCH of one of them, as the endpoint makes it."""
    draft = Draft(deepcopy(VALUES))
    draft.put(of, index, merged(draft.entries(of)[index], part))
    return draft.entries(of)


@pytest.mark.parametrize("of", OFFICE_LISTS, ids=lambda of: of.name)
def test_a_part_of_any_object_changes_what_it_names_and_nothing_else(of: OfficeList) -> None:
    before = VALUES[of.name]
    assert before, f"the example has no {of.kind}"
    for index, entry in enumerate(before):
        assert patched(of, index, {}) == before
        for name, value in entry.items():
            if value is not None:  # null is the default, which it is already
                assert patched(of, index, {name: value}) == before
            after = patched(of, index, {name: "another"})[index]
            assert after == {**entry, name: "another"}
            gone = patched(of, index, {name: None})[index]
            others = {key: kept for key, kept in entry.items() if key != name}
            assert {key: kept for key, kept in gone.items() if key != name} == others
            assert not gone.get(name)  # the default again; a secret is empty
            if name == secret_of(of.record):
                assert gone[name] == ""


@pytest.mark.parametrize("section", ["office", *OFFICE_SECTIONS])
def test_a_part_of_a_section_changes_nothing_else(section: str) -> None:
    before = VALUES[section]
    for name, value in before.items():
        assert merged(before, {name: value}) == before
        assert merged(before, {name: None}) == {key: kept for key, kept in before.items() if key != name}


def test_parts_within_parts_are_merged_too() -> None:
    before = {"forward": {"busy": "201", "callers": {"+7": "202"}}, "owner": "ann", "password": "x"}
    assert merged(before, {"forward": {"callers": {"+8": "203"}}}) == {
        **before,
        "forward": {"busy": "201", "callers": {"+7": "202", "+8": "203"}},
    }
    assert merged(before, {"forward": {"callers": {"+7": None}}})["forward"] == {"busy": "201", "callers": {}}


def test_a_part_of_a_card_changes_nothing_else_of_the_person_and_of_the_terminal() -> None:
    for user in VALUES["users"]:
        card = employees.card_of(VALUES, user["id"])
        for name, value in card.items():
            draft = Draft(deepcopy(VALUES))
            employees.patch(draft, user["id"], {name: value} if value != "" else {})
            assert draft.values == VALUES, name
