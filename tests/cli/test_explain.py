"""`mlspec explain`: what a person at a prompt, and a machine, are told of a field."""

from __future__ import annotations

import json

import pytest

from mlspec.cli import main as front
from mlspec.spec.glossary import TERMS
from mlspec.spec.metrics import METRICS

ROLLBACK = """\
rollback.cooldown
  Least time between two rollbacks.
  a duration (90s, 15m, 24h, 3d, 2w, 1y); default: 24h

  example:
    cooldown: 24h
"""


def test_a_field_is_told_with_its_sentence_type_default_and_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["explain", "rollback.cooldown"]) == 0
    assert capsys.readouterr().out == ROLLBACK


COVERAGE = """\
coverage (coverage)
  share of actuals between the outermost quantiles
  from 0 to 1, a share: 0.2 is 20 %; best at the share between the outermost quantiles: too low and too high are both worse
  needs 2 quantiles or more (model.quantiles)

  judges a version before it serves (model.gate)
  raises an alert (alerts.metric)
  may roll the version back that it is about (rollback.on)
  asks for a training
"""


def test_a_metric_is_told_with_its_meaning_range_and_what_follows(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["explain", "coverage"]) == 0
    assert capsys.readouterr().out == COVERAGE


def test_a_term_is_told_to_people_and_machines_and_beside_a_field_of_its_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert front.run(["explain", "canary", "--output", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"term": "canary", "meaning": TERMS["canary"]}
    assert front.run(["explain", "rollback"]) == 0
    both = capsys.readouterr().out
    assert "cooldown" in both
    assert both.endswith(f"rollback, a term\n  {TERMS['rollback']}\n")
    assert front.run(["explain", "canari"]) == 2
    assert "did you mean 'canary'?" in capsys.readouterr().err


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_explained_to_people_and_machines(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["explain", name]) == 0
    assert METRICS[name].meaning in capsys.readouterr().out
    assert front.run(["explain", name, "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == name


@pytest.mark.parametrize(("field", "says"), [
    ("alerts.metric", "one of wape, mase, rmsse, bias"),
    ("model.horizon", "a whole number, at least 1, at most 1000; required"),
    ("model.candidates", "  gradient-boosting  One boosted-trees model"),
    ("model.candidates.gradient-boosting.lags", "lags: [1, 2, 3, 4, 13, 52]"),
    ("alerts[0].for", "for: 2 of 3"),
    ("dataset.checks.range.units.min", "Smallest value allowed."), ("metadata.owner", "; optional"),
    ("targets.prod.deployment.serve", "one of batch, online, both"),
])  # fmt: skip
def test_fields_at_any_depth_are_found(field: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["explain", field]) == 0
    assert says in capsys.readouterr().out


@pytest.mark.parametrize(("words", "title"), [([], "kind: Forecast"), (["--kind", "project"], "kind: Project")])
def test_without_a_field_the_top_of_the_language_is_told(
    words: list[str], title: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert front.run(["explain", *words]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == title
    assert any(line.startswith("  targets ") for line in rest)


def test_a_field_of_the_project_file_is_found_by_its_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["explain", "--kind", "project", "targets.gcp.region"]) == 0
    assert "region: southamerica-east1" in capsys.readouterr().out
    assert front.run(["explain", "targets.gcp.region"]) == 2


@pytest.mark.parametrize(("field", "hint"), [
    ("rollback.cooldwn", "did you mean 'rollback.cooldown'?"), ("cooldown", "did you mean 'rollback.cooldown'?"),
    ("zzzzzz", "lists the top"),
])  # fmt: skip
def test_an_unknown_field_is_a_wrong_call_that_names_the_nearest(
    field: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert front.run(["explain", field]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert f"there is no field, metric or term '{field}'" in said.err
    assert hint in said.err


def test_json_says_the_same_to_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["explain", "deployment.serve", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "path": "deployment.serve", "type": "one of batch, online, both", "required": False, "default": "batch",
        "values": ["batch", "online", "both"],
        "description": "batch: forecasts in files on a schedule; online: an endpoint; both: both.", "example": "serve: batch",
        "below": {},
    }  # fmt: skip
