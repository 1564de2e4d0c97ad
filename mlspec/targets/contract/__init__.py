"""The tests that every store of a record passes: mlspec's own, and yours. pytest runs them; only this package imports it.

In a module of your tests write

    from mlspec.targets.contract import *

and a fixture `place` that returns a `StorePlace`. Each test gets a new place; its names begin with `test_`, as pytest wants them.
"""

from __future__ import annotations

from importlib import import_module

import pytest

_MODULES = ("files", "locks", "outbox", "removal", "request_counts", "settlements", "unusable_state")
# Before they are imported, so that a failed assertion shows its values.
pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in _MODULES))

from mlspec.targets.contract.fixtures import StorePlace, another, panel, target  # noqa: E402

_TESTS = {
    name: value
    for module in _MODULES
    for name, value in vars(import_module(f"{__name__}.{module}")).items()
    if name.startswith("test_")
}
globals().update(_TESTS)
__all__ = ["StorePlace", "another", "panel", "target"]
__all__ += list(_TESTS)
