"""`mlspec doctor` on this machine: what is there, what is not, and that looking changes nothing."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from mlspec.cli import main as front
from tests.examples import project, sales


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = project(tmp_path / "p")
    monkeypatch.chdir(found)
    return found


def test_a_machine_that_has_everything_is_told_so(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(root.rglob("*"))
    assert front.run(["doctor"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("machine\n  ok           Python: 3.")
    assert out.endswith("Everything is there.\n")
    assert sorted(root.rglob("*")) == before


def test_json_says_the_same(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["doctor", "--output", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["target"], found["ok"]) == ("local", True)
    assert {each["status"] for each in found["checks"]} == {"ok"}
    assert {"area", "name", "status", "said", "mend"} == set(found["checks"][0])


def test_specs_with_errors_are_a_miss_and_the_rest_is_looked_at(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "specs" / "demand.yaml").write_text("apiVersion: mlspec/v1\n")
    assert front.run(["doctor"]) == 3
    out = capsys.readouterr().out
    assert "> mlspec validate" in out
    assert "ok           state: 0 forecasts on record" in out


def test_a_state_of_a_newer_mlspec_is_a_miss_with_the_way_out(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "data").mkdir(exist_ok=True)
    (root / "data" / "sales.csv").write_text(sales())
    assert front.run(["apply", "--yes"]) == 0
    with sqlite3.connect(root / ".mlspec" / "state.db") as connection:
        connection.execute("UPDATE meta SET value = '999' WHERE key = 'schema_version'")
    connection.close()
    capsys.readouterr()
    assert front.run(["doctor"]) == 3
    assert "> install a newer mlspec: see 'Install' in mlspec's README" in capsys.readouterr().out


def test_a_database_that_nobody_answers_at_is_said_in_words(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = '{type: local, path: .team, state: "postgresql://127.0.0.1:1/nowhere"}'
    (root / "mlspec.yaml").write_text(
        f"apiVersion: mlspec/v1\nkind: Project\nname: acme\ntargets: {{team: {target}}}\n"
    )
    assert front.run(["doctor", "--target", "team"]) == 3
    assert "> check that the server runs and you can log in" in capsys.readouterr().out


def test_a_target_that_is_not_there_is_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["doctor", "--target", "lcoal"]) == 1
    assert "there is no target 'lcoal'" in capsys.readouterr().err
