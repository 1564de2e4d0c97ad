"""What a package may import is a list, and stays as it is: names, signatures, fields."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from types import ModuleType

from mlspec.targets import contract, package
from mlspec.targets.package import database
from tests.api.test_public import bases_of, members_of

GOLDEN = Path(__file__).parent / "port.txt"
ROOT = Path(__file__).resolve().parents[2]
_NAMES = {"mlspec.targets.contract": ("StorePlace",)}  # its tests are no interface


def described() -> str:
    """Return every public name with its signature or its members, one a line."""
    lines: list[str] = []
    for module in (package, database, contract):
        for name in _NAMES.get(module.__name__, module.__all__):
            lines += _described_name(module, name)
    return "\n".join(lines) + "\n"


def is_protocol(value: type) -> bool:
    """Return whether a class is a protocol, which nobody makes an instance of."""
    return bool(getattr(value, "_is_protocol", False))


def _described_name(module: ModuleType, name: str) -> list[str]:
    value, place = getattr(module, name), f"{module.__name__}.{name}"
    if inspect.isclass(value):
        made_by_packages = "__init__" in vars(value) and not (issubclass(value, Exception) or is_protocol(value))
        made = f"{inspect.signature(value)}" if made_by_packages else ""
        return [f"{place}{made}{bases_of(value)}", *(f"    {line}" for line in members_of(value))]
    return [f"{place}{inspect.signature(value)}"] if inspect.isfunction(value) else [place]


def test_what_packages_may_import_stays_as_it_is() -> None:
    if os.environ.get("ACCEPT"):
        GOLDEN.write_text(described())
    assert described() == GOLDEN.read_text(), (
        "it is an interface: see docs/own-target.md, then run this test with ACCEPT=1"
    )


def test_all_of_it_is_described_where_it_stands() -> None:
    for module in (package, database):
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                assert inspect.getdoc(value), name


def test_the_page_names_the_modules_and_what_a_package_says() -> None:
    page = (ROOT / "docs" / "own-target.md").read_text()
    words = ["mlspec.targets.package", "mlspec.targets.package.database", "mlspec.targets.contract"]
    words += [*package.PackageTarget.__slots__, *package.TargetPlace.__slots__, "read_secret", *package.Store.__slots__]
    assert [word for word in words if word not in page and word.title() not in page] == []
