"""Stock levels on the command line, and what they would have reached."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlspec.clock import utc_now
from mlspec.engine.report import gather_facts
from mlspec.targets.local.target import LocalTarget
from tests.cli.test_session import Mlspec, mlspec
from tests.examples import edit, sales

__all__ = ["mlspec"]


def test_what_the_levels_would_have_reached(mlspec: Mlspec) -> None:
    Path("data/sales.csv").write_text(sales(shops=("9", "10")))
    assert mlspec("apply").code == 0
    said = mlspec("inventory", "demand")
    assert (
        "policy (R,S) on the backtest's actuals, where a cycle service of 95% is asked for: seasonal-naive" in said.err
    )
    assert said.err.count("in stock") == 1  # the champion is the baseline
    rows = json.loads(mlspec("inventory", "demand", "--simulation", "--output", "json").out)["rows"]
    assert [row["policy"] for row in rows] == ["(R,S)", "(s,S)"]
    assert 0 <= rows[0]["cycle_service"] <= 1
    assert rows[0]["cycles"] == 4  # two windows of two shops
    text = mlspec("inventory", "demand", "--simulation").out
    assert f"{rows[0]['fill_rate']:.1%}" in text
    refused = mlspec("inventory", "demand", "--simulation", "--series", "shop=9")
    assert (refused.code, "--simulation is of all series together" in refused.err) == (2, True)
    assert "for all series together" in " ".join(mlspec("inventory", "--help").out.split())
    # The table and the page have the series in one order: 9 before 10.
    levels = json.loads(mlspec("inventory", "demand", "--output", "json").out)["rows"]
    page = find_stock_facts(LocalTarget(Path(".mlspec").absolute()), "demand")
    assert [row["shop"] for row in levels] == [row[0] for row in page["rows"]] == ["9", "10"]


def find_stock_facts(target: LocalTarget, name: str) -> dict[str, Any]:
    found = gather_facts(target, name, utc_now()).facts.inventory
    assert found is not None
    return found


def test_a_table_of_terms_is_looked_at_with_the_data(mlspec: Mlspec) -> None:
    edit(Path("specs/demand.yaml"), "lead_time: 1,", "lead_time: {uri: data/terms.csv, column: days},")
    missing = mlspec("validate", "--data")
    assert (missing.code, "inventory.lead_time.uri: there is no file data/terms.csv" in missing.out) == (1, True)
    Path("data/terms.csv").write_text("shop,weeks\n001,1\n")
    said = mlspec("validate", "--data")
    assert "inventory.lead_time.column: terms.csv has no column 'days'\n" in said.out
    Path("data/terms.csv").write_text("shop,days\n001,1\n")
    said = mlspec("validate", "--data")
    assert (said.code, "inventory: 1 term of orders cannot be used" in said.out) == (1, True)
    assert "series 'NA' has no lead_time" in said.out
    refused = mlspec("apply")
    assert (refused.code, "correct the data, or inventory in the spec" in refused.out) == (1, True)
    Path("data/terms.csv").write_text("shop,days\n001,1\nNA,0\n")
    assert mlspec("validate", "--data").code == 0


def test_terms_of_a_series_that_the_history_does_not_have_are_said(mlspec: Mlspec) -> None:
    edit(Path("specs/demand.yaml"), "lead_time: 1,", "lead_time: 1, pack_size: {uri: data/terms.csv, column: pack},")
    Path("data/terms.csv").write_text("shop,pack\n001,12\n01,6\n")
    unknown = "1 series of the terms of orders is in no row of the history, and is not used: '01'"
    said = mlspec("validate", "--data")
    assert (said.code, f"warning: inventory: {unknown}" in said.out) == (0, True)
    applied = mlspec("apply")
    assert (applied.code, unknown in applied.out) == (0, True)
    rows = json.loads(mlspec("inventory", "demand", "--output", "json").out)["rows"]
    assert {row["shop"]: row["pack_size"] for row in rows} == {"001": 12, "NA": 0}  # no row of it: no pack
    edit(Path("specs/demand.yaml"), "column: pack}", "column: packs}")
    refused = mlspec("validate", "--data")
    assert (refused.code, "inventory.pack_size.column: terms.csv has no column 'packs'" in refused.out) == (1, True)
    assert "did you mean 'pack'?" in refused.out
