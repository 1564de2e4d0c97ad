"""A panel in several parts goes through every step part by part, and makes the same files as in one part, to the last byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from mlspec.engine.importance import Drivers
from mlspec.engine.rows import PlainRows
from mlspec.forecast import series_parts
from mlspec.forecast.frame import ID
from mlspec.jobs import context, importance
from mlspec.jobs.context import read_spec
from mlspec.jobs.parted_panel import open_panel
from mlspec.state.step import StepRequest
from tests.jobs.pipeline import Pipeline

CANDIDATES: list[dict[str, Any]] = [
    {"kind": "seasonal-naive", "season": 7},
    {"kind": "gradient-boosting", "library": "lightgbm", "lags": [1, 7], "iterations": 8},
]
DAYS = pd.date_range("2023-12-01", "2024-02-11")


def sales() -> str:
    rows = [
        f"{day:%Y-%m-%d},S{place % 3},I{place},{(5 * place + 3 * day.dayofweek + day.day) % 17 / 10}"
        for place in range(14) for day in DAYS[9 * (place % 4) :]
    ]  # fmt: skip
    return "\n".join(["date,store,sku,units", *rows])


def run_all(folder: Path, most_rows: int, **levels: Any) -> Pipeline:
    """All steps in turn, with parts of so many rows at most."""
    folder.mkdir()
    source = {"uri": "data/sales.csv"}
    dataset = {
        "source": source,
        "time": "date",
        "series": ["store", "sku"],
        "target": "units",
        "frequency": "D",
        **levels,
    }
    model = {"horizon": 7, "candidates": CANDIDATES, "backtest": {"windows": 3, "step": 7}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(series_parts, "PART_ROWS", most_rows)
        line = Pipeline(folder, dataset=dataset, model=model, inventory={"service_level": 0.9, "lead_time": 3})
        line.data(sales()).whole()
        line.files["forecast-1"] = line.files["forecast"]
        line.run("evaluate", now="2024-02-13T00:00:00Z")
    return line


@pytest.fixture(
    scope="module",
    params=[{}, {"hierarchy": {"levels": ["store"], "reconcile": "mint-shrink"}}],
    ids=["series", "levels"],
)
def lines(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Pipeline, Pipeline]:
    folder = tmp_path_factory.mktemp("parts")
    return run_all(folder / "one", 10**6, **request.param), run_all(folder / "many", 300, **request.param)


def test_all_files_but_the_panels_are_the_same_in_any_number_of_parts(lines: tuple[Pipeline, Pipeline]) -> None:
    one, many = lines
    assert {"panel-s01", "panel-s02"} <= set(many.files)
    shared = [role for role in one.files if not role.startswith("panel")]
    assert {"backtest", "scores", "model", "forecast", "inventory", "evaluation"} <= set(shared)
    different = [role for role in shared if one.files[role].read_bytes() != many.files[role].read_bytes()]
    assert different == []


def test_a_step_never_reads_all_parts_at_once(
    lines: tuple[Pipeline, Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "read_panel_frame", None)
    for step, options in (
        ("backtest", {"incumbent": None}), ("train", {"candidate": CANDIDATES[1]}), ("forecast", {"version": "v1"}),
        ("inventory", {}), ("evaluate", {"now": "2024-02-13T00:00:00Z"}),
    ):  # fmt: skip
        lines[1].run(step, **options)  # type: ignore[arg-type]


def test_what_drives_a_large_panel_is_measured_on_the_series_of_one_part(
    lines: tuple[Pipeline, Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"candidate": CANDIDATES[0]}
    request = StepRequest("backtest", lines[1].spec, lines[1].root, lines[1].root, dict(lines[1].files), options)
    with monkeypatch.context() as patch:
        patch.setattr(context, "read_panel_frame", None)
        found = importance.run(request, lambda *_: None)
    assert 0 < found.measured_series < found.all_series == 14
    (measured,) = found.importances
    assert measured.metrics["wape"] is not None
    note = Drivers("v1", "seasonal-naive", None, PlainRows([], []), found.measured_series, found.all_series).note()
    assert note == f"measured on {found.measured_series} of 14 series, those of one part of the panel"
    everything = importance.run(replace(request, inputs=dict(lines[0].files)), lambda *_: None)
    assert (everything.measured_series, everything.all_series) == (14, 14)


def test_the_series_of_one_part_have_all_their_rows_and_the_same_values(lines: tuple[Pipeline, Pipeline]) -> None:
    one, many = (StepRequest("backtest", line.spec, line.root, line.root, dict(line.files)) for line in lines)
    part, whole = (open_panel(request, read_spec(request)).part_readers()[0]() for request in (many, one))
    assert 0 < part.frame[ID].nunique() < whole.frame[ID].nunique() == 14
    assert_frame_equal(part.frame, whole.select_series(part.series_lengths.index).frame)
