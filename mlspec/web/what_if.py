"""Answers what a forecast would be with other known covariates: few at once, each within a time, and nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable
from threading import BoundedSemaphore

from mlspec.engine.what_if import WhatIfComparison
from mlspec.errors import TargetUnreachable
from mlspec.state.assumptions import Assumptions

WhatIfJob = Callable[[str, Assumptions], WhatIfComparison]  # of a forecast by its name
_WAIT_SECONDS = 5.0  # for the one before


class WhatIfAnswers:
    """Makes answers, one at a time: each takes a process that forecasts every series twice."""

    def __init__(self, job: WhatIfJob) -> None:
        self._job, self._turn = job, BoundedSemaphore(1)

    def answer(self, name: str, assumed: Assumptions) -> WhatIfComparison:
        """Return the comparison. Raises TargetUnreachable if another one is under way, and what the job raises."""
        if not self._turn.acquire(timeout=_WAIT_SECONDS):
            raise TargetUnreachable("another what-if is being computed", hint="ask again in a moment")
        try:
            return self._job(name, assumed)
        finally:
            self._turn.release()
