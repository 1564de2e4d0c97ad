"""The outcome of applying one forecast."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from mlspec.errors import Exit, MlspecError
from mlspec.state.record import ForecastRun, Release, Version

OutcomeStatus = Literal["nothing", "applied", "kept-out", "failed"]


@dataclass(frozen=True, slots=True)
class ForecastOutcome:
    """The outcome of one forecast. `version` was judged in this run or before it; `release` and `run` were made in this run.

    `serving` is the version that goes on serving while the gate keeps a new one out; None if there is none. `series` are sentences
    on series without a forecast, or with a simple one. `error` says why it failed; `recorded` whether effects were recorded
    before the failure.
    """

    forecast: str
    status: OutcomeStatus
    version: Version | None = None
    release: Release | None = None
    run: ForecastRun | None = None
    error: MlspecError | None = None
    recorded: bool = False
    serving: str | None = None
    series: tuple[str, ...] = ()

    @property
    def exit_code(self) -> Exit:
        """The exit code for this forecast alone."""
        if self.status == "kept-out":
            return Exit.NOT_WELL
        if self.error is None:
            return Exit.DONE
        return Exit.PARTIAL if self.recorded and self.error.exit_code == Exit.FAILED else self.error.exit_code


# In order of severity: a run that stopped part-way has to be continued before anything else.
_WORST_FIRST = (Exit.PARTIAL, Exit.FAILED, Exit.LOCKED, Exit.NOT_WELL, Exit.DONE)


def worst_exit_code(codes: Iterable[Exit]) -> Exit:
    """Return the most severe of the exit codes of several forecasts; DONE if there are none."""
    found = set(codes)
    return next(code for code in _WORST_FIRST if code in found or code == Exit.DONE)


def removal_exit_code(done: Sequence[object], errors: Sequence[MlspecError]) -> Exit:
    """Return the exit code of a run that removes something of several forecasts: PARTIAL if some were done and others were not."""
    if not errors:
        return Exit.DONE
    return Exit.PARTIAL if done else errors[0].exit_code
