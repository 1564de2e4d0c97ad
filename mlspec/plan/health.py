"""Is a forecast healthy? What its alerts say together, and whether the loop has given up and asks for a person."""

from __future__ import annotations

from mlspec.state.ledger import Ledger
from mlspec.state.record import Condition

BY_ITSELF = "mlspec"  # who holds a release, where the loop does


def healthy(name: str, ledger: Ledger, at: str) -> Condition:
    """Return the condition Healthy. Nothing measured is Unknown, never good."""
    if ledger.hold and ledger.hold.by == BY_ITSELF:
        said = f"release {ledger.hold.release} is held: {ledger.hold.reason}; `mlspec resume {name}` lifts it"
        return Condition(name, "Healthy", "False", "NeedsAPerson", said, at)
    firing = [each.message for each in ledger.alerts if each.state == "firing"]
    if firing:
        return Condition(name, "Healthy", "False", "ThresholdBroken", "; ".join(firing), at)
    muted = [each.name for each in ledger.alerts if each.state in ("silenced", "inhibited")]
    known = [each for each in ledger.alerts if each.state in ("ok", "pending", "resolved")]
    if not known:
        return Condition(name, "Healthy", "Unknown", "NoData", "no alert has enough data for a verdict yet", at)
    said = f"{len(known)} of {len(ledger.alerts)} alerts have data, none fires"
    said += f"; {', '.join(muted)} would, and is muted" if muted else ""
    return Condition(
        name, "Healthy", "Unknown" if muted else "True", "Muted" if muted else "WithinThresholds", said, at
    )
