"""Breaks each rule in a copy of the package and runs the tests that have to notice: scripts/mutations [--passed] [WORD OF A RULE].

Exits 1 where a rule can be broken and no test turns red, or where the text that a mutation replaces is not there any more. A test
turns red where its own statements fail: a fixture that fails says nothing of the rule. The named tests have to be green without a
mutation, and run that way first; `--passed` says that they have just passed in this checkout, as in `.ci/run`.

Each run of tests is a fork of this process, which has imported the libraries that the tests need: their import is most of what
a new process takes. Each of the runs at a time has a copy, used again and again; what is broken in it is mended after the run.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import importlib.util
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NoReturn

import pytest

from tests.mutations.mutation import Mutation
from tests.mutations.rules import MUTATIONS

ROOT = Path(__file__).resolve().parent.parent.parent
LEFT_OUT = (
    ".git",
    ".venv*",
    ".tools",
    ".*_cache",
    ".hypothesis",
    ".mlspec",
    ".coverage*",
    "build",
    "dist",
)
# Nothing that starts a thread of its own where ONE_THREAD is set, or opens a connection.
IMPORTED = (
    "click", "hypothesis", "jinja2", "psycopg", "pydantic.main", "pydantic.types", "sqlite3", "tomllib", "yaml", "pandas",
    "pyarrow.parquet", "sklearn.ensemble", "statsforecast.models", "mlforecast.lag_transforms", "lightgbm", "skops.io",
    "starlette.applications", "uvicorn.protocols.http.h11_impl", "prometheus_client", "playwright.sync_api",
    "axe_playwright_python.sync_playwright", "sqlglot", "google.cloud.storage",
)  # fmt: skip
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # while they are imported
PYTEST = ("-x", "-q", "-p", "no:cacheprovider")
LONGEST = 300  # seconds that one mutation's tests may take; one that runs on for ever is not caught by a test
GREEN, RED, NOT_RUN = 0, 1, 100
NOTICED = "noticed by "
AT_ONCE = 2 * (os.cpu_count() or 1)  # as in `scripts/test --all`: many tests wait for a program of their own
# Folders whose tests start servers, browsers and stand-ins. They run first: what begins last should be short.
LONGEST_FOLDERS = ("tests/airflow", "tests/cli", "tests/gcp", "tests/web")
PATIENCE = "15"  # seconds that a test waits for what a mutation may have turned off


@dataclass(frozen=True)
class Job:
    """One run of tests: on the package as it is, or on one that a mutation broke."""

    tests: tuple[str, ...]
    mutation: Mutation | None = None


class Outcome:
    """A plugin of pytest that keeps which test failed in its own statements."""

    def __init__(self) -> None:
        self.failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and report.when == "call":
            self.failed = report.nodeid

    def code(self, exit_code: int) -> int:
        """Return GREEN, RED or what says that the tests did not run."""
        if exit_code == RED and not self.failed:
            return NOT_RUN
        return exit_code


@contextmanager
def copied() -> Iterator[Path]:
    """Yield a folder with a copy of the checkout, so that a test finds there what it finds in the checkout."""
    folder, owner = Path(tempfile.mkdtemp(prefix="mutation-")), os.getpid()
    try:
        shutil.copytree(ROOT, folder / "checkout", ignore=shutil.ignore_patterns(*LEFT_OUT))
        yield folder / "checkout"
    finally:
        if os.getpid() == owner:  # a fork that ends in its own way takes nothing from the others
            shutil.rmtree(folder)


class Broken:
    """A file of the package in which a mutation stands, until it is mended."""

    def __init__(self, folder: Path, mutation: Mutation) -> None:
        self._path = folder / "mlspec" / mutation.file
        self._text = self._path.read_text()
        self.count = self._text.count(mutation.old)
        self._write(self._text.replace(mutation.old, mutation.new))

    def mend(self) -> None:
        self._write(self._text)

    def _write(self, text: str) -> None:
        self._path.write_text(text)
        # Python takes byte code for that of a file of the same second and size.
        Path(importlib.util.cache_from_source(str(self._path))).unlink(missing_ok=True)


class Run:
    """A process that runs tests in a folder until the first fails; what it says goes to a file."""

    def __init__(self, folder: Path, job: Job) -> None:
        self.folder, self.job = folder, job
        self.broken = Broken(folder, job.mutation) if job.mutation else None
        self._said, self._began = folder / "said.txt", time.monotonic()
        self.is_decided = True  # unless the tests did not come to their own statements, or not to their end
        self.process = os.fork()
        if self.process == 0:
            self._end()

    def _end(self) -> NoReturn:
        """Run the tests and end this process, whatever they raise: an error would unwind what is not its own."""
        code = NOT_RUN
        try:
            code = self._tests()
        except BaseException:  # noqa: BLE001  (said where the parent reads it)
            traceback.print_exc()
        finally:
            os._exit(code)

    def _tests(self) -> int:
        os.setpgid(0, 0)
        signal.alarm(LONGEST)
        with self._said.open("w") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        for name in [name for name in sys.modules if name.partition(".")[0] in {"mlspec", "tests"}]:
            del sys.modules[name]
        os.chdir(self.folder)
        os.environ["PYTHONPATH"] = sys.path[0] = str(self.folder)
        if self.broken:
            os.environ["MLSPEC_PATIENCE"] = PATIENCE
        importlib.invalidate_caches()
        outcome = Outcome()
        code = outcome.code(int(pytest.main([*PYTEST, *self.job.tests], plugins=[outcome])))
        print(f"\n{NOTICED}{outcome.failed}", flush=True)
        return code

    @property
    def seconds(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self._began

    @property
    def noticed_by(self) -> str:
        """The test that failed first."""
        return self._said.read_text(errors="replace").rpartition(NOTICED)[2].strip()

    def ended(self, status: int) -> str:
        """Mend what was broken, and return what is wrong: nothing where a mutation turned tests red, or there was none to do so."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process, signal.SIGKILL)  # what a run that was ended left behind
        tests, said = " ".join(self.job.tests), self._said.read_text(errors="replace")[-2000:]
        code = os.waitstatus_to_exitcode(status)
        if self.job.mutation is None or self.broken is None:
            return "" if code == GREEN else f"not green without a mutation: {said}"
        self.broken.mend()
        if self.broken.count != 1:
            return f"{self.job.mutation.file} holds the text to replace {self.broken.count} times, not once"
        if code == GREEN:
            return f"{tests} stays green"
        self.is_decided = code == RED
        return "" if self.is_decided else f"{tests} did not run, or not to its end in {LONGEST} s: {said}"


def by_file(mutations: Sequence[Mutation]) -> list[Job]:
    """Return the named tests on the package as it is, a run a file: red without a mutation, they would prove nothing."""
    named = sorted({test for mutation in mutations for test in mutation.tests})
    return [Job(tuple(tests)) for _, tests in groupby(named, lambda test: test.partition("::")[0])]


def ran(jobs: Sequence[Job], count: int) -> Iterator[tuple[Run, str]]:
    """Run jobs, `count` at the same time, each kind of run in a copy that no other uses; yield each with what is wrong."""
    waiting, running = list(reversed(jobs)), dict[int, Run]()
    with ExitStack() as copies:
        idle = [copies.enter_context(copied()) for _ in range(min(count, len(jobs)))]
        while waiting or running:
            while waiting and idle:
                started = Run(idle.pop(), waiting.pop())
                running[started.process] = started
            process, status = os.wait()
            done = running.pop(process)
            idle.append(done.folder)
            yield done, done.ended(status)


def decided(jobs: Sequence[Job]) -> Iterator[tuple[Run, str]]:
    """Run jobs. Where the tests did not run, as when a server did not start in time, they are tried again, one by one."""
    undecided: list[Job] = []
    for run, problem in ran(jobs, AT_ONCE):
        if run.is_decided:
            yield run, problem
        else:
            undecided.append(run.job)
    yield from ran(undecided, 1)


def import_libraries() -> None:
    """Import what most tests need. A fork has none of the threads that a library started before: none may start some."""
    os.environ |= ONE_THREAD
    for name in IMPORTED:
        importlib.import_module(name)
    for name in ONE_THREAD:
        del os.environ[name]
    gc.freeze()  # pytest collects garbage five times at its end, in each fork: what stays anyway is left out


def summarize(*, rules: int, missed: Sequence[str], red: Sequence[str]) -> str:
    """Return what ends the log: the tests that are red unbroken, the count, and each missed rule again."""
    return "\n".join([*red, f"{rules - len(missed)} of {rules} rules are guarded", *missed])


def main(word: str = "", *, passed: bool = False) -> int:
    """Break those rules that hold `word`, some at a time, and say which nobody guards. `passed`: skip the green runs."""
    chosen = [mutation for mutation in MUTATIONS if word in mutation.rule]
    os.environ |= {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "MLSPEC_HYPOTHESIS": "any failure",
    }  # what libraries bring along costs seconds, and these tests need none
    import_libraries()
    jobs = [*([] if passed else by_file(chosen)), *(Job(mutation.tests, mutation) for mutation in chosen)]
    jobs.sort(key=lambda job: not job.tests[0].startswith(LONGEST_FOLDERS))
    red: list[str] = []
    missed: list[str] = []
    for run, problem in decided(jobs):
        if run.job.mutation is None:
            red += [problem] if problem else []
            continue
        how = f"MISSED {run.seconds:5.1f} s" if problem else f"caught {run.seconds:5.1f} s"
        line = f"{how}  {run.job.mutation.rule}: {problem or run.noticed_by}"
        print(line, flush=True)
        missed += [line] if problem else []
    print(summarize(rules=len(chosen), missed=missed, red=red))
    return int(not chosen or bool(red) or bool(missed))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="scripts/mutations")
    parser.add_argument("word", nargs="?", default="", help="break only rules that hold it")
    parser.add_argument("--passed", action="store_true", help="the named tests have just passed in this checkout")
    asked = parser.parse_args()
    sys.exit(main(asked.word, passed=asked.passed))
