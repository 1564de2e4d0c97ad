"""The backtest of a version as rows: what each candidate forecast at earlier cutoffs, beside the actual values."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mlspec.engine.rows import PlainRows, checked_facts, plain_rows, read_rows
from mlspec.errors import StateError, UsageError
from mlspec.models import SERIES, TIME
from mlspec.plan.releases import release_spec
from mlspec.plan.select import recorded_name
from mlspec.plan.serving import stable_version
from mlspec.spec.dataset import Dataset
from mlspec.spec.faults import did_you_mean
from mlspec.state.record import Version
from mlspec.targets.base import Target

ACTUAL, PERIODS_AHEAD = "actual", "periods_ahead"
# The stored columns of mlspec's own, and their names for people.
_COLUMNS = {"cutoff": "cutoff", "h": PERIODS_AHEAD, "candidate": "candidate", "y": ACTUAL, "mean": "mean"}
LEVEL_SUMS = "(levels)"  # the candidate of rows that are of sums, and not of series (`forecast.reconcile`)


def load_backtest(target: Target, name: str, version: str | None = None, *, all_candidates: bool = False) -> PlainRows:
    """Return the backtest of a version: of the champion, or of all candidates that competed.

    Without `version`, of the version that serves; if none does, of the newest. Raises UsageError for an unknown name or version,
    StateError if there is no backtest.
    """
    judged = _find_version(target, name, version)
    checked = target.observe_forecast(name).resources.get("data")
    if checked is None:
        raise StateError(f"{name} is destroyed, so there is nothing to show", hint="run `mlspec apply`")
    dataset = _find_dataset(target, name, judged)
    stored = read_rows(target.fetch_file(name, judged.files["backtest"]), checked_facts(target, name).get("timezone"))
    at = {column: position for position, column in enumerate(stored.columns)}
    names = _series_names(read_rows(target.fetch_file(name, checked.files["series"])), dataset.series)
    quantiles = [column for column in stored.columns if column.startswith("q")]
    own = [column for column in (*_COLUMNS, *quantiles) if column in at]
    rows = [
        [*_find_names(names, row[at[SERIES]], len(dataset.series)), row[at[TIME]], *(row[at[column]] for column in own)]
        for row in stored.values
        if row[at["candidate"]] == judged.candidate or (all_candidates and row[at["candidate"]] != LEVEL_SUMS)
    ]
    taken = (*dataset.series, dataset.time)
    columns = [*taken, *(_free_name(_COLUMNS.get(column, column), taken) for column in own)]
    return PlainRows(columns, rows, frozenset({dataset.time, _free_name("cutoff", taken)})).sort_by_keys(dataset.series)


def load_realised(target: Target, name: str, columns: Sequence[str], values: Sequence[Sequence[object]]) -> PlainRows:
    """Return realised forecasts, which a job has computed column by column, as rows with the times of the forecast's zone."""
    return plain_rows(list(columns), values, checked_facts(target, name).get("timezone"))


def _find_version(target: Target, name: str, version: str | None) -> Version:
    recorded_name(name, target.forecast_names())
    versions = {judged.version: judged for judged in target.load_versions(name)}
    if version is not None and version not in versions:
        raise UsageError(
            f"{name} has no version '{version}'", hint=did_you_mean(version, versions) or f"see `mlspec history {name}`"
        )
    wanted = version or stable_version(target.observe_forecast(name))
    if wanted in versions:
        return versions[wanted]
    for judged in versions.values():
        return judged
    raise StateError(f"{name} has no backtest yet", hint="`mlspec status` says why; `mlspec apply` makes one")


def _find_dataset(target: Target, name: str, judged: Version) -> Dataset:
    """Return the dataset of the newest release of a version, or of the newest release if it was never released."""
    releases = target.load_releases(name)
    release = next((each for each in releases if each.version == judged.version), next(iter(releases), None))
    if release is None:
        raise StateError(f"{name} has no release yet", hint="`mlspec status` says why")
    return release_spec(release).dataset


def _series_names(series: PlainRows, columns: Collection[str]) -> dict[str, list[object]]:
    at = [series.columns.index(f"id_{column}") for column in columns]
    identifier = series.columns.index(SERIES)
    return {row[identifier]: [row[position] for position in at] for row in series.values}


def _find_names(names: dict[str, list[object]], identifier: str, count: int) -> list[object]:
    """Return the values that name a series; of a series that is gone from the data, only a single one is known."""
    return names.get(identifier) or ([identifier] if count == 1 else [None] * count)


def _free_name(name: str, taken: Collection[str]) -> str:
    """Return a column's name; with `_` behind it, where a column of the user has that name."""
    return f"{name}_" if name in taken else name
