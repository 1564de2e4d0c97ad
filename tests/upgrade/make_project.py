"""Makes the stored project: twenty forecasts as one release of mlspec leaves them. Run it in a checkout of that release.

    git worktree add /tmp/release ac36e3f && cp -r tests/upgrade /tmp/release/tests/ && cd /tmp/release
    scripts/test tests/upgrade --collect-only   # makes the environment
    .venv/bin/python -m tests.upgrade.make_project tests/upgrade/project-0.1.0.zip

`project-0.1.0.zip` was made in that way by ac36e3f, before digests left defaults out. Add another file for another release, and
keep the older ones: users come from all of them. The script uses nothing but the command line, so that any release can run it.
"""

from __future__ import annotations

import csv
import io
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

# When it was left: everything at rest, a canary within its interval.
LEFT_AT = "2024-02-15T07:00:00+00:00"
_STAMP = (2024, 2, 15, 7, 0, 0)

PROJECT = """\
apiVersion: mlspec/v1
kind: Project
name: shop
defaults:
  metadata: {owner: planning@example.com}
  model: {gate: [{metric: wape, below: 0.9}]}
"""
SPEC = """\
apiVersion: mlspec/v1
kind: Forecast
metadata: {{name: {name}}}
dataset:
  source: {{uri: data/sales.csv}}
  time: day
  series: [shop]
  target: units
  frequency: D
model:
  horizon: 2
  candidates: {candidates}
  backtest: {{windows: 2, step: 2}}
"""
CANDIDATES = (
    "[{kind: seasonal-naive, season: 7}]",
    "[{kind: seasonal-naive}]",
    "[{kind: croston}]",
    "[{kind: croston, variant: tsb}, {kind: seasonal-naive, name: floor}]",
    "[{kind: theta, season: 7}]",
)
ALERTS = """\
alerts:
  - {name: accuracy, metric: wape, above: 0.5}
  - {name: age, metric: data_age, above: 9d}
rollback: {on: [accuracy]}
"""
CANARY = "deployment: {rollout: {strategy: canary, steps: [10, 50, 100], interval: 2h}}\n"
EXTRAS = {
    "demand-11": ALERTS,
    "demand-12": ALERTS + "deployment: {rollout: {strategy: blue-green}}\n",
    "demand-13": "inventory: {service_level: 0.95, lead_time: 1}\n",
    "demand-14": "inventory: {service_level: 0.95, lead_time: 1, review_period: 1}\ntraining: {}\n",
    "demand-15": "schedule: {forecast: 0 6 * * *, timezone: Europe/Paris}\n",
    "demand-16": "rollback: {cooldown: 24h, max_attempts: 2}\nbudget: {trainings_per_week: 1}\n",
    "canary": CANARY + ALERTS,
    "held": ALERTS,
    "quarantined": "",
    "kept-out": "",
}
NAMES = (*(f"demand-{number:02}" for number in range(1, 17)), "canary", "held", "quarantined", "kept-out")


def spec_text(number: int, name: str, model: str = "") -> str:
    """Return a forecast's spec; `model` are lines of its `model`."""
    return SPEC.format(name=name, candidates=CANDIDATES[number % len(CANDIDATES)]) + model + EXTRAS.get(name, "")


def sales(days: int) -> str:
    """Return a daily history of two shops, with a weekly season, as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["shop", "day", "units"])
    for number, shop in enumerate(("001", "NA")):
        for day in range(days):
            units = 10 * (number + 1) + 3 * (day % 7) + (day * 7919) % 5
            writer.writerow([shop, (date(2024, 1, 1) + timedelta(days=day)).isoformat(), units])
    return out.getvalue()


def make(root: Path) -> None:
    """Let a team work with the project at `root` for four days. Raises SystemExit where a command does not end as it should."""
    from mlspec.cli import clock

    moment = datetime.fromisoformat("2024-02-12T06:00:00+00:00")
    clock.utc_now = lambda: moment  # before any command is imported
    from mlspec.cli import main

    def mlspec(*words: str, code: int = 0) -> None:
        if (ended := main.run(list(words))) != code:
            raise SystemExit(f"mlspec {' '.join(words)} ended with {ended}")

    os.chdir(root)
    for folder in ("data", "specs"):
        (root / folder).mkdir()
    (root / "mlspec.yaml").write_text(PROJECT)
    (root / "data/sales.csv").write_text(sales(42))
    for number, name in enumerate(NAMES):
        (root / f"specs/{name}.yaml").write_text(spec_text(number, name))
    mlspec("apply")

    moment = datetime.fromisoformat("2024-02-15T06:00:00+00:00")
    (root / "data/sales.csv").write_text(sales(45))  # the first forecasts are over, and the models learn again
    mlspec("apply")
    mlspec("reconcile", "--once")
    for name in ("held", "quarantined"):
        (root / f"specs/{name}.yaml").write_text(spec_text(NAMES.index(name), name, "  seed: 1\n"))
    strict = "  gate: [{metric: wape, below: 0.0001}]\n"
    (root / "specs/kept-out.yaml").write_text(spec_text(NAMES.index("kept-out"), "kept-out", strict))
    mlspec("reconcile", "--once", code=3)

    moment = datetime.fromisoformat("2024-02-15T06:30:00+00:00")
    mlspec("rollback", "held", "--reason", "a promotion that the model does not know")
    mlspec("rollback", "quarantined", "--reason", "it forecasts too much")
    mlspec("resume", "quarantined")
    mlspec("silence", "demand-11", "age", "--for", "30d", "--reason", "the source moves house")
    mlspec("reconcile", "--once")

    moment = datetime.fromisoformat(LEFT_AT)
    mlspec("reconcile", "--once")
    mlspec("plan", "--detailed-exitcode")


def pack(root: Path, to: Path) -> None:
    """Write the project as one archive, the same bytes for the same files. Locks stay behind."""
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in _files(root):
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix(), _STAMP)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


def _files(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.rglob("*")) if path.is_file() and "locks" not in path.parts)


if __name__ == "__main__":
    place = Path(sys.argv[1]).absolute()
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        pack(Path(folder), place)
