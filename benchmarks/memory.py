"""How near the estimate of a source's memory is to what the step `check` takes for it.

Run: python benchmarks/memory.py. Each is a process of its own, on a generated source; prints the peak of resident memory (Linux's
VmHWM) above that of a source of a hundred rows, and the estimate as a share of it. A run must not be refused that would fit, so the
share must not be above 1; far below 1 the refusal would come too late. Exits 1 outside of these bars.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from _processes import own_peak

from mlspec import jobs, memory
from mlspec.forecast import regular
from mlspec.forecast.reading.budget import RowBudget
from mlspec.spec.digest import resolved_json
from mlspec.spec.forecast import Forecast
from mlspec.state.step import StepRequest

DAYS, FEW, MANY = 1000, 1, 1000  # periods of a series; series of the small source and of the large one
LEAST, MOST = 0.3, 1.0


def write_source(folder: Path, name: str, series: int) -> None:
    """Write daily sales of many shops, as CSV or Parquet by the name."""
    days = np.tile(pd.date_range("2022-01-01", periods=DAYS), series)
    shops = np.array([f"shop-{place:06}" for place in range(series)], dtype=object).repeat(DAYS)
    units = np.random.default_rng(0).poisson(20, len(days)).astype("float64")
    frame = pd.DataFrame({"shop": shops, "day": days, "units": units})
    (folder / "data").mkdir()
    frame.to_csv(folder / "data" / name, index=False) if name.endswith(".csv") else frame.to_parquet(
        folder / "data" / name
    )


def check_source(folder: Path, name: str) -> None:
    """Run the step, and print the most memory that this process ever had, and the estimate, in bytes."""
    estimates: list[int] = []
    add = RowBudget.add

    def listen(budget: RowBudget, file: Path, rows: int, size: int) -> None:
        estimates.append(size)
        add(budget, file, rows, size)

    RowBudget.add = listen  # type: ignore[method-assign]
    spec = Forecast.model_validate({
        "apiVersion": "mlspec/v1", "kind": "Forecast", "metadata": {"name": "demand"},
        "dataset": {"source": {"uri": f"data/{name}"}, "time": "day", "series": ["shop"], "target": "units", "frequency": "D"},
        "model": {"horizon": 7, "candidates": [{"kind": "seasonal-naive"}], "backtest": {"windows": 2, "step": 7}},
    })  # fmt: skip
    out = folder / "out"
    out.mkdir()
    request = StepRequest("check", resolved_json(spec), folder, out, {}, {"now": "2024-09-28T00:00:00Z"})
    assert jobs.run(request, lambda *_: None).facts["ok"]
    print(own_peak(), sum(estimates))


def measured(name: str, series: int) -> tuple[int, int]:
    """Return peak and estimate of a process of its own."""
    with tempfile.TemporaryDirectory(prefix="mlspec-bench-") as folder:
        write_source(Path(folder), name, series)
        done = subprocess.run([sys.executable, __file__, folder, name], stdout=subprocess.PIPE, check=True)
    peak, estimate = done.stdout.split()[-2:]
    return int(peak), int(estimate)


def main() -> int:
    """Measure, print, and return 1 where a bar is not met."""
    missed = 0
    for name in ("sales.csv", "sales.parquet"):
        (few, _), (many, estimate) = measured(name, FEW), measured(name, MANY)
        rows = MANY * DAYS
        panel = rows * regular.PERIOD_BYTES
        for what, size in (("rows of the source", estimate), ("periods of the panel", panel)):
            share = size / (many - few)
            well = LEAST <= share <= MOST
            missed += not well
            print(
                f"{'ok  ' if well else 'MISS'} {share:8.2f} x  (bar {LEAST:g} to {MOST:g})  estimate by the {what} / peak"
            )
            print(f"     {name}, {rows:,} rows: {memory.format_size(size)} / {memory.format_size(many - few)}")
    return int(missed > 0)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        check_source(Path(sys.argv[1]), sys.argv[2])
    else:
        sys.exit(main())
