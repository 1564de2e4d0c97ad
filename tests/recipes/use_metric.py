"""Uses a metric `smape` that a copy of the package was given: every command and decision has to know it.

Runs in an empty folder, with the copy on PYTHONPATH.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from mlspec.cli import main as front
from mlspec.plan.rollback import RollbackFacts, Stay, decide_rollback
from mlspec.render.gcp.alert_policies import alert_policies
from mlspec.spec.metrics import METRICS
from mlspec.state.ledger import AlertRecord, Ledger
from tests.examples import forecast_spec, sales, spec_text
from tests.jobs.pipeline import Pipeline

ALERT = {"name": "percent", "metric": "smape", "above": 0.5}
SPEC = spec_text(gate="[{metric: smape, below: 0.9}]").replace("step: 2}", "step: 2, metric: smape}")
SPEC += "alerts: [{name: percent, metric: smape, above: 0.5, for: 1 of 2}]\nrollback: {on: [percent]}\n"


def run(*words: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = front.run(list(words))
    assert code == 0, (words, out.getvalue())
    return out.getvalue()


def commands_know_it(root: Path) -> None:
    (root / "data").mkdir()
    (root / "specs").mkdir()
    (root / "data" / "sales.csv").write_text(sales())
    (root / "specs" / "demand.yaml").write_text(SPEC)
    (root / "mlspec.yaml").write_text(
        "apiVersion: mlspec/v1\nkind: Project\nname: shop\n"
        "targets: {prod: {type: gcp, project: acme-prod, region: europe-west1}}\n"
    )
    run("validate")
    assert "pinball, coverage, smape" in run("explain", "model.gate.metric")
    assert "smape" in run("explain", "alerts.metric")
    assert "smape" in run("schema")
    run("render", "--out", "build")
    applied = run("apply", "--yes")
    assert "sMAPE" in applied, applied
    assert "smape 0.0" in applied, applied  # the gate's sentence
    run("report", "demand", "--out", "page.html")
    assert '<th scope="col">sMAPE</th>' in (root / "page.html").read_text()


def a_step_measures_it(root: Path) -> None:
    root.mkdir()
    shop = Pipeline(root, alerts=[ALERT]).data(sales()).whole()
    assert 0 < shop.facts["backtest"]["metrics"]["smape"] < 1
    shop.files["forecast-1"] = shop.files["forecast"]
    shop.data(sales(days=46)).run("check", now="2024-02-17T00:00:00Z")
    (measured,) = shop.run("evaluate", now="2024-02-17T00:00:00Z", versions=["v1"])["alerts"]
    assert 0 < measured["segments"][""][0] < 1
    assert measured["by_version"]["v1"][""] == measured["segments"][""]


def decisions_know_it() -> None:
    spec = forecast_spec(alerts=[ALERT], rollback={"on": ["percent"]})
    fires = AlertRecord("percent", "firing", "2024-02-01T00:00:00Z", 0.9, "percent: smape is 0.9", incident="i")
    facts = RollbackFacts(
        spec,
        "hash",
        Ledger(alerts=(fires,), own={"percent": {"v1": "ok"}}),
        (),
        (),
        "v1",
        "2024-01-01T00:00:00Z",
        frozenset(),
    )
    # It blames a version, and this one's own forecasts are well.
    assert decide_rollback(facts, "2024-02-02T00:00:00Z") == Stay("percent fires on an earlier version, not on v1")
    (policy,) = alert_policies(forecast_spec(alerts=[{**ALERT, "severity": "critical"}]))
    assert "smape is above 0.5" in policy.text


if __name__ == "__main__":
    here = Path.cwd()
    assert METRICS["smape"].blames_version
    commands_know_it(here)
    a_step_measures_it(here / "steps")
    decisions_know_it()
