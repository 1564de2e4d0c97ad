"""Stock levels on the command line, and what they would have reached."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.test_session import Mlspec, applied, mlspec
from tests.examples import edit

__all__ = ["applied", "mlspec"]


def test_what_the_levels_would_have_reached(applied: Mlspec) -> None:
    said = applied("inventory", "demand")
    assert (
        "policy (R,S) on the backtest's actuals, where a cycle service of 95% is asked for: seasonal-naive" in said.err
    )
    assert said.err.count("in stock") == 1  # the champion is the baseline
    rows = json.loads(applied("inventory", "demand", "--simulation", "--output", "json").out)["rows"]
    assert [row["policy"] for row in rows] == ["(R,S)", "(s,S)"]
    assert 0 <= rows[0]["cycle_service"] <= 1
    assert rows[0]["cycles"] == 4  # two windows of two shops
    text = applied("inventory", "demand", "--simulation").out
    assert f"{rows[0]['fill_rate']:.1%}" in text
    assert applied("inventory", "demand", "--simulation", "--series", "shop=NA").code == 2


def test_a_table_of_terms_is_looked_at_with_the_data(mlspec: Mlspec) -> None:
    edit(Path("specs/demand.yaml"), "lead_time: 1,", "lead_time: {uri: data/terms.csv, column: days},")
    missing = mlspec("validate", "--data")
    assert (missing.code, "inventory.lead_time.uri: there is no file data/terms.csv" in missing.out) == (1, True)
    Path("data/terms.csv").write_text("shop,weeks\n001,1\n")
    assert "inventory.lead_time.uri: 'terms.csv' has no column 'days'" in mlspec("validate", "--data").out
    Path("data/terms.csv").write_text("shop,days\n001,1\n")
    said = mlspec("validate", "--data")
    assert (said.code, "inventory: 1 term of orders cannot be used" in said.out) == (1, True)
    assert "series 'NA' has no lead_time" in said.out
    refused = mlspec("apply")
    assert (refused.code, "correct the data, or inventory in the spec" in refused.out) == (1, True)
    Path("data/terms.csv").write_text("shop,days\n001,1\nNA,0\n")
    assert mlspec("validate", "--data").code == 0
