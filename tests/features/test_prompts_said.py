"""What features say is in the list of prompts."""

import ast
from collections.abc import Iterator
from pathlib import Path

from pbx.speech.catalogue import catalogue

FEATURES = Path(__file__).parents[2] / "features"


def _said() -> Iterator[tuple[str, str]]:
    """Prompts that are named in a call of `say`, and where."""
    for path in sorted(FEATURES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "say":
                for argument in node.args:
                    if isinstance(argument, ast.Constant):
                        yield f"{path.name}:{argument.lineno}", str(argument.value)


def test_every_prompt_that_a_feature_names_exists() -> None:
    said = list(_said())
    assert len(said) > 10
    assert [(place, prompt) for place, prompt in said if prompt not in catalogue("en").phrases] == []
