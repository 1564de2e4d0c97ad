"""A series that ended does not vanish without a word: each command that a planner looks at says what became of it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.test_session import Mlspec, mlspec
from tests.examples import sales

__all__ = ["mlspec"]  # a fixture
ENDED = "1 series ended, and has no forecast: '002' (last value 2024-01-20)"


def test_every_command_says_that_a_series_ended(mlspec: Mlspec) -> None:
    old = [line for line in sales(20, ("001", "002")).splitlines() if line.startswith("002")]
    Path("data/sales.csv").write_text(sales() + "\n".join(old) + "\n")
    applied = mlspec("apply")
    assert applied.code == 0, applied.out + applied.err
    assert ENDED in applied.out
    assert f"demand: {ENDED}" in mlspec("status").out
    assert json.loads(mlspec("status", "--output", "json").out)["forecasts"][0]["series"] == [ENDED]
    assert ENDED in mlspec("history", "demand").out
    whole = mlspec("forecast", "demand")
    assert ENDED in whole.err
    assert ENDED not in whole.out
    mlspec("report", "demand")
    assert "1 series ended" in Path("demand-report.html").read_text()
    for command in ("forecast", "inventory"):
        alone = mlspec(command, "demand", "--series", "shop=002")
        assert (alone.code, alone.out) == (2, "")
        assert f"demand has no forecast for shop=002: {ENDED}" in alone.err
    unknown = mlspec("forecast", "demand", "--series", "shop=003")
    assert unknown.code == 2
    assert "demand has no series shop=003" in unknown.err


def test_a_series_that_ended_is_forecast_as_zero_where_the_spec_says_so(mlspec: Mlspec) -> None:
    old = [line for line in sales(20, ("001", "002")).splitlines() if line.startswith("002")]
    Path("data/sales.csv").write_text(sales() + "\n".join(old) + "\n")
    spec = Path("specs/demand.yaml")
    spec.write_text(spec.read_text().replace("frequency: D\n", "frequency: D\n  ended_series: zero\n"))
    told = "1 series ended, and is forecast as 0 without being scored: '002' (last value 2024-01-20)"
    applied = mlspec("apply")
    assert applied.code == 0, applied.out + applied.err
    assert told in applied.out
    assert told in mlspec("status").out
    assert told in mlspec("history", "demand").out
    assert told in mlspec("forecast", "demand").err
    rows = json.loads(mlspec("forecast", "demand", "--series", "shop=002", "--output", "json").out)["rows"]
    assert [(row["mean"], row["q0.9"], row["method"]) for row in rows] == [(0.0, 0.0, "ended")] * 2
    stock = json.loads(mlspec("inventory", "demand", "--series", "shop=002", "--output", "json").out)["rows"]
    assert [(row["safety_stock"], row["order_up_to"]) for row in stock] == [(0.0, 0.0)]
    assert mlspec("report", "demand").code == 0
    assert "1 series ended, and is forecast as 0" in Path("demand-report.html").read_text()


def test_a_new_series_starts_cold_where_the_spec_says_so(mlspec: Mlspec) -> None:
    new = [f"{line.rpartition(',')[0]},6" for line in sales(42, ("002",)).splitlines()[-2:]]
    Path("data/sales.csv").write_text(sales() + "\n".join(new) + "\n")
    spec = Path("specs/demand.yaml")
    spec.write_text(spec.read_text().replace("frequency: D\n", "frequency: D\n  new_series: cold-start\n"))
    told = "1 series is new, and gets a share of the others' forecast (cold start): '002' (since 2024-02-10)"
    applied = mlspec("apply")
    assert applied.code == 0, applied.out + applied.err
    assert told in applied.out
    assert "note: no series was new at a cutoff of the backtest" in applied.out
    for command in (("status",), ("history", "demand")):
        assert told in mlspec(*command).out
    assert told in mlspec("forecast", "demand").err
    rows = json.loads(mlspec("forecast", "demand", "--series", "shop=002", "--output", "json").out)["rows"]
    assert [row["method"] for row in rows] == ["cold-start"] * 2
    assert len({row["mean"] for row in rows}) == 2  # the week of the others, and not its own last value
    assert mlspec("report", "demand").code == 0
    assert "1 series is new" in Path("demand-report.html").read_text()
