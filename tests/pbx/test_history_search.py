"""What is typed into the search of the history, as a query."""

import pytest

from pbx.control.messages import ControlError
from pbx.control.search import searched
from storage.ports import HistoryQuery


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", HistoryQuery()),
        ("101", HistoryQuery("101")),
        ("74952293042 302", HistoryQuery("74952293042", "302")),
        ("+7(495)229-30-42", HistoryQuery("+7(495)229-30-42")),
        ("src:101 dst:79161234567", HistoryQuery(source="101", target="79161234567")),
        ("did:74950000000 302", HistoryQuery("302", line="74950000000")),
        ("linkedid:mikopbx-1500000000.7", HistoryQuery(linkedid="mikopbx-1500000000.7")),
        ("mikopbx-1500000000.7", HistoryQuery(linkedid="mikopbx-1500000000.7")),
        ("Белкина Ирина", HistoryQuery(name="Белкина Ирина")),
        ("SRC:101 белкина", HistoryQuery(source="101", name="белкина")),
        ("src:", HistoryQuery(name="src:")),
        ("a:b", HistoryQuery(name="a:b")),
    ],
)
def test_words_are_numbers_ends_conversations_or_names(text: str, query: HistoryQuery) -> None:
    assert searched(text, HistoryQuery()) == query


def test_what_is_asked_otherwise_stays() -> None:
    assert searched("", HistoryQuery("101", name="a")) == HistoryQuery("101", name="a")


def test_three_numbers_are_too_many() -> None:
    with pytest.raises(ControlError, match="at most two numbers"):
        searched("1 2 3", HistoryQuery())
