"""How long each step takes and how much memory, beside a bare script of mlforecast and LightGBM, and how both grow with the series.

Run: python benchmarks/scale.py [SERIES...] [--days DAYS] [--theta]; 30490 is as many as the M5 competition has. Each step of mlspec
and the bare script (`_bare_script.py`: the same lags, trees, windows, threads) and pandas reading the same file are processes of
their own. The ratio of time is of whole processes, with their start: at one thread of the seconds of processors, which other work
on the machine changes little, at several of the clock's. Memory is the peak with all children. The WAPE of both stands beside, as
they do the same work. Prints a table for each number of threads, and how much time and memory grow. Exits 1 beyond a bar at the
largest number of series.

With --theta the candidate is theta, over one window, for many short series: 304900 --days 112 is ten times as many as M5 has.
There is no bare script then, and all processors are used.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _processes import Measured, measure
from _retail_panel import SOURCE, TREES, WINDOWS, spec, write_panel

from mlspec.memory import step_memory
from mlspec.processors import VARIABLE, usable_processors

SERIES, DAYS = (300, 3000), 730
BARE_BYTES = 500  # for each row, as the bare script was measured with 5.9 million: 2.7 GiB
MOST_TIME, MOST_MEMORY, MOST_READING = 1.10, 1.25, 4.0
BENCHMARKS = Path(__file__).parent
READING = "import sys, pandas; pandas.read_csv(sys.argv[1], parse_dates=['date'])"
STEPS = ("check", "backtest", "train", "forecast", "inventory")
# By kind: the candidate beside the baseline, and the windows of its backtest.
MODELS: Mapping[str, tuple[dict[str, Any], int]] = {
    "gradient-boosting": (TREES, WINDOWS),
    "theta": ({"kind": "theta"}, 1),
}


def run_step(folder: Path, step: str, kind: str) -> None:
    """Run one step as the local target does, with the files that the steps before it left in the folder."""
    from mlspec import jobs
    from mlspec.spec.digest import resolved_json
    from mlspec.spec.forecast import Forecast
    from mlspec.state.step import StepRequest

    record = folder / "steps.json"
    files = json.loads(record.read_text()) if record.exists() else {}
    options: dict[str, Any] = {"now": "2025-11-01T06:00:00Z"}
    if step == "train":
        options["candidate"] = MODELS[kind][0]
    if step == "forecast":
        options["version"] = "v1"
    out = folder / step
    out.mkdir()
    inputs = {role: Path(file) for role, file in files.items()}
    resolved = resolved_json(Forecast.model_validate(spec(*MODELS[kind])))
    request = StepRequest(step, resolved, folder, out, inputs, options)  # type: ignore[arg-type]
    result = jobs.run(request, lambda *_: None)
    files |= {role: str(file) for role, file in result.outputs.items()}
    if step == "backtest":
        print(json.dumps({row["name"]: row["metrics"]["wape"] for row in result.facts["candidates"]}))
    record.write_text(json.dumps(files))


def read_settings(folder: Path) -> str:
    """Return the settings of mlspec's trees, for the bare script."""
    from mlspec.forecast.artifact import load_model
    from mlspec.forecast.candidates.boosting import load_boosted
    from mlspec.forecast.features import rolling_windows
    from mlspec.jobs.context import panel_layout
    from mlspec.spec.forecast import Forecast

    ((candidate, data),) = load_model((folder / "train" / "model.zip").read_bytes()).members
    model = load_boosted(candidate, data)  # type: ignore[arg-type]
    windows = rolling_windows(panel_layout(Forecast.model_validate(spec())))
    return json.dumps({"lags": model.lags, "windows": windows, "differenced": model.differenced})


def measure_size(series: int, days: int, threads: int, kind: str) -> dict[str, Measured]:
    """Return what each process took for so many series."""
    with tempfile.TemporaryDirectory(prefix="mlspec-bench-") as name:
        folder = Path(name)
        measure([__file__, "--write", name, str(series), str(days)])  # a child's peak is at least that of its parent
        limited = {VARIABLE: str(threads), "OMP_WAIT_POLICY": "PASSIVE"}  # as mlspec's own threads wait
        print(f"{series:,} series of {days:,} days, {series * days:,} rows, threads: {threads}")
        taken = {"pandas": _measure_row("pandas", ["-c", READING, str(folder / SOURCE)])}
        for step in STEPS:
            taken[step] = _measure_row(step, [__file__, "--step", step, name, kind], limited)
        if kind == "theta":
            return taken
        if series * days * BARE_BYTES > step_memory().size:
            print("  the bare script is left out: it would not fit into this machine's memory")
            return taken
        script = [str(BENCHMARKS / "_bare_script.py"), name, str(threads), read_settings(folder)]
        return taken | {"bare": _measure_row("bare", script, limited)}


def _measure_row(name: str, argv: list[str], environment: dict[str, str] | None = None) -> Measured:
    """Measure a process, and print its row at once: at a large size the next one may take an hour."""
    one = measure(argv, environment)
    print(
        f"  {name:<10} {one.seconds:8.1f} s  {one.busy:8.1f} s of processors  {one.peak / 2**20:8,.0f} MiB  "
        f"{one.printed.strip()}".rstrip(),
        flush=True,
    )
    return one


def judge_size(taken: dict[str, Measured], threads: int) -> list[bool]:
    """Print the bars of one size, and return for each whether it is missed."""
    missed = [_judge("check / pandas reading the file, time", taken["check"].busy / taken["pandas"].busy, MOST_READING)]
    if "bare" not in taken:
        return missed
    learned, bare = taken["backtest"] + taken["train"], taken["bare"]
    return [
        *missed,
        _judge("backtest and train / the bare script, time", _time(learned, threads) / _time(bare, threads), MOST_TIME),
        _judge("backtest and train / the bare script, memory", learned.peak / bare.peak, MOST_MEMORY),
    ]


def _time(one: Measured, threads: int) -> float:
    return one.busy if threads == 1 else one.seconds


def _judge(what: str, ratio: float, bar: float) -> bool:
    print(f"  {'ok  ' if ratio <= bar else 'MISS'} {ratio:6.2f} x  (bar {bar:g})  {what}")
    return ratio > bar


def report_growth(smaller: dict[str, Measured], larger: dict[str, Measured], times: float, what: str) -> None:
    """Print how much each process grew from one number of series to another."""
    print(f"{what}, {times:.1f} times as many:")
    for name, one in larger.items():
        before = smaller[name]
        print(f"  {name:<10} processors {one.busy / before.busy:6.2f} x, memory {one.peak / before.peak:6.2f} x")


def main() -> int:
    """Measure, print, and return 1 where the largest size misses a bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("series", nargs="*", type=int, default=SERIES)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument(
        "--theta", action="store_true", help="theta, over one window, instead of boosted trees over three"
    )
    given = parser.parse_args()
    kind = "theta" if given.theta else "gradient-boosting"
    sizes, missed = sorted(given.series), False
    for threads in sorted({usable_processors()} if given.theta else {1, usable_processors()}):
        taken: dict[int, dict[str, Measured]] = {}
        for series in sizes:
            taken[series] = measure_size(series, given.days, threads, kind)
            misses = judge_size(taken[series], threads)
        missed |= any(misses)
        for few, many in itertools.pairwise(sizes):
            report_growth(taken[few], taken[many], many / few, f"from {few:,} to {many:,} series, threads: {threads}")
    return int(missed)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        run_step(Path(sys.argv[3]), sys.argv[2], sys.argv[4])
    elif sys.argv[1:2] == ["--write"]:
        write_panel(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        sys.exit(main())
