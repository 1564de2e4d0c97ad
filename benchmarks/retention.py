"""A year of one weekly forecast of 1,000 series, by the real steps: what the record weighs with `retention`, and without it.

Each week brings new data, a check, an evaluation and a forecast by the one model, a seasonal naive. A pass looks on two days of the
week, and prunes. Every file that it stored is counted, so the same year also says what would lie there without a prune. Run:
python benchmarks/retention.py. It prints the bytes by kind of file, and exits 1 beyond a bar:

parts     the panel's files of the year / one whole panel each week, as mlspec stored it before it had `retention`
disk      bytes on disk after the year / those of the same year without a prune and with whole panels. Most of what is left are the
          forecasts: `retention.runs` keeps those of 400 days
growth    files on disk but for forecasts, after a year / after half a year: they do not have to grow
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import yaml

from mlspec.cli.target import open_engine
from mlspec.engine.assembly import ignore_progress
from mlspec.engine.context import Engine
from mlspec.engine.loop import reconcile_specs
from mlspec.jobs.files import write_table
from mlspec.jobs.panel_parts import read_panel_frame
from mlspec.plan.moments import format_moment
from mlspec.spec import read_specs
from mlspec.spec.retention import Retention
from mlspec.state.step import panel_parts
from mlspec.targets.local.target import LocalTarget

SEED = 20261126
SERIES, HISTORY, WEEKS = 1_000, 104, 52
QUARTER = 13  # weeks after which it weighs
DAYS = (0, 2)  # of each week: a pass finds new data; the other removes files, which go a day after their rows
FIRST = date(2022, 1, 7)  # a Friday
MOST_PARTS, MOST_DISK, MOST_GROWTH = 0.15, 0.6, 1.2
SPEC = {
    "apiVersion": "mlspec/v1",
    "kind": "Forecast",
    "metadata": {"name": "demand"},
    "dataset": {
        "source": {"uri": "data/sales.csv"}, "time": "week", "series": ["item"], "target": "units", "frequency": "W-FRI",
    },
    "model": {
        "horizon": 8, "candidates": [{"kind": "seasonal-naive", "season": 52}], "backtest": {"windows": 2, "step": 4}, "gate": [],
    },
    "alerts": [{"name": "accuracy", "metric": "wape", "above": 5.0}],
}  # fmt: skip


@dataclass
class Weight:
    """Bytes since the start of the year, by kind of file. `whole_panels`: what one whole panel each week would weigh."""

    on_disk: Counter[str]
    stored: Counter[str]
    whole_panels: int

    @property
    def steady(self) -> int:
        """Bytes on disk of what does not have to grow through the year."""
        return self.on_disk.total() - self.on_disk["forecast"] - self.on_disk["record"]


def demand() -> list[str]:
    """Return each week's rows of the export, as text: levels of all sizes, a season, and noise that nobody could compress away."""
    rng = np.random.default_rng(SEED)
    level, week = np.exp(rng.uniform(3.0, 6.0, SERIES)), np.arange(HISTORY + WEEKS)[:, None]
    units = level * (1 + 0.3 * np.sin(2 * np.pi * week / 52)) * np.exp(rng.normal(0, 0.15, (HISTORY + WEEKS, SERIES)))
    ends = [(FIRST + timedelta(weeks=number)).isoformat() for number in range(HISTORY + WEEKS)]
    return [
        "".join(f"i{item:04},{end},{round(value)}\n" for item, value in enumerate(values))
        for end, values in zip(ends, units, strict=True)
    ]


def live(root: Path) -> list[Weight]:
    """Let the loop live through the year; return the bytes after each quarter."""
    for folder in ("data", "specs"):
        (root / folder).mkdir(parents=True)
    (root / "specs/demand.yaml").write_text(yaml.safe_dump(SPEC))
    sales, export = demand(), root / "data/sales.csv"
    export.write_text("item,week,units\n" + "".join(sales[: HISTORY - 1]))
    (spec,) = read_specs([root / "specs"], root, "local").specs
    weights: list[Weight] = []
    stored: dict[str, tuple[str, int]] = {}
    whole_panels = 0
    for week in range(WEEKS):
        with export.open("a") as file:
            file.write(sales[HISTORY - 1 + week])
        for day in DAYS:
            now = datetime.combine(FIRST + timedelta(weeks=HISTORY + week, days=day), datetime.min.time(), UTC)
            (result,) = reconcile_specs(_engine_at(root, now), [spec])
            if result.error:
                raise result.error
            stored = stored_files(root) | stored  # the first role counts: the row that named a file may be gone
        whole_panels += whole_panel(root)
        if (week + 1) % QUARTER == 0:
            record = Counter(record=(root / ".mlspec/state.db").stat().st_size)
            on_disk = _by_kind(stored[name] for name in stored_files(root))
            weights.append(Weight(on_disk + record, _by_kind(stored.values()) + record, whole_panels))
            print(f"     {week + 1} weeks: {weights[-1]}", flush=True)
    return weights


def _engine_at(root: Path, now: datetime) -> Engine:
    engine = open_engine(LocalTarget(root / ".mlspec"), root, ignore_progress, Retention())
    return replace(engine, clock=lambda: format_moment(now))


def whole_panel(root: Path) -> int:
    """Return what the panel of this moment weighs as one file."""
    target = LocalTarget(root / ".mlspec")
    files = target.observe_forecast("demand").resources["data"].files
    parts = {role: target.fetch_file("demand", ref) for role, ref in panel_parts(files).items()}
    return write_table(read_panel_frame(parts), root / "whole.parquet").stat().st_size


def stored_files(root: Path) -> dict[str, tuple[str, int]]:
    """Return the kind and the bytes of each stored file, by its name, which is its sha256."""
    contents = LocalTarget(root / ".mlspec").load_contents("demand")
    maps = [row.content.outputs for row in contents.steps] + [
        row.content.files for row in (*contents.runs, *contents.versions)
    ]
    kinds = {ref.sha256: role.partition("-2")[0] for files in maps for role, ref in files.items()}  # panel-2024-01
    paths = (root / ".mlspec/artifacts/sha256").glob("*/*")
    return {path.name: (kinds.get(path.name, "unneeded"), path.stat().st_size) for path in paths}


def _by_kind(files: Iterable[tuple[str, int]]) -> Counter[str]:
    weight: Counter[str] = Counter()
    for kind, size in files:
        weight[kind] += size
    return weight


def main() -> int:
    """Print the figures; return 1 beyond a bar."""
    os.fsync = lambda _file: None  # the state is thrown away
    with tempfile.TemporaryDirectory() as folder:
        _, half, _, year = live(Path(folder))
    before = year.stored.total() - year.stored["panel"] + year.whole_panels
    megabytes = f"{year.on_disk.total() / 1e6:.1f} MB; without a prune, and with whole panels, {before / 1e6:.1f} MB"
    print(f"     the year weighs {megabytes}")
    panels, disk = year.stored["panel"] / year.whole_panels, year.on_disk.total() / before
    well = [
        tell("bytes of the panel's files in a year / of a whole panel each week", panels, MOST_PARTS),
        tell("bytes on disk after a year / without a prune and with whole panels", disk, MOST_DISK),
        tell(
            "bytes on disk but for forecasts, after a year / after half a year", year.steady / half.steady, MOST_GROWTH
        ),
    ]
    return int(not all(well))


def tell(what: str, ratio: float, bar: float) -> bool:
    """Print a ratio with its bar, and return whether it holds."""
    print(f"{'ok  ' if ratio <= bar else 'MISS'} {what}: {ratio:.2f} (bar {bar})")
    return ratio <= bar


if __name__ == "__main__":
    sys.exit(main())
