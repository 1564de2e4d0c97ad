"""Processes that tests start."""

from __future__ import annotations

import os


def unmeasured() -> dict[str, str]:
    """Environment of a process whose coverage nobody wants: a stand-in is no part of mlspec, and slower where it is measured."""
    return {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_PROCESS_")}
