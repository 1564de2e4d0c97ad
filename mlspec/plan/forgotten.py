"""Says what a destroy forgets of what people and the loop decided on a forecast: the next apply begins without it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlspec.plan.alerting import active_silences
from mlspec.state.ledger import Ledger
from mlspec.state.notice import PendingNotice


def forgotten_sentences(ledger: Ledger, undelivered: Sequence[PendingNotice], now: str) -> tuple[str, ...]:
    """Return a sentence for each hold, quarantine and silence in force, for open incidents and for undelivered notices."""
    return tuple(_sentences(ledger, undelivered, now))


def _sentences(ledger: Ledger, undelivered: Sequence[PendingNotice], now: str) -> Iterator[str]:
    if hold := ledger.hold:
        yield f"the hold of release {hold.release} ({hold.version}) by {hold.by}: {hold.reason}"
    for bad in ledger.quarantined:
        yield f"the quarantine of {bad.version}, which the next apply may let serve again: {bad.reason}"
    for mute in active_silences(ledger.silences, now):
        yield f"the silence of {mute.alert} until {mute.until} by {mute.by}: {mute.reason}"
    for alert in ledger.alerts:
        if alert.incident and alert.state != "resolved":
            yield f"the incident of {alert.name} since {alert.began or alert.since}, whose end nobody will be told"
    if undelivered:
        count = f"{len(undelivered)} notice{'s' if len(undelivered) > 1 else ''}"
        yield f"{count} that {'were' if len(undelivered) > 1 else 'was'} not delivered"
