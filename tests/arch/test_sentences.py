"""Every sentence of the program for people is there in every language, with the same values in it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

from conf.calendar_values import DAYS
from pbx.cause import Q850_TEXT
from pbx.said import ENGLISH, LANGUAGES, say, sentences

ROOT = Path(__file__).parents[2]
RULES = {
    *("number", "isolation", "forwarding by code", "do not disturb", "no phone", "calendar", "agent", "member", "key"),
    *("phrases", "rule", "external number", "off_hours", "outbound", "own line", "emergency", "provider"),
    *("parking slot", "switched by hand", "guests"),
}
AGENT_STATES = {"idle", "unavailable", "off duty", "paused", "ringing", "busy", "resting", "do not disturb"}
LINE_STATES = {
    *("off", "registered", "waiting", "trying", "unchecked", "reachable", "unreachable", "rejected", "failed"),
}
WORDS = (
    RULES
    | AGENT_STATES
    | LINE_STATES
    | {*DAYS, "office", "fax", "yes", "no"}
    | {each.lower() for each in Q850_TEXT.values()}
)


def literals(tree: ast.AST) -> Iterator[str]:
    """Each text that `say` is given as it is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
            first = node.args[0]
            for each in (first.body, first.orelse) if isinstance(first, ast.IfExp) else (first,):
                if isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value:
                    yield each.value


def app_names(tree: ast.AST) -> Iterator[str]:
    """The names of apps."""
    for node in ast.walk(tree):
        is_name = isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "name"
        if is_name and isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant) and node.value.value:
            yield str(node.value.value)


def said() -> set[str]:
    trees = [ast.parse(file.read_text("utf-8")) for room in ("pbx", "features") for file in (ROOT / room).rglob("*.py")]
    apps = [ast.parse(file.read_text("utf-8")) for file in (ROOT / "features").glob("*.py")]
    return {text for tree in trees for text in literals(tree)} | {name for tree in apps for name in app_names(tree)}


def values_of(text: str) -> set[tuple[str, str]]:
    return {(name, form or "") for _, name, form, _ in Formatter().parse(text) if name}


def test_every_sentence_is_there_in_every_language_and_none_is_left_over() -> None:
    wanted = said() | WORDS
    assert len(wanted) > 150
    for language in LANGUAGES:
        if language != ENGLISH:
            assert set(sentences(language)) ^ wanted == set()


def test_a_sentence_has_the_same_values_in_every_language() -> None:
    for language in LANGUAGES:
        if language != ENGLISH:
            odd = [english for english, text in sentences(language).items() if values_of(english) != values_of(text)]
            assert odd == []


def test_russian_sentences_are_russian() -> None:
    for text in sentences("ru").values():
        plain = "".join(literal for literal, *_ in Formatter().parse(text)).replace("FROM", "")
        assert not any(char.isascii() and char.isalpha() for char in plain), text


def test_parts_of_a_sentence_are_in_its_language_and_an_unknown_one_is_english() -> None:
    both = say("{calendar}: {why}", calendar="day", why=say("hours of {day}", day=say("mon")))
    assert str(both) == both.within("en") == both.within("xx") == "day: hours of mon"
    assert both.within("ru") == "day: часы понедельника"
    assert say("is none of this office").within("ru") == "не номер этого офиса"
