"""How long rendering takes, against validating the same specs: Terraform and DAG of 1,000 forecasts.

Run: python benchmarks/render.py. Prints the ratio of one run on one machine; exits 1 beyond its bar.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from mlspec.engine.rendering import render_specs
from mlspec.engine.target_kinds import find_target
from mlspec.spec import read_specs

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "tests" / "spec" / "full.yaml"
PROJECT = ROOT / "tests" / "spec" / "full-project.yaml"
SPECS = 1000
ROUNDS = 5
BAR = 2.0


def main() -> int:
    """Print the ratio beside its bar, and return 1 where it is beyond it."""
    text = SAMPLE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "mlspec.yaml").write_bytes(PROJECT.read_bytes())
        (root / "specs").mkdir()
        for index in range(SPECS):
            (root / "specs" / f"demand-{index}.yaml").write_text(text.replace("name: demand", f"name: demand-{index}"))
        validating, rendering, files = [], [], 0
        for _ in range(ROUNDS):
            start = time.perf_counter()
            loaded = read_specs([root / "specs"], root, "prod")
            validating.append(time.perf_counter() - start)
            assert not loaded.faults, loaded.faults[0]
            start = time.perf_counter()
            files = len(render_specs(loaded.specs, find_target(loaded.project, "prod"), root, with_shared=True))
            rendering.append(time.perf_counter() - start)
    ratio = statistics.median(rendering) / statistics.median(validating)
    print(
        f"render {SPECS} specs with every key ({files:,} files) / validate them: {ratio:.2f} x (bar {BAR:g} x)"
        f"{'' if ratio <= BAR else '  BEYOND'}"
    )
    return int(ratio > BAR)


if __name__ == "__main__":
    sys.exit(main())
