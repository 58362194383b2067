"""A TOML file as text and values: whatever is wrong with the file itself becomes one sentence."""

import re
import stat
import tomllib
from pathlib import Path

from conf.errors import ConfError, ConfInvalid, KeyPath, Problem, path_text
from conf.toml_lines import line_of, lines_of
from frozen import dataclass

MAX_BYTES = 16 * 1024 * 1024  # 100,000 terminals are about 6 MB; anything larger is not meant as settings

_PLACE = re.compile(r"(.*?) \(at (?:line (\d+), column \d+|end of document)\)", re.DOTALL)
_SENTENCES = (
    ("Cannot overwrite a value", "this key is given twice"),
    ("Duplicate inline table key", "this key is given twice"),
    ("Cannot declare", "this section is given twice"),
    ("Cannot mutate immutable", "this section is closed: an inline table or array cannot be extended"),
    ("Cannot redefine namespace", "this section is given twice"),
    ("Invalid value (at end", "the file ends where a value is expected"),
    ("Invalid value", "this value is not valid TOML; text must stand in quotes"),
    ("Expected '=' after a key", 'expected "=" after the key'),
    ("Expected newline or end of document", "one key stands on one line: unexpected text after the value"),
    ('Expected "\'"', "a text is not closed: the quote is missing"),
    ("Expected ']'", 'expected "]" at the end of the section name'),
    ("Unclosed array", 'a list is not closed: "]" is missing'),
    ("Unclosed inline table", 'an inline table is not closed: "}" is missing'),
    ("Unterminated string", "a text is not closed: the quote is missing"),
    ("Illegal character", "a text is not closed, or holds a control character"),
    (
        "Invalid initial character",
        "a key is expected here; a key with other characters than A-Z a-z 0-9 _ - needs quotes",
    ),
    ("Invalid statement", "a key or a [section] is expected here"),
    ("Unescaped '\\'", "a backslash in a text must be doubled, or the text put into single quotes"),
)


@dataclass(frozen=True, slots=True)
class Document:
    """A TOML document that could be read: its values, and its text to find where they stand."""

    file: str
    text: str
    values: dict[str, object]

    def invalid(self, problems: list[Problem]) -> ConfInvalid:
        """The exception that reports `problems` in the order of the file."""
        lines = lines_of(self.text)  # a third of the reading time, so only where it is needed
        errors = {self._error(problem, lines) for problem in problems}
        return ConfInvalid(sorted(errors, key=lambda error: (error.line, error.key_path, error.message)))

    def _error(self, problem: Problem, lines: dict[KeyPath, int]) -> ConfError:
        return ConfError(self.file, path_text(problem.path), line_of(lines, problem.path), problem.message)


def read_text(path: Path) -> str:
    """The text of a settings file; raises `ConfInvalid` with one sentence when there is none."""
    try:
        return _decode(_read_bytes(path))
    except FileNotFoundError:
        raise _refused(path, "there is no such file") from None
    except PermissionError:
        raise _refused(path, "the file may not be read: check its owner and mode") from None
    except ValueError as error:
        raise _refused(path, str(error)) from None
    except OSError as error:
        raise _refused(path, f"the file cannot be read: {error.strerror}") from None


def parse_document(text: str, file: str) -> Document:
    """TOML text → values; raises `ConfInvalid` with the line of the first syntax error."""
    try:
        return Document(file, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfInvalid([_syntax_error(error, text, file)]) from None
    except RecursionError:
        raise ConfInvalid([ConfError(file, "", 0, "lists or tables are nested too deeply")]) from None
    except ValueError:  # an integer of thousands of digits
        raise ConfInvalid([ConfError(file, "", 0, "a number is too long")]) from None


def _read_bytes(path: Path) -> bytes:
    if stat.S_ISDIR(path.stat().st_mode):
        raise ValueError("this is a directory, not a file")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"the file is larger than {MAX_BYTES // 1024 // 1024} MB, so it is not a settings file")
    return data


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("the file is UTF-16; save it as UTF-8")
    if data.startswith(b"\xef\xbb\xbf"):
        raise ValueError("the file begins with a byte order mark; save it as UTF-8 without one")
    if b"\0" in data:
        raise ValueError("this is a binary file, not text")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"the file is not UTF-8 text (line {line})") from None


def _syntax_error(error: tomllib.TOMLDecodeError, text: str, file: str) -> ConfError:
    found = _PLACE.fullmatch(str(error))
    said = found[1] if found else str(error)
    line = int(found[2]) if found and found[2] else text.rstrip("\n").count("\n") + 1
    known = next((sentence for start, sentence in _SENTENCES if str(error).startswith(start)), "")
    return ConfError(file, "", line, known or f"not valid TOML: {said[:1].lower()}{said[1:]}")


def _refused(path: Path, sentence: str) -> ConfInvalid:
    return ConfInvalid([ConfError(str(path), "", 0, sentence)])
