"""Files that cannot be read as TOML: one sentence each."""

import os
from pathlib import Path

import pytest

from conf.load import ConfInvalid, load_settings, parse_settings


def said(path: Path) -> str:
    with pytest.raises(ConfInvalid) as raised:
        load_settings(path)
    return str(raised.value).replace(str(path), "FILE")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xef\xbb\xbfdata = 'x'", "the file begins with a byte order mark; save it as UTF-8 without one"),
        ("data = 'x'".encode("utf-16"), "the file is UTF-16; save it as UTF-8"),
        (b"\n\ndata = '\xcf\xf0'", "the file is not UTF-8 text (line 3)"),
        (b"SQLite format 3\0", "this is a binary file, not text"),
        (b"#" * (16 * 1024 * 1024 + 1), "the file is larger than 16 MB, so it is not a settings file"),
    ],
    ids=["byte order mark", "UTF-16", "another encoding", "binary", "huge"],
)
def test_a_file_that_is_no_text(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "zvon.toml").write_bytes(content)
    assert said(tmp_path / "zvon.toml") == f"FILE: {sentence}"


def test_a_missing_file(tmp_path: Path) -> None:
    assert said(tmp_path / "none.toml") == "FILE: there is no such file"


def test_a_directory(tmp_path: Path) -> None:
    assert said(tmp_path) == "FILE: this is a directory, not a file"


def test_a_file_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "zvon.toml").write_text("")
    assert said(tmp_path / "zvon.toml" / "x") == "FILE: the file cannot be read: Not a directory"


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "zvon.toml"
    path.write_text("")
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read everything

        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
    assert said(path) == "FILE: the file may not be read: check its owner and mode"


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("[sip]\ndata = zvon", 2, "this value is not valid TOML; text must stand in quotes"),
        ("data = ", 1, "the file ends where a value is expected"),
        ("data 'x'", 1, 'expected "=" after the key'),
        ("data", 1, 'expected "=" after the key'),
        ("data = 'x' 'y'", 1, "one key stands on one line: unexpected text after the value"),
        ("data = 'x'\n\ndata = 'y'", 3, "this key is given twice"),
        ("x = { a = 1, a = 2 }", 1, "this key is given twice"),
        ("[sip]\n[log]\n[sip]", 3, "this section is given twice"),
        ("sip = {}\n[sip]\nudp = []", 2, "this section is given twice"),
        ("data = 'x", 1, "a text is not closed: the quote is missing"),
        ('data = "x\ny = 1', 1, "a text is not closed, or holds a control character"),
        ('data = "C:\\var"', 1, "a backslash in a text must be doubled, or the text put into single quotes"),
        ("[sip]\nudp = [\n'0.0.0.0:5060',", 3, "the file ends where a value is expected"),
        ("[sip]\nudp = ['0.0.0.0:5060'", 2, 'a list is not closed: "]" is missing'),
        ("x = { a = 1", 1, 'an inline table is not closed: "}" is missing'),
        ("[sip\nudp = []", 1, 'expected "]" at the end of the section name'),
        ("имя = 1", 1, "a key or a [section] is expected here"),
        ("[имя]", 1, "a key is expected here; a key with other characters than A-Z a-z 0-9 _ - needs quotes"),
        ("x = 2026-02-30", 1, "not valid TOML: invalid date or datetime"),
        ("x = " + "[" * 10_000, 0, "lists or tables are nested too deeply"),
        ("x = " + "9" * 10_000, 0, "a number is too long"),
    ],
)
def test_broken_toml(text: str, line: int, sentence: str) -> None:
    with pytest.raises(ConfInvalid) as raised:
        parse_settings(text)
    (error,) = raised.value.errors
    assert (error.line, error.message) == (line, sentence)
