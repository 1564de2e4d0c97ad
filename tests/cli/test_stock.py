"""Stock levels on the command line, and what they would have reached."""

from __future__ import annotations

import json

from tests.cli.test_session import Mlspec, applied, mlspec

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
