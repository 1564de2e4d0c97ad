"""What is public is a list, and stays as it is: names, signatures, fields."""

from __future__ import annotations

import dataclasses
import inspect
import os
from pathlib import Path

import mlspec
from mlspec import api, errors

GOLDEN = Path(__file__).parent / "public.txt"


def described() -> str:
    """Return every public name with its signature, its members and its fields, one a line."""
    lines = [f"mlspec.open{inspect.signature(mlspec.open)}"]
    for name in api.__all__:
        value = getattr(api, name)
        lines += [f"mlspec.api.{name}{bases_of(value)}", *(f"    {line}" for line in members_of(value))]
    return "\n".join(lines) + "\n"


def bases_of(value: type) -> str:
    return f"({', '.join(base.__name__ for base in value.__bases__)})" if issubclass(value, Exception) else ""


def members_of(value: type) -> list[str]:
    if issubclass(value, Exception):
        return []
    fields = {field.name: field.type for field in dataclasses.fields(value)} if dataclasses.is_dataclass(value) else {}
    lines = [f"{name}: {kind}" for name, kind in fields.items() if not name.startswith("_")]
    for name, member in vars(value).items():
        operator = name in ("__getitem__", "__iter__", "__len__", "__contains__")
        if isinstance(member, property):
            lines.append(f"{name} -> {inspect.signature(member.fget).return_annotation}")  # type: ignore[arg-type]
        elif inspect.isfunction(member) and (operator or not name.startswith("_")):
            lines.append(f"{name}{inspect.signature(member)}")
    return lines


def test_what_is_public_stays_as_it_is() -> None:
    if os.environ.get("ACCEPT"):
        GOLDEN.write_text(described())
    assert described() == GOLDEN.read_text(), "it is an interface: see docs/python.md, then run this test with ACCEPT=1"


def test_everything_public_is_described_where_it_stands() -> None:
    for name in api.__all__:
        value = getattr(api, name)
        assert inspect.getdoc(value), name
        for member in vars(value).values():
            own = member.fget if isinstance(member, property) else member
            if inspect.isfunction(own) and not own.__name__.startswith("_"):
                assert own.__doc__, f"{name}.{own.__name__}"


def test_the_page_names_everything_that_is_public() -> None:
    page = (Path(mlspec.__file__).parents[1] / "docs" / "python.md").read_text()
    methods = {
        f".{name}(" for handle in (api.ProjectHandle, api.ForecastHandle) for name in vars(handle) if name[0] != "_"
    }
    methods -= {".name(", ".root(", ".target("}  # properties
    assert len(methods) > 7
    assert [name for name in (*api.__all__, *sorted(methods)) if name not in page] == []


def test_every_public_error_is_an_error_of_mlspec() -> None:
    public = [
        value
        for value in map(api.__dict__.get, api.__all__)
        if isinstance(value, type) and issubclass(value, Exception)
    ]
    assert len(public) > 10
    assert all(issubclass(value, errors.MlspecError) and value.__module__ == "mlspec.errors" for value in public)
