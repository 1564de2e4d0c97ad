"""The result of one pass over one forecast."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mlspec.errors import LockHeld, MlspecError
from mlspec.state.ledger import StartedWork

PassStatus = Literal["nothing", "done", "kept-out", "waiting", "paused", "failed"]


@dataclass
class PassResult:
    """One pass over one forecast: what was done, what waits and why, what was only reported, and the error that ended it.

    `alert_changes` are sentences on alerts that newly fire, are resolved, have lost their data or have data again. `defect` is
    an unexpected error outside of an effect, which is recorded when the pass is over. `under_way` is the long work that the pass
    started or found running. `not_ready` says why the forecast is not ready; empty if it is.
    """

    forecast: str
    alert_changes: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)
    kept_out: bool = False
    paused: bool = False
    error: MlspecError | None = None
    defect: MlspecError | None = None
    under_way: tuple[StartedWork, ...] = ()
    not_ready: str = ""

    @property
    def status(self) -> PassStatus:
        """The status in one word."""
        if self.error:
            return "waiting" if isinstance(self.error, LockHeld) else "failed"
        if self.paused:
            return "paused"
        if self.kept_out:
            return "kept-out"
        return "done" if self.actions else "waiting" if self.waits else "nothing"


@dataclass(frozen=True)
class PassOutlook:
    """What was observed without the lock: the result of a pass that does nothing, and whether there is work to do."""

    result: PassResult
    has_work: bool
