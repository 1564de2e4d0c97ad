"""One forecast with data, a record or a spec that cannot be read: each command says so, and goes on with the others."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from mlspec.targets.local import database
from tests.cli.test_plan_apply import quick
from tests.cli.test_session import Mlspec, mlspec
from tests.engine.steps import Steps
from tests.examples import edit, sales, spec_text

__all__ = ["mlspec", "quick"]  # fixtures
LENIENT = "checks: {completeness: {min: 0.0}, series: {max_missing: 1.0}}"

# What ended `apply` and `reconcile` as a whole, until it was caught: the frequency, the rows, and what is said of them.
HEAD = "shop,day,units\n"
TABLES = {
    "a row dated 1725": ("D", sales() + "001,1725-01-01,5\n", "'001'"),
    "a row dated 1725 in hours": ("h", f"{HEAD}001,1725-01-01,5\n001,2024-01-01,5\n", "1725-01-01"),
    "a row off the grid": ("W-SUN", f"{HEAD}001,2024-01-07,5\n001,2024-01-10,5\n", "2024-01-10"),
    "a series with no period on it": ("W-SUN", f"{HEAD}001,2024-01-07,5\n002,2024-01-10,5\n", "2024-01-10"),
    "no period on the grid at all": ("W-SUN", f"{HEAD}001,2024-01-08,5\n001,2024-01-10,5\n", "2024-01-08"),
    "values off the grid only": ("h", f"{HEAD}a,2024-01-01T00:00,\na,2024-01-01T01:00,\na,2024-01-01T01:30,5\n", "01:30"),
}  # fmt: skip


@pytest.fixture
def two(mlspec: Mlspec) -> Mlspec:
    """A project with `bad`, which reads data/bad.csv, and `good`."""
    Path("specs/demand.yaml").unlink()
    Path("specs/good.yaml").write_text(spec_text("good"))
    Path("specs/bad.yaml").write_text(spec_text("bad").replace("data/sales.csv", "data/bad.csv"))
    Path("data/bad.csv").write_text(sales())
    return mlspec


@pytest.mark.parametrize("command", ["apply", "reconcile"])
@pytest.mark.parametrize("table", TABLES)
def test_data_that_no_model_can_use_is_named_by_its_row_and_the_other_forecast_is_made(
    two: Mlspec, table: str, command: str
) -> None:
    frequency, text, said_of = TABLES[table]
    checks = "" if frequency == "D" else f"\n  {LENIENT}"
    edit(Path("specs/bad.yaml"), "frequency: D", f"frequency: {frequency}{checks}")
    Path("data/bad.csv").write_text(text)
    said = two(*([command] if command == "apply" else [command, "--once"]))
    assert said.code == 1
    assert "defect" not in said.out + said.err
    assert "Traceback" not in said.err
    found = {each["name"]: each for each in json.loads(two("status", "--output", "json").out)["forecasts"]}
    assert found["good"]["ready"]
    assert not found["bad"]["ready"]
    (why,) = [each["message"] for each in found["bad"]["conditions"] if each["type"] == "DataReady"]
    assert said_of in why
    assert two("plan").code == 0
    assert two("validate").code == 0


def rewrite(change: str, *values: str) -> None:
    """Edit the state by hand, as nothing but a person can: what protects the records is taken away first."""
    connection = sqlite3.connect(".mlspec/state.db")
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    assert connection.execute(change, values).rowcount
    connection.commit()
    connection.close()


def test_a_release_whose_spec_was_edited_by_hand_hides_no_other_forecast(two: Mlspec, quick: Steps) -> None:
    assert two("apply").code == 0
    rewrite("UPDATE releases SET spec = json_set(spec, '$.model.horizon', 'many') WHERE forecast = 'bad'")
    said = two("status")
    assert said.code == 0, said.err
    assert "good      ready" in said.out
    assert "bad: the next run is not known: bad: the spec of release 1 cannot be read at model.horizon" in said.out
    for words in (
        ["reconcile", "--once"],
        ["plan"],
        ["apply"],
        ["history", "bad"],
        ["destroy", "bad", "good", "--yes"],
    ):
        said = two(*words)
        assert said.code == 0, said.err


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledgers SET record = '[]' WHERE forecast = 'bad'",
        "UPDATE resources SET facts = 'no' WHERE forecast = 'bad'",
        "UPDATE conditions SET since = 'yesterday' WHERE forecast = 'bad'",
        "UPDATE versions SET record = '{}' WHERE forecast = 'bad'",
        "UPDATE runs SET record = '7' WHERE forecast = 'bad'",
    ],
    ids=lambda change: change.split()[1],
)
def test_a_record_that_cannot_be_read_is_a_line_of_status_and_stops_no_other(
    two: Mlspec, quick: Steps, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 1.0)  # nothing else writes: what waits longer is locked out for good
    assert two("apply").code == 0
    if "ledgers" in change:
        two("reconcile", "--once")
    rewrite(change)
    said = two("status")
    assert said.code == 1
    assert "good      ready" in said.out
    assert "bad       not ready" in said.out
    assert "bad: the state holds a record that mlspec did not write" in said.out
    Path("data/sales.csv").write_text(sales(days=50))
    Path("data/bad.csv").write_text(sales(days=50))
    said = two("reconcile", "--once")
    assert "good: forecast.good" in said.out
    assert "defect" not in said.out + said.err
    said = two("plan")
    assert "defect" not in said.out + said.err


def test_a_fault_in_one_spec_stops_no_rollback_of_another_forecast(two: Mlspec, quick: Steps) -> None:
    two("apply")
    edit(Path("specs/good.yaml"), "horizon: 2", "horizon: 2\n  seed: 3")
    two("apply")
    Path("specs/bad.yaml").write_text("kind: [")
    said = two("rollback", "good", "--reason", "a drill")
    assert said.code == 0, said.err
    said = two("rollback", "bad", "--reason", "a drill")
    assert said.code == 1
    assert "specs/bad.yaml" in said.err


def test_a_name_that_two_files_have_is_worked_on_from_neither(two: Mlspec, quick: Steps) -> None:
    assert two("apply").code == 0
    history = two("history", "bad").out
    Path("specs/a-copy.yaml").write_text(spec_text("bad", "[{metric: wape, below: 0.8}]"))
    for _ in range(2):  # either file would be a change for the other
        said = two("reconcile", "--once", "--output", "json")
        assert (said.code, "the name 'bad' is taken by specs/a-copy.yaml" in said.err) == (1, True)
        assert [each["name"] for each in json.loads(said.out)["forecasts"]] == ["good"]
    assert two("history", "bad").out == history
    said = two("hold", "bad", "--reason", "which one?")
    assert (said.code, "is taken by" in said.err) == (1, True)


@pytest.mark.parametrize(
    "words",
    [
        ("reconcile", "--once"), ("status",), ("get", "good"), ("forecast", "good"), ("history", "good"),
        ("prune", "--dry-run"), ("serve", "good", "--port", "0"),
    ],
)  # fmt: skip
def test_no_other_record_stands_in_for_the_one_that_an_invalid_project_file_names(
    two: Mlspec, quick: Steps, words: tuple[str, ...]
) -> None:
    path = Path("mlspec.yaml")
    path.write_text(path.read_text() + "targets: {local: {type: local, path: record}}\nretentoin: {releases: 20}\n")
    said = two(*words)
    assert (said.code, said.out) == (1, "")
    assert "unknown key 'retentoin'" in said.err
    assert not Path(".mlspec").exists()
