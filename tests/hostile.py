"""Tables, specs and records as nobody means them: strategies for tests that let only mlspec's own errors out.

The gate runs few examples with a fixed seed. `MLSPEC_FUZZ=20` runs twenty times as many, with another seed each time.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pa_parquet
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st

from mlspec.errors import Defect, MlspecError
from mlspec.spec.checks import run_checks
from mlspec.spec.forecast import Forecast

TIMES = int(os.environ.get("MLSPEC_FUZZ", "1"))


def bounded(examples: int) -> settings:
    """The settings of a test: this many examples in the gate."""
    return settings(
        max_examples=examples * TIMES, deadline=None, derandomize=TIMES == 1, suppress_health_check=list(HealthCheck)
    )


def require_own_error(error: MlspecError) -> None:
    """An error is one that a person can act on: it says what is wrong, and what to do."""
    assert not isinstance(error, Defect), error.message
    assert error.message.strip()
    assert error.hint, f"no hint: {error.message}"


# --- tables ---------------------------------------------------------------------------------------------------------------------

# frequency: a date of the grid, and the steps between two dates of it, in pandas' words.
FREQUENCIES = {
    "D": "2024-01-01",
    "h": "2024-01-01",
    "15min": "2024-01-01",
    "W-SUN": "2024-01-07",
    "MS": "2024-01-01",
    "ME": "2024-01-31",
    "B": "2024-01-01",
    "QS": "2024-01-01",
    "YS": "1990-01-01",
    "YE": "1990-12-31",
    "2W-SUN": "2024-01-07",
    "3D": "2024-01-01",
    "5h": "2024-01-01",
    "QE-FEB": "2024-02-29",
    "1000D": "1800-01-01",
    "7YS": "1800-01-01",
}
ODD_TIMES = (
    "1725-01-01",
    "1700-01-01",
    "1699-12-31",
    "2199-12-31",
    "2200-06-01",
    "2262-04-12",
    "0001-01-01",
    "9999-12-31",
    "2024-02-30",
    "2024-01-03T13:45:00",
    "2024-01-03T13:45:00Z",
    "2024-01-03T13:45:00+14:00",
    "2024-01-03T13:45:00-23:59",
    "01/02/2024",
    "",
    "NaT",
    "2024-W01",
    "20240103",
    "2024-01-03 ",
    "٢٠٢٤-٠١-٠٣",
    "1e9",
    "2024-01-03T24:00",
    "2024-01-03T00:00:00.123456",
)
ODD_NUMBERS = (
    "",
    "NA",
    "nan",
    "inf",
    "-inf",
    "Infinity",
    "1e308",
    "1e999",
    "-1e308",
    "1e15",
    "-1e15",
    "9999999999999999",
    "1e-320",
    "-0",
    "0",
    "0.0",
    "1,5",
    "1_000",
    " 5",
    "5 ",
    "true",
    "False",
    "None",
    "=1+1",
    "٣",
    "0x10",
    "+7",
    ".5",
    "5.",
    "1e",
    "--1",
    "\x00",
    "💥",
)
ODD_NAMES = (
    "001",
    "NA",
    "",
    " ",
    "a/b",
    "a\\b",
    "=cmd()",
    "💥",
    "ÄÖ",
    "a\u2028b",
    "a,b",
    'a"b',
    "line\nbreak",
    "\ufeff",
    "x" * 300,
    "None",
    "true",
    "1.0",
    "{",
    "%s",
    "unique_id",
    "\x7f",
    "a\tb",
)
ODD_COLUMNS = (
    "unique_id",
    "ds",
    "y",
    "observed",
    "index",
    "level_0",
    "h",
    "row",
    "file",
    "label",
    "candidate",
    "scale",
    "floor",
    "x_y",
    "id_a",
    "{",
    "💥",
    "a b",
    "a,b",
    'a"b',
    "0",
    "nan",
    "lag1",
    "month",
    "calendar_month",
    "trees",
    "step",
    "champion",
    "mase_scale",
    "ds_x",
    "y_x",
    "version_x",
    "a\u2028b",
    "a.b",
    "a[0]",
    " units",
    "column",
    "check_y",
    "problem",
    "value",
    "cutoff_x",
    "lead",
)
PLAIN_COLUMNS = ("day", "units", "shop", "region", "price", "promo", "size")


@st.composite
def columns(draw: st.DrawFn) -> list[str]:
    """Seven different names of columns: time, target, two of series, known, past, static."""
    odd = draw(st.lists(st.sampled_from(ODD_COLUMNS), max_size=3, unique=True))
    names = list(PLAIN_COLUMNS)
    for name in odd:
        names[draw(st.integers(0, len(names) - 1))] = name
    assume(len(set(names)) == len(names))
    return names


@st.composite
def rows(draw: st.DrawFn, frequency: str, names: Sequence[str], *, odd: bool) -> list[list[str]]:
    """Rows of up to three series, most of them regular, and some as odd as can be."""
    offset = pd.tseries.frequencies.to_offset(frequency)
    made: list[list[str]] = []
    series = draw(st.lists(st.sampled_from(("a", "b", *ODD_NAMES[:8])), min_size=1, max_size=3, unique=True))
    for number, name in enumerate(series):
        length = draw(st.sampled_from((30, 30, 30, 14, 8, 3, 2, 1, 0)))
        late = draw(st.sampled_from((0, 0, 0, 1, 5)))
        kind = draw(st.sampled_from(("season", "season", "zero", "flat", "huge", "tiny", "rare", "negative", "none")))
        grid = pd.date_range(FREQUENCIES[frequency], periods=length + late, freq=offset)[late:]
        made += [
            [
                _time_text(at, offset),
                _value(kind, position, number),
                name,
                "r",
                str(position % 3),
                str(position % 2),
                str(number),
            ]
            for position, at in enumerate(grid)
        ]
    if odd and made:
        for _ in range(draw(st.integers(0, 4))):
            _spoil(draw, made)
        if draw(st.booleans()):
            made = draw(st.permutations(made)) if len(made) < 40 else made[::-1]
    return [list(row) for row in made]


def _time_text(at: pd.Timestamp, offset: Any) -> str:
    return at.isoformat() if isinstance(offset, pd.offsets.Tick) else str(at.date())


def _value(kind: str, position: int, number: int) -> str:
    values = {
        "season": 10 * (number + 1) + 3 * (position % 7) + (position * 7919) % 5,
        "zero": 0,
        "flat": 5,
        "huge": 9.99e14 - position,
        "tiny": 1e-300 * (position + 1),
        "rare": 4 if position % 6 == 5 else 0,
        "negative": -position,
        "none": "",
    }
    return str(values[kind])


def _spoil(draw: st.DrawFn, made: list[list[str]]) -> None:
    """Spoil one row, or some: a wrong value, a second row of the same period, a gap."""
    at = draw(st.integers(0, len(made) - 1))
    how = draw(
        st.sampled_from(("time", "time", "number", "number", "name", "twice", "gap", "empty", "short", "covariate"))
    )
    if how == "time":
        made[at][0] = draw(st.sampled_from(ODD_TIMES))
    elif how == "number":
        made[at][1] = draw(st.sampled_from(ODD_NUMBERS))
    elif how == "name":
        made[at][2] = draw(st.sampled_from(ODD_NAMES))
    elif how == "twice":
        made.append(list(made[at]))
    elif how == "gap":
        del made[at : at + draw(st.integers(1, 12))]
    elif how == "empty":
        made[at] = [""] * len(made[at])
    elif how == "short":
        made[at] = made[at][:3]
    else:
        made[at] = [*made[at][:4], *draw(st.lists(st.sampled_from(ODD_NUMBERS), min_size=3, max_size=3))]
    if not made:
        made.append(["2024-01-01", "1", "a", "r", "1", "1", "1"])


def as_csv(names: Sequence[str], table: Sequence[Sequence[str]]) -> bytes:
    """A table as a spreadsheet would write it."""
    import csv

    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([names, *table])
    return out.getvalue().encode()


@st.composite
def csv_bytes(draw: st.DrawFn, names: Sequence[str], table: Sequence[Sequence[str]]) -> bytes:
    """A table as CSV, and then perhaps damaged as a file."""
    data = as_csv(names, table)
    damage = draw(st.sampled_from((None,) * 6 + ("bom", "cut", "latin", "nul", "quote", "lines", "header")))
    return {
        None: data,
        "bom": b"\xef\xbb\xbf" + data,
        "cut": data[: len(data) // 2],
        "latin": data + b"2024-01-01,\xff,a,r,1,1,1\n",
        "nul": data.replace(b"a", b"\x00", 1),
        "quote": data + b'"',
        "lines": data.replace(b"\r\n", b"\r"),
        "header": data[:20],
    }[damage]


@st.composite
def parquet_bytes(draw: st.DrawFn, names: Sequence[str], table: Sequence[Sequence[str]]) -> bytes:
    """A table as Parquet, with columns of the types that a warehouse may write."""
    padded = [[*row, *[""] * 7][:7] for row in table]
    made = [_typed_column(draw, [row[position] for row in padded], position) for position in range(7)]
    out = io.BytesIO()
    pa_parquet.write_table(pa.table(made, names=list(names)), out)
    return out.getvalue()


def _typed_column(draw: st.DrawFn, texts: list[str], position: int) -> pa.Array:
    plain = pa.array(texts, pa.string())
    if position == 0:
        times = pd.to_datetime(pd.Series(texts), errors="coerce", utc=True, format="ISO8601")
        zone = draw(st.sampled_from(("UTC", None, None, "Europe/Paris", "+05:30", "Mars/Phobos")))
        made = (
            pa.array(times.dt.tz_localize(None), pa.timestamp("ns")) if len(texts) else pa.array([], pa.timestamp("ns"))
        )
        far = pa.array([10**17] * len(texts), pa.timestamp("us"))
        kinds = {
            "ns": made,
            "us": made.cast(pa.timestamp("us", zone), safe=False),
            "s": made.cast(pa.timestamp("s"), safe=False),
            "day": made.cast(pa.timestamp("s"), safe=False).cast(pa.date32()),
            "text": plain,
            "far": far,
            "number": pa.array(range(len(texts))),
            "null": pa.nulls(len(texts)),
            "time": pa.array([1] * len(texts), pa.time64("us")),
        }
        return kinds[draw(st.sampled_from(("ns", "us", "us", "s", "day", "text", *kinds)))]
    if position == 1:
        numbers = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").astype("float64")
        kinds = {
            "float": pa.array(numbers, from_pandas=True),
            "nan": pa.array(numbers, from_pandas=False),
            "text": plain,
            "inf": pa.array([float("inf")] * len(texts)),
            "half": pa.array(numbers.clip(-6e4, 6e4).astype("float16"), from_pandas=False),
            "uint": pa.array([2**64 - 1] * len(texts), pa.uint64()),
            "bool": pa.array([True] * len(texts)),
            "null": pa.nulls(len(texts)),
            "list": pa.array([[1]] * len(texts)),
            "bytes": pa.array([b"\xff"] * len(texts)),
            "span": pa.array([1] * len(texts), pa.duration("s")),
        }
        return kinds[draw(st.sampled_from(("float", "float", "float", *kinds)))]
    kinds = {
        "text": plain,
        "word": plain.dictionary_encode(),
        "null": pa.nulls(len(texts)),
        "number": pa.array(range(len(texts))),
        "some": pa.array([text or None for text in texts]),
        "float": pa.array([0.5] * len(texts)),
        "flag": pa.array([None if text == "0" else True for text in texts], pa.bool_()),
        "bytes": pa.array([b"\xfe"] * len(texts)),
        "struct": pa.array([{"a": 1}] * len(texts)),
    }
    return kinds[draw(st.sampled_from(("text", "text", "text", "text", *kinds)))]


# --- specs ----------------------------------------------------------------------------------------------------------------------

METRICS = ("wape", "mase", "rmsse", "bias", "pinball", "coverage")
CHEAP: tuple[dict[str, Any], ...] = (
    {"kind": "seasonal-naive"},
    {"kind": "seasonal-naive", "season": 7},
    {"kind": "seasonal-naive", "name": "far", "season": 10_000},
    {"kind": "croston"},
    {"kind": "croston", "variant": "tsb", "name": "tsb"},
    {"kind": "croston", "variant": "optimized", "name": "o"},
)
COSTLY: tuple[dict[str, Any], ...] = (
    {"kind": "auto-ets", "season": 4},
    {"kind": "auto-ets", "season": 13},
    {"kind": "theta"},
    {"kind": "theta", "season": 9999},
    {"kind": "croston", "variant": "classic"},
    {"kind": "gradient-boosting", "lags": [1], "iterations": 2, "max_leaves": 2},
    {"kind": "gradient-boosting", "lags": [1, 7], "iterations": 2, "learning_rate": 1.0},
    {"kind": "gradient-boosting", "lags": [1, 2], "iterations": 2, "library": "lightgbm"},
    {"kind": "gradient-boosting", "lags": [9999], "iterations": 1},
    {"kind": "gradient-boosting", "iterations": 1},
)
ALERTS: tuple[dict[str, Any], ...] = (
    {"name": "accuracy", "metric": "wape", "above": 0.2},
    {"name": "bias", "metric": "bias", "outside": [-0.2, 0.2], "for": "2 of 3"},
    {"name": "wide", "metric": "coverage", "below": 0.5, "window": 3},
    {"name": "drift", "metric": "psi", "above": 0.2},
    {"name": "moved", "metric": "ks", "above": 0.2, "baseline": "training", "window": 2},
    {"name": "thin", "metric": "volume", "below": 0.5},
    {"name": "fresh", "metric": "new_series", "above": 0.0},
    {"name": "lost", "metric": "vanished_series", "above": 0.0, "window": 1},
    {"name": "old", "metric": "data_age", "above": "3d"},
    {"name": "slow", "metric": "latency", "above": 1.0},
    {"name": "broken", "metric": "error_rate", "above": 0.1},
    {"name": "far", "metric": "mase", "above": 1.0, "window": 1000},
    {"name": "long", "metric": "psi", "above": 0.2, "window": 1000, "for": "9 of 9"},
)


@st.composite
def specs(draw: st.DrawFn, frequency: str, names: Sequence[str], *, costly: bool = False) -> dict[str, Any]:
    """A spec that `mlspec validate` takes, for a table with these columns."""
    time, target, shop, region, known, past, static = names
    of_series = draw(st.sampled_from(([], [shop], [shop], [shop, region], [region])))
    covariates = {
        "known": [known] if draw(st.booleans()) else [],
        "past": [past] if draw(st.booleans()) else [],
        "static": [static] if of_series and draw(st.booleans()) else [],
    }
    candidates = draw(
        st.lists(st.sampled_from(CHEAP), min_size=1, max_size=2, unique_by=lambda one: one.get("name", one["kind"]))
    )
    if costly:
        candidates = [draw(st.sampled_from(COSTLY)), *[one for one in candidates if one["kind"] == "seasonal-naive"]]
    if draw(st.booleans()):
        candidates = [*candidates, {"kind": "ensemble", "of": draw(st.sampled_from(("all", "best-2")))}]
    horizon = draw(st.sampled_from((2, 2, 3, 1, 1, 30, 1000)))
    value = {
        "apiVersion": "mlspec/v1",
        "kind": "Forecast",
        "metadata": {"name": "demand"},
        "dataset": {
            "source": {"uri": "data/sales.csv"},
            "time": time,
            "series": of_series,
            "target": target,
            "frequency": frequency,
            "covariates": covariates,
            **({"future": {"uri": "data/plan.csv"}} if covariates["known"] else {}),
            "actuals": draw(
                st.sampled_from(({}, {"available_after": "3660d"}, {"min_coverage": 0.0}, {"min_coverage": 1.0}))
            ),
            "checks": draw(_checks(target)),
        },
        "model": {
            "horizon": horizon,
            "quantiles": draw(st.sampled_from(([0.1, 0.5, 0.9], [0.5], [0.001, 0.999]))),
            "candidates": candidates,
            "seed": draw(st.sampled_from((0, 2**31 - 1))),
            "gate": draw(_gates()),
            "backtest": {
                "windows": draw(st.sampled_from((1, 2, 4))),
                "step": draw(st.sampled_from((None, 1, 2))),
                "metric": draw(st.sampled_from(METRICS[:3])),
            },
        },
        "alerts": draw(st.lists(st.sampled_from(ALERTS), max_size=5, unique_by=lambda one: one["name"])),
        "inventory": draw(
            st.sampled_from(
                (
                    None,
                    {"service_level": 0.95, "lead_time": 1},
                    {"service_level": 0.999999, "lead_time": 0},
                    {
                        "service_level": 0.999999,
                        "service": "fill-rate",
                        "policy": "(s,S)",
                        "lead_time": {"mean": 0.5, "sd": 9.0},
                        "pack_size": 0.3,
                        "minimum_order": 7.0,
                    },
                )
            )
        ),
    }
    if of_series and value["alerts"]:
        value["alerts"] = [
            {**one, "by": [of_series[0]]} if one["metric"] in METRICS else one for one in value["alerts"]
        ]
    forecast = Forecast.model_validate(value)
    assume(not run_checks(forecast))
    return value


@st.composite
def _checks(draw: st.DrawFn, target: str) -> dict[str, Any]:
    lenient = {"completeness": {"min": 0.0}, "series": {"max_missing": 1.0}}
    return draw(
        st.sampled_from(
            (
                lenient,
                lenient,
                lenient,
                {},
                {"completeness": {"min": 0.5}},
                {**lenient, "freshness": {"max_age": "3d"}},
                {**lenient, "range": {target: {"min": 0}}},
                {"series": {"min": 2}},
                {**lenient, "freshness": {"max_age": "3660d"}},
            )
        )
    )


@st.composite
def _gates(draw: st.DrawFn) -> list[dict[str, Any]]:
    return draw(
        st.sampled_from(
            (
                [],
                [],
                [{"metric": "wape", "below": 0.9}],
                [{"metric": "bias", "within": 0.1}],
                [{"metric": "mase", "against": "seasonal-naive", "improves_by": 0.1}],
                [{"metric": "wape", "against": "champion", "not_worse_by": 0.0}],
            )
        )
    )
