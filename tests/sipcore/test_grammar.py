"""Tokens, quotes, lists, escapes and parameters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.errors import ParseError
from sipcore.grammar import (
    escape_header,
    escape_password,
    escape_user,
    is_token,
    parse_number,
    quote,
    split_list,
    unescape,
    unquote,
)
from sipcore.params import NO_PARAMS, Params


def test_a_token_is_made_of_token_characters_only() -> None:
    assert is_token("!interesting-Method0123456789_*+`.%indeed'~")
    assert not any(is_token(text) for text in ("", "a b", "a,b", "a@b", 'a"b', "ж", "a\n"))


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("a\udc80b", '"a?b"'),
        ("Alice", '"Alice"'),
        ('a"b\\c', '"a\\"b\\\\c"'),
        ("", '""'),
        ("Жанна", '"Жанна"'),
        ("x\r\nVia: y", '"x  Via: y"'),
    ],
)
def test_quote_prints_a_quoted_string_that_cannot_end_the_line(text: str, quoted: str) -> None:
    assert quote(text) == quoted


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ('"Alice"', "Alice"),
        ('"a\\"b\\\\c"', 'a"b\\c'),
        ("bare", "bare"),
        ('"', '"'),
        ('""', ""),
        ('"\\\x00\\\x07"', "  "),
    ],
)
def test_unquote_undoes_quoted_pairs(text: str, plain: str) -> None:
    assert unquote(text) == plain


def test_octets_that_are_no_text_become_question_marks() -> None:
    assert unquote(b'"Jos\xe9"'.decode("utf-8", "surrogateescape")) == "Jos?"


@given(st.text())
def test_unquote_of_quote_is_the_text_without_controls(text: str) -> None:
    again = unquote(quote(text))
    assert unquote(quote(again)) == again
    assert len(again) == len(text)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("a, b ,c", ["a", "b", "c"]),
        (" , a,, b,", ["a", "b"]),
        ("", []),
        ('"x, y" <sip:a@b>;p="1,2", <sip:c,d@e>', ['"x, y" <sip:a@b>;p="1,2"', "<sip:c,d@e>"]),
        ('"q\\",r", s', ['"q\\",r"', "s"]),
    ],
)
def test_split_list_sees_commas_outside_quotes_and_brackets_only(text: str, items: list[str]) -> None:
    assert split_list(text) == items


@pytest.mark.parametrize("text", ['"open', "<open", 'a, "b', '"a\\"', "<a>, <b"])
def test_split_list_refuses_what_is_not_closed(text: str) -> None:
    with pytest.raises(ParseError, match="not closed"):
        split_list(text)


@pytest.mark.parametrize("text", ["", " 1", "1 ", "-1", "+1", "1_0", "١", "²", "0x1", "1" * 21, "256"])
def test_a_number_is_plain_digits_within_its_limit(text: str) -> None:
    with pytest.raises(ParseError):
        parse_number(text, "the test", 255)


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        ("%61lice", "alice"),
        ("a%40b", "a@b"),
        ("%D0%96", "Ж"),
        ("%00%0d%0A", "%00%0D%0A"),
        ("%ff%41", "%FFA"),
        ("100%25", "100%25"),
        ("%2541", "%2541"),
        ("%D0x", "%D0x"),
    ],
)
def test_unescape_yields_text_and_keeps_what_is_none(escaped: str, plain: str) -> None:
    assert unescape(escaped) == plain


@given(st.text())
def test_escaped_text_is_plain_ascii_and_comes_back(text: str) -> None:
    for escape in (escape_user, escape_password, escape_header):
        escaped = escape(text)
        assert escaped.isascii()
        assert escaped.isprintable()
        assert " " not in escaped
        again = unescape(escaped)
        assert unescape(escape(again)) == again


def test_params_keep_order_and_ignore_the_case_of_names() -> None:
    params = Params.parse(' ; Branch = z9hG4bK1;rport ;;x="a;b,\\"c"; +sip.Instance="<urn:uuid:1>"')
    assert [name for name, _ in params] == ["branch", "rport", "x", "+sip.instance"]
    assert params.get("branch") == "z9hG4bK1"
    assert params.get("rport") == ""
    assert params.get("x") == 'a;b,"c'
    assert params.get("absent") is None
    assert "rport" in params
    assert "absent" not in params
    assert len(params) == 4
    assert str(params) == ';branch=z9hG4bK1;rport;x="a;b,\\"c";+sip.instance="<urn:uuid:1>"'


def test_params_change_by_copy() -> None:
    params = Params.parse(";a=1;b;c=3")
    assert str(params.with_("B", "2")) == ";a=1;b=2;c=3"
    assert str(params.with_("d", "x y")) == ';a=1;b;c=3;d="x y"'
    assert str(params.with_("e")) == ";a=1;b;c=3;e"
    assert str(params.with_quoted("a", "1")) == ';b;c=3;a="1"'
    assert str(params.without("A", "c")) == ";b"
    assert str(params) == ";a=1;b;c=3"
    assert Params.parse("") is NO_PARAMS


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "a=1",
        ";a b",
        ';a="',
        ';a="x"y',
        ";a=b c",
        ";=x",
        ";<a>",
        ";a=1\r\n",
        ";a=\x00",
        ";é=1",
        ';a=b"c"',
        ";a=1,b",
    ],
)
def test_malformed_params_are_refused(text: str) -> None:
    with pytest.raises(ParseError):
        Params.parse(text)


_NAMES = st.from_regex(r"[a-z+][a-z0-9.\-]{0,9}", fullmatch=True)
_PRINTABLE = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1)


@given(st.lists(st.tuples(_NAMES, st.one_of(st.just(""), _PRINTABLE)), unique_by=lambda pair: pair[0]))
def test_printed_params_parse_to_the_same_params(pairs: list[tuple[str, str]]) -> None:
    params = NO_PARAMS
    for name, value in pairs:
        params = params.with_(name, value)
    again = Params.parse(str(params))
    assert again == params
    assert [(name, again.get(name)) for name, _ in pairs] == pairs
