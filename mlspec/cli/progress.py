"""Shows progress and elapsed time: one line that is rewritten on a terminal, one line for each step elsewhere."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Sequence
from time import monotonic
from types import TracebackType
from typing import Self, TextIO

import click

from mlspec.cli.escape import printable
from mlspec.cli.log_setup import is_json

logger = logging.getLogger(__name__)
_BAR = 16


class Progress:
    """Shows the engine's progress on stderr. Use it as a context manager, so that the last line is always finished.

    If stderr is a log of JSON lines, it gets only log records: the begin and end of each step, which `jobs` logs.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.logged = stream is None and is_json()
        self._current: tuple[str, str] | None = None
        self._began = 0.0
        self._last = ""
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
        self._places = {name: f" ({at} of {total:,})" for at, name in enumerate(names, 1)} if total > 1 else {}

    def __call__(self, forecast: str, step: str, done: int, total: int, text: str) -> None:
        """Show the progress of a step of a forecast."""
        if self.logged:
            logger.debug("%s (%d of %d)", text, done, total, extra={"forecast": forecast, "step": step})
            return
        if self._current != (forecast, step):
            self._finish_line()
            self._current, self._began = (forecast, step), monotonic()
            if not self.live:
                click.echo(f"{self._subject(forecast)}: {step} …", file=self.stream)
        self._last = text
        if self.live:
            self._draw_bar(done, total, text)

    def _draw_bar(self, done: int, total: int, text: str) -> None:
        filled = round(_BAR * done / total) if total else 0
        bar = f"{'█' * filled}{'░' * (_BAR - filled)}"
        forecast, step = self._current or ("", "")
        head = f"{self._subject(forecast)} {step}"
        line = f"{head}  {bar} {monotonic() - self._began:4.0f} s  {printable(text)}"
        self.stream.write(f"\r\x1b[2K{line[: shutil.get_terminal_size().columns - 1]}")
        self.stream.flush()

    def _finish_line(self, *, failed: bool = False) -> None:
        if self._current is None:
            return
        forecast, step = self._current
        taken = monotonic() - self._began
        stopped = f"{click.style('stopped', fg='red')} at: " if failed else ""
        if self.live:
            self.stream.write("\r\x1b[2K")
        click.echo(
            f"{self._subject(forecast)}: {step}: {stopped}{printable(self._last)} ({taken:.1f} s)", file=self.stream
        )
        self._current = None

    def _subject(self, forecast: str) -> str:
        return f"{forecast}{self._places.get(forecast, '')}"
