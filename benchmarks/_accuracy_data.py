"""A set of series for `accuracy.py`: its rows, its cutoffs, and what is known at each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mlspec.forecast.frame import ID, OBSERVED, PREFIX, TARGET, TIME, Layout, Panel, horizon_frame
from mlspec.forecast.frequency import parse_frequency

DATA = Path(__file__).resolve().parent.parent / "data"
SHIPPED: dict[str, dict[str, Any]] = {
    "walmart_sales_weekly": {
        "freq": "W-FRI", "season": 52, "horizon": 8, "time": "Date", "target": "Weekly_Sales", "series": ["Store", "Dept"],
        "known": ["IsHoliday"], "cutoffs": 3, "source": "shipped (data/README.md)",
    },
    "bike_sharing_daily": {
        "freq": "D", "season": 7, "horizon": 14, "time": "dteday", "target": "cnt", "series": [], "known": ["holiday"],
        "cutoffs": 3, "source": "shipped (data/README.md)",
    },
}  # fmt: skip


@dataclass(frozen=True)
class DataSet:
    """A set: its rows with unique_id, ds, y and known covariates; `facts`: freq, season, horizon, known, cutoffs, source."""

    name: str
    rows: pd.DataFrame
    facts: Mapping[str, Any]

    def cutoffs(self) -> list[pd.Timestamp]:
        """Return the cutoffs, one horizon apart, oldest first."""
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


def read_sets(folders: list[str]) -> Iterator[DataSet]:
    """Yield the sets that the project ships, and those of the folders: NAME.csv with NAME.json beside it."""
    for name, facts in SHIPPED.items():
        yield _read_set(DATA / f"{name}.csv", facts)
    for file in sorted(file for folder in folders for file in Path(folder).glob("*.json")):
        yield _read_set(file.with_suffix(".csv"), json.loads(file.read_text()))


def _read_set(file: Path, facts: Mapping[str, Any]) -> DataSet:
    table = pd.read_csv(file)
    ids = table[list(facts["series"])].astype(str).agg("/".join, axis=1) if facts["series"] else "all"
    rows = pd.DataFrame(
        {ID: ids, TIME: pd.to_datetime(table[facts["time"]]), TARGET: table[facts["target"]].astype("float64")}
    )
    for name in facts["known"]:
        rows[PREFIX + name] = table[name].astype("float64")
    return DataSet(file.stem, rows.sort_values([ID, TIME], ignore_index=True), facts)
