"""Asks a person. The rule that says what needs approval is `plan.approval`; the engine's phases call what is here."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from mlspec.errors import Refused


def approve_apply(reasons: Sequence[str]) -> None:
    """Ask whether to apply. Raises Refused where the answer is no, or nobody can be asked."""
    reason_text = " and ".join(reasons)
    _ask(reason_text, f"{reason_text}. Apply?", "look at `mlspec plan`, then add --yes", "not applied")


def approve_destroy(summary: str) -> None:
    """Ask whether to destroy. Raises Refused where the answer is no, or nobody can be asked."""
    _ask(f"{summary} would be destroyed", f"Destroy {summary}?", "add --yes", "not destroyed")


def approve_all(_reasons: object) -> None:
    """Approve without asking: `--yes`, or a saved plan that somebody looked at."""


def _ask(reason: str, question: str, hint: str, refusal: str) -> None:
    if not sys.stdin.isatty():
        raise Refused(f"{reason}, and there is no terminal to ask on", hint=hint)
    if not click.confirm(question, err=True):
        raise Refused(f"{refusal}: you answered no; nothing was changed")
