"""A machine without the memory for a step says what helps."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from mlspec import jobs
from mlspec.errors import TargetError
from mlspec.forecast.candidates import local
from mlspec.forecast.reading import csv_file
from mlspec.forecast.reading.dialect import PLAIN
from mlspec.forecast.reading.table import read_table
from mlspec.state.step import StepName, StepRequest, StepResult
from tests.examples import spec_json
from tests.forecast.test_workers import panel


@pytest.mark.parametrize(
    ("step", "hint"), [("backtest", "fewer candidates"), ("check", "a machine or a container with more")]
)
def test_a_step_without_the_memory_says_what_helps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: StepName, hint: str
) -> None:
    def full(*_: object) -> StepResult:
        raise MemoryError

    monkeypatch.setattr(f"mlspec.jobs.{step}.run", full)
    with pytest.raises(TargetError, match=f"there is not enough memory for {step}") as caught:
        jobs.run(StepRequest(step, spec_json(), tmp_path, tmp_path, {}, {}), lambda *_: None)
    assert hint in str(caught.value.hint)


def test_a_source_that_does_not_fit_is_not_told_as_one_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object, **__: object) -> None:
        raise pa.ArrowMemoryError("malloc of size 64 failed")

    (tmp_path / "sales.csv").write_text("day,units\n2024-01-01,1\n")
    monkeypatch.setattr(csv_file.CsvFile, "read", full)
    with pytest.raises(MemoryError):
        read_table([tmp_path / "sales.csv"], ["day"], PLAIN, "dataset.source")


def test_a_candidate_that_does_not_fit_is_not_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 9.1 GiB")

    monkeypatch.setattr("statsforecast.StatsForecast.forecast", full)
    with pytest.raises(MemoryError):
        local.forecast_models("theta", None, panel(2).frame, panel(2).layout)
