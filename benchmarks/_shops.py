"""Demand as shops have it, made from a seed: levels, growth, a season, campaigns, weeks of one's own, noise. And its spec."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

STORES, DEPTS = 2, 3
FIRST = date(2021, 12, 3)  # a Friday; the history begins with the week that ends then
CAMPAIGNS = (13, 27, 47, 51)  # ISO weeks of each year
LIFT = 1.3  # of demand in a campaign, and in a promotion of one series' own
OWN = 0.02  # share of weeks with such a promotion, which no model can know of
NOISE = 0.07  # standard deviation of the logarithm

# The thresholds are those of the language's own example (mlspec/spec/example.py), and the gate that of specs/demand.yaml.
SPEC = """\
apiVersion: mlspec/v1
kind: Forecast
metadata: {{name: {name}}}
dataset:
  source: {{uri: data/{name}.csv}}
  time: week
  series: [store, dept]
  target: units
  frequency: W-FRI
  actuals: {{available_after: 3d, min_coverage: 0.95}}
  checks: {{completeness: {{min: 0.98}}, range: {{units: {{min: 0}}}}, series: {{min: 6}}}}
model:
  horizon: 8
  seed: {seed}
  candidates: [{{kind: seasonal-naive, season: 52}}, {{kind: theta, season: 52}}]
  backtest: {{windows: 2, step: 8, metric: wape}}
  gate:
    - {{metric: wape, below: 0.15}}
    - {{metric: wape, against: champion, not_worse_by: 0.02}}
schedule: {{forecast: "0 6 * * TUE", retrain: "0 4 1 * *"}}
deployment: {{rollout: {rollout}}}
alerts:
  - {{name: accuracy, metric: wape, above: 0.2, window: 4, for: 2 of 3, by: [store], severity: critical}}
  - {{name: bias, metric: bias, outside: [-0.1, 0.1], window: 4}}
  - {{name: coverage, metric: coverage, below: 0.7, window: 8}}
  - {{name: drift, metric: psi, above: 0.25, baseline: same-season}}
  - {{name: stale, metric: data_age, above: 10d, severity: critical, inhibits: [accuracy, bias, coverage, drift]}}
rollback: {{on: [accuracy], to: last-good, cooldown: 24h, max_attempts: 2}}
budget: {{trainings_per_week: 3}}
notify: [{{webhook: {{secret: shop-hook}}}}]
"""
ROLLOUTS = ("{strategy: all-at-once}", "{strategy: canary, steps: [50, 100], interval: 7d}")


def spec_text(name: str, number: int, seed: int) -> str:
    """Return the spec of one forecast; every third takes new versions over by steps."""
    return SPEC.format(name=name, seed=seed, rollout=ROLLOUTS[number % 3 == 2])


def week_end(week: int) -> date:
    """Return the Friday of a week, counted from 0 at the start of the history."""
    return FIRST + timedelta(weeks=week)


def demand(rng: np.random.Generator, weeks: int) -> npt.NDArray[np.float64]:
    """Return units by week and series."""
    series = STORES * DEPTS
    time = np.arange(weeks)[:, None]
    ends = [week_end(week) for week in range(weeks)]
    level, growth = np.exp(rng.uniform(4.5, 7.0, series)), rng.uniform(-0.06, 0.10, series)
    swing, phase = rng.uniform(0.05, 0.30, series), rng.uniform(0, 52, series)
    turn = np.array([end.timetuple().tm_yday / 365.25 for end in ends])[:, None]
    season = 1 + swing * np.sin(2 * np.pi * (turn - phase / 52))
    campaign = np.where([end.isocalendar().week in CAMPAIGNS for end in ends], LIFT, 1.0)[:, None]
    own = np.where(rng.random((weeks, series)) < OWN, LIFT, 1.0)
    noise = np.exp(rng.normal(0, NOISE, (weeks, series)))
    return np.round(level * (1 + growth) ** (time / 52) * season * campaign * own * noise)


def write(units: npt.NDArray[np.float64], known: int, path: Path) -> None:
    """Write the first `known` weeks as a person's export would look."""
    keys = [(store, dept) for store in range(1, STORES + 1) for dept in range(1, DEPTS + 1)]
    ends = [week_end(week).isoformat() for week in range(known)]
    parts = [
        pd.DataFrame({"store": store, "dept": dept, "week": ends, "units": units[:known, place].astype(int)})
        for place, (store, dept) in enumerate(keys)
    ]
    draft = path.with_suffix(".part")
    pd.concat(parts).to_csv(draft, index=False)
    draft.replace(path)
