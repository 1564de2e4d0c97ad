"""What the loop costs where there is nothing to do, and how soon a rollback has moved traffic.

Run: python benchmarks/reconcile.py. Prints ratios of one run on one machine; exits 1 beyond a bar. The forecasts are made by the
loop itself, with steps that take no time; those beyond the first thousand are copies of their records under other names.
"""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlspec.cli.target import open_engine  # noqa: E402
from mlspec.engine.assembly import ignore_progress  # noqa: E402  (the tests' steps are beside the package)
from mlspec.engine.effects import ForecastWork  # noqa: E402
from mlspec.engine.evaluation import evaluation_key  # noqa: E402
from mlspec.engine.loop import reconcile_specs  # noqa: E402
from mlspec.spec import read_specs  # noqa: E402
from mlspec.targets.local.target import LocalTarget  # noqa: E402
from tests.engine.steps import Steps  # noqa: E402
from tests.engine.world import World  # noqa: E402
from tests.examples import sales  # noqa: E402

MANY, MORE, ROUNDS = 1000, 10_000, 5
GIB = 2**20  # of the KiB that getrusage counts in
_UNLIKE = (
    "  future: {uri: data/walmart_calendar.csv}\n",
    "    known: [IsHoliday] # known for the weeks to come, from `future`\n",
)


def project(root: Path, names: list[str]) -> None:
    """Write a spec like specs/demand.yaml for each name, and its data."""
    text = (ROOT / "specs/demand.yaml").read_text()
    for part in _UNLIKE:
        assert part in text
        text = text.replace(part, "")
    for folder in ("specs", "data"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "mlspec.yaml").write_text("apiVersion: mlspec/v1\nkind: Project\nname: acme\n")
    for number, name in enumerate(names):
        source = f"data/s{number % MANY}.csv"
        (root / source).write_text(sales())
        spec = text.replace("name: demand", f"name: {name}").replace("data/walmart_sales_weekly.csv", source)
        (root / f"specs/{name}.yaml").write_text(spec)


def made(root: Path, names: list[str]) -> None:
    """Bring a project with the first thousand forecasts to where the loop has nothing to do."""
    project(root, names)
    target = LocalTarget(root / ".mlspec")
    engine = replace(open_engine(target, root, ignore_progress), steps=Steps(wape=0.05))
    specs = read_specs([root / "specs"], root, "local").specs
    fsync, os.fsync = os.fsync, lambda _file: None  # the state is thrown away
    try:
        assert {each.status for each in reconcile_specs(engine, specs)} == {"done"}
        assert {each.status for each in reconcile_specs(engine, specs)} == {"nothing"}
    finally:
        os.fsync = fsync


def copied(root: Path, old: list[str], new: list[str]) -> None:
    """Give each new name the records of an old one, with what follows from its name."""
    project(root, new)
    target = LocalTarget(root / ".mlspec")
    engine = open_engine(target, root, ignore_progress)
    specs = {spec.name: spec for spec in read_specs([root / "specs"], root, "local").specs}
    connection = sqlite3.connect(target.folder / "state.db")
    for number, name in enumerate(new):
        source = old[number % len(old)]
        for table in ("resources", "conditions", "ledgers"):
            for row in connection.execute(f"SELECT * FROM {table} WHERE forecast = ?", (source,)).fetchall():
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", (name, *row[1:]))
        ask = "SELECT fields FROM resources WHERE forecast = ? AND kind = 'deployment'"
        fields = json.loads(connection.execute(ask, (name,)).fetchone()[0])
        fields |= {"metadata.name": name, "spec_hash": specs[name].spec_hash}
        connection.execute(
            "UPDATE resources SET fields = ? WHERE forecast = ? AND kind = 'deployment'", (json.dumps(fields), name)
        )
    connection.commit()
    with target.read_session():
        keys = {
            name: evaluation_key(ForecastWork(engine, engine.desired_forecast(specs[name]), observed), observed)
            for name in new
            for observed in (target.observe_forecast(name),)
        }
    for name, found in keys.items():
        record = json.loads(connection.execute("SELECT record FROM ledgers WHERE forecast = ?", (name,)).fetchone()[0])
        record["evaluated"] = found
        connection.execute("UPDATE ledgers SET record = ? WHERE forecast = ?", (json.dumps(record), name))
    connection.commit()
    connection.close()


def timed(root: Path, *words: str) -> float:
    """Return the wall time of one command in a project, which has to succeed and say that all is well."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    argv = [str(Path(sys.executable).with_name("mlspec")), *words]
    done = subprocess.run(argv, cwd=root, env=environment, capture_output=True, text=True, check=True)
    took = time.perf_counter() - start
    assert words[0] != "reconcile" or "forecasts are up to date" in done.stdout, done.stdout
    return took


def one_pass_moves_traffic() -> tuple[int, float]:
    """Return how many passes it takes from the evidence to traffic moved and the forecast made anew, and their seconds."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.look()
        first = world.serves
        world.well(first)
        world.look()
        bad = world.promoted(seed=1)
        world.bad(bad)
        start, passes = time.perf_counter(), 0
        while bad in {world.serves, world.target.load_runs("demand")[0].version}:
            world.look()
            passes += 1
        return passes, time.perf_counter() - start


def main() -> int:
    """Measure, print a table, and return 1 where a bar is not met."""
    names = [f"f{number}" for number in range(MORE)]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        made(root, names[:MANY])
        pairs = [(timed(root, "validate"), timed(root, "reconcile", "--once")) for _ in range(ROUNDS)]
        validate, thousand = (statistics.median(column) for column in zip(*pairs, strict=True))
        copied(root, names[:MANY], names[MANY:])
        ten_thousand = timed(root, "reconcile", "--once")
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / GIB
    passes, seconds = one_pass_moves_traffic()
    rows = [
        ("no-op reconcile --once of 1,000 forecasts / validate of them", thousand / validate, 2.0),
        ("no-op reconcile --once of 10,000 forecasts / of 1,000", ten_thousand / thousand, 11.0),
        ("its memory, GiB", memory, 1.0),
        ("passes from a bad version's evidence to traffic moved and the forecast made anew", float(passes), 1.0),
    ]
    for what, found, bar in rows:
        print(f"{'ok  ' if found <= bar else 'MISS'} {found:8.2f}  (bar {bar:g})  {what}")
    print(
        f"     reconcile of 1,000: {thousand:.2f} s, of 10,000: {ten_thousand:.1f} s; the rollback: {seconds * 1000:.0f} ms"
    )
    return int(any(found > bar for _, found, bar in rows))


if __name__ == "__main__":
    sys.exit(main())
