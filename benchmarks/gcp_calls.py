"""How many calls to Google's APIs the loop makes over a thousand forecasts: where nothing is to do, for all or for one
that is selected, and where one spec changed.

Run: python benchmarks/gcp_calls.py. Counts at the tests' stand-in for Google's servers; exits 1 beyond a bar. One forecast is made
by the product; the others are its objects, model and endpoint under other names, with what follows from a name (the spec's digest).
That this is what the product would have written, it says itself: the pass that is counted finds nothing to do for any of them.
"""

from __future__ import annotations

import io
import json
import os
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlspec.cli.target import open_engine  # noqa: E402
from mlspec.engine.assembly import ignore_progress  # noqa: E402  (the tests' stand-in is beside the package)
from mlspec.engine.effects import ForecastWork  # noqa: E402
from mlspec.engine.evaluation import evaluation_key  # noqa: E402
from mlspec.engine.target_kinds import open_target  # noqa: E402
from mlspec.spec import read_specs  # noqa: E402
from tests.gcp import platform  # noqa: E402
from tests.gcp.acme import IMAGE, Acme  # noqa: E402
from tests.gcp.standin.harness import Running  # noqa: E402

MANY = 1000
STATE = "acme-test-mlspec-state"
NO_OP, ONE, SELECTED = 40, 150, 25
ALERTS = "[{name: failing, metric: error_rate, above: 0.05, severity: critical}]"
Row = tuple[str, int, int]


def renamed(image: bytes, words: Mapping[str, str]) -> bytes:
    """Return a record with each of these words in place of another, wherever it stands."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.deserialize(image)
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for column in connection.execute(f"PRAGMA table_info({table})").fetchall():
            for old, new in words.items():
                change = (
                    f"UPDATE {table} SET {column[1]} = replace({column[1]}, ?, ?) WHERE typeof({column[1]}) = 'text'"
                )
                connection.execute(change, (old, new))
    for _, sql in triggers:
        connection.execute(sql)
    found: bytes = connection.serialize()
    connection.close()
    return found


def multiplied(acme: Acme, names: list[str], folders: bool) -> None:
    """Let there be as many forecasts as names, all as `demand` is; each reads a folder of its own, where `folders` says so."""
    text = (acme.root / "specs" / "demand.yaml").read_text()
    for name in names:
        spec = text.replace("name: demand", f"name: {name}")
        spec = spec.replace("-data/demand/", f"-data/{name}/") if folders else spec
        (acme.root / "specs" / f"{name}.yaml").write_text(spec)
    loaded = read_specs([acme.root / "specs"], acme.root, "dev")
    specs = {spec.name: spec for spec in loaded.specs}
    acme.standin.likewise("demand", names)
    engine = open_engine(open_target(loaded.project, acme.root, "dev"), acme.root, ignore_progress)
    observed, bucket = engine.target.observe_forecast("demand"), platform.storage(acme.project).bucket(STATE)
    image = bucket.blob("forecasts/demand/state.db").download_as_bytes()
    with engine.target.read_session():
        keys = {
            name: evaluation_key(ForecastWork(engine, engine.desired_forecast(specs[name]), observed), observed)
            for name in ("demand", *names)
        }
    for name in names:
        words = {specs["demand"].spec_hash: specs[name].spec_hash, keys["demand"]: keys[name], "demand": name}
        words |= {} if folders else {f"-data/{name}/": "-data/demand/"}
        bucket.blob(f"forecasts/{name}/state.db").upload_from_string(renamed(image, words))


def generations(acme: Acme) -> dict[str, int]:
    """Return the generation of every object of the record and of the models."""
    client = platform.storage(acme.project)
    buckets = (platform.bucket(acme.project, role) for role in ("state", "models"))
    return {f"{each.bucket.name}/{each.name}": each.generation for name in buckets for each in client.list_blobs(name)}


def passed(acme: Acme, *words: str) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Return what a pass came to, over all forecasts if no words say otherwise, and the calls that it made."""
    before, said = acme.standin.counted(), io.StringIO()
    with redirect_stdout(said):
        acme.run("reconcile", "--once", "--output", "json", *words)
    return json.loads(said.getvalue())["forecasts"], acme.standin.counted() - before


def measured(standin: Running, folder: Path, *, folders: bool) -> list[Row]:
    """Return each figure with what it is and its bar."""
    standin.reset()
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    acme = Acme(standin, folder)
    os.chdir(acme.root)
    acme.online()
    acme.say(alerts=ALERTS)
    assert acme.run("reconcile", "--once", "--follow", "10m") == 0
    names = [f"f{number:05}" for number in range(1, MANY)]
    multiplied(acme, names, folders)
    what = "data in a folder each" if folders else "data in one folder"
    rows = []
    # The first pass fetches every record, for none is as the pack has it, and leaves a new pack; it has no bar.
    for bar in (None, NO_OP):
        found, calls = passed(acme)
        assert {each["status"] for each in found} == {"nothing"}
        print(f"     {what}, nothing to do: {dict(calls.most_common())}")
        rows += [(f"calls of a no-op pass over {MANY:,} forecasts, {what}", calls.total(), bar)] if bar else []
    _, calls = passed(acme, "--select", "demand")  # what an alert starts
    print(f"     {what}, nothing to do for the one that is selected: {dict(calls.most_common())}")
    rows.append((f"calls of a no-op pass over one of {MANY:,} that is selected, {what}", calls.total(), SELECTED))
    before = generations(acme)
    acme.serve(machine="{max_replicas: 2}")
    found, calls = passed(acme)
    assert [each["name"] for each in found if each["status"] != "nothing"] == ["demand"]
    touched = [name for name, at in generations(acme).items() if before.get(name) != at and "/demand/" not in name]
    print(f"     one of them changed: {dict(calls.most_common())}")
    rows.append((f"calls of a pass in which one of {MANY:,} has another spec, {what}", calls.total(), ONE))
    return [*rows, (f"other forecasts that were written to, {what}", len(touched), 0)]


def main() -> int:
    """Count, print a table, and return 1 where a bar is not met."""
    with tempfile.TemporaryDirectory() as folder:
        standin = Running(Path(folder, "standin"))
        os.environ.update(standin.environment, MLSPEC_IMAGE=IMAGE)
        try:
            rows = [row for each in (False, True) for row in measured(standin, Path(folder, str(each)), folders=each)]
        finally:
            os.chdir(ROOT)
            standin.stop()
    for what, found, bar in rows:
        print(f"{'ok  ' if found <= bar else 'MISS'} {found:8}  (bar {bar})  {what}")
    return int(any(found > bar for _, found, bar in rows))


if __name__ == "__main__":
    sys.exit(main())
