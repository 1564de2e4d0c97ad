"""Real days through the real loop: the alerts of a new spec are calm while nothing happens, and find a wrong unit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import yaml

from mlspec.cli.target import open_engine
from mlspec.engine.assembly import ignore_progress
from mlspec.engine.reconcile import reconcile_one
from mlspec.forecast.starting_alerts import starting_alerts
from mlspec.spec import read_specs
from mlspec.targets.local.target import LocalTarget

DAYS = Path(__file__).parents[2] / "data/bike_sharing_daily.csv"
HORIZON, WINDOWS = 7, 4
SPEC = {
    "apiVersion": "mlspec/v1", "kind": "Forecast", "metadata": {"name": "bikes"},
    "dataset": {"source": {"uri": "bikes.csv"}, "time": "dteday", "target": "cnt", "frequency": "D"},
    "model": {
        "horizon": HORIZON, "candidates": [{"kind": "seasonal-naive"}, {"kind": "theta"}],
        "backtest": {"windows": WINDOWS}, "gate": [],
    },
    "alerts": starting_alerts(HORIZON * WINDOWS, series=1),
    "rollback": {"on": ["accuracy"]},
}  # fmt: skip


def alarms(root: Path, history: pd.DataFrame) -> list[str]:
    """Make a pass after the newest day, and return what its alerts said that began to fire."""
    history.to_csv(root / "bikes.csv", index=False)
    now = f"{pd.Timestamp(history['dteday'].iloc[-1]) + pd.Timedelta(days=1, hours=1):%Y-%m-%dT%H:%M:%SZ}"
    target = LocalTarget(root / ".mlspec")
    engine = replace(open_engine(target, root, ignore_progress), clock=lambda: now)
    (spec,) = read_specs([root / "specs"], root, "local").specs
    assert reconcile_one(engine, spec).error is None
    return [event.message for event in target.load_events("bikes") if event.reason == "AlertFiring" and event.at == now]


def test_a_calm_history_raises_no_alarm_and_a_wrong_unit_does(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "mlspec.yaml").write_text("apiVersion: mlspec/v1\nkind: Project\nname: city\n")
    (tmp_path / "specs/bikes.yaml").write_text(yaml.safe_dump(SPEC))
    days = pd.read_csv(DAYS)[["dteday", "cnt"]].iloc[500:]
    assert [alarms(tmp_path, days.iloc[:known]) for known in (97, 104)] == [[], []]
    judged = LocalTarget(tmp_path / ".mlspec").observe_forecast("bikes").ledger.alerts
    assert {alert.name: alert.state for alert in judged} == {"accuracy": "ok", "bias": "ok"}
    dozens = days.iloc[:111].astype({"cnt": "float64"})
    dozens.iloc[104:, 1] /= 12
    (message,) = alarms(tmp_path, dozens)
    assert message.startswith("accuracy: wape is ")
    assert message.endswith(", which is usual here")
