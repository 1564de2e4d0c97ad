"""The environment of a rehearsal: a copy of the project that replays its data period by period, and steps with injected errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from mlspec.forecast.event_files import read_event_files
from mlspec.forecast.frame import MEAN
from mlspec.forecast.quantiles import quantile_column
from mlspec.forecast.replay import Replay, load_replay, replayable_periods
from mlspec.forecast.zones import in_utc
from mlspec.jobs.context import read_spec
from mlspec.jobs.files import read_table, write_table
from mlspec.jobs.model_code import copy_model_code
from mlspec.spec.data_files import EventFile, Future
from mlspec.spec.dataset import Dataset, Source
from mlspec.spec.forecast import Forecast
from mlspec.state.step import Progress, StepRequest, StepResult, StepRunner

SOURCE, PLAN, DAYS = "data/history.csv", "data/plan.csv", "data/events.csv"


@dataclass
class ReplayedProject:
    """A project in `root` with the history up to a period. `moments` are the times when each period's actuals arrive (RFC 3339)."""

    root: Path
    spec: Forecast
    moments: tuple[str, ...]
    history: Replay
    first: int

    def reveal_periods(self, known: int, *, shift_from: int | None = None, factor: float = 1.0) -> None:
        """Write the history up to the `known`-th replayed period. From period `shift_from` on, demand is multiplied by `factor`."""
        periods = self.history.periods
        shift = periods[self.first + shift_from - 1] if shift_from is not None else None
        rows = self.history.rows_until(periods[self.first + known - 1], shift_from=shift, factor=factor)
        _write_csv(rows, self.root / SOURCE)

    def remove_source(self) -> None:
        """Delete the source file."""
        (self.root / SOURCE).unlink(missing_ok=True)


def build_replayed_project(spec: Forecast, root: Path, folder: Path, periods: int) -> ReplayedProject:
    """Copy the project at `root` into `folder`, for a replay of its last `periods` periods.

    Raises DataError if the source cannot be read, ModelError if the history is too short.
    """
    history = load_replay(spec.dataset, root)
    first = len(history.periods) - replayable_periods(history, periods)
    (folder / "data").mkdir(parents=True)
    plan = history.known_plan()
    if plan is not None:
        _write_csv(plan, folder / PLAN)
    copy_model_code(spec, root, folder)
    covariates = spec.dataset.covariates.model_copy(update={"events": _copy_events(spec.dataset, root, folder)})
    future = Future(uri=PLAN) if plan is not None else spec.dataset.future
    delay = pd.Timedelta(spec.dataset.actuals.available_after) + pd.Timedelta(hours=1)
    ends = [history.frequency.period_end(period) + delay for period in history.periods[first - 1 :]]
    moments = tuple(f"{in_utc(moment, spec.dataset.timezone):%Y-%m-%dT%H:%M:%SZ}" for moment in ends)
    # A rehearsal tests alerts and rollback. So no gate refuses a version, no scheduled retraining replaces it, and no stock is
    # computed.
    parts = {
        "dataset": spec.dataset.model_copy(
            update={"source": Source(uri=SOURCE), "future": future, "covariates": covariates}
        ),
        "model": spec.model.model_copy(update={"gate": ()}),
        "schedule": spec.schedule.model_copy(update={"retrain": None}),
        "inventory": None,
    }
    return ReplayedProject(folder, spec.model_copy(update=parts), moments, history, first)


def _copy_events(dataset: Dataset, root: Path, folder: Path) -> dict[str, tuple[str, ...] | EventFile]:
    """Write the days of events that are in files to one file, as the other data are written, and return the events of the copy."""
    in_files = read_event_files(dataset, root).days
    if in_files:
        rows = [(name, day) for name, days in in_files.items() for day in days]
        _write_csv(pd.DataFrame(rows, columns=["event", "date"]), folder / DAYS)
    return {**dataset.covariates.events, **{name: EventFile(uri=DAYS) for name in in_files}}


@dataclass
class ScaledForecastSteps:
    """Steps that multiply the forecasts of some versions by `factor`, to simulate a bad model; `all_versions`: of each version."""

    steps: StepRunner
    factor: float
    versions: set[str] = field(default_factory=set)
    all_versions: bool = False

    def __call__(self, request: StepRequest, progress: Progress) -> StepResult:
        """Run a step, and change its forecast if a bad version made it."""
        result = self.steps(request, progress)
        if request.step == "forecast":
            for path in result.outputs.values():
                self._scale_forecast(path, read_spec(request).model.quantiles)
        return result

    def _scale_forecast(self, path: Path, quantiles: Sequence[float]) -> None:
        rows = read_table(path)
        bad = rows["version"].isin(self.versions) | self.all_versions
        columns = [MEAN, *(quantile_column(q) for q in quantiles)]
        rows.loc[bad, columns] = rows.loc[bad, columns] * self.factor
        write_table(rows, path)


def _write_csv(rows: pd.DataFrame, path: Path) -> None:
    part = path.with_suffix(".part")
    rows.to_csv(part, index=False)
    part.replace(path)
