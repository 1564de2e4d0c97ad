"""Says whether anybody has the notice of an alert's present incident."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mlspec.state.ledger import AlertRecord
from mlspec.state.notice import PendingNotice

AlertDelivery = Literal["delivered", "not delivered yet", "given up", "nobody to tell", "not sent"]


def alert_delivery(alert: AlertRecord, waiting: Sequence[PendingNotice], *, has_receivers: bool) -> AlertDelivery:
    """Return it. `waiting` are the notices of the forecast that were not delivered; those of earlier incidents do not count.

    A notice with several receivers is delivered once all of them have it.
    """
    if not alert.told:
        return "not sent"
    began = alert.began or alert.since
    own = [pending for pending in waiting if pending.notice.alert == alert.name and pending.notice.at >= began]
    if any(pending.is_given_up for pending in own):
        return "given up"
    if own:
        return "not delivered yet"
    return "delivered" if has_receivers else "nobody to tell"
