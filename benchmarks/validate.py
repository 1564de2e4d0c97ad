"""How long `mlspec validate` takes, against what it cannot do without: starting click, and reading the same YAML.

Run: python benchmarks/validate.py. Prints ratios of one run on one machine; exits 1 beyond a bar.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
# The example as it ships, and a spec with every key of the language.
SAMPLES = {"specs/demand.yaml": ROOT / "specs" / "demand.yaml", "every key": ROOT / "tests" / "spec" / "full.yaml"}
PROJECT = ROOT / "tests" / "spec" / "full-project.yaml"
SPECS = 1000
ROUNDS = 15


def seconds(*argv: str) -> float:
    """Return the wall time of one command, which has to succeed."""
    # A cold __pycache__ is the first round's; that one is thrown away with the other outliers by the median.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True, env=environment, cwd=ROOT)
    return time.perf_counter() - start


def medians(*calls: Callable[[], float], rounds: int = ROUNDS) -> list[float]:
    """Return each call's median time, the calls taken in turns so that a noisy moment meets all of them."""
    times = [[call() for call in calls] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def one_spec() -> list[tuple[str, float, float]]:
    """Return rows of (what, ratio, bar) for whole commands."""
    mlspec = str(Path(sys.executable).with_name("mlspec"))
    click, version, validate = medians(
        lambda: seconds(sys.executable, "-c", "import click"),
        lambda: seconds(mlspec, "--version"),
        lambda: seconds(mlspec, "validate", "specs/demand.yaml"),
    )
    return [
        ("mlspec --version / python -c 'import click'", version / click, 2.0),
        ("mlspec validate specs/demand.yaml / python -c 'import click'", validate / click, 6.0),
    ]


def many_specs(what: str, sample: Path) -> tuple[str, float, float]:
    """Return the row of 1,000 specs like `sample`, each with its own name, in one process."""
    from mlspec.spec import read_specs

    text = sample.read_text(encoding="utf-8")
    assert text.count("name: demand") == 1
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "mlspec.yaml").write_bytes(PROJECT.read_bytes())
        (root / "specs").mkdir()
        for index in range(SPECS):
            spec = root / "specs" / f"demand-{index}.yaml"
            spec.write_text(text.replace("name: demand", f"name: demand-{index}"), encoding="utf-8")
        files = sorted((root / "specs").iterdir())

        def bare() -> float:
            start = time.perf_counter()
            for file in files:
                yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)
            return time.perf_counter() - start

        def whole() -> float:
            start = time.perf_counter()
            loaded = read_specs([root / "specs"], root, "local")
            took = time.perf_counter() - start
            assert not loaded.faults, loaded.faults[0]
            assert len(loaded.specs) == SPECS
            return took

        reading, validating = medians(bare, whole, rounds=3)
    return f"{SPECS} specs ({what}) / yaml.CSafeLoader on the same files", validating / reading, 2.5


def main() -> int:
    """Print every ratio beside its bar, and return 1 where one is beyond it."""
    rows = [*one_spec(), *(many_specs(what, sample) for what, sample in SAMPLES.items())]
    for what, ratio, bar in rows:
        print(f"{what}: {ratio:.2f} x (bar {bar:g} x){'' if ratio <= bar else '  BEYOND'}")
    return int(any(ratio > bar for _, ratio, bar in rows))


if __name__ == "__main__":
    sys.exit(main())
