"""A forecast's life by steps, as a DAG runs it: made, overtaken by the truth, evaluated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlspec.cli import main as front
from tests.examples import project, sales, spec_text

# The example's history ends with 2024-02-11; these are the evenings of days after it.
BEFORE, AFTER = "2024-02-12T06:00:00Z", "2024-02-14T06:00:00Z"
ALERTS = """\
alerts:
  - {name: accuracy, metric: wape, above: 0.9, window: 2, severity: critical}
  - {name: tight, metric: wape, above: 0.000001, window: 2, by: [shop]}
  - {name: stale, metric: data_age, above: 3d}
  - {name: shift, metric: psi, above: 0.25}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = project(tmp_path / "shop", demand=spec_text() + ALERTS)
    monkeypatch.chdir(folder)
    return folder


def step(capsys: pytest.CaptureFixture[str], name: str, at: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = front.run(["step", name, "--spec", "specs/demand.yaml", "--at", at])
    return code, json.loads(capsys.readouterr().out)


def test_a_forecast_is_judged_once_its_days_have_come(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert step(capsys, "forecast", BEFORE)[0] == 0
    code, facts = step(capsys, "evaluate", BEFORE)
    assert (code, {alert["name"]: alert["state"] for alert in facts["alerts"]}) == (
        0, {"accuracy": "no-data", "tight": "no-data", "stale": "ok", "shift": "no-data"},
    )  # fmt: skip
    (root / "data" / "sales.csv").write_text(sales(days=44))
    assert step(capsys, "check", AFTER)[1]["cutoff"] == "2024-02-13"
    code, facts = step(capsys, "evaluate", AFTER)
    found = {alert["name"]: alert for alert in facts["alerts"]}
    assert code == 3
    assert {name: alert["state"] for name, alert in found.items()} == {
        "accuracy": "ok", "tight": "firing", "stale": "ok", "shift": "no-data",
    }  # fmt: skip
    assert 0 < found["accuracy"]["value"] < 0.9
    assert found["tight"]["message"].startswith("tight: wape in shop=001 is ")
    capsys.readouterr()
    assert front.run(["status", "--check"]) == 3
    assert "alert tight is firing" in capsys.readouterr().out
    assert step(capsys, "forecast", AFTER)[0] == 0
    assert front.run(["status", "--check"]) == 3  # it fires until there is evidence that it is over


def test_old_data_is_told_by_its_age(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step(capsys, "forecast", BEFORE)
    code, facts = step(capsys, "evaluate", "2024-02-20T00:00:00Z")
    (stale,) = [alert for alert in facts["alerts"] if alert["name"] == "stale"]
    assert (code, stale["state"], stale["message"]) == (3, "firing", "stale: data_age is 8.0 days, above 3d")


def test_evaluating_before_there_is_anything_says_what_to_do(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["step", "evaluate", "--spec", "specs/demand.yaml"]) == 1
    assert "run the step check before it" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "code", "said"), [
    (["gate", "--at", "yesterday"], 2, "not an RFC 3339 time"),
    (["gate", "--at", "2024-02-12T06:00:00"], 2, "not an RFC 3339 time"),
    (["gate", "--in", "a=b"], 2, "are for a step on files"),
    (["inventory"], 2, "works on files"),
    (["register", "--out", "x"], 2, "works on a target's record"),
    (["launch"], 2, "launch"),
    (["check", "--release", "0" * 12], 1, "the spec has changed"),
    (["check", "--target", "nowhere"], 1, "no target 'nowhere'"),
])  # fmt: skip
def test_a_wrong_call_changes_nothing(
    root: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    assert front.run(["step", *words, "--spec", "specs/demand.yaml"]) == code
    assert said in capsys.readouterr().err
    assert not (root / ".mlspec").exists()


def test_data_that_was_fresh_and_is_stale_now_is_told_until_it_is_fresh_again(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = (root / "specs" / "demand.yaml").read_text()
    checks = "  frequency: D\n  checks: {freshness: {max_age: 2d}}\n"
    (root / "specs" / "demand.yaml").write_text(spec.replace("  frequency: D\n", checks))
    assert step(capsys, "forecast", BEFORE)[0] == 0
    capsys.readouterr()
    assert front.run(["step", "check", "--spec", "specs/demand.yaml", "--at", "2024-03-01T00:00:00Z"]) == 1
    assert "freshness" in capsys.readouterr().err
    assert front.run(["status", "--check"]) == 3
    assert "the data breaks its contract" in capsys.readouterr().out
    (root / "data" / "sales.csv").write_text(sales(days=60))
    assert step(capsys, "check", "2024-03-01T00:00:00Z")[0] == 0
    assert front.run(["status", "--check"]) == 0
