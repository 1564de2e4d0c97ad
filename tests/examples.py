"""Small, whole examples that tests start from: a spec, its JSON, a sales history."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from mlspec.spec.alerts import Alert
from mlspec.spec.digest import resolved_json
from mlspec.spec.forecast import Forecast

SPEC = """\
apiVersion: mlspec/v1
kind: Forecast
metadata:
  name: {name}
dataset:
  source: {{uri: data/sales.csv}}
  time: day
  series: [shop]
  target: units
  frequency: D
model:
  horizon: 2
  candidates:
    - {{kind: seasonal-naive, season: 7}}
  backtest: {{windows: 2, step: 2}}
  gate: {gate}
inventory: {{service_level: 0.95, lead_time: 1, review_period: 1}}
"""


def spec_text(name: str = "demand", gate: str = "[{metric: wape, below: 0.9}]") -> str:
    """A spec that is applied in a moment: one cheap candidate on a short daily history."""
    return SPEC.format(name=name, gate=gate)


def spec_json(name: str = "demand") -> dict[str, Any]:
    """The same spec, resolved."""
    forecast = Forecast.model_validate(
        {
            "apiVersion": "mlspec/v1", "kind": "Forecast", "metadata": {"name": name},
            "dataset": {
                "source": {"uri": "data/sales.csv"}, "time": "day", "series": ["shop"], "target": "units", "frequency": "D",
            },
            "model": {
                "horizon": 2, "candidates": [{"kind": "seasonal-naive", "season": 7}], "backtest": {"windows": 2, "step": 2},
                "gate": [{"metric": "wape", "below": 0.9}],
            },
            "inventory": {"service_level": 0.95, "lead_time": 1, "review_period": 1},
        }
    )  # fmt: skip
    return resolved_json(forecast)


def forecast_spec(name: str = "demand", **parts: Any) -> Forecast:
    """The same spec as a model, with top-level parts merged over it."""
    value = spec_json(name)
    for key, part in parts.items():
        value[key] = {**(value[key] or {}), **part} if isinstance(part, dict) else part
    return Forecast.model_validate(value)


def alert_of(**words: Any) -> Alert:
    """An alert on WAPE that says this, and by default no more than its name."""
    return Alert.model_validate({"name": "it", "metric": "wape", **words})


def sales(days: int = 42, shops: tuple[str, ...] = ("001", "NA")) -> str:
    """A daily history with a weekly season, as CSV. The shops' names are such that a careless reader changes them."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["shop", "day", "units"])
    for number, shop in enumerate(shops):
        for day in range(days):
            when = date(2024, 1, 1) + timedelta(days=day)
            writer.writerow([shop, when.isoformat(), 10 * (number + 1) + 3 * (day % 7) + (day * 7919) % 5])
    return out.getvalue()


def project(root: Path, **names: str) -> Path:
    """Write a project with `specs/NAME.yaml` for each name and its text, or one forecast `demand`."""
    (root / "data").mkdir(parents=True)
    (root / "specs").mkdir()
    (root / "data" / "sales.csv").write_text(sales())
    (root / "mlspec.yaml").write_text("apiVersion: mlspec/v1\nkind: Project\nname: shop\n")
    for name, text in (names or {"demand": spec_text()}).items():
        (root / "specs" / f"{name}.yaml").write_text(text)
    return root


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that stands in a file once."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path.name}"
    path.write_text(text.replace(old, new), encoding="utf-8")
