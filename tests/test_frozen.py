"""Our frozen dataclasses are like those of the standard library, made in another way."""

import copy
import dataclasses
import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field, fields, replace
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
import pytest

import frozen

T = TypeVar("T")
Decorator = Callable[..., Callable[[type[Any]], type[Any]]]
BOTH = pytest.mark.parametrize("decorator", [frozen.dataclass, dataclasses.dataclass], ids=["ours", "standard"])


@frozen.dataclass(frozen=True, slots=True)
class Point:
    """A place."""

    x: int
    y: int = 2
    names: list[str] = field(default_factory=list, compare=False)
    KIND: ClassVar[str] = "point"


@frozen.dataclass(frozen=True, slots=True)
class Named(Point):
    name: str = field(default="", kw_only=True, repr=False)
    note: str = field(default="seen", init=False)


def _any(*found: Any) -> tuple[Any, ...]:
    """What no type checker knows to be dataclasses."""
    return found


def classes(decorator: Decorator) -> tuple[type[Any], type[Any]]:
    """A class and one that inherits from it."""

    @decorator(frozen=True, slots=True)
    class One:
        a: int
        b: str = "b"
        c: list[int] = field(default_factory=list)
        d: int = field(default=4, compare=False)
        e: int = field(default=5, init=False)

        @property
        def double(self) -> int:
            return 2 * self.a

    @decorator(frozen=True, slots=True)
    class Two(One):
        f: int = field(default=6, kw_only=True)
        g: int = field(default=7, repr=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "g", self.g + self.f)

    return One, Two


@BOTH
def test_fields_are_given_by_place_and_by_name_or_have_their_default(decorator: Decorator) -> None:
    one, two = classes(decorator)
    found = one(1)
    assert (found.a, found.b, found.c, found.d, found.e, found.double) == (1, "b", [], 4, 5, 2)
    assert found.c is not one(1).c
    found = one(1, "x", d=9, c=[3])
    assert (found.a, found.b, found.c, found.d, found.e) == (1, "x", [3], 9, 5)
    found = two(1, "x", [], 4, 10, f=20)
    assert (found.a, found.e, found.f, found.g) == (1, 5, 20, 30)
    for call in (one, lambda: one(1, x=2), lambda: two(1, "x", [], 4, 5, 6), lambda: one(1, a=1)):
        with pytest.raises(TypeError):
            call()


@BOTH
def test_nothing_can_be_changed(decorator: Decorator) -> None:
    for found in (kind(1) for kind in classes(decorator)):
        for name in ("a", "e", "other"):
            with pytest.raises((FrozenInstanceError, TypeError)):  # TypeError: the standard one, of an unknown name
                setattr(found, name, 1)
        with pytest.raises(FrozenInstanceError):
            del found.a
        assert not hasattr(found, "__dict__")


@BOTH
def test_equal_are_objects_of_one_class_with_the_same_fields_that_count(decorator: Decorator) -> None:
    one, two = classes(decorator)
    assert one(1, c=(), d=1) == one(1, c=(), d=2)
    assert hash(one(1, c=(), d=1)) == hash(one(1, c=(), d=2))
    assert one(1) != one(2)
    assert one(1) != two(1)
    assert one(1) != (1, "b", [])
    with pytest.raises(TypeError, match="unhashable"):
        hash(one(1, c=[]))
    assert {two(1, c=()): "found"}[two(1, c=(), d=8)] == "found"


@BOTH
def test_it_is_printed_with_the_fields_that_are_shown(decorator: Decorator) -> None:
    one, two = classes(decorator)
    assert repr(one(1, "x")).endswith("One(a=1, b='x', c=[], d=4, e=5)")
    assert repr(two(1, "x")).endswith("Two(a=1, b='x', c=[], d=4, e=5, f=6)")


@BOTH
def test_it_is_a_dataclass_for_everybody(decorator: Decorator) -> None:
    one, two = classes(decorator)
    assert [each.name for each in fields(two)] == ["a", "b", "c", "d", "e", "g", "f"] or len(fields(two)) == 7
    assert replace(one(1, c=()), a=3) == one(3, c=())
    assert dataclasses.asdict(one(1)) == {"a": 1, "b": "b", "c": [], "d": 4, "e": 5}
    match one(7):
        case object(a=7, b="b"):
            pass
        case _:
            pytest.fail("no match")
    assert one.__match_args__ == ("a", "b", "c", "d")


@BOTH
def test_methods_of_its_own_stay(decorator: Decorator) -> None:
    @decorator(frozen=True, slots=True)
    class Odd:
        a: int

        def __hash__(self) -> int:
            return 7

        def __repr__(self) -> str:
            return "odd"

        def __eq__(self, other: object) -> bool:
            return True

    (odd,) = _any(Odd)
    assert (hash(odd(1)), repr(odd(1)), odd(1) == odd(2)) == (7, "odd", True)


@BOTH
def test_one_without_fields_and_one_with_one_are_compared_as_well(decorator: Decorator) -> None:
    @decorator(frozen=True, slots=True)
    class Nothing:
        pass

    @decorator(frozen=True, slots=True)
    class Single:
        a: object

    assert Nothing() == Nothing()
    assert hash(Nothing()) == hash(Nothing())
    (single,) = _any(Single)
    assert (single((1, 2)) == single((1, 2)), single(1) == single(2)) == (True, False)


@BOTH
def test_generic_and_abstract_classes_can_be_made(decorator: Decorator) -> None:
    @decorator(frozen=True, slots=True)
    class Box(Generic[T]):
        content: T

    @decorator(frozen=True, slots=True)
    class Shape(ABC):
        size: int

        @abstractmethod
        def area(self) -> int: ...

    @decorator(frozen=True, slots=True)
    class Square(Shape):
        def area(self) -> int:
            return self.size * self.size

    box, square, shape = _any(Box, Square, Shape)
    assert box(3).content == 3
    assert square(3).area() == 9
    with pytest.raises(TypeError, match="abstract"):
        shape(1)


def test_it_is_copied_pickled_and_sent() -> None:
    found = Named(1, 3, ["a"], name="n")
    for other in (copy.copy(found), copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert other == found
        assert (other.name, other.note, other.names) == ("n", "seen", ["a"])
    data = msgspec.msgpack.encode(Point(1, names=["b"]))
    assert msgspec.msgpack.decode(data, type=Point) == Point(1, 2)
    assert msgspec.msgpack.decode(data, type=Point).names == ["b"]


def test_what_is_not_asked_for_as_frozen_with_slots_is_the_standard_one() -> None:
    @frozen.dataclass
    class Plain:
        a: int

    @frozen.dataclass(slots=True)
    class Slotted:
        a: int

    for found in (Plain(1), Slotted(1)):
        found.a = 2
        assert found.a == 2


def test_a_class_that_inherits_without_being_one_cannot_be_made() -> None:
    class Loose(Point):
        pass

    with pytest.raises(TypeError, match="assignment"):
        Loose(1)
