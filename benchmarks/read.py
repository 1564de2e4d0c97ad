"""How long mlspec takes to read a CSV file, and how much memory, by what pandas takes for the same file with Arrow's parser.

Run: python benchmarks/read.py [ROWS]. Daily sales of many shops: plain CSV, and as a Brazilian Excel writes them (`;`, decimal
comma, DD/MM/YYYY). mlspec returns typed rows of a spec, with each row's file and number, and would name each bad cell; pandas
returns its frame. Each reading is a process of its own; the ratio is of the medians of five, taken in turn. Memory is the peak of
resident memory above what the process had before it read. Exits 1 beyond a bar.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlspec.forecast.load import load_history
from mlspec.spec.dataset import Dataset

ROWS, DAYS, TIMES = 10_000_000, 1000, 5
MOST_TIME, MOST_MEMORY = 1.3, 2.0
BRAZIL: dict[str, Any] = {"delimiter": ";", "decimal": ",", "date_format": "%d/%m/%Y"}
DIALECTS: dict[str, dict[str, Any]] = {"plain": {}, "brazil": BRAZIL}


def write_source(file: Path, rows: int, keys: dict[str, Any]) -> None:
    """Write the table in a dialect."""
    series = max(rows // DAYS, 1)
    days = pd.date_range("2022-01-01", periods=DAYS).strftime(keys.get("date_format", "%Y-%m-%d")).to_numpy()
    shops = np.array([f"shop-{place:06}" for place in range(series)], dtype=object).repeat(DAYS)
    units = np.round(np.random.default_rng(0).gamma(5, 20, series * DAYS), 2)
    frame = pd.DataFrame({"shop": shops, "day": np.tile(days, series), "units": units})
    frame.to_csv(file, index=False, sep=keys.get("delimiter", ","), decimal=keys.get("decimal", "."))


def read_by_mlspec(file: Path, keys: dict[str, Any]) -> int:
    """Return the number of rows that the step `check` would have."""
    spec = {
        "source": {"uri": file.name, **keys},
        "time": "day",
        "series": ["shop"],
        "target": "units",
        "frequency": "D",
    }
    return len(load_history(Dataset.model_validate(spec), file.parent).frame)


def read_by_pandas(file: Path, keys: dict[str, Any]) -> int:
    """Return the number of rows that pandas reads."""
    sep, decimal = keys.get("delimiter", ","), keys.get("decimal", ".")
    return len(pd.read_csv(file, engine="pyarrow", sep=sep, decimal=decimal))


READERS = {"mlspec": read_by_mlspec, "pandas": read_by_pandas}


def measure_here(reader: str, dialect: str, folder: Path) -> None:
    """Read a small file, so that all modules are imported, then the large one; print seconds and bytes."""
    READERS[reader](folder / f"small-{dialect}.csv", DIALECTS[dialect])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    rows = READERS[reader](folder / f"{dialect}.csv", DIALECTS[dialect])
    seconds = time.perf_counter() - began
    print(rows, seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)


def measured(reader: str, dialect: str, folder: Path) -> tuple[float, float]:
    """Return seconds and bytes of a process of its own."""
    argv = [sys.executable, __file__, "--measure", reader, dialect, str(folder)]
    words = subprocess.run(argv, stdout=subprocess.PIPE, check=True, text=True).stdout.split()
    return float(words[1]), float(words[2])


def compare(dialect: str, rows: int, folder: Path) -> bool:
    """Print the ratios of one dialect, and return whether a bar is missed."""
    write_source(folder / f"{dialect}.csv", rows, DIALECTS[dialect])
    write_source(folder / f"small-{dialect}.csv", DAYS, DIALECTS[dialect])
    taken: dict[str, list[tuple[float, float]]] = {reader: [] for reader in READERS}
    for _ in range(TIMES):
        for reader, found in taken.items():
            found.append(measured(reader, dialect, folder))
    (folder / f"{dialect}.csv").unlink()
    seconds = {reader: statistics.median(row[0] for row in found) for reader, found in taken.items()}
    sizes = {reader: statistics.median(row[1] for row in found) for reader, found in taken.items()}
    time_ratio, memory_ratio = seconds["mlspec"] / seconds["pandas"], sizes["mlspec"] / sizes["pandas"]
    print(f"{dialect}: {rows:,} rows in {seconds['mlspec']:.2f} s by mlspec, {seconds['pandas']:.2f} s by pandas")
    print(f"  time {time_ratio:.2f} (bar {MOST_TIME}), memory {memory_ratio:.2f} (bar {MOST_MEMORY})")
    return time_ratio > MOST_TIME or memory_ratio > MOST_MEMORY


def main() -> int:
    """Measure, print, and return 1 where a bar is missed."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory(prefix="mlspec-bench-") as folder:
        missed = [compare(dialect, rows, Path(folder)) for dialect in DIALECTS]
    return int(any(missed))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure_here(sys.argv[2], sys.argv[3], Path(sys.argv[4]))
    else:
        sys.exit(main())
