"""How much memory a worker takes to learn trees, against one process that learns them from the whole panel.

Run: python benchmarks/workers.py. Each is a process of its own, on the same generated panel of 4,000,000 periods; prints the peak
of resident memory (Linux's VmHWM) of one process, of the largest worker and of the one who started them. Exits 1 beyond a bar.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import nullcontext
from typing import Any

import numpy as np
import pandas as pd
from _processes import own_peak

from mlspec.forecast import candidates as families
from mlspec.forecast.frame import ID, OBSERVED, TARGET, TIME, Layout, Panel, horizon_frame
from mlspec.forecast.frequency import parse_frequency
from mlspec.forecast.workers import THIS_PROCESS, Workers
from mlspec.jobs.cluster import connect_workers
from mlspec.jobs.runtime import single_threaded
from mlspec.spec.candidates import GradientBoosting
from mlspec.spec.forecast import Training

SERIES, DAYS = 4000, 1000
TREES = GradientBoosting(kind="gradient-boosting", library="lightgbm", iterations=10)
BARS = {2: 0.65, 4: 0.45}  # largest worker / one process; a share is 1/2 and 1/4, the libraries are everybody's


def panel() -> Panel:
    """Return daily sales of many shops."""
    days = pd.date_range("2022-01-01", periods=DAYS)
    names = np.array([f"shop-{place:06}" for place in range(SERIES)], dtype=object)
    units = np.random.default_rng(0).poisson(20 + 3 * np.tile(days.dayofweek, SERIES)).astype("float64")
    frame = pd.DataFrame({ID: names.repeat(DAYS), TIME: np.tile(days, SERIES), TARGET: units, OBSERVED: True})
    bare = Panel(frame, pd.DataFrame({ID: names}), frame[[ID, TIME]][:0], Layout(parse_frequency("D"), 7, 7))
    return Panel(frame, bare.series, horizon_frame(bare), bare.layout)


def peak(_share: Any = None) -> int:
    """Return the most memory that this process ever had, in MB."""
    return own_peak() // 2**20


def peak_frame(_share: Any) -> pd.DataFrame:
    """Return the peak of a worker as what workers return."""
    return pd.DataFrame({"peak": [peak()]})


def learn(count: int) -> dict[str, float]:
    """Learn once, by this process or by so many workers, and return seconds and peaks."""
    whole = panel()
    with connect_workers(Training(engine="ray", workers=count)) if count else nullcontext(THIS_PROCESS) as who:
        start = time.perf_counter()
        families.fit_candidate(TREES, whole, 0, who)
        taken = time.perf_counter() - start
        return {"seconds": taken, "starter": peak(), "largest": _largest(who)}


def _largest(who: Workers) -> int:
    nothing: list[Any] = [None] * who.count
    return max(int(found["peak"].iloc[0]) for found in who.forecast_shares(peak_frame, nothing))


def measured(count: int) -> dict[str, float]:
    """Return what a process of its own measured."""
    done = subprocess.run([sys.executable, __file__, str(count)], stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> int:
    """Measure, print, and return 1 where a bar is not met."""
    one, missed = measured(0), 0
    print(f"     {SERIES * DAYS:,} periods; one process: {one['largest']:.0f} MB, {one['seconds']:.0f} s")
    for count, bar in BARS.items():
        many = measured(count)
        ratio = many["largest"] / one["largest"]
        missed += ratio > bar
        print(
            f"{'ok  ' if ratio <= bar else 'MISS'} {ratio:8.2f} x  (bar {bar:g})  largest of {count} workers / one process"
        )
        print(
            f"     {many['largest']:.0f} MB, who started them {many['starter']:.0f} MB "
            f"({many['starter'] / one['largest']:.2f} x), learning {many['seconds'] / one['seconds']:.2f} x as long"
        )
    return int(missed > 0)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        with single_threaded():
            print(json.dumps(learn(int(sys.argv[1]))))
    else:
        sys.exit(main())
