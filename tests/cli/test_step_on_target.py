"""A forecast's life by steps, as a DAG runs it: made, overtaken by the truth, evaluated."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mlspec.cli import main as front
from mlspec.errors import DataError, LockHeld, ModelError, Refused, SpecError, StateError, TargetError, WorkStalled
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


class Clock:
    """The present moment, as every command sees it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = BEFORE
        monkeypatch.setattr("mlspec.cli.target.utc_now", lambda: datetime.fromisoformat(self.now))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def step(capsys: pytest.CaptureFixture[str], name: str, *words: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = front.run(["step", name, "--spec", "specs/demand.yaml", *words])
    return code, json.loads(capsys.readouterr().out)


def test_a_forecast_is_judged_once_its_days_have_come(
    root: Path, capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    assert step(capsys, "forecast")[0] == 0
    code, facts = step(capsys, "evaluate")
    assert (code, {alert["name"]: alert["state"] for alert in facts["alerts"]}) == (
        0, {"accuracy": "no-data", "tight": "no-data", "stale": "ok", "shift": "no-data"},
    )  # fmt: skip
    (root / "data" / "sales.csv").write_text(sales(days=44))
    clock.now = AFTER
    assert step(capsys, "check")[1]["cutoff"] == "2024-02-13"
    code, facts = step(capsys, "evaluate", "--at", AFTER)
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
    assert step(capsys, "forecast")[0] == 0
    assert front.run(["status", "--check"]) == 3  # it fires until there is evidence that it is over


def test_an_incident_is_told_by_name_once_by_the_run_that_it_began_in(
    root: Path, capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    step(capsys, "forecast")
    clock.now = "2024-02-20T00:00:00Z"
    assert step(capsys, "evaluate", "--at", clock.now)[0] == 3
    code, message = step(capsys, "publish-alerts", "--at", clock.now)
    assert (code, message["event"], message["about"]) == (
        0, "threshold-broken", "stale: data_age is 8.0 days, above 3d",
    )  # fmt: skip
    assert (message["alert"]["name"], message["alert"]["value"]) == ("stale", 8.0 * 86400)
    clock.now = "2024-02-21T00:00:00Z"
    assert step(capsys, "evaluate", "--at", clock.now)[0] == 0
    assert front.run(["step", "publish-alerts", "--spec", "specs/demand.yaml", "--at", clock.now]) == 0
    assert capsys.readouterr().out == ""


def test_evaluating_before_there_is_anything_is_well_and_records_nothing(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert step(capsys, "evaluate") == (0, {"forecast": "demand", "step": "evaluate", "well": True, "alerts": []})


def test_an_older_moment_is_answered_from_the_record(
    root: Path, capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    step(capsys, "forecast")
    clock.now = "2024-02-20T00:00:00Z"
    step(capsys, "evaluate")
    code, facts = step(capsys, "evaluate", "--at", "2024-02-10T00:00:00Z")
    assert (code, facts["older_moment"]) == (0, "2024-02-10T00:00:00Z")
    assert {alert["state"] for alert in facts["alerts"]} == {"not firing"}
    (stale,) = [alert for alert in step(capsys, "evaluate")[1]["alerts"] if alert["name"] == "stale"]
    assert (stale["state"], stale["message"]) == ("firing", "stale: data_age is 8.0 days, above 3d")


def test_the_last_step_of_a_pass_sends_the_due_notices_and_no_other_does(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr("mlspec.cli.notices.send_due_notices", lambda *_: sent.append("sent"))
    step(capsys, "forecast")
    assert sent == []
    assert step(capsys, "finish")[0] == 0
    assert sent == ["sent"]


def test_what_may_pass_exits_75_and_what_no_retry_mends_exits_1(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(error: Exception) -> int:
        def run_step(*_: object) -> None:
            raise error

        monkeypatch.setattr("mlspec.engine.steps._make_step", run_step)
        return front.run(["step", "check", "--spec", "specs/demand.yaml"])

    waits = [TargetError("nobody answers"), LockHeld("held"), StateError("the disk is full"), KeyError("a defect")]
    lasting = [
        DataError("broken"),
        ModelError("cannot be fitted"),
        Refused("no"),
        SpecError("wrong"),
        WorkStalled("waits"),
    ]
    assert [fail(error) for error in waits] == [75] * len(waits)
    assert "nobody answers" in capsys.readouterr().err
    assert [fail(error) for error in lasting] == [1] * len(lasting)


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
    root: Path, capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    spec = (root / "specs" / "demand.yaml").read_text()
    checks = "  frequency: D\n  checks: {freshness: {max_age: 2d}}\n"
    (root / "specs" / "demand.yaml").write_text(spec.replace("  frequency: D\n", checks))
    assert step(capsys, "forecast")[0] == 0
    capsys.readouterr()
    clock.now = "2024-03-01T00:00:00Z"
    assert front.run(["step", "check", "--spec", "specs/demand.yaml"]) == 1
    assert "freshness" in capsys.readouterr().err
    assert front.run(["status", "--check"]) == 3
    assert "the data breaks its contract" in capsys.readouterr().out
    (root / "data" / "sales.csv").write_text(sales(days=60))
    assert step(capsys, "check")[0] == 0
    assert front.run(["status", "--check"]) == 0
