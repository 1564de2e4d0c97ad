"""Carries out what a person ordered on a page of the server, as the commands silence and resume do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlspec.cli.manual_operations import open_applied, require_alert
from mlspec.engine import manual_operations

if TYPE_CHECKING:
    from mlspec.web.actions import ActionOrder


def carry_out(target: str, order: ActionOrder) -> str:
    """Do it, and return a sentence on what was done. The history keeps that it came from a page."""
    engine, author = open_applied(order.forecast, target), f"{order.author} (page)"
    if order.action == "silence":
        require_alert(engine, order.forecast, order.alert)
        return manual_operations.silence_alert(
            engine, order.forecast, alert=order.alert, span=order.span, by=author, reason=order.reason
        )
    by = f"{author}: {order.reason}"
    if order.action == "resume":
        return manual_operations.resume_forecast(engine, order.forecast, by)
    return manual_operations.settle_notices(engine, order.forecast, by, "send")
