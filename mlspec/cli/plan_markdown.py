"""Formats a plan as Markdown: the comment on a pull request, or the summary of a build.

Everything that comes from a spec, a file or a server stands in a code span. There it is text and nothing else: no markup, no
link, no mention of a person, no reference to an issue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlspec.cli.plan_text import FIELDS, SIGNS, short_value, summary_text
from mlspec.plan.grouping import NAME, ChangeGroup, group_changes
from mlspec.render.quote import html_code, markdown_code
from mlspec.state.plan import Change, FieldChange, Plan, changed_forecasts, kept_out_changes
from mlspec.state.resource import SHARED

# Bytes of UTF-8. GitHub's API refuses a longer comment: "Body is too long (maximum is 65536 characters)"; bytes are never fewer.
LIMIT = 65_536
_TAIL = 400  # bytes that are kept for the sentence on what is left out
_NAMED, _LISTED, _SENTENCES = 5, 40, 20  # forecasts named in a heading, in a list; sentences of one kind
_LONGEST = 300  # characters of one sentence


@dataclass(frozen=True, slots=True)
class _Block:
    """A part of the text, and the number of forecasts that it is about."""

    text: str
    forecasts: int = 0


def marker(target: str) -> str:
    """Return the comment's first line. It is not shown. A build finds by it the comment of its earlier run, and replaces it."""
    return f"<!-- mlspec plan: {target} -->"


def as_markdown(plan: Plan, limit: int = LIMIT) -> str:
    """Return the plan as Markdown of at most `limit` bytes: a summary, and one part that can be opened for each group of forecasts.

    What does not fit is left out, with a sentence on how much. `limit` is 2,000 or more.
    """
    head = [marker(plan.target), f"### mlspec plan for target {markdown_code(plan.target)}", _headline(plan)]
    groups = map(_group_block, group_changes(plan.changes))
    blocks = [*_obstacle_blocks(plan), *groups, *_kept_blocks(plan), *_sentence_blocks(plan)]
    left = limit - _TAIL - sum(_size(text) for text in head)
    shown, missing = list[str](), list[_Block]()
    for block in blocks:
        if _size(block.text) <= left:
            shown.append(block.text)
            left -= _size(block.text)
        else:
            missing.append(block)
    return "\n\n".join([*head, *shown, *_tail(missing), _origin(plan)])


def _size(text: str) -> int:
    return len(text.encode()) + 2  # with the empty line behind it


def _headline(plan: Plan) -> str:
    names = {change.forecast for change in plan.changes} | {obstacle.forecast for obstacle in plan.obstacles}
    parts = [f"**{len(plan.obstacles)} cannot be planned.**"] if plan.obstacles else []
    if not plan.is_empty:
        changing = len(changed_forecasts(plan))
        parts.append(f"**{summary_text(plan)}**, in {changing} of {len(names - {SHARED})} forecasts.")
    elif not plan.obstacles:
        parts.append("**Nothing to do.**")
    # As where a build plans against a record that lies on somebody's laptop.
    empty = (
        "The record of this target is empty, so everything is new. A build does not see a record on another machine."
    )
    return "\n\n".join([" ".join(parts), *([] if plan.lineage else [empty])])


def _kept_blocks(plan: Plan) -> list[_Block]:
    """Return a line for each forecast whose newer version the gate keeps out: nothing to do, and not well."""
    return [
        _Block(f"- {markdown_code(change.forecast)}: {_sentence(change.reason)}", 1)
        for change in kept_out_changes(plan)
    ]


def _obstacle_blocks(plan: Plan) -> list[_Block]:
    return [
        _Block(f"- {markdown_code(obstacle.forecast)} cannot be planned: {_sentence(obstacle.message)}{hint}", 1)
        for obstacle in plan.obstacles
        for hint in [f" (hint: {_sentence(obstacle.hint)})" if obstacle.hint else ""]
    ]


def _group_block(group: ChangeGroup) -> _Block:
    """Return one collapsible part: what changes, for one forecast or for many that change alike."""
    named = ", ".join(html_code(name) for name in group.forecasts[:_NAMED])
    more = f" and {len(group.forecasts) - _NAMED} more" if len(group.forecasts) > _NAMED else ""
    warning = "⚠️ destroys: " if group.destroys else ""
    lines = [line for change in group.changes for line in _change_lines(change)]
    if len(group.forecasts) > 1:
        lines = [f"{len(group.forecasts)} forecasts change in the same way: {_name_list(group.forecasts)}.", "", *lines]
        lines += ["", f"{NAME} stands for the forecast's name."] if any(NAME in line for line in lines) else []
    summary = f"<summary>{warning}{named}{more}: {_kinds_text(group.changes)}</summary>"
    return _Block("\n".join(["<details>", summary, "", *lines, "", "</details>"]), len(group.forecasts))


def _kinds_text(changes: Sequence[Change]) -> str:
    """Return the kinds of resources that change, as HTML: `~ model, > forecast`."""
    return ", ".join(html_code(f"{SIGNS[change.action][0]} {change.resource.partition('.')[0]}") for change in changes)


def _name_list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{', '.join(map(markdown_code, names[:_LISTED]))}{more}"


def _change_lines(change: Change) -> list[str]:
    sign = SIGNS[change.action][0]
    lines = [f"- {markdown_code(sign)} {change.action} {markdown_code(change.resource)}: {_sentence(change.reason)}"]
    lines += [f"  - {_field_text(field)}" for field in change.fields[:FIELDS]]
    if len(change.fields) > FIELDS:
        lines.append(f"  - and {len(change.fields) - FIELDS} more fields (`mlspec plan --output json` shows all)")
    return lines


def _field_text(field: FieldChange) -> str:
    values = f"{markdown_code(short_value(field.before))} → {markdown_code(short_value(field.after))}"
    return f"{_sentence(field.field)}: {values}"


def _sentence_blocks(plan: Plan) -> list[_Block]:
    """Return the consequences, open, and the notes, collapsed."""
    impact = [f"- {_sentence(text)}" for text in plan.impact[:_SENTENCES]]
    notes = [f"- {_sentence(text)}" for text in plan.notes[:_SENTENCES]]
    impact += [f"- and {len(plan.impact) - _SENTENCES} more"] if len(plan.impact) > _SENTENCES else []
    notes += [f"- and {len(plan.notes) - _SENTENCES} more"] if len(plan.notes) > _SENTENCES else []
    heading = "<details>\n<summary>Parts of the specs that apply alone does not act on</summary>"
    return [
        *([_Block("\n".join(["What follows:", "", *impact]))] if impact else []),
        *([_Block("\n".join([heading, "", *notes, "", "</details>"]))] if notes else []),
    ]


def _sentence(text: str) -> str:
    return markdown_code(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def _tail(missing: Sequence[_Block]) -> list[str]:
    """Return the sentence on what does not fit; none if all does."""
    if not missing:
        return []
    forecasts = sum(block.forecasts for block in missing)
    what = f"the changes of {forecasts} forecasts" if forecasts else "the consequences or the notes"
    return [
        f"**Left out, because a comment has {LIMIT:,} characters at most: {what}.** The saved plan holds all of it."
    ]


def _origin(plan: Plan) -> str:
    return f"Planned at commit {markdown_code(plan.commit[:80])}." if plan.commit else "Planned outside a git commit."
