"""Values of Terraform as Python values: dictionaries, lists, and one more thing, what is not known yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Values = dict[str, Any]


class Unknown:
    """A value that only an apply can tell: `(known after apply)`."""

    def __repr__(self) -> str:
        return "(known after apply)"


UNKNOWN = Unknown()


def unpack(data: bytes) -> Any:
    import msgpack

    return msgpack.unpackb(data, ext_hook=lambda _code, _data: UNKNOWN, strict_map_key=False)


def pack(value: Any) -> bytes:
    import msgpack

    def extension(item: Any) -> Any:
        if item is UNKNOWN:
            return msgpack.ExtType(0, b"\0")
        raise TypeError(f"not a value of Terraform: {item!r}")

    return msgpack.packb(value, default=extension)


def each(value: Any, path: str) -> Iterator[Any]:
    """What stands at a dotted path, through every block on the way; neither what is unset nor what is unknown."""
    yield from _each(value, path.split(".") if path else [])


def _each(value: Any, steps: list[str]) -> Iterator[Any]:
    if isinstance(value, list) and steps:
        for element in value:
            yield from _each(element, steps)
    elif value is None or value is UNKNOWN or value in ([], {}):
        return
    elif not steps:
        yield value
    elif isinstance(value, dict):
        yield from _each(value.get(steps[0]), steps[1:])


def first(value: Any, path: str, default: Any = None) -> Any:
    return next(each(value, path), default)


def given(value: Any, path: str) -> bool:
    """Does the configuration say anything here? Something unknown counts: it will be there."""
    top, _, rest = path.partition(".")
    if isinstance(value, list):
        return any(given(element, path) for element in value)
    if not isinstance(value, dict):
        return value is UNKNOWN
    found = value.get(top)
    return given(found, rest) if rest and found is not UNKNOWN else found not in (None, [], {})


def same(old: Any, new: Any) -> bool:
    """Equal as the provider's library sees it: unset, empty, zero and false are one thing."""
    return old == new or (not old and not new)
