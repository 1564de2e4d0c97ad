"""Whatever stands in the files, and whatever a valid spec asks for: a step ends with a result or with an error of mlspec's own."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.errors import MlspecError
from mlspec.spec.digest import resolved_json
from mlspec.spec.forecast import Forecast
from tests.hostile import (
    FREQUENCIES,
    as_csv,
    bounded,
    columns,
    csv_bytes,
    parquet_bytes,
    require_own_error,
    rows,
    specs,
)
from tests.jobs.pipeline import Pipeline

MOMENTS = st.sampled_from(
    ("2024-02-13T00:00:00Z", "1970-01-01T00:00:00Z", "2262-01-01T00:00:00Z", "2024-02-13T23:59:59+14:00")
)


def whole(run: Pipeline, now: str) -> None:
    """Every step, one after the other, as far as it goes."""
    if not run.run("check", now=now)["ok"]:
        assert any(not check["ok"] and check["message"] for check in run.facts["check"]["checks"])
        return
    scores = run.run("backtest", incumbent=None)
    run.run("train", candidate=scores["champion_candidate"])
    run.run("forecast", version="v1")
    if run.spec["inventory"]:
        run.run("inventory")
    run.files["forecast-1"] = run.files["forecast"]
    run.run("evaluate", now=now, versions=["v1"], quarantined=["v0"])


def pipeline(root: Path, spec: dict[str, Any], data: bytes, plan: bytes, suffix: str = "csv") -> Pipeline:
    """A project with this table, and this plan of known covariates."""
    run = Pipeline(root)
    run.spec = resolved_json(Forecast.model_validate(spec))
    run.spec["dataset"]["source"]["uri"] = f"data/sales.{suffix}"
    (root / "data").mkdir()
    (root / "data" / f"sales.{suffix}").write_bytes(data)
    (root / "data" / "plan.csv").write_bytes(plan)
    return run


def tried(spec: dict[str, Any], data: bytes, plan: bytes, now: str, suffix: str = "csv") -> None:
    """Run the steps; only an error that a person can act on may come out."""
    root = Path(tempfile.mkdtemp())
    try:
        whole(pipeline(root, spec, data, plan, suffix), now)
    except MlspecError as error:
        require_own_error(error)
    finally:
        shutil.rmtree(root)


def plan_of(names: list[str], frequency: str, table: list[list[str]], horizon: int) -> bytes:
    """A plan of the known covariate over the horizon, for all series."""
    times = [row[0] for row in table]
    newest = pd.to_datetime(pd.Series(times), errors="coerce", utc=True, format="ISO8601").max()
    if pd.isna(newest) or horizon > 100:
        newest = pd.Timestamp(FREQUENCIES[frequency], tz="UTC")
    try:
        ahead = pd.date_range(newest.tz_localize(None), periods=min(horizon, 100) + 1, freq=frequency)
    except (OverflowError, ValueError):
        ahead = pd.DatetimeIndex([newest])
    return as_csv([names[0], names[4]], [[at.isoformat(), "1"] for at in ahead])


@given(st.data())
@bounded(45)
def test_any_table_of_text(data: st.DataObject) -> None:
    frequency, names = data.draw(st.sampled_from(list(FREQUENCIES))), data.draw(columns())
    table = data.draw(rows(frequency, names, odd=True))
    spec = data.draw(specs(frequency, names))
    plan = plan_of(names, frequency, table, spec["model"]["horizon"])
    tried(spec, data.draw(csv_bytes(names, table)), plan, data.draw(MOMENTS))


@given(st.data())
@bounded(25)
def test_any_table_of_types(data: st.DataObject) -> None:
    frequency, names = data.draw(st.sampled_from(list(FREQUENCIES))), data.draw(columns())
    table = data.draw(rows(frequency, names, odd=data.draw(st.booleans())))
    spec = data.draw(specs(frequency, names))
    plan = plan_of(names, frequency, table, spec["model"]["horizon"])
    tried(spec, data.draw(parquet_bytes(names, table)), plan, data.draw(MOMENTS), "parquet")


@given(st.data())
@bounded(25)
def test_any_spec_on_a_table_that_can_be_forecast(data: st.DataObject) -> None:
    frequency = data.draw(st.sampled_from(list(FREQUENCIES)))
    names = data.draw(columns())
    table = data.draw(rows(frequency, names, odd=False))
    spec = data.draw(specs(frequency, names, costly=True))
    tried(spec, as_csv(names, table), plan_of(names, frequency, table, spec["model"]["horizon"]), data.draw(MOMENTS))


# --- what was found, and what is right -------------------------------------------------------------------------------------------


def days(count: int, series: str = "a") -> list[list[str]]:
    """A daily history of one series."""
    return [
        [str((pd.Timestamp("2024-01-01") + pd.Timedelta(days=day)).date()), str(10 + day % 7), series]
        for day in range(count)
    ]


def simple(names: tuple[str, str, str], frequency: str = "D", **model: Any) -> dict[str, Any]:
    """A spec on a table of these columns: time, target, series."""
    time, target, series = names
    return {
        "apiVersion": "mlspec/v1",
        "kind": "Forecast",
        "metadata": {"name": "demand"},
        "dataset": {
            "source": {"uri": "data/sales.csv"},
            "time": time,
            "target": target,
            "series": [series],
            "frequency": frequency,
        },
        "model": {"horizon": 2, "candidates": [{"kind": "seasonal-naive"}], **model},
        "alerts": [{"name": "accuracy", "metric": "wape", "above": 0.2}],
    }


@pytest.mark.parametrize("names", [("ds", "y", "unique_id"), ("y", "ds", "h"), ("unique_id", "mean", "ds")])
def test_columns_with_the_names_that_libraries_use_are_forecast_and_evaluated(
    tmp_path: Path, names: tuple[str, str, str]
) -> None:
    run = pipeline(tmp_path, simple(names), as_csv(names, days(40)), b"")
    whole(run, "2024-02-20T00:00:00Z")
    (tmp_path / "data/sales.csv").write_bytes(as_csv(names, days(44)))
    made = run.files["forecast"]
    run.check()
    run.files["forecast-1"] = made
    facts = run.run("evaluate", now="2024-02-20T00:00:00Z", versions=["v1"])
    assert facts["periods"] == 2
    assert facts["metrics"]["wape"] == 0.0
