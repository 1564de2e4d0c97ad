"""Shows progress, elapsed time and an estimate of what is left.

On a terminal one line is rewritten. Elsewhere a step has a line at its beginning and its end, and in between one a minute at most.
"""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Self, TextIO

import click

from mlspec.cli.escape import printable
from mlspec.cli.log_setup import is_json
from mlspec.plan.time_left import run_seconds_left, step_seconds_left, time_text

logger = logging.getLogger(__name__)
_BAR = 16
SILENCE = 60.0  # seconds without a line, beyond which a step that goes on says how far it is


@dataclass(frozen=True)
class _ShownStep:
    """What was told last of the step that is shown. It is replaced as a whole, as a signal can come between any two statements."""

    forecast: str
    step: str
    began: float
    done: int
    total: int
    text: str

    @property
    def is_done(self) -> bool:
        """Whether the step has done all of its work: what stops after that stops no part of it."""
        return 0 < self.total <= self.done

    def has_name(self, forecast: str, step: str) -> bool:
        """Return whether this is that step of that forecast."""
        return (self.forecast, self.step) == (forecast, step)


class Progress:
    """Shows the engine's progress on stderr. Use it as a context manager, so that the last line is always finished.

    If stderr is a log of JSON lines, it gets only log records: the begin and end of each step, which `jobs` logs.
    """

    def __init__(self, stream: TextIO | None = None, timer: Callable[[], float] = monotonic) -> None:
        self._timer = timer
        self._pace = _Pace()
        self._said_at = 0.0
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.logged = stream is None and is_json()
        self._shown: _ShownStep | None = None
        self._places: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._finish_line(failed=kind is not None)

    def expect_forecasts(self, names: Sequence[str]) -> None:
        """Say of each of several forecasts which one it is: `demand (2 of 20)`. The names are in the order of the work."""
        total = len(names)
        self._pace = _Pace(total)
        self._places = {name: f" ({at} of {total:,})" for at, name in enumerate(names, 1)} if total > 1 else {}

    def __call__(self, forecast: str, step: str, done: int, total: int, text: str) -> None:
        """Show the progress of a step of a forecast."""
        if self.logged:
            logger.debug("%s (%d of %d)", text, done, total, extra={"forecast": forecast, "step": step})
            return
        before = self._shown
        is_new = before is None or not before.has_name(forecast, step)
        if is_new:
            self._finish_line()
        began = self._timer() if is_new or before is None else before.began
        self._shown = shown = _ShownStep(forecast, step, began, done, total, text)
        if is_new and not self.live:
            self._say(f"{self._subject(forecast)}: {step} …")
        self._pace.note(forecast, self._timer(), waits=total == 0)
        if self.live:
            self._draw_bar(shown)
        elif self._timer() - self._said_at >= SILENCE:
            self._say(f"{self._subject(forecast)}: {step}: {done} of {total}, {printable(text)}{self._left(shown)}")

    def _draw_bar(self, shown: _ShownStep) -> None:
        filled = round(_BAR * shown.done / shown.total) if shown.total else 0
        bar = f"{'█' * filled}{'░' * (_BAR - filled)}"
        head = f"{self._subject(shown.forecast)} {shown.step}"
        line = f"{head}  {bar} {self._timer() - shown.began:4.0f} s{self._left(shown)}  {printable(shown.text)}"
        self.stream.write(f"\r\x1b[2K{line[: shutil.get_terminal_size().columns - 1]}")
        self.stream.flush()

    def _finish_line(self, *, failed: bool = False) -> None:
        shown, self._shown = self._shown, None
        if shown is None:
            return
        taken = self._timer() - shown.began
        stopped = f"{click.style('stopped', fg='red')} at: " if failed and not shown.is_done else ""
        if self.live:
            self.stream.write("\r\x1b[2K")
        self._say(f"{self._subject(shown.forecast)}: {shown.step}: {stopped}{printable(shown.text)} ({taken:.1f} s)")

    def _say(self, line: str) -> None:
        click.echo(line, file=self.stream)
        self._said_at = self._timer()

    def _left(self, shown: _ShownStep) -> str:
        """Return what is left, of the run where one of its forecasts is done, else of the step; empty without an estimate."""
        now = self._timer()
        run, step = self._pace.seconds_left(now), step_seconds_left(now - shown.began, shown.done, shown.total)
        if run is not None:
            return f"; about {time_text(max(run, step or 0.0))} left"
        return "" if step is None else f"; about {time_text(step)} left of this step"

    def _subject(self, forecast: str) -> str:
        return f"{forecast}{self._places.get(forecast, '')}"


class _Pace:
    """What the forecasts of a run took: each begins where the one before it ends, unless their work waits for other machines."""

    def __init__(self, count: int = 0) -> None:
        self._count = count
        self._finished: list[float] = []
        self._current = ""
        self._began = 0.0
        self._waits = False

    def note(self, forecast: str, now: float, *, waits: bool) -> None:
        """Take note of a forecast's progress; `waits`: it is made elsewhere, and others go on meanwhile."""
        self._waits = self._waits or waits
        if forecast == self._current:
            return
        if self._current:
            self._finished.append(now - self._began)
        self._current, self._began = forecast, now

    def seconds_left(self, now: float) -> float | None:
        """Return the estimate for the run; None while there is none."""
        if self._waits or self._count < 2:
            return None
        return run_seconds_left(self._finished, self._count, now - self._began)
