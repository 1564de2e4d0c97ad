"""Formats a plan as text and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from mlspec.cli.escape import printable
from mlspec.state.plan import Change, Plan

SIGNS = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "replace": ("±", "yellow"),
    "delete": ("-", "red"),
    "run": (">", "cyan"),
}
_WORDS = {"create": "to create", "update": "to change", "replace": "to replace", "delete": "to delete", "run": "to run"}
FIELDS = 8
_WIDEST = 48


def as_text(plan: Plan, *, before_apply: bool = False) -> str:
    """Return the plan as text: changes, reasons, fields, consequences, and forecasts that cannot be planned.

    Before an apply the last are left out, because apply reports them at its end. The notes are left out if there is nothing to
    do.
    """
    lines: list[str] = []
    if plan.is_empty and not plan.obstacles:
        lines = [
            _kept_line(change)
            for change in plan.changes
            if "gate" in change.reason and change.resource.startswith("deployment.")
        ]
        lines += ["Nothing to do: everything is up to date."] if not lines else []
    elif not plan.is_empty:
        lines = [line for change in plan.changes if change.action != "none" for line in _change_lines(change)]
        lines += ["", f"Plan: {summary_text(plan)}."]
        lines += [f"  {sentence}" for sentence in plan.impact]
    for obstacle in () if before_apply else plan.obstacles:
        error_line = f"{click.style('error', fg='red', bold=True)}: {obstacle.forecast}: {printable(obstacle.message)}"
        hint = [f"  {click.style('hint', fg='cyan')}: {printable(obstacle.hint)}"] if obstacle.hint else []
        lines += ["", error_line, *hint]
    if plan.notes and not (before_apply and plan.is_empty):
        lines += [
            "",
            "What apply alone does not do:",
            *(f"  {printable(note)}" for note in plan.notes),
        ]
    return "\n".join(lines).lstrip("\n")


def _kept_line(change: Change) -> str:
    return f"{change.forecast}: {change.reason}."


def _change_lines(change: Change) -> list[str]:
    sign, colour = SIGNS[change.action]
    lines = [
        f"{click.style(sign, fg=colour, bold=True)} {click.style(change.resource, bold=True)}: {printable(change.reason)}"
    ]
    shown = [field for field in change.fields if field.field != "spec_hash"][:FIELDS]
    lines += [
        f"    {printable(field.field)}: {_value_text(field.before)} -> {_value_text(field.after)}" for field in shown
    ]
    if len(change.fields) > FIELDS:
        lines.append(f"    and {len(change.fields) - FIELDS} more fields (--output json shows all)")
    return lines


def summary_text(plan: Plan) -> str:
    """Return the number of changes by action: `2 to create, 1 to run`."""
    return ", ".join(f"{count} {_WORDS[action]}" for action, count in plan.summary.items() if count)


def _value_text(value: Any) -> str:
    return printable(short_value(value))


def short_value(value: Any) -> str:
    """Return a value of a field as a short text, not escaped. Of a digest, a person only needs to know that it differs."""
    if value is None:
        return "(not set)"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = f"{text[:12]}…" if len(text) == 64 and text.isalnum() else text
    return text if len(text) <= _WIDEST else f"{text[:_WIDEST]}…"


def as_json(plan: Plan) -> str:
    """Return the plan as JSON, with notes, impact and obstacles (as `errors`)."""
    value = asdict(plan)
    changes = [
        {key: change[key] for key in ("forecast", "resource", "action", "reason", "before", "after")}
        for change in value["changes"]
    ]
    words = {
        key: value[key] for key in ("target", "serial", "lineage", "commit", "spec_hashes", "inputs", "notes", "impact")
    }
    errors = value["obstacles"]
    return json.dumps(
        {**words, "changes": changes, "errors": errors, "summary": plan.summary}, indent=2, allow_nan=False
    )
