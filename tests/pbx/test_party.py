"""Who is at a leg, and how the name is shown."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.party import MAX_NON_ASCII_NAME, Party, PartyKind, display_name
from sipcore.grammar import quote, unquote
from storage.records import Terminal, User

LONG_RUSSIAN = "Константинопольская Александра Константиновна"


def test_a_terminal_is_named_after_its_owner() -> None:
    party = Party.of_terminal(Terminal("201", owner="belkina"), User("belkina", "Белкина Ирина"), "ru")
    assert party == Party(PartyKind.TERMINAL, "201", "Белкина Ирина", "ru")


def test_a_terminal_that_nobody_owns_has_no_name() -> None:
    assert Party.of_terminal(Terminal("201"), None) == Party(PartyKind.TERMINAL, "201")


def test_an_application_and_an_unknown_number_are_parties_too() -> None:
    assert Party.of_application("10003246", "Echo\n test").name == "Echo test"
    assert Party.unknown("999") == Party(PartyKind.UNKNOWN, "999")


@pytest.mark.row("EXT-15")
def test_a_name_that_is_not_ascii_is_cut_to_forty_characters_and_quoted_safely() -> None:
    assert display_name(LONG_RUSSIAN) == LONG_RUSSIAN[:40]
    assert display_name("x" * 41) == "x" * 41
    assert unquote(quote(display_name('Иванов "Боб" \\ Ко'))) == 'Иванов "Боб" \\ Ко'


def test_cutting_never_takes_an_accent_off_its_letter() -> None:
    accented = "q\N{COMBINING ACUTE ACCENT}"  # has no composed form
    name = display_name("я" * 39 + accented)
    assert name == "я" * 39


def test_decomposed_letters_count_once() -> None:
    decomposed = unicodedata.normalize("NFD", "й" * 40)
    assert display_name(decomposed) == "й" * 40


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Anna\r\nVia: evil", "Anna Via: evil"),
        ("  two   spaces ", "two spaces"),
        ("\u202eevil", "evil"),
        ("half\ud800", "half"),
        ("tab\tand\x00nul", "tab and nul"),
        ("", ""),
    ],
)
def test_a_name_is_one_visible_line(text: str, shown: str) -> None:
    assert display_name(text) == shown


@given(st.text(max_size=100))
def test_any_text_becomes_a_short_single_line_that_stays_the_same_when_shown_again(text: str) -> None:
    name = display_name(text)
    assert name.isascii() or len(name) <= MAX_NON_ASCII_NAME
    assert "\r" not in name
    assert "\n" not in name
    assert display_name(name) == name
