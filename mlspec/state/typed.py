"""Checks that a value read from a record has the type that its field declares: anybody can edit a record by hand."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Shape = Mapping[str, Any]  # a name and the type of its value, as an annotation says it
_Test = Callable[[Any], bool]
Record = TypeVar("Record")


def require_types(record: Record) -> Record:
    """Return a dataclass's object. Raises TypeError, with the field's name, if a field has another type than declared."""
    kind: Any = type(record)  # a class is hashable, which the type checker does not see
    for name, (is_right, text) in _tests_of(kind).items():
        value = getattr(record, name)
        if not is_right(value):
            raise TypeError(f"{kind.__name__}.{name} is {_shorten(value)}, not {text}")
    return record


def require_shape(values: Mapping[str, Any], shape: Shape, what: str) -> None:
    """Raise TypeError if a value of `values` has another type than `shape` says. A missing value is left to whoever needs it."""
    for name, annotation in shape.items():
        if name in values and not matches(values[name], annotation):
            raise TypeError(f"{what}.{name} is {_shorten(values[name])}, not {annotation}")


def matches(value: Any, annotation: Any) -> bool:
    """Return whether a value has the type of an annotation. A whole number is a float too; True is no number."""
    return _test_of(annotation)(value)


@lru_cache(maxsize=512)
def _test_of(annotation: Any) -> _Test:
    """Return the test of an annotation. It is made once: every row of a record is tested each time it is read."""
    origin, parts = get_origin(annotation), get_args(annotation)
    # What an object of a generic class holds is checked where it is read.
    if annotation is Any or isinstance(annotation, TypeVar):
        return lambda _value: True
    if annotation is None:
        return lambda value: value is None
    if origin in (Union, types.UnionType):
        return _test_of_union(parts)
    if origin is Literal:
        return lambda value: isinstance(value, str | int | bool) and value in parts
    return _test_of_class(annotation) if origin is None else _test_of_collection(origin, parts)


def _test_of_union(parts: tuple[Any, ...]) -> _Test:
    tests = [_test_of(part) for part in parts]

    def is_any(value: Any) -> bool:
        return any(test(value) for test in tests)

    return is_any


def _test_of_collection(origin: type, parts: tuple[Any, ...]) -> _Test:
    if origin in (tuple, list):
        return _test_of_sequence(origin, _test_of(parts[0]))
    key_test, item_test = map(_test_of, parts)
    if parts[1] is Any:
        return lambda value: isinstance(value, Mapping) and all(map(key_test, value))
    return lambda value: (
        isinstance(value, Mapping) and all(map(key_test, value)) and all(map(item_test, value.values()))
    )


def _test_of_sequence(kind: type[Sequence[Any]], item_test: _Test) -> _Test:
    return lambda value: isinstance(value, kind) and all(map(item_test, value))


def _test_of_class(kind: type) -> _Test:
    if kind is int or kind is float:
        numbers = (int,) if kind is int else (int, float)
        return lambda value: isinstance(value, numbers) and not isinstance(value, bool)
    if not is_dataclass(kind):
        return lambda value: isinstance(value, kind)

    # Its fields' tests are looked up when an object is tested: a class may hold objects of its own kind.
    def is_record(value: Any) -> bool:
        return isinstance(value, kind) and all(
            test(getattr(value, name)) for name, (test, _) in _tests_of(kind).items()
        )

    return is_record


@lru_cache(maxsize=64)
def _tests_of(kind: Any) -> Mapping[str, tuple[_Test, str]]:
    """Return each field's test, and its type in words."""
    hints = get_type_hints(kind)
    return {field.name: (_test_of(hints[field.name]), str(field.type)) for field in fields(kind)}


def _shorten(value: Any) -> str:
    return repr(value)[:40]
