"""`explain` and the reference page: one source, and nothing of the language is left unexplained."""

from __future__ import annotations

from textwrap import indent

import pytest

from mlspec.spec.checks import CHECKS, run_checks
from mlspec.spec.example import FORECAST, PROJECT
from mlspec.spec.explain import KINDS, all_paths, explain_field, nearest_path
from mlspec.spec.forecast import Forecast
from mlspec.spec.gcp.resource_names import NAMES
from mlspec.spec.metrics import METRICS
from mlspec.spec.project import Project
from mlspec.spec.reader import read_yaml
from mlspec.spec.reference import reference_page

EVERY = [(kind, path) for kind in KINDS for path in all_paths(kind)]


def test_the_example_that_is_quoted_is_right_and_says_almost_everything() -> None:
    assert run_checks(Forecast.model_validate(read_yaml(FORECAST).value)) == []
    Project.model_validate(read_yaml(PROJECT).value)


@pytest.mark.parametrize(("kind", "path"), EVERY)
def test_every_field_has_a_type_a_sentence_and_an_example(kind: str, path: str) -> None:
    found = explain_field(path, kind)
    assert found is not None
    assert found.path == path
    assert found.description.endswith((".", ")"))
    assert found.type
    assert found.example


@pytest.mark.parametrize("path", [path for kind, path in EVERY if kind == "forecast"])
def test_every_example_can_be_read_as_a_spec_is_read(path: str) -> None:
    found = explain_field(path)
    assert found is not None
    assert read_yaml("x:\n" + indent(str(found.example), "  ")).troubles == []


@pytest.mark.parametrize(("path", "words", "default"), [
    ("model.horizon", "a whole number, at least 1, at most 1000", None),
    ("model.quantiles", "a list of numbers, each more than 0, less than 1, 1 to 99 entries", "[0.1, 0.5, 0.9]"),
    ("model.candidates", "auto or a list of mappings, 1 to 20 entries", "auto"),
    ("model.candidates.theta.season", "a whole number, at least 2, at most 10000", None),
    ("model.candidates.gradient-boosting.lags", "a list of whole numbers, each at least 1, at most 10000", None),
    ("model.gate", "a list of mappings",
     "[{metric: wape, against: seasonal-naive, not_worse_by: 0.0}, {metric: wape, against: champion, not_worse_by: 0.02}]"),
    ("dataset.checks.series.max_missing", "a number, at least 0, at most 1", None),
    ("dataset.series", "a list of texts", "[]"),
    ("dataset.source.query", "text, at most 65536 characters", None),
    ("metadata.description", "text, at most 1024 characters", '""'),
    ("metadata.labels", "a mapping from a label key: ", "{}"),
    ("alerts.above", "a number or a duration (90s, 15m, 24h, 3d, 2w, 1y)", None),
    ("alerts.outside", "a list of numbers, 2 entries", None),
    ("alerts.severity", "one of info, warning, critical", "warning"),
    ("alerts.for", "m of n, such as 2 of 3", None),
    ("rollback.cooldown", "a duration (90s, 15m, 24h, 3d, 2w, 1y)", "24h"),
    ("deployment", "a mapping", None),
])  # fmt: skip
def test_a_type_is_told_with_its_limits_and_a_default_as_one_would_write_it(
    path: str, words: str, default: str | None
) -> None:
    found = explain_field(path)
    assert found is not None
    assert found.type.startswith(words)
    assert found.default == default


def test_the_words_that_a_value_may_be_are_listed() -> None:
    values = {
        path: explain_field(path)
        for path in ("alerts.metric", "deployment.serve", "model.candidates.ensemble.of", "model.horizon")
    }
    assert [found.values for found in values.values() if found] == [
        tuple(METRICS), ("batch", "online", "both"), ("best-2", "best-3", "best-4", "best-5", "near-best", "all"), (),
    ]  # fmt: skip


@pytest.mark.parametrize(("path", "same"), [
    ("alerts[0].metric", "alerts.metric"), ("alerts[].metric", "alerts.metric"),
    ("dataset.checks.range.units.min", "dataset.checks.range.min"),
    ("targets.prod.model.horizon", "model.horizon"), ("model.candidates[2].ensemble.of", "model.candidates.ensemble.of"),
])  # fmt: skip
def test_a_path_may_hold_what_validate_prints_and_what_a_user_named(path: str, same: str) -> None:
    one, other = explain_field(path), explain_field(same)
    assert one is not None
    assert other is not None
    assert (one.path, one.type, one.description) == (path, other.type, other.description)


def test_the_project_file_is_explained_too() -> None:
    region, horizon = explain_field("targets.gcp.region", "project"), explain_field("defaults.model.horizon", "project")
    assert region is not None
    assert region.required
    assert horizon is not None
    assert not horizon.required


@pytest.mark.parametrize("path", [
    "model.horizon.x", "rollback.", ".", "rollback..cooldown", "alerts.0.metric", "zzz",
    "model.candidates.prophet", "metadata.name.first",
    "targets.prod.nothing", "[0]",
])  # fmt: skip
def test_what_is_no_field_is_not_explained(path: str) -> None:
    assert explain_field(path) is None


@pytest.mark.parametrize(("path", "meant"), [
    ("rollback.cooldwn", "rollback.cooldown"), ("cooldown", "rollback.cooldown"), ("alert.metric", "alerts.metric"),
    ("Horizon", "model.horizon"),
    ("model.horzion", "model.horizon"), ("zzzzzz", None),
])  # fmt: skip
def test_a_path_that_is_not_there_is_answered_with_the_nearest(path: str, meant: str | None) -> None:
    assert nearest_path(path) == meant


def test_the_reference_page_names_every_field_check_metric_and_derived_name() -> None:
    page = reference_page()
    assert all(f"| `{path}` |" in page for _, path in EVERY if "." in path)
    assert all(" ".join((each.__doc__ or "-").split()) in page for each, _ in CHECKS)
    assert all(f"| `{name}` |" in page for name in METRICS)
    assert all(f"| {row.kind} |" in page for row in NAMES)
    tables = [line for line in page.split("\n") if line.startswith("|")]
    assert all(line.endswith(" |") for line in tables)
