"""`mlspec rehearse`: each fault on a copy of the project, and the project itself as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlspec.cli import main as front
from tests.examples import project, sales, spec_text
from tests.stores import recorded

ALERTS = """\
alerts:
  - {name: accuracy, metric: wape, above: 0.5, window: 3}
  - {name: bias, metric: bias, outside: [-0.5, 0.5], window: 3}
  - {name: stale, metric: data_age, above: 3d}
rollback: {on: [accuracy]}
notify: [{webhook: {secret: ops-hook}}]
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one forecast with ninety days of sales, and alerts on quality and on age."""
    root = project(tmp_path / "shop", demand=spec_text() + ALERTS)
    (root / "data" / "sales.csv").write_text(sales(days=90))
    monkeypatch.chdir(root)
    return root


@pytest.mark.parametrize("fault", ["bad-model", "drift", "late-actuals", "outage"])
def test_a_fault_is_noticed_and_answered_on_a_copy(root: Path, fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted(path.relative_to(root) for path in root.rglob("*"))
    code = front.run(["rehearse", "demand", "--fault", fault, "--output", "json"])
    told = json.loads(capsys.readouterr().out)
    assert code == 0, told["seen"]
    assert (told["forecast"], told["fault"], told["well"]) == ("demand", fault, True)
    assert set(told["seen"].values()) == {True}
    assert any(scene["fault"] for scene in told["scenes"])
    assert all(sum(scene["traffic"].values()) == 100 for scene in told["scenes"])
    assert sorted(path.relative_to(root) for path in root.rglob("*")) == files


def test_a_person_reads_period_by_period_what_the_loop_does(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["apply", "--yes"]) == 0
    before = recorded(root)
    capsys.readouterr()
    assert front.run(["rehearse", "demand", "--fault", "bad-model"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("demand: a rehearsal on a copy of the project: ")
    assert sum(">> a new version passes the gate" in line for line in lines) == 1
    assert any("rolled back: " in line for line in lines)
    assert any("would notify " in line for line in lines)
    assert [line for line in lines if line.startswith("yes  ")] == lines[-4:]
    assert recorded(root) == before


def test_an_alert_that_cannot_notice_the_fault_is_told_and_exits_3(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = root / "specs" / "demand.yaml"
    spec.write_text(spec.read_text().replace("  - {name: stale, metric: data_age, above: 3d}\n", ""))
    assert front.run(["rehearse", "demand", "--fault", "late-actuals"]) == 3
    out = capsys.readouterr().out
    assert "NO   an alert on the age of the data noticed it" in out
    assert "yes  nothing was rolled back" in out
