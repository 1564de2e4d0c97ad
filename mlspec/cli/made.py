"""What apply made, for the commands that print it."""

from __future__ import annotations

from mlspec.cli.project import known_name
from mlspec.cli.rows import PlainRows, read_rows
from mlspec.cli.target import open_here
from mlspec.errors import StateError
from mlspec.state.record import ForecastRun
from mlspec.targets.base import Target


def newest_run(target: Target, name: str) -> ForecastRun:
    """Return the newest forecast made. Raises UsageError for an unknown name, StateError where none was made yet."""
    known_name(name, target.forecast_names())
    for run in target.load_runs(name):
        return run
    raise StateError(f"{name} has no forecast yet", hint="`mlspec status` says why; `mlspec apply` makes one")


def newest_rows(name: str, target: str, role: str) -> PlainRows:
    """Return a file of the newest forecast as rows. Raises StateError where the spec did not ask for it."""
    opened_target = open_here(target)
    run = newest_run(opened_target, name)
    if role not in run.files:
        raise StateError(
            f"the forecast of {name} came without {role}", hint=f"add `{role}:` to its spec, then `mlspec apply`"
        )
    return read_rows(opened_target.fetch_file(name, run.files[role]))
