"""A project whose shops sell three times as much on days with a promotion, which is a known covariate."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from mlspec.cli import main as front
from tests.examples import project

SPEC = """\
apiVersion: mlspec/v1
kind: Forecast
metadata: {name: demand}
dataset:
  source: {uri: data/sales.csv}
  time: day
  series: [shop]
  target: units
  frequency: D
  covariates: {events: {promo: [DAYS]}}
model:
  horizon: 7
  candidates: [{kind: regression}]
  backtest: {windows: 2}
  gate: [{metric: wape, below: 0.9}]
"""
BEGIN = date(2024, 1, 1)
PROMOTIONS = [BEGIN + timedelta(days=number) for number in range(4, 100, 10)]


def make_promotions(folder: Path) -> Path:
    """Apply the project and return its folder; no promotion is planned ahead."""
    moments = [BEGIN + timedelta(days=number) for number in range(98)]
    rows = [
        f"{day},{shop},{(10 + day.weekday()) * (3 if day in PROMOTIONS else 1)}" for shop in "ab" for day in moments
    ]
    days = ", ".join(f'"{day}"' for day in PROMOTIONS)
    root = project(folder / "shop", demand=SPEC.replace("DAYS", days))
    (root / "data" / "sales.csv").write_text("\n".join(["day,shop,units", *rows, ""]))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert front.run(["apply"]) == 0
    return root
