"""A real history that is lived through period by period: its project, its spec, its faults, and the passes of the real loop."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from _accuracy_data import DataSet

from benchmarks._faults import Week
from mlspec.cli.target import open_engine
from mlspec.engine.assembly import ignore_progress
from mlspec.engine.context import Engine
from mlspec.engine.effects import ForecastWork, files_of, panel_files
from mlspec.engine.pipeline import run_step
from mlspec.engine.reconcile import reconcile_one
from mlspec.forecast.frame import ID, MEAN, PREFIX, TARGET, TIME
from mlspec.forecast.frequency import Frequency, parse_frequency
from mlspec.jobs.files import read_table
from mlspec.jobs.rehearsal_project import ScaledForecastSteps
from mlspec.spec import read_specs
from mlspec.state.record import Version
from mlspec.targets.local.target import LocalTarget

# A model that has turned bad forecasts twice as much.
BIAS = 2.0
# Passes without new data after which they are called stale: half a one more than two are missing.
STALE_PASSES = 2.5
SOURCE, PLAN = "data/rows.csv", "data/plan.csv"
# Without a cron for forecasts the loop makes one with each new period.
RETRAIN = {"D": "0 4 1 * *", "W": "0 4 1 * *", "M": "0 4 1 */3 *"}


@dataclass(frozen=True)
class ReplayedSet:
    """A set and how it is lived: after `first` periods, for `length` periods, with a pass for each `every`.

    `alerts` are the entries of the spec.
    """

    data: DataSet
    first: int
    length: int
    every: int
    alerts: Sequence[dict[str, Any]]

    @property
    def name(self) -> str:
        """The name of the set and of its forecast, as a spec may have it."""
        return self.data.name.replace("_", "-")

    @property
    def periods(self) -> list[pd.Timestamp]:
        """All periods, oldest first."""
        return sorted(self.data.rows[TIME].unique())

    @property
    def frequency(self) -> Frequency:
        """The frequency of the periods."""
        return parse_frequency(self.data.facts["freq"])

    @property
    def per_year(self) -> float:
        """How many periods a year has."""
        periods = self.periods
        return 365.25 / ((periods[-1] - periods[0]) / pd.Timedelta(days=1) / (len(periods) - 1))

    def spec(self) -> dict[str, Any]:
        """Return the forecast's spec: cheap candidates of several kinds, a training at the first of a month, rollback."""
        facts, dataset = self.data.facts, self._dataset()
        age = STALE_PASSES * self.every * 24 * 365.25 / self.per_year
        alerts = [*self.alerts, {"name": "stale", "metric": "data_age", "above": f"{age:.0f}h"}]
        return {
            "apiVersion": "mlspec/v1", "kind": "Forecast", "metadata": {"name": self.name}, "dataset": dataset,
            "model": {
                "horizon": facts["horizon"],
                "candidates": [
                    {"kind": "seasonal-naive"}, {"kind": "theta"}, {"kind": "auto-ces"},
                    *([{"kind": "regression"}] if facts["known"] else []),
                    {"kind": "ensemble", "name": "median", "of": "near-best", "combine": "median"},
                ],
                "backtest": {"windows": 4},
            },
            "schedule": {"retrain": RETRAIN[facts["freq"][0]]},
            "alerts": alerts,
            "rollback": {"on": [entry["name"] for entry in self.alerts if entry["metric"] == "wape"]},
            "budget": {"trainings_per_week": 3},
        }  # fmt: skip

    def _dataset(self) -> dict[str, Any]:
        facts = self.data.facts
        known = {"covariates": {"known": list(facts["known"])}, "future": {"uri": PLAN}} if facts["known"] else {}
        return {
            "source": {"uri": SOURCE}, "time": "time", "series": ["series"], "target": "value", "frequency": facts["freq"],
            **known,
        }  # fmt: skip

    @property
    def passes(self) -> range:
        """How many periods are known at each pass."""
        return range(self.first + self.every, self.first + self.length + 1, self.every)

    def moment(self, known: int) -> str:
        """Return the moment of the pass that reads the `known`-th period: an hour after its end."""
        end = self.frequency.period_end(self.periods[known - 1]) + pd.Timedelta(hours=1)
        return f"{end:%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True)
class RealFault:
    """A fault of known size that strikes all periods after the first `since`."""

    kind: str
    since: int
    factor: float = 1.0
    share: float = 1.0

    def change(self, rows: pd.DataFrame, begin: pd.Timestamp) -> pd.DataFrame:
        """Return the rows as the source would have them: from a period on, some series are multiplied."""
        ids = sorted(rows[ID].unique())
        struck = rows[ID].isin(ids[: max(1, round(self.share * len(ids)))]) & (rows[TIME] >= begin)
        return rows.assign(**{TARGET: rows[TARGET].where(~struck, rows[TARGET] * self.factor)})


@dataclass
class Stage:
    """A project in a folder that lives through a set. `weeks` has what each pass brought (a period, whatever its length)."""

    replayed: ReplayedSet
    root: Path
    fault: RealFault | None = None
    weeks: list[Week] = field(default_factory=list)
    heard: int = 0

    def __post_init__(self) -> None:
        """Open the folder's target, and write the project if it is new."""
        if not (self.root / "mlspec.yaml").exists():
            for part in ("data", "specs"):
                (self.root / part).mkdir(parents=True)
            (self.root / "mlspec.yaml").write_text("apiVersion: mlspec/v1\nkind: Project\nname: replay\n")
            (self.root / "specs/it.yaml").write_text(yaml.safe_dump(self.replayed.spec(), sort_keys=False))
        target = LocalTarget(self.root / ".mlspec")
        base = open_engine(target, self.root, ignore_progress)
        self.steps = ScaledForecastSteps(base.steps, BIAS)
        self.engine: Engine = replace(base, steps=self.steps)

    def branch(self, root: Path, fault: RealFault) -> Stage:
        """Return a copy of the stage in another folder, which a fault strikes from now on."""
        shutil.copytree(self.root, root)
        return Stage(self.replayed, root, fault, list(self.weeks), self.heard)

    def live(self, known: int) -> None:
        """Write what the source has with so many periods, and make a pass of the loop."""
        replayed, fault, name = self.replayed, self.fault, self.replayed.name
        stopped = fault is not None and fault.kind == "feed stops"
        self._write(min(known, fault.since) if stopped and fault else known)
        if fault is not None and fault.kind == "biased model":
            self.steps.all_versions = True  # also those that this pass makes
        (spec,) = read_specs([self.root / "specs"], self.root, "local").specs
        self.engine = replace(self.engine, clock=lambda: replayed.moment(known))
        error = reconcile_one(self.engine, spec).error
        if error is not None:
            raise AssertionError(f"{replayed.moment(known)} {name}: {error}") from error
        self._note()

    def _write(self, known: int) -> None:
        replayed, periods = self.replayed, self.replayed.periods
        rows, covariates = replayed.data.rows, [PREFIX + name for name in replayed.data.facts["known"]]
        if self.fault is not None:
            rows = self.fault.change(rows, periods[self.fault.since])
        names = {ID: "series", TIME: "time", TARGET: "value"} | {name: name.removeprefix(PREFIX) for name in covariates}
        table = rows.rename(columns=names)
        newest = periods[known - 1]
        table[table["time"] <= newest].to_csv(self.root / SOURCE, index=False)
        if covariates:
            ahead = table[(table["time"] > newest)].drop(columns="value")
            ahead.to_csv(self.root / PLAN, index=False)

    def _note(self) -> None:
        target, name = self.engine.target, self.replayed.name
        observed, events = target.observe_forecast(name), target.load_events(name)
        new = events[: len(events) - self.heard]
        self.heard = len(events)
        self.weeks.append(Week.of(observed, new))

    def versions(self) -> list[Version]:
        """Return all versions that were judged, oldest first."""
        return sorted(self.engine.target.load_versions(self.replayed.name), key=lambda version: version.created)

    def later_error(self, version: Version, since: int) -> float:
        """Return the WAPE of a version over the horizon after the period number `since`, forecast anew with each period."""
        periods, horizon = self.replayed.periods, self.replayed.data.facts["horizon"]
        cutoffs = periods[since - 1 : since - 1 + horizon]
        (spec,) = read_specs([self.root / "specs"], self.root, "local").specs
        target, name = self.engine.target, self.replayed.name
        work = ForecastWork(self.engine, self.engine.desired_forecast(spec), target.observe_forecast(name))
        inputs = {**panel_files(work), **files_of(version.files, "model", "backtest")}
        text = [self.replayed.frequency.format_period(cutoff) for cutoff in cutoffs]
        made = run_step(self.engine, work.desired, "forecast", inputs, {"version": version.version, "cutoffs": text})
        rows = read_table(target.fetch_file(name, made.outputs["forecast"]))
        rows = rows[rows["time"] <= periods[since - 1 + horizon]].assign(**{ID: rows["series"].astype(str)})
        actual = self.replayed.data.rows[[ID, TIME, TARGET]].rename(columns={TIME: "time"})
        rows = rows.merge(actual, on=[ID, "time"])
        return float((rows[MEAN] - rows[TARGET]).abs().sum() / rows[TARGET].abs().sum())
