"""Is a forecast healthy? What its alerts say together, and whether the loop has given up and asks for a person."""

from __future__ import annotations

from mlspec.state.ledger import Ledger
from mlspec.state.record import Condition

BY_ITSELF = "mlspec"  # who holds a release, where the loop does


def healthy_condition(name: str, ledger: Ledger, at: str) -> Condition:
    """Return the condition Healthy. Nothing measured is Unknown, never good."""
    if ledger.hold and ledger.hold.by == BY_ITSELF:
        message = f"release {ledger.hold.release} is held: {ledger.hold.reason}; `mlspec resume {name}` lifts it"
        return Condition(name, "Healthy", "False", "NeedsAPerson", message, at)
    firing = [record.message for record in ledger.alerts if record.state == "firing"]
    if firing:
        return Condition(name, "Healthy", "False", "ThresholdBroken", "; ".join(firing), at)
    muted = [record.name for record in ledger.alerts if record.state in ("silenced", "inhibited")]
    known = [record for record in ledger.alerts if record.state in ("ok", "pending", "resolved")]
    if not known:
        return Condition(name, "Healthy", "Unknown", "NoData", "no alert has enough data for a verdict yet", at)
    message = f"{len(known)} of {len(ledger.alerts)} alerts have data, none fires"
    message += f"; {', '.join(muted)} would, and is muted" if muted else ""
    return Condition(
        name, "Healthy", "Unknown" if muted else "True", "Muted" if muted else "WithinThresholds", message, at
    )
