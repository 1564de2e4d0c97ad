"""Metrics of packages: a team's own accuracy metrics are installed, named in a spec, and used as mlspec's own are.

`packages/tiny_costs` is the worked example of docs/own-metric.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from mlspec.cli import main as front
from mlspec.engine.context import metric_code_digests
from mlspec.engine.doctor import _check_metrics
from mlspec.engine.effects import ForecastWork
from mlspec.engine.pipeline import _step_key
from mlspec.engine.traffic import fallback_work
from mlspec.errors import BrokenMetric, SpecError
from mlspec.forecast.frame import CANDIDATE, CUTOFF, ID, MEAN, TARGET
from mlspec.forecast.paired_test import PairedTest
from mlspec.forecast.scales import MASE_SCALE, RMSSE_SCALE
from mlspec.forecast.scores import score_rows
from mlspec.models.metric import AccuracyMetric
from mlspec.models.package_metrics import GROUP
from mlspec.plan.desired import DesiredForecast, model_resource
from mlspec.spec import read_specs
from mlspec.spec.digest import resolved_json, spec_digest
from mlspec.spec.forecast import Forecast
from mlspec.spec.metrics import METRICS, accuracy_metrics, find_metric
from mlspec.spec.schema import json_schema
from mlspec.spec.stored import read_stored_spec
from mlspec.state.observed import SourceFacts
from mlspec.state.step import StepName
from tests.examples import edit, project, sales, spec_json, spec_text
from tests.forecast.entrants import as_forecasts
from tests.models.installed import install_package, write_dist_info

SPEC = "specs/demand.yaml"
RULE = "{metric: stock_cost, below: 2}"


class Said(NamedTuple):
    code: int
    out: str
    err: str


Mlspec = Callable[..., Said]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages of this test's own, with nothing in it."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def costs(site: Path) -> Path:
    """The same folder, with the worked example installed."""
    install_package(site, "tiny_costs")
    return site


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one forecast, whose champion is chosen by the cost, and another that names no metric of a package."""
    made = project(tmp_path / "shop", demand=spec_text(gate=f"[{RULE}]"), plain=spec_text("plain"))
    spec = made / "specs" / "demand.yaml"
    edit(spec, "{windows: 2, step: 2}", "{windows: 2, step: 2, metric: stock_cost}")
    spec.write_text(spec.read_text() + "alerts:\n  - {name: costly, metric: wrmsse, above: 0.01, window: 2}\n")
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def mlspec(root: Path, capsys: pytest.CaptureFixture[str]) -> Mlspec:
    def run(*words: str) -> Said:
        code = front.run(list(words))
        return Said(code, *capsys.readouterr())

    return run


def bring(site: Path, module: str, body: str, *, name: str = "metric_x", package: str = "team-metrics") -> None:
    """Install a package with one module, whose METRIC has this name in specs."""
    (site / f"{module}.py").write_text(f"from mlspec.models.metric import AccuracyMetric\n\n\n{body}")
    write_dist_info(site, package, "1.0", {GROUP: {name: f"{module}:METRIC"}})


def formula(line: str) -> str:
    """Return a module whose formula is one line; it is the fifth of the file."""
    return (
        f"def measure(scored):\n    {line}\n\n\nMETRIC = AccuracyMetric(formula=measure, title='x', meaning='a test')\n"
    )


def rows(mean: float = 12.0, candidate: str = "one", days: int = 4) -> pd.DataFrame:
    """Return the rows of two series, a window a day: actual values 10, and forecasts `mean`."""
    return pd.DataFrame(
        {
            CANDIDATE: candidate, ID: [*["a"] * days, *["b"] * days], CUTOFF: [*range(days), *range(days)],
            TARGET: 10.0, MEAN: mean, MASE_SCALE: 1.0, RMSSE_SCALE: 4.0,
        }
    )  # fmt: skip


# --- the worked example -----------------------------------------------------------------------------------------------


def test_a_metric_of_a_package_is_checked_explained_measured_judged_shown_and_recorded(
    costs: Path, root: Path, mlspec: Mlspec
) -> None:
    assert mlspec("validate").code == 0
    assert "of the package tiny-costs 1.0" in mlspec("explain", "stock_cost").out
    said = mlspec("apply", SPEC, "--yes")
    assert said.code == 0, said.err
    shown = said.out + said.err
    assert "WAPE  MASE   RMSSE  bias  pinball  coverage  stock cost" in " ".join(shown.split("\n"))
    assert "gate pass: stock_cost" in shown
    assert mlspec("apply", SPEC).out.startswith("Nothing to do")
    (version,) = json.loads(mlspec("history", "demand", "--output", "json").out)["versions"]
    assert version["metrics"]["stock_cost"] > 0
    assert version["lineage"]["metric_code"] == {"stock_cost": metric_code_digests(_forecast(root))["stock_cost"]}
    # New data: what was forecast is compared with what came, by the metric of the alert too.
    (root / "data" / "sales.csv").write_text(sales(44))
    assert mlspec("reconcile", "--once", SPEC).code in (0, 3)
    errors = mlspec("errors", "demand", "--output", "csv").out
    assert "realised_stock_cost,backtest_stock_cost,realised_wrmsse,backtest_wrmsse" in errors
    assert "wrmsse is" in mlspec("status", "demand", "--output", "json").out
    assert mlspec("report", "demand").code == 0
    assert "stock cost" in (root / "demand-report.html").read_text()


def test_the_formulas_of_the_example_are_what_they_say(costs: Path) -> None:
    scores = score_rows(pd.concat([rows(12.0), rows(8.0)]), (), ["stock_cost", "wrmsse"])
    assert scores["stock_cost"] == pytest.approx((2 + 3 * 2) / 20)  # two too many, two too few, of ten each
    assert scores["wrmsse"] == pytest.approx(1.0)
    assert score_rows(rows().assign(**{TARGET: np.nan}), (), ["stock_cost"])["stock_cost"] is None


def test_another_version_of_the_package_is_another_version_of_the_model_where_the_metric_chooses(
    costs: Path, root: Path
) -> None:
    spec, before = _forecast(root), metric_code_digests(_forecast(root))
    (costs / "tiny_costs-1.0.dist-info").rename(costs / "tiny_costs-1.1.dist-info")
    edit(costs / "tiny_costs-1.1.dist-info" / "METADATA", "Version: 1.0", "Version: 1.1")
    after = metric_code_digests(spec)
    assert {name for name in after if after[name] != before[name]} == {"stock_cost", "wrmsse"}
    first, second = (_model_fields(spec, code) for code in (before, after))
    changed = {field for field in second if first[field] != second[field]}
    assert changed == {"metric.code.stock_cost"}  # an alert alone names wrmsse, and an alert shapes no model


def test_the_steps_that_measure_a_metric_are_run_again_for_another_version_of_its_package(
    costs: Path, root: Path
) -> None:
    spec, engine = _forecast(root), SimpleNamespace(code="1", mlspec="1", libraries={})

    def key(step: StepName, **code: str) -> str:
        wanted = DesiredForecast("demand", spec, "h", SourceFacts("d", (), 0), "0", metric_code=code)
        return _step_key(engine, wanted, step, {}, {})  # type: ignore[arg-type]

    before = {"stock_cost": "a", "wrmsse": "a"}
    for name, again in (("stock_cost", {"backtest", "evaluate"}), ("wrmsse", {"evaluate"})):
        after = {**before, name: "b"}
        steps: tuple[StepName, ...] = ("check", "backtest", "train", "forecast", "evaluate")
        assert {step for step in steps if key(step, **before) != key(step, **after)} == again


def test_the_fallback_of_a_rollback_uses_no_metric_of_a_package(costs: Path, root: Path) -> None:
    spec = _forecast(root)
    wanted = DesiredForecast("demand", spec, "h", SourceFacts("d", (), 0), "0", metric_code=metric_code_digests(spec))
    fallback = fallback_work(ForecastWork(None, wanted, None)).desired  # type: ignore[arg-type]
    assert fallback.spec.model.package_metrics == ()
    assert fallback.judging_code == {}


def _forecast(root: Path) -> Forecast:
    loaded = read_specs([root / SPEC], root, "local")
    assert not loaded.faults, loaded.faults
    return loaded.specs[0].forecast


def _model_fields(spec: Forecast, code: dict[str, str]) -> dict[str, object]:
    wanted = DesiredForecast("demand", spec, "h", SourceFacts("d", (), 0), "0", metric_code=code)
    return dict(model_resource(wanted).fields)


# --- who may name it ----------------------------------------------------------------------------------------------------


def test_nothing_is_looked_for_where_no_spec_names_a_metric_of_a_package(
    root: Path, mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_group: str) -> None:
        raise AssertionError("the entry points were read")

    monkeypatch.setattr("mlspec.models.package_metrics.find_entries", refuse)
    assert mlspec("validate", "specs/plain.yaml").code == 0
    assert mlspec("apply", "specs/plain.yaml", "--yes").code == 0
    assert mlspec("status", "plain").code == 0


def test_a_package_that_cannot_be_imported_stops_only_the_specs_that_name_its_metric(
    site: Path, root: Path, mlspec: Mlspec
) -> None:
    bring(site, "broken_costs", "import no_such_library\n", name="stock_cost")
    bring(site, "other_costs", formula("return 1.0"), name="wrmsse", package="other-metrics")
    assert mlspec("validate", "specs/plain.yaml").code == 0
    said = mlspec("validate")
    assert said.code == 1
    assert (
        "metric 'stock_cost' of team-metrics 1.0: broken_costs.py:4: ModuleNotFoundError: No module named 'no_such_library'"
        in said.out + said.err
    )
    assert "specs/plain.yaml" not in said.out.replace("specs/plain.yaml: ok", "")


def test_a_name_that_no_package_brings_is_refused_with_the_nearest_one(costs: Path, root: Path, mlspec: Mlspec) -> None:
    edit(root / SPEC, "step: 2, metric: stock_cost", "step: 2, metric: stock_costs")
    said = mlspec("validate", SPEC)
    assert (
        "model.backtest.metric: 'stock_costs': expected one of wape, mase, rmsse, pinball, stock_cost, wrmsse"
        in said.out
    )
    assert "did you mean 'stock_cost'?" in said.out


def test_without_the_package_a_spec_is_refused_and_what_is_recorded_is_still_shown(
    costs: Path, root: Path, mlspec: Mlspec
) -> None:
    assert mlspec("apply", SPEC, "--yes").code == 0
    for file in (costs / "tiny_costs-1.0.dist-info").iterdir():
        file.unlink()
    (costs / "tiny_costs-1.0.dist-info").rmdir()
    assert "a metric of a package needs the package here" in mlspec("validate", SPEC).out
    assert mlspec("status", "demand").code == 0
    recorded = accuracy_metrics([{"wape": 0.1, "stock_cost": 0.2}])
    assert [metric.title for metric in recorded[-2:]] == ["coverage", "stock_cost"]
    assert read_stored_spec(_named("stock_cost")).model.backtest.metric == "stock_cost"
    with pytest.raises(SpecError, match="no installed package has an entry point 'stock_cost'"):
        find_metric("stock_cost")


def _named(metric: str) -> dict[str, object]:
    spec = spec_json()
    spec["model"]["backtest"]["metric"] = metric
    return spec


def test_the_schema_for_editors_has_the_names_of_the_packages_that_are_here(costs: Path) -> None:
    enum = json_schema("forecast")["$defs"]["Backtest"]["properties"]["metric"]["enum"]
    assert enum == ["wape", "mase", "rmsse", "pinball", "stock_cost", "wrmsse"]


def test_the_digest_of_a_spec_without_such_a_metric_does_not_know_of_packages(site: Path) -> None:
    before = spec_digest(resolved_json(read_stored_spec(spec_json())))
    install_package(site, "tiny_costs")
    assert spec_digest(resolved_json(read_stored_spec(spec_json()))) == before


# --- what is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("METRIC = 3\n", "is of the type int, and has to be a mlspec.models.metric.AccuracyMetric"),
        ("METRIC = AccuracyMetric(formula=len, title='', meaning='m')\n", "title has to be a text of one line"),
        ("METRIC = AccuracyMetric(formula=1, title='t', meaning='m')\n", "formula has to be a function"),
        ("METRIC = AccuracyMetric(formula=len, title='t', meaning='m', unit='%')\n", "unit is '%', and has to be"),
        ("METRIC = AccuracyMetric(formula=len, title='t', meaning='m', quantiles=-1)\n", "quantiles has to be"),
        ("METRIC = AccuracyMetric(formula=len, title='t', meaning='m', low=2, high=1)\n", "low the lesser one"),
        ("METRIC = AccuracyMetric(formula=len, title='t', meaning='m', ideal=-1)\n", "from low to high"),
        ("METRIC = )\n", r"m_\w+\.py:4: SyntaxError"),
        ("def fail():\n    raise SystemExit('bye')\nfail()\n", r"m_\w+\.py:5: SystemExit: bye"),
    ],
)
def test_what_is_no_metric_is_refused_in_words(site: Path, body: str, problem: str) -> None:
    bring(site, f"m_{abs(hash(body))}", body)
    with pytest.raises(SpecError, match=f"^metric 'metric_x' of team-metrics 1.0: .*{problem}"):
        find_metric("metric_x")


def test_names_that_clash_or_have_another_form_are_refused_and_doctor_says_so(site: Path) -> None:
    write_dist_info(site, "clashing", "1.0", {GROUP: {"wape": "m:A", "metric_y": "m:B", "Cost-1": "m:C"}})
    with pytest.raises(
        SpecError, match=r"metric 'metric_y': clashing 1\.0 brings 'wape' too, and mlspec has a metric of this"
    ):
        find_metric("metric_y")
    with pytest.raises(
        SpecError, match=r"clashing 1\.0 brings a metric 'Cost-1', and a metric's name is up to 40 lower-case"
    ):
        find_metric("Cost-1")
    assert find_metric("wape") is METRICS["wape"]
    findings = list(_check_metrics())
    assert {finding.status for finding in findings} == {"missing"}
    assert any("a package brings a metric 'wape', and mlspec has one" in finding.said for finding in findings)


def test_a_name_that_two_packages_bring_is_refused(costs: Path) -> None:
    write_dist_info(costs, "rival", "2.0", {GROUP: {"stock_cost": "m:A"}})
    with pytest.raises(SpecError, match="several packages have an entry point 'stock_cost': rival, tiny-costs"):
        find_metric("stock_cost")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("return float('nan')", "returned nan, which is not a finite number"),
        ("return scored.actual.sum() / 0", "returned inf, which is not a finite number"),
        ("return 10**400", "returned inf, which is not a finite number"),
        ("return 'much'", "returned a value of the type str, and has to return a number or None"),
        ("return True", "returned a value of the type bool, and has to return"),
        ("return -1", "returned -1, and says that its values are 0 or more"),
        (
            "return scored.actuals.sum()",
            r"f_\w+\.py:5: AttributeError: 'ScoredForecasts' object has no attribute 'actuals'",
        ),
        ("scored.mean[:] = 0", r"f_\w+\.py:5: ValueError: assignment destination is read-only"),
        ("raise SystemExit(3)", r"f_\w+\.py:5: SystemExit: 3"),
    ],
)
def test_what_a_formula_may_not_do_is_said_by_file_and_line(site: Path, line: str, problem: str) -> None:
    bring(site, f"f_{abs(hash(line))}", formula(line))
    with pytest.raises(BrokenMetric, match=f"^metric 'metric_x' of team-metrics 1.0.*{problem}"):
        score_rows(rows(), (), ["metric_x"])


def test_a_metric_with_an_ideal_chooses_no_champion_and_its_alert_names_a_range(
    site: Path, root: Path, mlspec: Mlspec
) -> None:
    body = formula("return 1.0").replace("title='x'", "title='x', ideal=1.0")
    bring(site, "ideal_metric", body, name="stock_cost")
    bring(site, "over_metric", body, name="wrmsse", package="over-metrics")
    said = mlspec("validate", SPEC)
    assert "stock_cost is best at 1, so it chooses no champion" in said.out
    edit(root / SPEC, "step: 2, metric: stock_cost", "step: 2")
    assert "wrmsse is not bad above a value" in mlspec("validate", SPEC).out


def test_a_metric_that_fails_stops_the_training_in_words_and_what_serves_goes_on(
    costs: Path, root: Path, mlspec: Mlspec
) -> None:
    assert mlspec("apply", SPEC, "--yes").code == 0
    bring(costs, "worse", formula("return scored.no_such"), name="worse", package="worse-metrics")
    edit(root / SPEC, "step: 2, metric: stock_cost", "step: 2, metric: worse")
    said = mlspec("apply", SPEC, "--yes")
    assert said.code != 0
    assert "metric 'worse' of worse-metrics 1.0: worse.py:5: AttributeError" in said.out + said.err
    assert "Traceback" not in said.out + said.err
    assert mlspec("forecast", "demand").code == 0


# --- which candidate is surely better -------------------------------------------------------------------------------------


def test_candidates_are_compared_by_the_metric_and_not_by_absolute_errors(costs: Path) -> None:
    # Three too many cost 3, two too few cost 6: the larger error is the cheaper one.
    table = pd.concat([rows(13.0, "generous", days=6), rows(8.0, "tight", days=6)], ignore_index=True)
    table["scale"] = 1.0
    assert PairedTest("stock_cost").is_surely_better(as_forecasts(table), "generous", "tight")
    assert not PairedTest("stock_cost").is_surely_better(as_forecasts(table), "tight", "generous")
    assert PairedTest("wape").is_surely_better(as_forecasts(table), "tight", "generous")


def test_one_window_proves_nothing(costs: Path) -> None:
    table = pd.concat([rows(13.0, "generous", days=1), rows(8.0, "tight", days=1)], ignore_index=True)
    assert not PairedTest("stock_cost").is_surely_better(as_forecasts(table), "generous", "tight")
    assert PairedTest("stock_cost", level=None).is_surely_better(as_forecasts(table), "generous", "tight")


def test_the_example_imports_no_numeric_library_before_its_formula_runs(costs: Path) -> None:
    metric = AccuracyMetric(formula=lambda scored: float(len(scored.series)), title="t", meaning="m")
    assert (metric.low, metric.ideal, metric.quantiles) == (0.0, None, 0)
    text = (costs / "tiny_costs.py").read_text()
    assert not [line for line in text.splitlines() if line.startswith(("import numpy", "from numpy"))]
