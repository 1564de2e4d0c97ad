"""How accurate `candidates: auto` is, beside the library models that a data scientist would pick, on the same splits.

Run: python benchmarks/accuracy.py [FOLDER ...]. A folder holds sets as NAME.csv with NAME.json beside it: `freq`, `season`,
`horizon`, `time`, `target`, `series` (columns), `known` (columns) and `cutoffs` (how many, one horizon apart, from the newest
back). Without a folder, the two sets that the project ships. From each cutoff mlspec runs its backtest on the history, and its
champion forecasts what was hidden. The others are statsforecast's models with their defaults and the frequency's season, and the
median of ETS, CES, dynamic optimised theta and ARIMA (SCUM, Petropoulos & Svetunkov 2020). Prints the WAPE of each, and exits 1
beyond a bar:

auto / SCUM   geometric mean over the sets: 0.97
auto / seasonal naive   geometric mean over the sets: 0.90
coverage of the 80 % intervals, over all: 0.75 to 0.85
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlspec.forecast import candidates as families  # noqa: E402
from mlspec.forecast.backtest import forecast_means  # noqa: E402
from mlspec.forecast.frame import ID, MEAN, OBSERVED, PREFIX, TARGET, TIME, Layout, Panel, horizon_frame  # noqa: E402
from mlspec.forecast.frequency import parse_frequency  # noqa: E402
from mlspec.forecast.quantiles import STEP, add_quantiles  # noqa: E402
from mlspec.forecast.scales import series_scales  # noqa: E402
from mlspec.forecast.selection import CHAMPION, gather_competitors, run_competition  # noqa: E402
from mlspec.forecast.workers import THIS_PROCESS  # noqa: E402
from mlspec.jobs.runtime import single_threaded  # noqa: E402
from mlspec.spec.forecast import Backtest, Model  # noqa: E402

SHIPPED: dict[str, dict[str, Any]] = {
    "walmart_sales_weekly": {
        "freq": "W-FRI", "season": 52, "horizon": 8, "time": "Date", "target": "Weekly_Sales", "series": ["Store", "Dept"],
        "known": ["IsHoliday"], "cutoffs": 3,
    },
    "bike_sharing_daily": {
        "freq": "D", "season": 7, "horizon": 14, "time": "dteday", "target": "cnt", "series": [], "known": ["holiday"],
        "cutoffs": 3,
    },
}  # fmt: skip
SCUM, NAIVE, AUTO = "SCUM", "seasonal naive", "mlspec auto"
SCUM_BAR, NAIVE_BAR, COVERAGE_BAR = 0.97, 0.90, (0.75, 0.85)
QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class DataSet:
    """A set: its rows with unique_id, ds, y and known covariates, and what its JSON says."""

    name: str
    rows: pd.DataFrame
    facts: Mapping[str, Any]

    def cutoffs(self) -> list[pd.Timestamp]:
        """Return the cutoffs, oldest first."""
        times, horizon = sorted(self.rows[TIME].unique()), self.facts["horizon"]
        return [times[-1 - horizon * back] for back in range(self.facts["cutoffs"], 0, -1)]

    def panel(self, cutoff: pd.Timestamp) -> Panel:
        """Return what is known at a cutoff: series that reach it, and the known covariates after it."""
        known = tuple(PREFIX + name for name in self.facts["known"])
        frequency = parse_frequency(self.facts["freq"])
        history = self.rows[self.rows[TIME] <= cutoff]
        last = history.groupby(ID)[TIME].transform("max")
        history = history[last == cutoff].reset_index(drop=True).assign(**{OBSERVED: True})
        layout = Layout(frequency, self.facts["horizon"], frequency.season, known)
        bare = Panel(history, pd.DataFrame({ID: sorted(history[ID].unique())}), history[[ID, TIME]][:0], layout)
        future = horizon_frame(bare)
        if known:
            future = future.merge(self.rows[[ID, TIME, *known]], on=[ID, TIME], how="left")
        return Panel(bare.frame, bare.series, future, layout)


def read_set(file: Path, facts: Mapping[str, Any]) -> DataSet:
    """Read a set's CSV."""
    table = pd.read_csv(file)
    ids = table[list(facts["series"])].astype(str).agg("/".join, axis=1) if facts["series"] else "all"
    rows = pd.DataFrame(
        {ID: ids, TIME: pd.to_datetime(table[facts["time"]]), TARGET: table[facts["target"]].astype("float64")}
    )
    for name in facts["known"]:
        rows[PREFIX + name] = table[name].astype("float64")
    return DataSet(file.stem, rows.sort_values([ID, TIME], ignore_index=True), facts)


def read_sets(folders: list[str]) -> Iterator[DataSet]:
    """Yield the sets of the folders; those that the project ships, if there are none."""
    for name, facts in SHIPPED.items() if not folders else ():
        yield read_set(ROOT / "data" / f"{name}.csv", facts)
    for file in sorted(file for folder in folders for file in Path(folder).glob("*.json")):
        yield read_set(file.with_suffix(".csv"), json.loads(file.read_text()))


def library_models(season: int) -> dict[str, Any]:
    """Return the models of the library with their defaults. ETS has no more than 24 states for a season."""
    from statsforecast.models import AutoARIMA, AutoCES, AutoETS, DynamicOptimizedTheta, SeasonalNaive

    return {
        NAIVE: SeasonalNaive(season), "ETS": AutoETS(season_length=season if season <= 24 else 1),
        "CES": AutoCES(season_length=season), "theta": DynamicOptimizedTheta(season_length=season),
        "ARIMA": AutoARIMA(season_length=season, approximation=True, nmodels=20 if season > 12 else 94),
    }  # fmt: skip


def forecast_library(panel: Panel, season: int, spent: dict[str, float]) -> pd.DataFrame:
    """Return a column of means for each model of the library, and for the median of four."""
    from statsforecast import StatsForecast
    from statsforecast.models import Naive

    made = horizon_frame(panel)
    for name, model in library_models(season).items():
        start = time.process_time()
        engine = StatsForecast([model], freq=panel.layout.frequency.offset, n_jobs=1, fallback_model=Naive())
        means = engine.forecast(df=panel.frame[[ID, TIME, TARGET]], h=panel.layout.horizon)
        means.columns = [ID, TIME, name]
        made = made.merge(means, on=[ID, TIME])
        spent[name] = spent.get(name, 0.0) + time.process_time() - start
    return made.assign(**{SCUM: made[["ETS", "CES", "theta", "ARIMA"]].median(axis=1)})


def forecast_auto(panel: Panel, spent: dict[str, float]) -> pd.DataFrame:
    """Return the champion's mean and quantiles."""
    start = time.process_time()
    model = Model(horizon=panel.layout.horizon, quantiles=QUANTILES, backtest=Backtest(windows=4))
    competitors = gather_competitors(panel, model, None, THIS_PROCESS)
    outcome = run_competition(panel, model, competitors, lambda *_: None, THIS_PROCESS)
    parts = [
        forecast_means(families.fit_candidate(member, panel, model.seed), panel, member.label)
        for member in outcome.members
    ]
    mean = families.combine_means([part[MEAN] for part in parts], outcome.champion.combine)
    times = panel.layout.frequency.periods_after(panel.cutoff, panel.layout.horizon)
    rows = parts[0][[ID, TIME]].assign(**{MEAN: mean}).merge(series_scales(panel), on=ID, how="left")
    rows = rows.assign(**{STEP: times.get_indexer(rows[TIME]) + 1})
    past = outcome.rows[outcome.rows[CHAMPION]]
    made = add_quantiles(rows, past, QUANTILES)[[ID, TIME, MEAN, "q0.1", "q0.9"]]
    spent[AUTO] = spent.get(AUTO, 0.0) + time.process_time() - start
    print(f"     {panel.cutoff:%Y-%m-%d}: champion {outcome.champion.label}", flush=True)
    return made.rename(columns={MEAN: AUTO})


def main(folders: list[str]) -> int:
    """Measure, print, and return 1 where a bar is not met."""
    scores: dict[str, dict[str, float]] = {}
    inside: list[float] = []
    for data in read_sets(folders):
        spent: dict[str, float] = {}
        with single_threaded():
            parts = [
                forecast_library(panel, data.facts["season"], spent).merge(forecast_auto(panel, spent), on=[ID, TIME])
                for panel in map(data.panel, data.cutoffs())
            ]
        rows = pd.concat(parts).merge(data.rows[[ID, TIME, TARGET]], on=[ID, TIME])
        names = [name for name in rows if name not in (ID, TIME, TARGET, "q0.1", "q0.9")]
        total = rows[TARGET].abs().sum()
        scores[data.name] = {name: float((rows[TARGET] - rows[name]).abs().sum() / total) for name in names}
        covered = rows[TARGET].between(rows["q0.1"], rows["q0.9"])
        inside += list(covered)
        said = ", ".join(
            f"{name} {value:.4f} ({spent.get(name, 0.0):.0f} s)" for name, value in scores[data.name].items()
        )
        print(f"     {data.name}: WAPE (CPU time) {said}; coverage {covered.mean():.1%}", flush=True)
    missed = 0
    for other, bar in ((SCUM, SCUM_BAR), (NAIVE, NAIVE_BAR)):
        ratio = float(np.exp(np.mean([np.log(each[AUTO] / each[other]) for each in scores.values()])))
        missed |= report(
            f"WAPE of auto / of {other}, geometric mean over {len(scores)} sets", ratio, ratio <= bar, f"bar {bar}"
        )
    coverage = float(np.mean(inside))
    low, high = COVERAGE_BAR
    return missed | report("coverage of 80 % intervals", coverage, low <= coverage <= high, f"bar {low} to {high}")


def report(what: str, value: float, met: bool, bar: str) -> int:
    """Print a line, and return 1 if the bar is not met."""
    print(f"{'ok  ' if met else 'MISS'} {what}: {value:.3f} ({bar})", flush=True)
    return 0 if met else 1


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main(sys.argv[1:]))
