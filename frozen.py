"""Frozen dataclasses that are defined and made fast: `dataclass` as in the standard library.

There every class gets six methods that are compiled one by one, which was a quarter of the time that the server took to
start, and an object sets each of its fields by a call. `@dataclass(frozen=True, slots=True)` of this module shares all
methods but `__new__`, which is compiled when it is first needed: it fills a twin of the class that lets its fields be
set, and turns it into what was asked for. With any other option it is the standard one.

A class that inherits from one of these has to be one as well. `__post_init__` is called as ever; there is no `InitVar`.
"""

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

_Key = Callable[[Any], object]
_OPTIONS = {"frozen": True, "slots": True}
_LEFT_OUT = object()
_keys: dict[type, _Key] = {}

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls=None, /, **options):
        """As in `dataclasses`."""
        return _defined if options == _OPTIONS and cls is None else dataclasses.dataclass(cls, **options)


def _defined(cls: type[Any]) -> type[Any]:
    """The class with its fields; its own methods come before ours."""
    own = vars(cls)
    for name, method in _SHARED.items():
        if name not in own or (name == "__hash__" and own[name] is None):
            setattr(cls, name, method)
    if cls.__doc__ is None:
        cls.__doc__ = cls.__name__  # the standard library would write down the signature
    made: type[Any] = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)

    def first(cls: type[Any], /, *args: object, **named: object) -> object:
        new = _compiled(made)
        made.__new__ = staticmethod(new)  # type: ignore[assignment]
        return new(cls, *args, **named)

    made.__new__ = staticmethod(first)  # type: ignore[assignment]
    return made


# --- making objects ---------------------------------------------------------------------------------------------------


def _compiled(cls: type[Any]) -> Callable[..., object]:
    """`__new__` of a class, its arguments those of `__init__` in the standard library."""
    found = dataclasses.fields(cls)
    known: dict[str, Any] = {f"_default_{each.name}": each.default for each in found}
    known |= {f"_make_{each.name}": each.default_factory for each in found}
    known |= {"_new": object.__new__, "_Twin": _twin_of(cls), "_left_out": _LEFT_OUT}
    positional = [_argument(each) for each in found if each.init and not each.kw_only]
    named = [_argument(each) for each in found if each.init and each.kw_only]
    lines = ["self = _new(_Twin)", *(f"self.{each.name} = {_value(each)}" for each in found if _has_value(each))]
    lines += ["self.__class__ = cls", *(["self.__post_init__()"] if hasattr(cls, "__post_init__") else [])]
    head = ", ".join(["cls", *positional, *(["*", *named] if named else [])])
    exec("\n ".join([f"def __new__({head}):", *lines, "return self"]), known)
    made: Callable[..., object] = known["__new__"]
    made.__qualname__ = f"{cls.__qualname__}.__new__"
    return made


def _argument(field: "dataclasses.Field[Any]") -> str:
    if field.default is not dataclasses.MISSING:
        return f"{field.name}=_default_{field.name}"
    return f"{field.name}=_left_out" if field.default_factory is not dataclasses.MISSING else field.name


def _value(field: "dataclasses.Field[Any]") -> str:
    if field.default_factory is not dataclasses.MISSING:
        made = f"_make_{field.name}()"
        return f"{made} if {field.name} is _left_out else {field.name}" if field.init else made
    return field.name if field.init else f"_default_{field.name}"


def _has_value(field: "dataclasses.Field[Any]") -> bool:
    return field.init or not field.default is field.default_factory is dataclasses.MISSING


def _twin_of(cls: Any) -> Any:
    """A class of the same layout whose fields can be set; an abstract one itself, which cannot be made."""
    if getattr(cls, "__abstractmethods__", ()):
        return cls
    names = {name: vars(cls)[name] for name in ("__slots__", "__orig_bases__") if name in vars(cls)}
    twin: Any = type(cls)(cls.__name__, cls.__bases__, names | {"__setattr__": object.__setattr__})
    twin.__abstractmethods__ = frozenset()  # what the class itself defines is not in it
    return twin


# --- what all of them share -------------------------------------------------------------------------------------------


def _key_of(cls: type[Any]) -> _Key:
    """Gets what makes two objects of a class the same."""
    names = [each.name for each in dataclasses.fields(cls) if each.compare]
    key: _Key = attrgetter(*names) if names else lambda _: ()
    _keys[cls] = key
    return key


def _eq(self: Any, other: object) -> Any:
    cls = self.__class__
    if other.__class__ is not cls:
        return NotImplemented
    key = _keys.get(cls) or _key_of(cls)
    return key(self) == key(other)


def _hash(self: Any) -> int:
    cls = self.__class__
    return hash((_keys.get(cls) or _key_of(cls))(self))


@recursive_repr()
def _repr(self: Any) -> str:
    shown = [f"{each.name}={getattr(self, each.name)!r}" for each in dataclasses.fields(self) if each.repr]
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _setattr(self: object, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(self: object, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _reduce(self: Any) -> tuple[Any, ...]:
    names = [each.name for each in dataclasses.fields(self)]
    return _restored, (self.__class__, names, [getattr(self, name) for name in names])


def _restored(cls: type[Any], names: list[str], values: list[object]) -> object:
    """A copy, or what was pickled."""
    self = object.__new__(cls)
    for name, value in zip(names, values, strict=True):
        object.__setattr__(self, name, value)
    return self


_SHARED: dict[str, Callable[..., Any]] = {
    "__eq__": _eq,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
    "__reduce__": _reduce,
}
