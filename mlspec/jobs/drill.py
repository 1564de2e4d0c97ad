"""The stage of a rehearsal: a copy of the project whose data is told again period by period, and steps that can be spoilt."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mlspec.forecast.frame import MEAN
from mlspec.forecast.quantiles import column
from mlspec.forecast.replay import Replay, enough, replay
from mlspec.jobs.files import read_table, write_table
from mlspec.spec.forecast import Forecast
from mlspec.state.step import Progress, StepRequest, StepResult, Steps

SOURCE, PLAN = "data/history.csv", "data/plan.csv"


@dataclass
class Stage:
    """A project in `root` that knows the history up to a period. `moments` says when each period's actuals are in (RFC 3339)."""

    root: Path
    spec: Mapping[str, Any]
    moments: tuple[str, ...]
    told: Replay
    first: int

    def show(self, known: int, *, shift_from: int | None = None, factor: float = 1.0) -> None:
        """Let the first `known` periods of the replay be known; from period `shift_from` on, demand is `factor` times as high."""
        periods = self.told.periods
        shift = periods[self.first + shift_from - 1] if shift_from is not None else None
        rows = self.told.past(periods[self.first + known - 1], shift_from=shift, factor=factor)
        _write(rows, self.root / SOURCE)

    def hide(self) -> None:
        """Let the source be gone."""
        (self.root / SOURCE).unlink(missing_ok=True)


def stage(spec: Mapping[str, Any], root: Path, folder: Path, periods: int) -> Stage:
    """Set the stage in `folder`: the spec of a project at `root`, its last `periods` not known yet.

    Raises DataError where the source cannot be read, ModelError where it is too short.
    """
    forecast = Forecast.model_validate(dict(spec))
    told = replay(forecast.dataset, root)
    first = len(told.periods) - enough(told, periods)
    (folder / "data").mkdir(parents=True)
    dataset = {**spec["dataset"], "source": {"uri": SOURCE, "query": None}}
    plan = told.future()
    if plan is not None:
        _write(plan, folder / PLAN)
        dataset["future"] = {"uri": PLAN}
    delay = pd.Timedelta(forecast.dataset.actuals.available_after) + pd.Timedelta(hours=1)
    ends = [told.frequency.end(period) + delay for period in told.periods[first - 1 :]]
    moments = tuple(f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in ends)
    # What is drilled is the watch, not the gate, and not a version that a schedule would replace meanwhile.
    open_gate = {"model": {**spec["model"], "gate": []}, "schedule": {**spec["schedule"], "retrain": None}}
    return Stage(folder, {**spec, "dataset": dataset, **open_gate}, moments, told, first)


def strike(found: Stage) -> None:
    """Take the stage down."""
    shutil.rmtree(found.root, ignore_errors=True)


@dataclass
class Spoilt:
    """Steps whose forecasts by some versions are `factor` times what the model says: a bad model, as it would look."""

    steps: Steps
    factor: float
    versions: set[str] = field(default_factory=set)

    def __call__(self, request: StepRequest, progress: Progress) -> StepResult:
        """Run a step, and spoil what it forecast where it is by a bad version."""
        result = self.steps(request, progress)
        if request.step == "forecast":
            for path in result.outputs.values():
                self._spoil(path, request.spec["model"]["quantiles"])
        return result

    def _spoil(self, path: Path, quantiles: list[float]) -> None:
        rows = read_table(path)
        bad = rows["version"].isin(self.versions)
        columns = [MEAN, *(column(q) for q in quantiles)]
        rows.loc[bad, columns] = rows.loc[bad, columns] * self.factor
        write_table(rows, path)


def _write(rows: pd.DataFrame, path: Path) -> None:
    part = path.with_suffix(".part")
    rows.to_csv(part, index=False)
    part.replace(path)
