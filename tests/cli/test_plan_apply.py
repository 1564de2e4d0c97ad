"""`plan` and `apply` as a team and its CI use them: who is asked, what is refused, which exit code says what."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlspec import jobs
from mlspec.state.step import Progress, StepRequest, StepResult
from tests.cli.heavy import HEAVY
from tests.cli.test_session import Mlspec, Said, applied, mlspec
from tests.engine.steps import Steps
from tests.examples import spec_text

__all__ = ["applied", "mlspec"]  # fixtures


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """Steps that take no time in the place of the real ones."""
    steps = Steps()
    monkeypatch.setattr(jobs, "run", steps)
    return steps


def answer(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    """Sit at a terminal and answer."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(words))


def protect() -> None:
    Path("mlspec.yaml").write_text(Path("mlspec.yaml").read_text() + "targets: {local: {type: local, protect: true}}\n")


@pytest.mark.parametrize(("words", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_a_person_at_a_terminal_is_asked_about_a_protected_target(
    mlspec: Mlspec, quick: Steps, monkeypatch: pytest.MonkeyPatch, words: str, code: int
) -> None:
    protect()
    answer(monkeypatch, words)
    said = mlspec("apply")
    assert said.code == code
    assert "target 'local' is protected. Apply?" in said.err
    assert Path(".mlspec").exists() == (code == 0)
    assert ("you answered no; nothing was changed" in said.err) == (code == 1)


def test_nobody_is_asked_where_there_is_nothing_to_do(mlspec: Mlspec, quick: Steps) -> None:
    protect()
    assert mlspec("apply", "--yes").code == 0
    assert mlspec("apply").code == 0


def test_destroy_asks_and_takes_no_for_an_answer(mlspec: Mlspec, quick: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    mlspec("apply")
    answer(monkeypatch, "n\n")
    said = mlspec("destroy", "demand")
    assert (said.code, "Destroy deployment and forecast of demand?" in said.err) == (1, True)
    assert mlspec("status", "--check").code == 0
    answer(monkeypatch, "y\n")
    assert mlspec("destroy", "demand").code == 0
    again = mlspec("destroy", "demand", "--yes")
    assert (again.code, again.out) == (0, "demand: there is nothing to destroy; its history is kept\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 4), (signal.SIGINT, 4)])
def test_a_signal_half_way_exits_4_and_the_next_apply_goes_on(
    mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    steps = Steps()

    def interrupted(request: StepRequest, progress: Progress) -> StepResult:
        if request.step == "train":
            signal.raise_signal(number)
        return steps(request, progress)

    monkeypatch.setattr(jobs, "run", interrupted)
    said = mlspec("apply")
    assert said.code == code
    assert f"stopped by {number.name}; what was done is recorded" in said.err
    monkeypatch.setattr(jobs, "run", steps)
    assert mlspec("apply").code == 0
    assert steps.asked == ["check", "backtest", "train", "forecast", "inventory"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_before_anything_was_changed_exits_as_the_shell_expects(
    mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    monkeypatch.setattr("mlspec.cli.planning.git_commit", lambda _root: signal.raise_signal(number))
    said = mlspec("apply")
    assert (said.code, f"stopped by {number.name}; the same command can be run again" in said.err) == (code, True)
    assert not Path(".mlspec").exists()


def test_a_forecast_without_data_is_said_and_the_others_are_made(mlspec: Mlspec, quick: Steps) -> None:
    Path("specs/lost.yaml").write_text(spec_text("lost").replace("data/sales.csv", "data/nothing.csv"))
    planned = mlspec("plan", "--out", "p.plan")
    assert planned.code == 1
    assert "+ model.demand" in planned.out
    assert "error: lost: " in planned.out
    assert not Path("p.plan").exists()
    value = json.loads(mlspec("plan", "--output", "json").out)
    assert [error["forecast"] for error in value["errors"]] == ["lost"]
    said = mlspec("apply")
    assert said.code == 1
    assert "demand: release 1 serves v" in said.out
    assert said.out.count("data/nothing.csv") == 1
    assert "lost: failed" in said.out


def git(*words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *words], check=True, capture_output=True)


def test_a_saved_plan_is_bound_to_what_it_read_and_not_to_the_commit(mlspec: Mlspec, quick: Steps) -> None:
    git("init")
    git("add", ".")
    git("commit", "-m", "one")
    assert mlspec("plan", "--out", "p.plan").code == 0
    git("commit", "--allow-empty", "-m", "a squash merge of the same tree")
    Path("specs/demand.yaml").write_text(Path("specs/demand.yaml").read_text() + "# a comment changes no meaning\n")
    assert mlspec("apply", "p.plan").code == 0
    mlspec("plan", "--out", "p.plan")
    git("commit", "-am", "another tree")
    Path("specs/demand.yaml").write_text(Path("specs/demand.yaml").read_text().replace("horizon: 2", "horizon: 3"))
    said = mlspec("apply", "p.plan")
    assert said.code == 1
    assert re.search(
        r"the spec of demand changed \(planned at commit [0-9a-f]{40}-dirty, now [0-9a-f]{40}-dirty\)", said.err
    )


def test_a_saved_plan_is_refused_once_its_data_or_its_target_has_changed(mlspec: Mlspec, quick: Steps) -> None:
    mlspec("apply")
    text = Path("specs/demand.yaml").read_text()
    Path("specs/demand.yaml").write_text(text.replace("horizon: 2", "horizon: 3"))
    assert mlspec("plan", "--out", "p.plan").code == 0
    data = Path("data/sales.csv").read_text()
    Path("data/sales.csv").write_text(f"{data}001,2024-02-12,3\nNA,2024-02-12,4\n")
    said = mlspec("apply", "p.plan")
    assert (said.code, "data.demand: data.digest moved; model.demand: data.digest moved" in said.err) == (1, True)
    Path("data/sales.csv").write_text(data)
    project = Path("mlspec.yaml").read_text()
    Path("mlspec.yaml").write_text(f"{project}targets: {{local: {{type: local, protect: true}}}}\n")
    said = mlspec("apply", "p.plan")
    assert (said.code, "target local in mlspec.yaml changed" in said.err) == (1, True)
    Path("mlspec.yaml").write_text(project)
    assert mlspec("apply", "p.plan").code == 0


def test_a_write_to_the_state_that_changes_nothing_planned_makes_no_plan_stale(mlspec: Mlspec, quick: Steps) -> None:
    text = Path("specs/demand.yaml").read_text()
    Path("specs/demand.yaml").write_text(f"{text}alerts: [{{name: high, metric: wape, above: 0.5}}]\n")
    mlspec("apply")
    Path("specs/demand.yaml").write_text(Path("specs/demand.yaml").read_text().replace("horizon: 2", "horizon: 3"))
    assert mlspec("plan", "--out", "p.plan").code == 0
    assert mlspec("silence", "demand", "high", "--for", "2d", "--reason", "known").code == 0
    assert mlspec("apply", "p.plan").code == 0


def test_a_saved_plan_is_for_the_target_that_a_build_names(mlspec: Mlspec, quick: Steps) -> None:
    Path("mlspec.yaml").write_text(Path("mlspec.yaml").read_text() + "targets: {other: {type: local, path: .other}}\n")
    assert mlspec("plan", "--out", "p.plan").code == 0
    said = mlspec("apply", "p.plan", "--target", "other")
    assert (said.code, "is for target 'local', and --target names 'other'" in said.err) == (1, True)
    assert not Path(".mlspec").exists()
    assert mlspec("apply", "p.plan", "--target", "local").code == 0


def test_a_plan_in_markdown_is_alone_on_stdout(mlspec: Mlspec, quick: Steps) -> None:
    said = mlspec("plan", "--output", "markdown", "--out", "p.plan", "--detailed-exitcode")
    assert said.code == 2
    assert said.out.startswith("<!-- mlspec plan: local -->\n")
    assert "**2 to create, 2 to run**, in 1 of 1 forecasts." in said.out
    assert "saved: run `mlspec apply p.plan`" in said.err


def test_a_plan_writes_nothing_not_even_gits_index(mlspec: Mlspec) -> None:
    git("init")
    git("add", ".")
    git("commit", "-m", "one")
    os.utime("specs/demand.yaml", (1, 1))  # now git would like to look again, and to remember what it saw
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    assert mlspec("plan").code == 0
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before


Edit = Callable[[dict[str, object]], None]


@pytest.mark.parametrize(
    "edit",
    [
        lambda plan: plan.update(serial="7"),
        lambda plan: plan.update(spec_hashes=["x"]),
        lambda plan: plan.update(paths=None),
        lambda plan: plan.update(changes={"a": 1}),
        lambda plan: plan.update(format=1),
        lambda plan: plan.update(inputs=["x"]),
        lambda plan: plan.pop("inputs"),
        lambda plan: plan["changes"][0].update(after="x"),
        lambda plan: plan.update(kind="other"),
        lambda plan: plan["changes"][0].update(after={"model.horizon": 99}),
        lambda plan: plan["changes"].pop(),
        lambda plan: plan["changes"][0].update(surprise=1),
        lambda plan: plan.update(commit=["x"]),
    ],
)
def test_a_plan_file_that_somebody_edited_is_refused_in_words(mlspec: Mlspec, quick: Steps, edit: Edit) -> None:
    mlspec("plan", "--out", "p.plan")
    value = json.loads(Path("p.plan").read_text())
    edit(value)
    Path("p.plan").write_text(json.dumps(value))
    said = mlspec("apply", "p.plan")
    assert (said.code, said.err.splitlines()[-2].startswith("error: ")) == (1, True)
    assert "Traceback" not in said.err
    assert not Path(".mlspec").exists()


def test_a_plan_file_nested_without_end_is_refused_in_words(mlspec: Mlspec) -> None:
    Path("p.plan").write_text("[" * 100_000)
    said = mlspec("apply", "p.plan")
    assert (said.code, "is not a complete plan file" in said.err) == (1, True)


def test_a_held_lock_exits_75_and_names_the_holder(mlspec: Mlspec, quick: Steps) -> None:
    from mlspec.cli.target import open_here

    with open_here("local").lock_forecast("demand", "apply", "2024-03-01T00:00:00Z", 0.0):
        said = mlspec("apply")
    assert said.code == 75
    assert "apply by " in said.out
    assert f"pid {os.getpid()} on " in said.out
    assert "--lock-timeout" in said.out


def test_status_tells_of_a_newer_version_that_the_gate_keeps_out(mlspec: Mlspec, quick: Steps) -> None:
    mlspec("apply")
    quick.metrics["wape"] = 0.95
    Path("specs/demand.yaml").write_text(Path("specs/demand.yaml").read_text().replace("horizon: 2", "horizon: 3"))
    assert mlspec("apply").code == 3
    said = mlspec("status", "--check")
    assert (said.code, "the gate keeps it out" in said.out) == (0, True)


def test_status_tells_of_a_forecast_that_no_spec_describes_and_of_specs_it_cannot_read(
    mlspec: Mlspec, quick: Steps
) -> None:
    mlspec("apply")
    Path("specs/demand.yaml").rename("specs/demand.yaml.old")
    Path("specs/other.yaml").write_text(spec_text("other"))
    assert "`mlspec destroy demand` removes it" in mlspec("status").out
    Path("specs/other.yaml").write_text("nonsense")
    said = mlspec("status")
    assert (said.code, "cannot be read" in said.err) == (0, True)
    assert "removes it" not in said.out


def test_a_state_file_that_cannot_be_trusted_is_said_by_every_command_and_left_alone(mlspec: Mlspec) -> None:
    Path(".mlspec").mkdir()
    Path(".mlspec/state.db").write_bytes(b"not a database, and long enough not to be taken for one")
    for words in (("plan",), ("apply",), ("status",), ("history", "demand"), ("destroy", "demand", "--yes")):
        said: Said = mlspec(*words)
        assert said.code == 1, words
        assert "is damaged" in said.err + said.out, words
        assert "backup" in said.err + said.out, words
    assert Path(".mlspec/state.db").read_bytes().startswith(b"not a database")


@pytest.mark.parametrize(
    "words", ["plan", "apply", "status", "history demand", "diff demand 1 1", "destroy demand --yes"]
)
def test_what_only_looks_imports_no_data_frame(mlspec: Mlspec, quick: Steps, words: str) -> None:
    mlspec("apply")
    code = (
        f"import sys; from mlspec.cli.main import run; code = run({words.split()!r}); "
        f"heavy = sorted(set({HEAVY!r}) & set(sys.modules)); print(heavy, file=sys.stderr); sys.exit(code or bool(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_apply_alone_does_not_do_is_said_by_plan_always_and_by_apply_when_it_acts(
    mlspec: Mlspec, quick: Steps
) -> None:
    Path("specs/demand.yaml").write_text(spec_text() + "alerts: [{name: accuracy, metric: wape, above: 0.2}]\n")
    note = "demand: loop: `mlspec reconcile` and each run of its DAG act on alerts; "
    assert note in mlspec("plan").out
    assert note in mlspec("apply").out
    assert note in mlspec("plan").out
    assert note not in mlspec("apply").out
