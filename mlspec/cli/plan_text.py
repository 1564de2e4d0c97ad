"""Formats a plan as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from mlspec.cli.escape import printable
from mlspec.plan.grouping import NAME, group_changes, group_sentences
from mlspec.plan.natural_order import natural_key
from mlspec.state.plan import ACTION_WORDS, Change, Plan, changed_forecasts, kept_out_changes
from mlspec.state.resource import field_text

SIGNS = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "replace": ("±", "yellow"),
    "delete": ("-", "red"),
    "run": (">", "cyan"),
}
FIELDS = 8
MOST_FORECASTS = 20  # of more forecasts those that change alike are shown together
MOST_GROUPS = 20
_NAMED = 5  # forecasts of a group that are named
_WIDEST = 48


def as_text(plan: Plan, *, before_apply: bool = False, in_full: bool = False) -> str:
    """Return the plan as text: changes, reasons, fields, consequences, and forecasts that cannot be planned.

    If more than MOST_FORECASTS change, those that change alike are shown together, unless `in_full`.

    Before an apply the last are left out, because apply reports them at its end. The notes are left out if there is nothing to
    do.
    """
    lines: list[str] = []
    if plan.is_empty and not plan.obstacles:
        lines = [_kept_line(change) for change in kept_out_changes(plan)]
        lines += ["Nothing to do: everything is up to date."] if not lines else []
    elif not plan.is_empty:
        grouped = not in_full and len(changed_forecasts(plan)) > MOST_FORECASTS
        changes = [line for change in plan.changes if change.action != "none" for line in _change_lines(change)]
        lines = _group_lines(plan) if grouped else changes
        lines += ["", f"Plan: {summary_text(plan)}."]
        lines += [f"  {sentence}" for sentence in _sentences(plan.impact, plan, grouped=grouped)]
    for obstacle in () if before_apply else plan.obstacles:
        error_line = f"{click.style('error', fg='red', bold=True)}: {obstacle.forecast}: {printable(obstacle.message)}"
        hint = [f"  {click.style('hint', fg='cyan')}: {printable(obstacle.hint)}"] if obstacle.hint else []
        lines += ["", error_line, *hint]
    if plan.notes and not (before_apply and plan.is_empty):
        many = not in_full and len({change.forecast for change in plan.changes}) > MOST_FORECASTS
        notes = _sentences(plan.notes, plan, grouped=many)
        lines += ["", "What apply alone does not do:", *(f"  {printable(note)}" for note in notes)]
    return "\n".join(lines).lstrip("\n")


def _group_lines(plan: Plan) -> list[str]:
    """Return the changes by group of forecasts that change alike: all that destroy, and the first MOST_GROUPS of the others."""
    groups = group_changes(plan.changes)
    shown = [group for at, group in enumerate(groups) if group.destroys or at < MOST_GROUPS]
    lines: list[str] = []
    for group in shown:
        if len(group.forecasts) > 1:
            listed = sorted(group.forecasts, key=natural_key)
            more = f" and {len(listed) - _NAMED:,} more" if len(listed) > _NAMED else ""
            head = f"{len(listed):,} forecasts change in the same way: {', '.join(listed[:_NAMED])}{more}"
            lines += ["", click.style(head, bold=True)]
        lines += [line for change in group.changes for line in _change_lines(change)]
    hidden = [group for group in groups if group not in shown]
    if hidden:
        count = sum(len(group.forecasts) for group in hidden)
        lines += ["", f"… and {count:,} more forecasts, in {len(hidden):,} groups that change in other ways"]
    lines += ["", f"{NAME} stands for a forecast's name. `mlspec plan --all` shows each forecast by itself."]
    return lines


def _sentences(sentences: Sequence[str], plan: Plan, *, grouped: bool) -> list[str]:
    """Return sentences; `grouped`: those that read the same but for the forecast's name once, with their number."""
    if not grouped:
        return list(sentences)
    names = list(dict.fromkeys(change.forecast for change in plan.changes))
    found = [
        f"{count:,} forecasts: {text.removeprefix(f'{NAME}: ')}" if count > 1 else text
        for text, count in group_sentences(sentences, names)
    ]
    more = len(found) - MOST_GROUPS
    return [*found[:MOST_GROUPS], *([f"… and {more:,} more (`mlspec plan --all` shows all)"] if more > 0 else [])]


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
    return ", ".join(f"{count} {ACTION_WORDS[action]}" for action, count in plan.summary.items() if count)


def _value_text(value: Any) -> str:
    return printable(short_value(value))


def short_value(value: Any) -> str:
    """Return a value of a field as a short text, not escaped. Of a digest, a person only needs to know that it differs."""
    if value is None:
        return "(not set)"
    text = field_text(value)
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
