"""The line of every key, in every form that TOML has."""

import tomllib

from hypothesis import given, settings
from hypothesis import strategies as st

from conf.errors import KeyPath
from conf.export import toml_value
from conf.toml_lines import line_of, lines_of

DOCUMENT = '''\
# a comment with [brackets] and = signs
first = "a # no comment"   # but this is
"quoted key" = 'C:\\path'
"esc\\u0061pe\\"d" = 1
dotted.key . "x.y" = { inline = [1, { deep = 2 }], "b b" = """
text [not.a.table]
""" }
after = """one "quoted" word\\"""" # five quotes at the end
many = [
  "x",  # ] in a comment
  # nothing

  [ 1, 2 ],
  { a = 1,
    }.x,
]
when = 2026-11-23 22:42:51
'''.replace("    }.x,\n", "").replace("{ a = 1,", "{ a = 1 },")

TABLES = """\
[a]
x = 1

[a.b.c]
x = 2
[[list]]
x = 3
[[list]]
x = 4
[list.sub]
y = 5
[[list.inner]]
z = 6
[[list.inner]]
z = 7
[[list]]
[[list.inner]]
z = 8
"""


def paths_of(value: object, path: KeyPath = ()) -> set[KeyPath]:
    """Every key path that the standard reader finds."""
    if isinstance(value, dict):
        children = [((*path, key), child) for key, child in value.items()]
    elif isinstance(value, list):
        children = [((*path, index), child) for index, child in enumerate(value)]
    else:
        children = []
    return {each for each, _ in children}.union(*(paths_of(child, each) for each, child in children))


def test_keys_strings_and_nested_values() -> None:
    assert lines_of(DOCUMENT) == {
        ("first",): 2,
        ("quoted key",): 3,
        ('escape"d',): 4,
        ("dotted",): 5,
        ("dotted", "key"): 5,
        ("dotted", "key", "x.y"): 5,
        ("dotted", "key", "x.y", "inline"): 5,
        ("dotted", "key", "x.y", "inline", 0): 5,
        ("dotted", "key", "x.y", "inline", 1): 5,
        ("dotted", "key", "x.y", "inline", 1, "deep"): 5,
        ("dotted", "key", "x.y", "b b"): 5,
        ("after",): 8,
        ("many",): 9,
        ("many", 0): 10,
        ("many", 1): 13,
        ("many", 1, 0): 13,
        ("many", 1, 1): 13,
        ("many", 2): 14,
        ("many", 2, "a"): 14,
        ("when",): 16,
    }
    assert paths_of(tomllib.loads(DOCUMENT)) == set(lines_of(DOCUMENT))


def test_tables_and_arrays_of_tables() -> None:
    lines = lines_of(TABLES)
    assert paths_of(tomllib.loads(TABLES)) == set(lines)
    assert lines["a", "b", "c", "x"] == 5
    assert lines["list",] == 6
    assert [lines["list", index] for index in range(3)] == [6, 8, 16]
    assert lines["list", 1, "sub", "y"] == 11
    assert [lines["list", 1, "inner", index, "z"] for index in range(2)] == [13, 15]
    assert lines["list", 2, "inner", 0, "z"] == 18


def test_windows_line_ends() -> None:
    assert lines_of("a = 1\r\n\r\n[b]\r\nc = [\r\n 2,\r\n]\r\n")["b", "c", 0] == 5


def test_an_absent_key_takes_the_line_of_what_encloses_it() -> None:
    lines = lines_of(TABLES)
    assert line_of(lines, ("list", 1, "missing", "deeper")) == 8
    assert line_of(lines, ("nowhere",)) == 0


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)
scalars = st.one_of(st.integers(-9, 9999), st.booleans(), texts)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)
entries = st.dictionaries(texts, values, max_size=4)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.tuples(texts, entries), max_size=4, unique_by=lambda section: section[0]))
def test_whatever_is_written_one_key_a_line_is_found_on_its_line(sections: list[tuple[str, dict[str, object]]]) -> None:
    written: list[str] = []
    expected: dict[KeyPath, int] = {}
    for name, section in sections:
        written.append(f"[[{toml_value(name)}]]")
        expected[name, 0] = len(written)
        for key, value in section.items():
            written.append(f"{toml_value(key)} = {toml_value(value)}")
            expected[name, 0, key] = len(written)
    text = "\n".join(written)
    lines = lines_of(text)
    assert set(lines) == paths_of(tomllib.loads(text))
    assert {path: lines[path] for path in expected} == expected
