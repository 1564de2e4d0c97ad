"""State that an older mlspec wrote is refused, then upgraded whole or not at all; nothing that was recorded is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from mlspec.engine.loop import reconcile_specs
from mlspec.errors import StateError
from mlspec.targets.local.target import LocalTarget
from mlspec.targets.record.schema import SCHEMA_VERSION
from tests.engine.steps import Steps, engine, spec
from tests.engine.test_crash import Killer
from tests.examples import project
from tests.forked import in_child

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
STATES = Path(__file__).parent / "states"


def old(folder: Path) -> LocalTarget:
    """A target as the last version of schema 1 left it: two releases of one forecast. Its artifacts are gone."""
    folder.mkdir(parents=True)
    connection = sqlite3.connect(folder / "state.db")
    connection.executescript((STATES / "schema-1.sql").read_text())
    connection.close()
    return LocalTarget(folder)


def test_an_older_state_is_refused_with_the_way_on_and_not_touched(tmp_path: Path) -> None:
    target = old(tmp_path / ".mlspec")
    before = (target.folder / "state.db").read_bytes()
    with pytest.raises(StateError, match="older mlspec") as found:
        target.observe_forecast("demand")
    assert "mlspec migrate" in (found.value.hint or "")
    assert (target.folder / "state.db").read_bytes() == before


def test_migrate_keeps_every_record_and_a_copy_of_what_was(tmp_path: Path) -> None:
    target = old(tmp_path / ".mlspec")
    before = (target.folder / "state.db").read_bytes()
    said = target.migrate_schema()
    (kept,) = target.folder.glob("*.backup")
    assert said == f"the earlier state is kept in {kept}"
    assert kept.read_bytes() == before
    assert [release.release for release in target.load_releases("demand")] == [2, 1]
    assert len(target.load_versions("demand")) == 2
    assert target.migrate_schema() is None


def test_the_loop_goes_on_from_a_migrated_state(tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    old(root / ".mlspec").migrate_schema()
    (found,) = reconcile_specs(engine(root, Steps()), [spec(model={"horizon": 3})])
    assert found.error is None
    target = LocalTarget(root / ".mlspec")
    assert [release.release for release in target.load_releases("demand")][-1] == 1
    assert all(seen.damage is None for seen in target.observe_forecast("demand").resources.values())


def test_a_step_that_an_older_mlspec_left_under_way_is_finished_by_the_loop(tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    target = old(root / ".mlspec")
    words = ("demand", "forecast.demand", "started", "data.digest changed", "2024-03-01T00:00:00Z")
    with sqlite3.connect(target.folder / "state.db") as connection:
        connection.execute("INSERT INTO journal (forecast, resource, phase, detail, at) VALUES (?, ?, ?, ?, ?)", words)
    connection.close()
    target.migrate_schema()
    (found,) = reconcile_specs(engine(root, Steps()), [spec(model={"horizon": 3})])
    assert found.error is None
    (again,) = reconcile_specs(engine(root, Steps()), [spec(model={"horizon": 3})])
    assert again.status == "nothing"
    assert len(target.load_runs("demand")) > 0


@pytest.mark.parametrize("point", range(1, 9))
def test_a_migration_that_is_killed_leaves_the_old_state_or_the_new_one_whole(tmp_path: Path, point: int) -> None:
    target = old(tmp_path / ".mlspec")

    def killed() -> None:
        killer = Killer(point)
        killer.install()
        target.migrate_schema()

    in_child(killed)
    target.migrate_schema()
    assert len(target.load_releases("demand")) == 2
    assert [path.suffix for path in target.folder.glob("*.backup")] == [".backup"]
    assert target.migrate_schema() is None


def test_a_new_state_has_nothing_to_upgrade(tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    assert LocalTarget(root / ".mlspec").migrate_schema() is None
    reconcile_specs(engine(root), [spec()])
    assert LocalTarget(root / ".mlspec").migrate_schema() is None
    assert not list((root / ".mlspec").glob("*.backup"))


def test_the_migrated_schema_is_that_of_a_new_state(tmp_path: Path) -> None:
    target = old(tmp_path / ".mlspec")
    target.migrate_schema()
    root = project(tmp_path / "project")
    reconcile_specs(engine(root), [spec()])

    def schema(path: Path) -> list[tuple[str, str]]:
        rows = sqlite3.connect(path).execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
        return [(name, " ".join(sql.split())) for name, sql in rows]

    assert schema(target.folder / "state.db") == schema(root / ".mlspec/state.db")


def _set(statement: str) -> Callable[[sqlite3.Connection], None]:
    def spoil(connection: sqlite3.Connection) -> None:
        for trigger in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger[0]}")
        connection.execute(statement)

    return spoil


EDITED = {
    "a ledger that is no JSON": "UPDATE ledgers SET record = '{'",
    "a ledger with a foreign key": """UPDATE ledgers SET record = '{"rollout": {"who": 1}}'""",
    "a ledger that is a list": "UPDATE ledgers SET record = '[]'",
    "a moment that is none": """UPDATE ledgers SET record = '{"slots": {"forecast": "soon"}}'""",
    "a moment without a zone": """UPDATE ledgers SET record =
        '{"failure": {"key": "k", "count": 1, "at": "2024-03-01T00:00:00", "next_at": null, "reason": "r"}}'""",
    "facts that are no JSON": "UPDATE resources SET facts = 'x'",
    "files that name no file": """UPDATE resources SET files = '{"model": {"sha": 1}}'""",
    "a version without its words": "UPDATE versions SET record = '{}'",
    "a release whose spec is a list": "UPDATE releases SET spec = '[]'",
    "a release whose spec is no JSON": "UPDATE releases SET spec = 'x'",
    "fields that are a number": "UPDATE resources SET fields = '7'",
    "a serial that is no number": "UPDATE meta SET value = 'many' WHERE key = 'serial'",
    "no serial": "DELETE FROM meta WHERE key = 'serial'",
    "no schema": "DELETE FROM meta WHERE key = 'schema_version'",
    "a schema that is no number": "UPDATE meta SET value = 'two' WHERE key = 'schema_version'",
    "a newer schema": f"UPDATE meta SET value = '{SCHEMA_VERSION + 1}' WHERE key = 'schema_version'",
    "a table that is gone": "DROP TABLE ledgers",
}


@pytest.mark.parametrize("edit", EDITED.values(), ids=EDITED)
def test_a_state_that_was_edited_by_hand_is_refused_in_words_and_left_alone(tmp_path: Path, edit: str) -> None:
    root = project(tmp_path / "project")
    reconcile_specs(engine(root), [spec(alerts=[])])
    target = LocalTarget(root / ".mlspec")
    connection = sqlite3.connect(target.folder / "state.db")
    _set(edit)(connection)
    connection.commit()
    connection.close()
    before = (target.folder / "state.db").read_bytes()
    reads = (target.observe_forecast, target.load_versions, target.load_releases, lambda _name: target.serial)
    with pytest.raises(StateError) as found:
        assert [read("demand") for read in reads] == []
    assert found.value.hint
    assert (target.folder / "state.db").read_bytes() == before
