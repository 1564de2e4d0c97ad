"""The levels of a hierarchy's forecast, and its weeks, as rows."""

from __future__ import annotations

from dataclasses import replace

from mlspec.engine.rows import PlainRows, checked_facts, load_rows, read_rows
from mlspec.errors import NotFound
from mlspec.spec.faults import did_you_mean
from mlspec.spec.hierarchy import SERIES
from mlspec.spec.output_columns import LEVEL
from mlspec.state.record import ForecastRun
from mlspec.state.step import LEVELS, WEEKS
from mlspec.targets.base import Target

ALL_LEVELS = "all"
WEEK = "week"


def load_level_rows(
    target: Target, name: str, run: ForecastRun, *, level: str | None = None, by: str | None = None
) -> PlainRows:
    """Return the rows of a level, of all levels, or of the series; with `by` of `week`, by week.

    Raises UsageError for a level that the forecast does not have, and where its spec has no hierarchy.
    """
    if by is None and level in (None, SERIES):
        return load_rows(target, name, "forecast", run)
    role = LEVELS if by is None else WEEKS
    if role not in run.files:
        raise _missing_table(name, role, run)
    table = read_rows(target.fetch_file(name, run.files[role]), checked_facts(target, name).get("timezone"))
    return pick_level(table, level or SERIES)


def pick_level(table: PlainRows, level: str) -> PlainRows:
    """Return the rows of a level, without the columns that name nothing there; of `all`, each row with its level."""
    if level == ALL_LEVELS:
        return table
    at = table.columns.index(LEVEL)
    rows = [row for row in table.values if row[at] == level]
    if not rows:
        known = list(dict.fromkeys(str(row[at]) for row in table.values))
        raise NotFound(
            f"there is no level '{level}'",
            hint=did_you_mean(level, known) or f"levels: {', '.join([*known, ALL_LEVELS])}",
        )
    kept = [place for place in range(len(table.columns)) if place != at and any(row[place] is not None for row in rows)]
    names = [table.columns[place] for place in kept]
    picked = replace(table, columns=names, values=[[row[place] for place in kept] for row in rows])
    return picked.sort_by_keys(names[: min(names.index(time) for time in table.times if time in names)])


def _missing_table(name: str, role: str, run: ForecastRun) -> NotFound:
    if role == WEEKS and LEVELS in run.files:
        return NotFound(f"the forecast of {name} is not by day, so it has no weeks", hint="--level alone is there")
    return NotFound(
        f"the forecast of {name} from {run.cutoff} has no {role}",
        hint="name the levels in dataset.hierarchy, such as hierarchy: [region, store], then `mlspec apply`"
        if role == LEVELS
        else "add dataset.hierarchy (hierarchy: [] has the weeks of each series alone), then `mlspec apply`",
    )
