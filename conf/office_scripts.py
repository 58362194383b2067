"""Call scripts are looked at before they are in force (FEAT-36): are they Python, and do they have a `main`?"""

import ast
from collections.abc import Iterable
from pathlib import Path

from conf.errors import Problem


def problems_of_scripts(files: Iterable[str]) -> list[Problem]:
    """What is wrong with the file of each application. One that is not there yet may come later: calls read it anew."""
    found = []
    for index, file in enumerate(files):
        if why := _problem(Path(file)):
            found.append(Problem(("applications", index, "file"), why))
    return found


def _problem(file: Path) -> str:
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except OSError:
        return ""
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        return f"{file}{line}: {error.args[0]}"
    functions = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
    return "" if "main" in functions else f"{file} has no function main(call)"
