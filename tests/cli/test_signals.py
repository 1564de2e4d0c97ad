"""Real signals to real processes: a run told to end records its step, a paused one still holds, a dead one holds nothing."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from mlspec import jobs
from mlspec.cli import messages
from mlspec.cli.main import cli
from mlspec.cli.main import run as mlspec
from mlspec.engine.apply import apply_specs
from mlspec.errors import Exit
from mlspec.state.step import Progress, StepRequest, StepResult
from mlspec.targets.local.target import LocalTarget
from tests.engine.steps import Steps, engine, spec
from tests.examples import project, spec_text
from tests.stores import behind

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
PATIENCE = 60.0  # seconds, after which a process has hung, however slow the machine is


class Child:
    """A process of its own, in a group of its own, that says when it has come to a certain place."""

    def __init__(self, work: Callable[[Callable[[], None]], int]) -> None:
        here, there = os.pipe()
        self.said = here
        self.pid = os.fork()
        if self.pid == 0:
            os.setpgid(0, 0)
            code = 99
            try:
                code = work(lambda: os.write(there, b".") and None)
            finally:
                os._exit(code)
        os.close(there)

    def came(self, times: int = 1) -> None:
        """Wait until the place was come to."""
        for _ in range(times):
            assert os.read(self.said, 1) == b".", "the process ended before it came there"

    def ended(self) -> int:
        """Return how the process ended."""
        descriptor = os.pidfd_open(self.pid)
        ready, _, _ = select.select([descriptor], [], [], PATIENCE)
        os.close(descriptor)
        assert ready, "the process did not end in time"
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@contextmanager
def child(work: Callable[[Callable[[], None]], int]) -> Iterator[Child]:
    started = Child(work)
    try:
        yield started
    finally:
        os.close(started.said)
        with suppress(ProcessLookupError):  # none of them outlives its test
            os.killpg(started.pid, signal.SIGKILL)


def wait_for_ever() -> None:
    while True:
        select.select([], [], [], 0.05)  # not signal.pause: a signal just before it would be seen by nobody


def told_at(step: str, said: Callable[[], None]) -> Callable[[StepRequest, Progress], StepResult]:
    """Steps one of which says that it is reached, and never ends."""
    quick = Steps()

    def steps(request: StepRequest, progress: Progress) -> StepResult:
        if request.step == step:
            said()
            wait_for_ever()
        return quick(request, progress)

    return steps


def failures(root: Path) -> list[str]:
    """The journal's lines of steps that did not end well."""
    return [detail for (detail,) in behind(root, "SELECT detail FROM journal WHERE phase = 'failed'")]


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Ctrl-C is heard: a process that a shell began in the background ignores it from the start, and so do its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project(tmp_path / "project"))
    return Path.cwd()


def test_a_paused_holder_still_holds_and_is_named_and_its_death_frees_the_lock(tmp_path: Path) -> None:
    root = project(tmp_path / "project")

    def holding(said: Callable[[], None]) -> int:
        with engine(root).target.lock_forecast("demand", "reconcile", "2024-03-01T00:00:00Z", 0.0):
            said()
            wait_for_ever()
        return 0

    with child(holding) as holder:
        holder.came()
        os.kill(holder.pid, signal.SIGSTOP)
        assert os.WIFSTOPPED(os.waitpid(holder.pid, os.WUNTRACED)[1])
        (outcome,) = apply_specs(engine(root), [spec()])
        assert outcome.exit_code == Exit.LOCKED
        assert outcome.error is not None
        assert f"pid {holder.pid} on " in outcome.error.message
        assert engine(root).target.serial == 0
        os.kill(holder.pid, signal.SIGKILL)
        assert holder.ended() == -signal.SIGKILL
    (outcome,) = apply_specs(engine(root), [spec()])
    assert outcome.status == "applied"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("jobs_at_once", ["1", "2"])
def test_a_signal_to_the_whole_group_ends_a_pass_and_each_step_is_recorded(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, jobs_at_once: str
) -> None:
    """A shell and systemd tell every process of the group; the one that began them passes it on as well."""
    (root / "specs/second.yaml").write_text(spec_text("second"))

    def reconcile(said: Callable[[], None]) -> int:
        monkeypatch.setattr(jobs, "run", told_at("train", said))
        return mlspec(["reconcile", "--once", "--jobs", jobs_at_once])

    at_once = int(jobs_at_once)
    with child(reconcile) as loop:
        loop.came(at_once)
        os.killpg(loop.pid, number)
        assert loop.ended() == Exit.PARTIAL
    target = LocalTarget(root / ".mlspec")
    recorded = failures(root)
    assert len(recorded) == at_once
    # The process that began the others ends them by SIGTERM, which may be first.
    assert set(recorded) <= {f"stopped by {number.name}", *(["stopped by SIGTERM"] if at_once > 1 else [])}
    for name in ("demand", "second"):
        with target.lock_forecast(name, "apply", "2024-03-01T00:00:00Z", 0.0):
            pass
    monkeypatch.setattr(jobs, "run", Steps())
    assert mlspec(["reconcile", "--once"]) == Exit.DONE
    assert mlspec(["status", "--check"]) == Exit.DONE


def test_what_one_of_several_processes_records_is_not_cut_off_by_a_signal_that_comes_twice(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "specs/second.yaml").write_text(spec_text("second"))
    waits, go_on = os.pipe()
    record = LocalTarget.write_journal

    def reconcile(said: Callable[[], None]) -> int:
        def slowly(target: LocalTarget, name: str, *, phase: str, **words: str) -> None:
            if phase == "failed":
                said()
                os.read(waits, 1)
            record(target, name, phase=phase, **words)

        monkeypatch.setattr(jobs, "run", told_at("train", said))
        monkeypatch.setattr(LocalTarget, "write_journal", slowly)
        return mlspec(["reconcile", "--once", "--jobs", "2"])

    with child(reconcile) as loop:
        loop.came(2)
        workers = [int(pid) for pid in Path(f"/proc/{loop.pid}/task/{loop.pid}/children").read_text().split()]
        os.kill(loop.pid, signal.SIGTERM)
        loop.came(2)
        for worker in workers:
            os.kill(worker, signal.SIGTERM)
            os.kill(worker, signal.SIGINT)
        os.write(go_on, b"..")
        assert loop.ended() == Exit.PARTIAL
    os.close(waits)
    os.close(go_on)
    assert len(failures(root)) == 2


def test_a_second_signal_ends_what_the_first_one_is_recording(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reconcile(said: Callable[[], None]) -> int:
        def never_done(_target: LocalTarget, _name: str, *, phase: str, **_words: str) -> None:
            if phase == "failed":
                said()
                wait_for_ever()

        monkeypatch.setattr(jobs, "run", told_at("train", said))
        monkeypatch.setattr(LocalTarget, "write_journal", never_done)
        return mlspec(["reconcile", "--once"])

    with child(reconcile) as loop:
        for _ in range(2):
            loop.came()
            os.kill(loop.pid, signal.SIGTERM)
        assert loop.ended() == Exit.PARTIAL
    monkeypatch.setattr(jobs, "run", Steps())
    assert mlspec(["reconcile", "--once"]) == Exit.DONE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_between_two_passes_ends_the_loop_and_is_no_failure(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    monkeypatch.setattr(jobs, "run", Steps())
    monkeypatch.setattr("mlspec.cli.commands.reconcile.time.sleep", lambda _seconds: signal.raise_signal(number))
    assert mlspec(["reconcile", "--interval", "1h"]) == Exit.DONE
    said = capfd.readouterr().err
    assert f"ended by {number.name} between two passes" in said
    assert "nothing was changed" not in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_another_signal_while_the_command_says_that_it_was_stopped_does_not_keep_it_from_saying_so(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    say = messages.report

    def say_and_be_stopped(text: str, level: str) -> None:
        os.kill(os.getpid(), number)
        say(text, level)

    monkeypatch.setattr(cli, "main", lambda **_: signal.raise_signal(number))
    monkeypatch.setattr(messages, "report", say_and_be_stopped)
    before = signal.getsignal(number)
    assert mlspec(["status"]) == 128 + number
    assert f"stopped by {number.name}" in capsys.readouterr().err
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(
    "before",
    [
        pytest.param("sys.modules['mlspec.cli.main'] = Sends()", id="while it is imported"),
        pytest.param("import atexit\natexit.register(signal.raise_signal, signal.SIGINT)", id="after it has ended"),
    ],
)
def test_ctrl_c_ends_the_program_without_a_traceback(before: str) -> None:
    """A shell sees by the way that the program ended that it was Ctrl-C, and ends its own loop."""
    sends = "class Sends:\n    def __getattr__(self, name):\n        signal.raise_signal(signal.SIGINT)\n"
    code = f"import signal, sys\n{sends}{before}\nfrom mlspec.__main__ import main\nmain(['--version'])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, "")
