"""Says whether anybody has the notice of an alert's present incident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from mlspec.state.ledger import AlertRecord
from mlspec.state.notice import PendingNotice

AlertDelivery = Literal["delivered", "not delivered yet", "given up", "discarded", "nobody to tell", "not sent"]


def alert_delivery(alert: AlertRecord, waiting: Sequence[PendingNotice], *, has_receivers: bool) -> AlertDelivery:
    """Return it. `waiting` are the notices of the forecast that were not delivered; those of earlier incidents do not count.

    A notice with several receivers is delivered once all of them have it, and discarded if it was discarded for one of them.
    """
    if not alert.told:
        return "not sent"
    own = _notices_of(alert, waiting)
    if any(pending.is_given_up for pending in own):
        return "given up"
    if own:
        return "not delivered yet"
    if alert.discarded:
        return "discarded"
    return "delivered" if has_receivers else "nobody to tell"


def mark_discarded(alerts: Sequence[AlertRecord], discarded: Sequence[PendingNotice]) -> tuple[AlertRecord, ...]:
    """Return the records of alerts after these notices were discarded: by a person, or with their receiver."""
    return tuple(replace(alert, discarded=True) if _notices_of(alert, discarded) else alert for alert in alerts)


def _notices_of(alert: AlertRecord, notices: Sequence[PendingNotice]) -> list[PendingNotice]:
    """Return the notices of the alert's present incident. That an earlier one is over, or a loss of data, is none of it."""
    began = alert.began or alert.since
    return [
        pending
        for pending in notices
        if pending.notice.alert == alert.name and pending.notice.at >= began and not pending.notice.is_end
    ]
