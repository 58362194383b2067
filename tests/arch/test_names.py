"""One word per thing: public names, boundary records, module names."""

import ast
import dataclasses
import importlib
import re
from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.arch.project import SOURCE, files, modules, name_of

BOUNDARIES = ("media.api", "storage.records", "storage.ports", "pbx.events", "pbx.control.messages")
VAGUE_MODULES = {"utils", "util", "helpers", "helper", "common", "tools", "stuff"}
VAGUE_CLASS = re.compile(r"(Manager|Helper|Util|Utils|Wrapper)$")
SYNONYMS = {"Channel": "leg or slot", "Dialplan": "app or destination", "Gateway": "trunk", "Softswitch": "node"}


def module_name(name: str) -> str:
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def exporting_modules() -> Iterator[str]:
    for path, module in modules(*SOURCE):
        targets = [target for node in module.body if isinstance(node, ast.Assign) for target in node.targets]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            yield module_name(name_of(path))


@pytest.mark.parametrize("name", list(exporting_modules()))
def test_every_public_name_exists_once(name: str) -> None:
    module = importlib.import_module(name)
    public = module.__all__
    assert len(public) == len(set(public))
    assert [missing for missing in public if not hasattr(module, missing)] == []


def own_dataclasses(module: ModuleType) -> Iterator[type]:
    for value in vars(module).values():
        is_own = f"{getattr(value, '__module__', '')}.".startswith(f"{module.__name__}.")
        if is_own and isinstance(value, type) and dataclasses.is_dataclass(value):
            yield value


@pytest.mark.parametrize("name", BOUNDARIES)
def test_what_crosses_a_boundary_is_frozen_and_slotted(name: str) -> None:
    records = list(own_dataclasses(importlib.import_module(name)))
    assert records
    for record in records:
        with pytest.raises(dataclasses.FrozenInstanceError):
            object.__new__(record).__setattr__("any", 1)
        assert "__slots__" in vars(record), record


def test_no_module_is_a_drawer_for_everything() -> None:
    assert [name_of(path) for path in files(SOURCE, ".py", ".pyx") if path.stem in VAGUE_MODULES] == []


def class_names() -> Iterator[tuple[str, str]]:
    for path, module in modules(*SOURCE):
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef):
                yield name_of(path), node.name


def test_class_names_say_what_the_thing_is() -> None:
    assert [(place, name) for place, name in class_names() if VAGUE_CLASS.search(name)] == []


def test_class_names_use_the_words_of_the_glossary() -> None:
    wrong = [(place, name, SYNONYMS[word]) for place, name in class_names() for word in SYNONYMS if word in name]
    assert wrong == []
