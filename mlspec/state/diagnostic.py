"""An error of a tool that mlspec runs, as data: `plan` decides what follows from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """An error text from terraform, and the address of the resource that it is about; empty if it is about none."""

    text: str
    address: str = ""
