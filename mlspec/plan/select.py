"""Selects forecasts by name, by pattern, or by their changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import cache

from mlspec.errors import NotFound, UsageError
from mlspec.spec.faults import did_you_mean
from mlspec.state.plan import Plan

_SHOWN = 10  # names of forecasts in a hint
_STATES = ("new", "modified", "modified+")


def select_names(plan: Callable[[], Plan], selectors: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Return the names that any selector takes, in order. `plan` is called at most once, and only if a selector needs it.

    A selector is a name, a pattern (`store-*`), `new` (the forecast has no resources yet), `modified` (it has resources and its
    spec differs) or `modified+` (there is any change, for any reason). Each of the last three also takes forecasts that cannot
    be planned. Without selectors all are taken.
    """
    if not selectors:
        return tuple(names)
    once = cache(plan)
    taken = {name for selector in selectors for name in _match_selector(once, selector, names)}
    return tuple(name for name in names if name in taken)


def _match_selector(plan: Callable[[], Plan], selector: str, names: Sequence[str]) -> list[str]:
    if selector in _STATES:
        return [name for name in names if matches_state(plan(), selector, name)]
    matches = [name for name in names if fnmatchcase(name, selector)]
    if not matches and any(sign in selector for sign in "*?["):
        raise UsageError(f"--select: no forecast's name matches '{selector}'", hint=_describe_names(names))
    if not matches:
        raise UsageError(f"--select: no forecast '{selector}'", hint=did_you_mean(selector, [*names, *_STATES]))
    return matches


def _describe_names(names: Sequence[str]) -> str:
    shown, more = ", ".join(names[:_SHOWN]), f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"the forecasts are {shown}{more}; quote a pattern, so that the shell does not read it"


def matches_state(plan: Plan, state: str, name: str) -> bool:
    """Return whether a forecast is in the state that a selector names: `new`, `modified` or `modified+`."""
    if any(obstacle.forecast == name for obstacle in plan.obstacles):
        return True  # its data is missing: the forecast is taken, so that this does not look like "nothing to do"
    changes = [change for change in plan.changes if change.forecast == name and change.action != "none"]
    if state == "modified+":
        return bool(changes)
    new = any(change.before is None and change.resource.startswith("data.") for change in changes)
    if state == "new":
        return new
    fields = {field.field for change in changes for field in change.fields} - {"data.digest", "code.version", "version"}
    return not new and bool(fields)


def known_name(name: str, names: Sequence[str]) -> str:
    """Return `name` if it is one of `names`. Raises UsageError with the nearest."""
    if name in names:
        return name
    hint = did_you_mean(name, names) or "see `mlspec status`"
    raise NotFound(
        f"there is no forecast '{name}'", hint=hint if names else "nothing was applied yet: run `mlspec apply`"
    )


def recorded_name(name: str, recorded: Sequence[str]) -> str:
    """Return `name` if it is one of the `recorded` forecasts. Raises UsageError with the nearest: a spec alone is no record."""
    if name in recorded or not recorded:
        return known_name(name, recorded)
    hint = did_you_mean(name, recorded)
    raise NotFound(
        f"there is no forecast '{name}' on record", hint=f"`mlspec apply` puts a spec's forecast on record; {hint}"
    )
