"""The progress of an apply: the step, what was done in it, and which of several forecasts it is of."""

from __future__ import annotations

import io
import re
from pathlib import Path

import click
import pytest

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


class Clock:
    """A timer of a test."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_where_a_forecast_is_done_the_run_says_what_is_left_at_most_once_a_minute() -> None:
    stream, clock = io.StringIO(), Clock()
    with Progress(stream, clock) as progress:
        progress.expect_forecasts([f"f{number}" for number in range(1, 6)])
        progress("f1", "backtest", 0, 2, "scoring")
        for second in range(1, 120):
            clock.now = 100.0 + second
            progress("f2", "backtest", 1, 100, "theta")
    assert lines(stream) == [
        "f1 (1 of 5): backtest …",
        "f1 (1 of 5): backtest: scoring (DURATION)",
        "f2 (2 of 5): backtest …",
        "f2 (2 of 5): backtest: 1 of 100, theta; about 1 h 40 min left",
        "f2 (2 of 5): backtest: theta (DURATION)",
    ]


def test_the_estimate_of_a_run_is_what_a_forecast_took_so_far() -> None:
    stream, clock = Terminal(), Clock()
    with Progress(stream, clock) as progress:
        progress.expect_forecasts(["f1", "f2", "f3"])
        progress("f1", "check", 0, 2, "reading")
        assert "left" not in stream.getvalue()
        clock.now += 300
        progress("f2", "check", 0, 2, "reading")
        assert "; about 10 min left" in stream.getvalue()
        clock.now += 240
        progress("f2", "backtest", 0, 2, "theta")
        assert "; about 6 min left" in stream.getvalue()


def test_a_single_forecast_says_what_is_left_of_its_step() -> None:
    stream, clock = Terminal(), Clock()
    with Progress(stream, clock) as progress:
        progress.expect_forecasts(["demand"])
        progress("demand", "backtest", 0, 4, "window 1")
        clock.now += 20
        progress("demand", "backtest", 1, 4, "window 2")
    assert "; about 1 min left of this step" in stream.getvalue()


def test_where_forecasts_wait_for_other_machines_nothing_is_estimated() -> None:
    stream, clock = Terminal(), Clock()
    with Progress(stream, clock) as progress:
        progress.expect_forecasts(["f1", "f2"])
        progress("f1", "train", 0, 0, "a job runs")
        clock.now += 300
        progress("f2", "check", 0, 3, "reading")
    assert "left" not in stream.getvalue()


def test_a_step_that_failed_says_where_it_stopped() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    progress("demand", "train", 1, 3, "train theta")
    progress.__exit__(ValueError, None, None)
    assert click.unstyle(lines(stream)[-1]) == "demand: train: stopped at: train theta (DURATION)"


class StoppedStream(io.StringIO):
    """A stream whose writer is stopped by Ctrl-C right after it wrote a certain text."""

    stops_after = "train …"

    def write(self, text: str) -> int:
        count = super().write(text)
        if self.stops_after in text:
            self.stops_after = "nothing more"
            raise KeyboardInterrupt
        return count


def tell(stream: io.StringIO, *told: tuple[str, str, int, str], stopped: bool = False) -> None:
    """Tell the progress of steps of three parts each: forecast, step, parts that are done, and what is done. A stop may end it."""
    with Progress(stream) as progress:
        for forecast, step, done, text in told:
            progress(forecast, step, done, 3, text)
        if stopped:
            raise KeyboardInterrupt


@pytest.mark.parametrize("earlier", [(), (("demand", "backtest", 3, "candidates scored"),)], ids=["first", "second"])
def test_a_step_that_is_stopped_as_soon_as_its_name_is_shown_says_where(
    earlier: tuple[tuple[str, str, int, str], ...],
) -> None:
    stream = StoppedStream()
    with pytest.raises(KeyboardInterrupt):
        tell(stream, *earlier, ("demand", "train", 0, "train theta"))
    assert lines(stream)[-1] == "demand: train: stopped at: train theta (DURATION)"
    assert "stopped" not in "".join(lines(stream)[:-1])


def test_a_stop_between_two_steps_stopped_neither() -> None:
    stream = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        tell(stream, ("demand", "train", 0, "train theta"), ("demand", "train", 3, "model stored"), stopped=True)
    assert lines(stream)[-1] == "demand: train: model stored (DURATION)"


def test_a_stop_while_the_step_before_is_written_is_not_told_of_that_step() -> None:
    stream = StoppedStream()
    stream.stops_after = "train: train theta"
    failed = ("bikes", "train", 1, "train theta")  # its failure is an outcome, and the next forecast goes on
    with pytest.raises(KeyboardInterrupt):
        tell(stream, failed, ("demand", "check", 0, "read the source"))
    assert lines(stream) == ["bikes: train …", "bikes: train: train theta (DURATION)"]


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
