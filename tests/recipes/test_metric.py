"""A metric is one row and one formula: with these two everything else knows it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from mlspec.forecast import data_metrics, metrics
from mlspec.plan import serving_metrics
from mlspec.spec.metrics import METRICS, metric_names
from tests.examples import edit

ROOT = Path(__file__).resolve().parent.parent.parent
ROW = """\
    Metric(name="smape", kind="accuracy", title="sMAPE", meaning="mean of 2 |y - f| / (|y| + |f|)", high=2.0, unit="share",
           ranks=True, blames_version=True, asks_training=True),
)  # fmt: skip
METRICS:"""
FORMULA = '''\
def smape(actual: Array, forecast: Array) -> float | None:
    """Mean of 2 |y - f| / (|y| + |f|) (Makridakis & Hibon 2000)."""
    size = np.abs(actual) + np.abs(forecast)
    return _finite_ratio(float((2 * np.abs(actual - forecast) / np.where(size > 0, size, 1)).sum()), len(actual))


# By the metric's name in `spec.metrics`.
FORMULAS: dict[str, Callable[[ScoredForecasts], float | None]] = {
    "smape": lambda scored: smape(scored.actual, scored.mean),
'''


def test_a_metric_that_is_added_by_the_recipe_is_validated_explained_measured_judged_and_shown(tmp_path: Path) -> None:
    copy, project = tmp_path / "copy", tmp_path / "project"
    project.mkdir()
    for name in ("mlspec", "templates"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    edit(copy / "mlspec/spec/metrics.py", ")  # fmt: skip\nMETRICS:", ROW)
    edit(copy / "mlspec/forecast/metrics.py", FORMULA[FORMULA.index("# By") : FORMULA.index('    "smape"')], FORMULA)
    environment = {**os.environ, "PYTHONPATH": f"{copy}{os.pathsep}{ROOT}", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-P", ROOT / "tests" / "recipes" / "use_metric.py"],
        cwd=project, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_metric_has_one_formula_under_its_name() -> None:
    assert tuple(metrics.FORMULAS) == metric_names("accuracy")
    assert tuple(data_metrics.FORMULAS) == metric_names("drift", "data")
    assert tuple(serving_metrics.FORMULAS) == metric_names("serving")


def test_names_of_metrics_stand_in_the_table_and_beside_their_formulas_alone() -> None:
    """A name as a text of its own, in the package's code; examples of the language are whole documents."""
    formulas = {"spec/metrics.py", "forecast/metrics.py", "forecast/data_metrics.py", "plan/serving_metrics.py"}
    policies = {"render/gcp/alert_policies.py"}  # what Vertex AI itself measures, as PromQL
    choice = {"forecast/paired_test.py"}  # the one that ranks intermittent demand
    alerts = {"forecast/starting_alerts.py"}  # those of a new spec
    keys = {"jobs/review.py"}  # `dataset.new_series` is a key, and `new_series` a metric that counts such series
    rows = {"targets/contract/nouns.py"}  # rows of every kind, which the tests of a store write and read
    quoted = [f'"{name}"' for name in METRICS] + [f"'{name}'" for name in METRICS]
    package = ROOT / "mlspec"
    used = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if any(word in path.read_text(encoding="utf-8") for word in quoted)
    }
    assert used == formulas | policies | alerts | choice | keys | rows
