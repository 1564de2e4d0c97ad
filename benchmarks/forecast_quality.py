"""How good the shipped examples' champions are, against seasonal naive on the same cutoffs.

Run: python benchmarks/forecast_quality.py. Exits 1 where a bar is missed: the champion beats seasonal naive by 10 % WAPE or
more, is not worse than the best single candidate by more than 1 %, and the demand example's 80 % interval covers 75 to 85 %.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from mlspec import jobs
from mlspec.spec import read_specs
from mlspec.state.step import StepName, StepRequest

ROOT = Path(__file__).resolve().parent.parent
COVERED = {"demand": (0.75, 0.85)}


def backtest(spec: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the facts of one spec's backtest."""
    files: dict[str, Path] = {}
    facts: dict[str, Any] = {}
    steps: tuple[tuple[StepName, dict[str, Any]], ...] = (
        ("check", {"now": "2013-01-02T00:00:00Z"}),
        ("backtest", {"incumbent": None}),
    )
    for step, options in steps:
        (folder / step).mkdir()
        result = jobs.run(StepRequest(step, spec, ROOT, folder / step, dict(files), options), lambda *_: None)
        files |= result.outputs
        facts = dict(result.facts)
    return facts


def main() -> int:
    """Print a table a spec, and return 1 where a bar is missed."""
    missed = 0
    for spec in read_specs([ROOT / "specs"], ROOT, "local").specs:
        with tempfile.TemporaryDirectory() as folder:
            facts = backtest(spec.json, Path(folder))
        print(f"{spec.name}: {len(facts['cutoffs'])} cutoffs, {facts['cutoffs'][0]} to {facts['cutoffs'][-1]}")
        for row in sorted(facts["candidates"], key=lambda row: row["metrics"]["wape"]):
            mark = "*" if row["name"] == facts["champion"] else " "
            print(
                f"  {mark} {row['name']:<20} WAPE {row['metrics']['wape']:.4f}  coverage {row['metrics']['coverage']:.3f}"
            )
        wape, floor = facts["metrics"]["wape"], facts["floor"]["wape"]
        best = min(row["metrics"]["wape"] for row in facts["candidates"] if row["kind"] != "ensemble")
        bars = {
            f"champion / seasonal naive {wape / floor:.3f} (bar 0.90)": wape <= 0.9 * floor,
            f"champion / best single {wape / best:.3f} (bar 1.01)": wape <= 1.01 * best,
        }
        if spec.name in COVERED:
            low, high = COVERED[spec.name]
            covered = facts["metrics"]["coverage"]
            bars[f"coverage {covered:.3f} (bar {low} to {high})"] = low <= covered <= high
        for said, held in bars.items():
            print(f"  {'ok  ' if held else 'MISS'} {said}")
        missed += sum(not held for held in bars.values())
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
