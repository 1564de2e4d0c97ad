"""Whatever stands in the record, by hand or by an older program: no command meets anything but an error of mlspec's own.

And what stands in the record of one forecast changes nothing in that of another.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from mlspec import jobs
from mlspec.cli import main as front
from mlspec.cli.commands import status
from mlspec.cli.status_text import as_text
from mlspec.engine import manual_operations
from mlspec.engine.apply import apply_specs
from mlspec.engine.deliver import deliver_notices
from mlspec.engine.plan import make_plan
from mlspec.engine.status import find_status
from mlspec.errors import Exit, MlspecError, StateError
from mlspec.plan.moments import format_moment
from mlspec.state.request_counts import LATENCIES, RequestCount
from mlspec.targets.record import rows
from tests.engine.steps import spec
from tests.engine.world import CANARY, World
from tests.examples import spec_text
from tests.hostile import bounded, require_own_error
from tests.notify.test_deliver import Mail

# The columns that hold JSON; each of the others is edited as a whole.
JSON = {
    "ledgers": ("record",), "resources": ("fields", "facts", "files"), "versions": ("record",), "runs": ("record",),
    "releases": ("spec",), "steps": ("outputs", "facts"), "outbox": ("record",), "served": ("took",),
}  # fmt: skip
# How each record with JSON is read back.
READERS: dict[str, Callable[[Any], Any]] = {
    "ledgers": rows.ledger_from_row, "resources": rows.resource_from_row, "versions": rows.version_from_row,
    "runs": rows.run_from_row, "releases": rows.release_from_row, "steps": rows.step_from_row, "outbox": rows.pending_from_row,
    "served": rows.request_count_from_row,
}  # fmt: skip
FOREIGN: tuple[Any, ...] = (
    None, "", "x", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "2024-13-01", -1, 0, 10**30, -(10**30), 1.5, True, [], {},
    [None], {"a": 1}, [[]], "💥",
)  # fmt: skip
COMMANDS = (
    ("status", "--check"), ("status", "--output", "json"), ("history", "demand"), ("history", "demand", "--output", "json"),
    ("plan",), ("plan", "--output", "json"), ("apply", "specs/demand.yaml"), ("reconcile", "--once", "specs/demand.yaml"),
    ("forecast", "demand"), ("report", "demand"), ("inventory", "demand"), ("diff", "demand", "1", "2"), ("prune", "demand"),
    ("rollback", "demand", "--reason", "a drill"), ("resume", "demand"), ("migrate",), ("destroy", "demand", "--yes"),
    ("silence", "demand", "accuracy", "--for", "2d", "--reason", "noise"), ("step", "evaluate", "--spec", "specs/demand.yaml"),
)  # fmt: skip


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world with a long record: versions, a rollout, a rollback, a silence, a failure, notices; and another forecast."""
    world = World(tmp_path_factory.mktemp("lived"))
    notify = [{"pubsub": "alerts", "webhook": None, "severity": "info"}]
    world.write(
        deployment=CANARY, notify=notify, schedule={"forecast": "0 6 * * *", "retrain": "0 4 * * *", "timezone": "UTC"}
    )
    world.look()
    world.well(world.serves)
    world.look()
    world.spec = spec(**{**world.spec.json, "model": {**world.spec.json["model"], "seed": 1}})
    world.look()
    rollout = world.ledger.rollout
    assert rollout is not None
    world.bad(rollout.version)
    world.look()
    manual_operations.silence_alert(
        world.engine(), "demand", alert="accuracy", span=timedelta(days=9), by="ann", reason="noise"
    )
    world.spec = spec(**{**world.spec.json, "model": {**world.spec.json["model"], "seed": 2}})
    world.new_data()
    world.look()
    world.steps.fails = "forecast"
    world.new_data()
    world.pass_time(days=1)
    world.look()
    world.steps.fails = None
    ledger = world.ledger
    assert ledger.rollout
    assert ledger.failure
    assert ledger.quarantined
    assert ledger.silences
    counts = (
        RequestCount("demand", next(iter(world.traffic)), "2024-03-01T00:00:00Z", 1, 0, (1, *[0] * len(LATENCIES))),
    )
    world.target.add_request_counts(counts)
    (steady,) = apply_specs(world.engine(), [spec("steady")])
    assert steady.status == "applied"
    with (world.root / "mlspec.yaml").open("a") as file:
        file.write("retention: {releases: 20, runs: 400d, events: 2y}\n")
    for name in ("demand", "steady"):
        (world.root / f"specs/{name}.yaml").write_text(spec_text(name))
    return world


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value inside a JSON value."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield from places(item, (*path, key))


def changed(value: Any, path: tuple[Any, ...], foreign: Any, *, remove: bool) -> Any:
    """A JSON value with another value at a path, or without it."""
    if not path:
        return foreign
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1 and remove:
        del copy[path[0]]
        return copy
    copy[path[0]] = changed(value[path[0]], path[1:], foreign, remove=remove)
    return copy


def edit_record(connection: sqlite3.Connection, draw: Callable[[Any], Any]) -> str:
    """Change one value of one record of the forecast `demand`, or of the state as a whole, and say which."""
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    is_json = draw(st.sampled_from((True, True, False)))
    table = draw(
        st.sampled_from(sorted(JSON) if is_json else (*sorted(JSON), "conditions", "events", "journal", "meta"))
    )
    whole = [
        (str(name), str(kind))
        for _, name, kind, *_ in connection.execute(f"PRAGMA table_info({table})")
        if name not in JSON.get(table, ())
    ]
    column, kind = (draw(st.sampled_from(JSON[table])), "JSON") if is_json else draw(st.sampled_from(whole))
    of = "" if table == "meta" else "WHERE forecast = 'demand'"
    found = connection.execute(f"SELECT rowid, {column} FROM {table} {of} ORDER BY rowid").fetchall()
    key, old = found[draw(st.integers(0, len(found) - 1))]
    foreign = draw(st.sampled_from(FOREIGN))
    path, new = (), str(foreign)
    if is_json:
        every = list(places(json.loads(old)))
        path = every[draw(st.integers(0, len(every) - 1))]
        new = json.dumps(changed(json.loads(old), path, foreign, remove=draw(st.booleans())))
    elif kind == "INTEGER":
        new = str(draw(st.sampled_from((-1, 0, 2**62))))
    connection.execute(f"UPDATE OR IGNORE {table} SET {column} = ? WHERE rowid = ?", (new, key))
    connection.commit()
    return f"{table}.{column} {path} = {new[:80]}"


def rows_of(world: World, forecast: str) -> list[Any]:
    """Everything that is recorded of a forecast."""
    with closing(sqlite3.connect(world.root / ".mlspec/state.db")) as connection:
        return [
            connection.execute(f"SELECT * FROM {table} WHERE forecast = ? ORDER BY rowid", (forecast,)).fetchall()
            for table in sorted({*JSON, "conditions", "events", "journal"})
        ]


def try_everything(world: World) -> None:
    """Every reader and every actor, on the world's record."""
    target, engine = world.target, world.engine()
    names = target.forecast_names()
    found = [find_status(target, name, world.now) for name in names]
    for each in found:
        if not each.is_readable:
            assert "defect" not in each.why, each.why
    as_text(found)
    json.dumps([status.as_json(each) for each in found])
    plan = make_plan(engine, [world.spec], None)
    assert not any("defect" in each.message for each in plan.obstacles), plan.obstacles
    for work in (
        lambda: (target.load_releases("demand"), target.load_versions("demand"), target.load_events("demand")),
        world.look,
        lambda: apply_specs(engine, [world.spec])[0],
        lambda: manual_operations.resume_forecast(engine, "demand", "ann"),
        lambda: manual_operations.roll_back(engine, world.spec, None, "ann", "a drill"),
        lambda: deliver_notices(target, lambda _: Mail(), lambda: format_moment(world.now)),
    ):
        try:
            error = getattr(work(), "error", None)
        except MlspecError as problem:
            error = problem
        if error is not None:
            require_own_error(error)


@contextmanager
def edited_world(lived: World, draw: Callable[[Any], Any]) -> Iterator[World]:
    """A copy of the world with one value edited, some days later. What happens there changes nothing of the other forecast."""
    folder = Path(tempfile.mkdtemp())
    world = World(folder)
    try:
        shutil.rmtree(world.root)
        shutil.copytree(lived.root, world.root)
        world.now, world.spec, world.steps, world.days = lived.now, lived.spec, lived.steps, lived.days
        with closing(sqlite3.connect(world.root / ".mlspec/state.db")) as connection:
            note(edit_record(connection, draw))
        world.new_data()
        world.pass_time(days=draw(st.sampled_from((0, 1, 40))))
        other = rows_of(world, "steady")
        yield world
        assert rows_of(world, "steady") == other
    finally:
        shutil.rmtree(folder)


@given(data=st.data())
@bounded(12)
def test_any_record(lived: World, data: st.DataObject) -> None:
    with edited_world(lived, data.draw) as world:
        try:
            try_everything(world)
        except MlspecError as error:  # the state as a whole cannot be used
            require_own_error(error)


@given(data=st.data())
@bounded(8)
def test_any_record_in_any_command(
    lived: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data: st.DataObject
) -> None:
    monkeypatch.setattr(jobs, "run", lived.steps)
    monkeypatch.setattr(jobs, "require_models", lambda: None)
    with edited_world(lived, data.draw) as world:
        monkeypatch.chdir(world.root)
        for words in (COMMANDS[0], *data.draw(st.lists(st.sampled_from(COMMANDS), min_size=2, max_size=3))):
            code = front.run(list(words))
            said = "".join(capsys.readouterr())
            note(f"{words} ended with {code}: {said[-2000:]}")
            assert code in (Exit.DONE, Exit.FAILED, Exit.USAGE, Exit.NOT_WELL, Exit.PARTIAL)
            assert "defect" not in said
            assert "Traceback" not in said


@pytest.mark.parametrize(
    ("table", "column", "key"),
    [
        ("versions", "record", "created"), ("runs", "record", "created"), ("releases", "created", None),
        ("outbox", "record", "at"), ("outbox", "next_at", None), ("ledgers", "record", "trainings"), ("served", "minute", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("at", ["2024-13-01", "2024-03-01", "0001-01-01T00:00:00+23:59", ""])
def test_a_recorded_time_is_one(lived: World, table: str, column: str, key: str | None, at: str) -> None:
    with closing(sqlite3.connect(lived.root / ".mlspec/state.db")) as connection:
        connection.row_factory = sqlite3.Row
        row = dict(connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchone())
    value = json.loads(row[column]) if key else {}
    new = json.dumps({**value, key: [at] if isinstance(value.get(key), list) else at}) if key else at
    if column == "next_at" and not at:
        return  # a notice that was given up has none
    with pytest.raises(StateError):
        READERS[table]({**row, column: new})


def test_a_stored_record_with_any_value_is_read_or_refused(lived: World) -> None:
    """Each value of each kind of record is removed, and gives way to each foreign one: none is met by an error of Python's."""
    with closing(sqlite3.connect(lived.root / ".mlspec/state.db")) as connection:
        connection.row_factory = sqlite3.Row
        stored = {table: connection.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall() for table in READERS}
    refused: Counter[str] = Counter()
    for table, read in READERS.items():
        for column in JSON[table]:
            value, row = max(
                ((json.loads(row[column]), dict(row)) for row in stored[table]), key=lambda one: len(str(one))
            )
            read(row)
            for path in {
                tuple(0 if isinstance(part, int) else part for part in path): path for path in places(value)
            }.values():
                for foreign, remove in [*((foreign, False) for foreign in FOREIGN), (None, True)]:
                    new = json.dumps(changed(value, path, foreign, remove=remove))
                    try:
                        read({**row, column: new})
                    except StateError as error:
                        require_own_error(error)
                        refused[table] += 1
    assert all(refused[table] > len(FOREIGN) / 2 for table in READERS), refused
