"""Processes that tests start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


def unmeasured() -> dict[str, str]:
    """Environment of a process whose coverage nobody wants: a stand-in is no part of mlspec, and slower where it is measured."""
    return {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_PROCESS_")}


@contextmanager
def starting_unmeasured() -> Iterator[None]:
    """Leave the processes that are started in this block out of coverage."""
    with pytest.MonkeyPatch.context() as patch:
        for key in os.environ.keys() - unmeasured().keys():
            patch.delenv(key)
        yield
