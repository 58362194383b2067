"""Which right each operation of the API wants, read from the code that checks it: `who.check("terminals", "write")`.

What is told of rights in the OpenAPI document (API-6) and offered for access groups is thereby what is checked.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from web.rights import Way

PERMISSION = "x-permission"  # of an operation of the OpenAPI document


class Permission(NamedTuple):
    """`way`: the least that is wanted; what is shown or done beside it may want more."""

    resource: str
    way: Way


def permission_of(endpoint: Callable[..., Any]) -> Permission | None:
    """None: whoever is signed in, or nobody needs to be."""
    if isinstance(endpoint, MethodType):
        return _of_function(endpoint.__func__, getattr(endpoint.__self__, "name", ""))
    return _of_function(endpoint, "") if isinstance(endpoint, FunctionType) else None


@cache
def _of_function(function: FunctionType, name: str) -> Permission | None:
    """The first check in the function itself, else in one of the functions of its module that it calls."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    here = next(_checks(calls, name), None)
    beyond = (_of_function(called, name) for called in _called(calls, function, name)) if here is None else ()
    return here or next(filter(None, beyond), None)


def _checks(calls: list[ast.Call], name: str) -> Iterator[Permission]:
    for call in calls:
        match call:
            case ast.Call(func=ast.Attribute(attr="check", value=ast.Name(id="who")), args=[resource, way]):
                yield Permission(_resource(resource, name), _way(way))


def _called(calls: list[ast.Call], function: FunctionType, name: str) -> Iterator[FunctionType]:
    for call in calls:
        match call.func:
            case ast.Name(id=known) if isinstance(found := function.__globals__.get(known), FunctionType):
                if found.__module__ == function.__module__ and found is not function:
                    yield found
            case ast.Attribute(value=ast.Name(id="self"), attr=known) if name:
                owner = function.__globals__[function.__qualname__.partition(".")[0]]
                yield getattr(owner, known)


def _resource(node: ast.expr, name: str) -> str:
    """A text, the name of a list or section, or that of a parameter of the path; of two the one that is not the own."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.IfExp(orelse=other):
            return _resource(other, name)
        case ast.Name(id=parameter):
            return f"{{{parameter}}}"
        case _:
            return name


def _way(node: ast.expr) -> Way:
    """`"write" if secrets else "read"` wants the latter at least."""
    said = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
    return "write" if said == {"write"} else "read"
