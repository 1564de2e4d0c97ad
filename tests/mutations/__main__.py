"""Breaks each rule in a copy of the package and runs the tests that have to notice: scripts/mutations [WORD OF A RULE].

Exits 1 where a rule can be broken and no test turns red, or where the text that a mutation replaces is not there any more.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from tests.mutations.rules import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parent.parent.parent
COPIED = ("mlspec", "tests", "templates", "infra", "specs", "docs", "pyproject.toml")
PYTEST = ("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider")
LONGEST = 300.0  # seconds that one mutation's tests may take; one that runs on for ever is not caught by a test
GREEN, RED = 0, 1


@contextmanager
def copied() -> Iterator[Path]:
    """Yield a folder with a copy of what the tests need."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = Path(name)
        for each in COPIED:
            source = ROOT / each
            if source.is_dir():
                shutil.copytree(source, folder / each, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / each)
        yield folder


def run(folder: Path, tests: Sequence[str]) -> tuple[int, str]:
    """Run tests on the package that lies in `folder`, until the first fails; return pytest's code and its last words."""
    # Plugins that libraries bring along cost seconds to import, and these tests need none.
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment = {**os.environ, **alone, "PYTHONPATH": str(folder)}
    argv = [sys.executable, *PYTEST, *tests]
    try:
        done = subprocess.run(
            argv, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=LONGEST
        )
    except subprocess.TimeoutExpired:
        return -1, f"not over after {LONGEST:.0f} s"
    return done.returncode, f"{done.stdout[-1500:]}{done.stderr[-500:]}"


def survives(mutation: Mutation) -> str:
    """Return why a mutation counts as survived; nothing where a test noticed it."""
    with copied() as folder:
        path = folder / "mlspec" / mutation.file
        text = path.read_text()
        if text.count(mutation.old) != 1:
            return f"{mutation.file} holds the text to replace {text.count(mutation.old)} times, not once"
        path.write_text(text.replace(mutation.old, mutation.new))
        code, said = run(folder, mutation.tests)
        if code == GREEN:
            return f"{' '.join(mutation.tests)} stays green"
        return "" if code == RED else f"{' '.join(mutation.tests)} did not run: {said}"


def unbroken(tests: Sequence[str]) -> str:
    """Return what is wrong with tests of one file on the package as it is: red without a mutation, they would prove nothing."""
    with copied() as folder:
        code, said = run(folder, tests)
    return "" if code == GREEN else f"not green without a mutation: {said}"


def by_file(mutations: Sequence[Mutation]) -> list[list[str]]:
    """Return the named tests, a list a file."""
    named = sorted({test for mutation in mutations for test in mutation.tests})
    return [list(tests) for _, tests in groupby(named, lambda test: test.partition("::")[0])]


def main(word: str = "") -> int:
    """Run those whose rule holds `word`, one a processor at a time, and say which rule nobody guards."""
    chosen = [mutation for mutation in MUTATIONS if word in mutation.rule]
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        whole = [pool.submit(unbroken, tests) for tests in by_file(chosen)]
        missed = 0
        for mutation, problem in zip(chosen, pool.map(survives, chosen), strict=True):
            print(f"{'MISSED' if problem else 'caught'}  {mutation.rule}{': ' if problem else ''}{problem}", flush=True)
            missed += bool(problem)
        red = [each.result() for each in whole if each.result()]
    print(*red, f"{len(chosen) - missed} of {len(chosen)} rules are guarded", sep="\n")
    return int(not chosen or bool(red) or bool(missed))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
