"""A forecast for a past moment, and its stock levels, are made as they would have been made then."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlspec.errors import DataError
from tests.examples import sales
from tests.jobs.pipeline import Pipeline


def test_a_forecast_and_its_stock_as_of_a_past_moment_use_no_row_of_a_later_period(tmp_path: Path) -> None:
    run = Pipeline(tmp_path).data(sales(days=42)).whole()
    made = []
    for days in (42, 60):
        run.data(sales(days=days)).check()
        facts = run.run("forecast", version="v1", as_of="2024-02-09T06:00:00Z")
        assert (facts["cutoff"], facts["start"], facts["end"]) == ("2024-02-08", "2024-02-09", "2024-02-10")
        run.run("inventory", as_of="2024-02-09T06:00:00Z")
        made.append([run.files[role].read_bytes() for role in ("forecast", "inventory")])
    assert made[0] == made[1]
    with pytest.raises(DataError, match="no period of the data was over"):
        run.run("forecast", version="v1", as_of="2024-01-01T06:00:00Z")
