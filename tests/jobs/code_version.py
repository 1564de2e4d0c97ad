"""What mlspec makes of one small history, in numbers: by them a test notices that the code shapes models in another way.

.venv/bin/python -m tests.jobs.code_version     # stores the numbers anew, after CODE_VERSION was raised
"""

from __future__ import annotations

import csv
import io
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from mlspec.forecast.code_version import CODE_VERSION
from tests.jobs.pipeline import Pipeline

STORED = Path(__file__).with_suffix(".json")
# Relative. From the floors of the libraries to their newest releases the numbers were measured to differ by at most 1e-5.
TOLERANCE = 1e-3
_DAYS, _HORIZON = 80, 2
CASES: dict[str, dict[str, Any]] = {
    "seasonal-naive": {"kind": "seasonal-naive"},
    "auto-ets": {"kind": "auto-ets"},
    "auto-ces": {"kind": "auto-ces"},
    "auto-arima": {"kind": "auto-arima"},
    "mstl": {"kind": "mstl", "season": [7, 14]},
    "regression": {"kind": "regression"},
    "theta": {"kind": "theta"},
    "croston": {"kind": "croston"},
    "croston-optimized": {"kind": "croston", "variant": "optimized"},
    "croston-tsb": {"kind": "croston", "variant": "tsb"},
    "gradient-boosting": {"kind": "gradient-boosting"},
    "gradient-boosting-lightgbm": {"kind": "gradient-boosting", "library": "lightgbm"},
    "custom": {"kind": "custom", "class": "models.weekdays:Weekdays", "params": {"weeks": 6}},
    "ensemble": {"kind": "ensemble", "of": ["theta", "seasonal-naive"]},
    "median": {"kind": "ensemble", "of": ["theta", "seasonal-naive"], "combine": "median"},
    "auto": {},
}


# A model of a project's own: its numbers are its own, but what it is given and what its means become are mlspec's.
WEEKDAYS = """\
import json


class Weekdays:
    def __init__(self, weeks=4):
        self.weeks = weeks

    def fit(self, history, future, context):
        recent = history.groupby("unique_id").tail(7 * self.weeks)
        self.means = recent.groupby(["unique_id", recent["ds"].dt.dayofweek])["y"].mean().to_dict()

    def predict(self, history, future, context):
        days = zip(future["unique_id"], future["ds"].dt.dayofweek)
        means = [self.means.get(f"{series} {day}", 0.0) for series, day in days]
        own = {f"q{q:g}": [(0.5 + q) * mean for mean in means] for q in context.quantiles}
        return future[["unique_id", "ds"]].assign(mean=means, **own)

    def save(self, folder):
        (folder / "means.json").write_text(json.dumps({f"{series} {day}": mean for (series, day), mean in self.means.items()}))

    @classmethod
    def load(cls, folder):
        model = cls()
        model.means = json.loads((folder / "means.json").read_text())
        return model
"""


def numbers(case: str, folder: Path) -> dict[str, float | None]:
    """Run the pipeline with one candidate, and return its scores and its forecast as one table."""
    listed: Any = [CASES[case]] if CASES[case] else "auto"
    if case in ("ensemble", "median"):
        listed = [CASES["seasonal-naive"], CASES["theta"], CASES[case]]
    run = Pipeline(
        folder,
        model={"candidates": listed, "backtest": {"windows": 3, "step": 2, "metric": "wape"}, "gate": []},
        dataset={"covariates": {"known": ["promotion"], "past": [], "static": []}, "future": {"uri": "data/plan.csv"}},
    )
    (folder / "models").mkdir()
    (folder / "models" / "weekdays.py").write_text(WEEKDAYS)
    run.data(_table(range(_DAYS), "units")).data(_table(range(_DAYS, _DAYS + _HORIZON)), "plan.csv")
    run.run("check", now="2024-03-22T00:00:00Z")
    facts = run.run("backtest", incumbent=None)
    candidate = facts["champion_candidate"] if case in ("custom", "ensemble", "median", "auto") else CASES[case]
    scored = {
        f"{each['name']} {name}": value for each in facts["candidates"] for name, value in each["metrics"].items()
    }
    run.run("train", candidate=candidate)
    run.run("forecast", version="v1")
    return scored | dict(_forecast(run.files["forecast"]))


def differences(before: dict[str, float | None], now: dict[str, float | None]) -> list[str]:
    """Return a line for each number that is another one now, beyond what machines and libraries differ by.

    A number that was not there before, such as that of a new metric, moves nothing.
    """
    return [
        f"{name}: {before[name]} -> {now.get(name)}"
        for name in sorted(before)
        if name not in now or not _close(before[name], now[name])
    ]


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=1e-4)


def _forecast(file: Path) -> Iterator[tuple[str, float]]:
    import pandas as pd

    for row in pd.read_parquet(file).to_dict("records"):
        for column in ("mean", "q0.1", "q0.5", "q0.9"):
            yield f"{row['shop']} {row['day']:%Y-%m-%d} {column}", round(float(row[column]), 6)


def _table(days: range, *target: str) -> str:
    """Return three shops by day: one sells every day and more with a promotion, one now and then, one is new: two seasons old."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["shop", "day", "promotion", *target])
    for shop, opened in (("every day", 0), ("now and then", 0), ("new", _DAYS - 16)):
        for day in days[max(0, opened - days.start) :]:
            promotion = int(day % 11 in (3, 4))
            noise = (day * 7919) % 13 - 6
            units = (
                max(0, noise) * (day % 3 == 0)
                if shop == "now and then"
                else 60 + 12 * (day % 7) + 25 * promotion + noise + day // 4
            )
            row = [shop, (date(2024, 1, 1) + timedelta(days=day)).isoformat(), promotion]
            writer.writerow([*row, units] if target else row)
    return out.getvalue()


def store() -> None:
    """Store the numbers of now. Raises SystemExit where they are others under the same CODE_VERSION."""
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for case in CASES:
            (Path(folder) / case).mkdir()
            found[case] = numbers(case, Path(folder) / case)
    before: dict[str, Any] = (
        json.loads(STORED.read_text()) if STORED.exists() else {"code_version": "", "numbers": found}
    )
    moved = [line for case in CASES for line in differences(before["numbers"].get(case, found[case]), found[case])]
    if moved and before["code_version"] == CODE_VERSION and "--libraries" not in sys.argv:
        raise SystemExit(
            "\n".join(["raise CODE_VERSION first, or say that it is --libraries that changed them:", *moved])
        )
    STORED.write_text(json.dumps({"code_version": CODE_VERSION, "numbers": found}, indent=1) + "\n")


if __name__ == "__main__":
    store()
