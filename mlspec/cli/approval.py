"""Asks a person for approval. The rule for what needs approval is `plan.approval`; the engine's phases call these functions."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from mlspec.errors import Refused


def approve_apply(reasons: Sequence[str]) -> None:
    """Ask whether to apply. Raises Refused if the answer is no, or if there is no terminal."""
    reason_text = " and ".join(reasons)
    _ask(reason_text, f"{reason_text}. Apply?", "review `mlspec plan`, then add --yes", "not applied")


def approve_destroy(summary: str) -> None:
    """Ask whether to destroy. Raises Refused if the answer is no, or if there is no terminal."""
    _ask(f"{summary} would be destroyed", f"Destroy {summary}?", "add --yes", "not destroyed")


def approve_prune(summary: str) -> None:
    """Ask whether to prune. Raises Refused if the answer is no, or if there is no terminal."""
    _ask(
        f"{summary} would be removed",
        f"Remove {summary}?",
        "review `mlspec prune --dry-run`, then add --yes",
        "not pruned",
    )


def approve_all(_reasons: object) -> None:
    """Approve without asking: for `--yes`, or for a saved plan, which was reviewed before."""


def _ask(reason: str, question: str, hint: str, refusal: str) -> None:
    if not sys.stdin.isatty():
        raise Refused(f"{reason}, and there is no terminal to ask on", hint=hint)
    if not click.confirm(question, err=True):
        raise Refused(f"{refusal}: you answered no; nothing was changed")
