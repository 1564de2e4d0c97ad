"""Carries out what a person ordered on a page of the server, as the commands silence, rollback, hold and resume do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlspec import jobs
from mlspec.cli.action_process import run_in_process
from mlspec.cli.manual_operations import open_applied, open_applied_spec, require_alert
from mlspec.engine import manual_operations
from mlspec.engine.assembly import ignore_progress
from mlspec.engine.rollback_preview import RollbackPreview, preview_rollback

if TYPE_CHECKING:
    from mlspec.web.actions import ActionOrder, ActionResult

LOCK_SECONDS = 10.0  # for which an action waits for a pass that is under way


@dataclass(frozen=True, slots=True)
class PageActions:
    """The actions on one target."""

    target: str

    def preview_rollback(self, forecast: str, release: int | None) -> RollbackPreview:
        """Return what a rollback would do. The predictions are computed in a process of their own."""
        engine, spec = open_applied_spec(forecast, self.target, ignore_progress)
        return preview_rollback(engine, spec, release, jobs.predict_apart)

    def carry_out(self, order: ActionOrder) -> ActionResult:
        """Do it, and return a sentence on what was done. The history keeps that it came from a page.

        A rollback computes a forecast, so it has a process of its own, which this one may outlive or not.
        """
        from mlspec.web.actions import ActionResult

        if order.action == "rollback":
            return run_in_process(self.target, order)
        return ActionResult(self._record(order, f"{order.author} (page)"))

    def _record(self, order: ActionOrder, author: str) -> str:
        if order.action == "hold":
            engine, spec = open_applied_spec(order.forecast, self.target, ignore_progress)
            return manual_operations.hold_forecast(engine, spec, author, order.reason, LOCK_SECONDS)
        engine = open_applied(order.forecast, self.target)
        if order.action == "silence":
            require_alert(engine, order.forecast, order.alert)
            return manual_operations.silence_alert(
                engine, order.forecast, alert=order.alert, span=order.span, by=author, reason=order.reason,
                lock_timeout=LOCK_SECONDS,
            )  # fmt: skip
        by = f"{author}: {order.reason}"
        if order.action == "resume":
            return manual_operations.resume_forecast(engine, order.forecast, by, lock_timeout=LOCK_SECONDS)
        return manual_operations.settle_notices(engine, order.forecast, by, "send", LOCK_SECONDS)
