"""The progress of an apply: the step, what was done in it, and which of several forecasts it is of."""

from __future__ import annotations

import io
import re
from pathlib import Path

import click

from mlspec.cli.progress import Progress
from mlspec.state.plan import Change, Plan, changed_forecasts
from tests.cli.test_plan_apply import quick
from tests.cli.test_session import Mlspec, mlspec
from tests.engine.steps import Steps
from tests.examples import spec_text

__all__ = ["mlspec", "quick"]  # fixtures


def lines(stream: io.StringIO) -> list[str]:
    return re.sub(r"\([0-9.]+ s\)", "(DURATION)", stream.getvalue()).splitlines()


def test_a_step_says_its_name_once_and_what_was_done() -> None:
    stream = io.StringIO()
    with Progress(stream) as progress:
        progress("demand", "backtest", 0, 2, "backtest window 1 of 2: theta")
        progress("demand", "backtest", 2, 2, "candidates scored")
    assert lines(stream) == ["demand: backtest …", "demand: backtest: candidates scored (DURATION)"]


def test_of_several_forecasts_it_says_which() -> None:
    stream = io.StringIO()
    with Progress(stream) as progress:
        progress.expect_forecasts(["bikes", "demand"])
        progress("demand", "check", 3, 3, "contract holds")
    assert lines(stream)[0] == "demand (2 of 2): check …"
    progress.expect_forecasts(["demand"])
    assert progress._subject("demand") == "demand"


def test_a_step_that_failed_says_where_it_stopped() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    progress("demand", "train", 1, 3, "train theta")
    progress.__exit__(ValueError, None, None)
    assert click.unstyle(lines(stream)[-1]) == "demand: train: stopped at: train theta (DURATION)"


def test_apply_counts_the_forecasts_that_change(mlspec: Mlspec, quick: Steps) -> None:
    assert mlspec("apply").code == 0
    for name in ("bikes", "cars"):
        Path(f"specs/{name}.yaml").write_text(spec_text(name))
    err = mlspec("apply").err
    assert "bikes (1 of 2): check …" in err
    assert "cars (2 of 2): check …" in err
    assert "demand (" not in err


def test_forecasts_that_change_are_counted_once_and_shared_resources_not() -> None:
    changes = [
        Change("_project", "x", "create", ""), Change("a", "data.a", "run", ""), Change("a", "model.a", "create", ""),
        Change("b", "data.b", "none", ""),
    ]  # fmt: skip
    assert changed_forecasts(Plan("local", 1, "l", tuple(changes))) == ("a",)
