"""What a tool that mlspec runs says went wrong: a fact, to be decided upon."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """An error in terraform's own words, and the address of the resource that it is about, where it is about one."""

    text: str
    address: str = ""
