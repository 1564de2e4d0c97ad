"""The condition Healthy: from all alerts of a forecast, and from a hold by the loop, which needs a person."""

from __future__ import annotations

from mlspec.plan.backoff import ended_pass
from mlspec.state.ledger import Ledger
from mlspec.state.record import Condition

BY_ITSELF = "mlspec"  # the value of `Hold.by` if the loop made the hold


def healthy_condition(name: str, ledger: Ledger, at: str) -> Condition:
    """Return the condition Healthy. Without measured values, or without an alert, it is Unknown, never True.

    It is False after a defect that ended a whole pass: nothing watches the forecast until a pass succeeds.
    """
    if ledger.failure and ended_pass(ledger.failure):
        return Condition(name, "Healthy", "False", "Defect", ledger.failure.reason, at)
    if ledger.hold and ledger.hold.by == BY_ITSELF:
        message = f"release {ledger.hold.release} is held: {ledger.hold.reason}; `mlspec resume {name}` ends the hold"
        return Condition(name, "Healthy", "False", "NeedsAPerson", message, at)
    firing = [record.message for record in ledger.alerts if record.state == "firing"]
    if firing:
        return Condition(name, "Healthy", "False", "ThresholdBroken", "; ".join(firing), at)
    muted = [record.name for record in ledger.alerts if record.state in ("silenced", "inhibited")]
    known = [record for record in ledger.alerts if record.state in ("ok", "pending", "resolved")]
    if not ledger.alerts and ledger.evaluated:
        return Condition(
            name, "Healthy", "Unknown", "NoAlerts", "the spec has no alert, so nothing judges the forecasts", at
        )
    if not known:
        return Condition(name, "Healthy", "Unknown", "NoData", "no alert has enough data for a verdict yet", at)
    message = f"{len(known)} of {len(ledger.alerts)} alerts have data, none fires"
    message += f"; muted: {', '.join(muted)}" if muted else ""
    return Condition(
        name, "Healthy", "Unknown" if muted else "True", "Muted" if muted else "WithinThresholds", message, at
    )
