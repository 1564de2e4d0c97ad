"""The state of all forecasts as rows for people, and the alerts that need somebody, with whether anybody was told."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime

from mlspec.engine.report import forecast_zone
from mlspec.engine.status import ForecastStatus, find_status
from mlspec.errors import StateError
from mlspec.plan.alert_delivery import alert_delivery
from mlspec.plan.data_age import data_age
from mlspec.plan.natural_order import natural_key
from mlspec.plan.releases import release_spec
from mlspec.render.page_facts import FleetRow, InboxItem, UndeliveredItem
from mlspec.spec.forecast import Forecast
from mlspec.spec.metrics import MAIN
from mlspec.state.notice import PendingNotice
from mlspec.targets.base import Target

logger = logging.getLogger(__name__)
_SHOWN_STATES = ("firing", "pending", "silenced", "inhibited", "no-data")


def fleet_rows(target: Target, names: Sequence[str], now: datetime) -> list[FleetRow]:
    """Return a row for each forecast, in natural order. A record that cannot be read is a row that says so."""
    with target.read_session():
        return [_fleet_row(target, name, now) for name in sorted(names, key=natural_key)]


def inbox_items(target: Target, names: Sequence[str], now: datetime) -> tuple[list[InboxItem], list[UndeliveredItem]]:
    """Return the alerts that are not well, those that fire first and of those the newest first, and undelivered notices."""
    alerts, undelivered = list[InboxItem](), list[UndeliveredItem]()
    with target.read_session():
        for name in names:
            status = find_status(target, name, now)
            waiting = target.load_undelivered_notices(name) if status.is_readable else ()
            spec = _newest_spec(target, name)
            zone = forecast_zone(spec) if spec else "UTC"
            alerts += _alerts(status, waiting, spec)
            undelivered += [UndeliveredItem(name, pending, zone) for pending in waiting if pending.problem]
    alerts.sort(key=lambda item: item.since, reverse=True)
    alerts.sort(key=lambda item: _SHOWN_STATES.index(item.state))
    undelivered.sort(key=lambda item: item.pending.notice.at, reverse=True)
    return alerts, undelivered


def _fleet_row(target: Target, name: str, now: datetime) -> FleetRow:
    status = find_status(target, name, now)
    spec = _newest_spec(target, name) if status.is_readable else None
    ledger = status.ledger
    first = max(status.serving, key=lambda row: int(row["traffic"]), default=None)
    flags = {
        "firing": any(alert.state == "firing" for alert in ledger.alerts),
        "rollout": ledger.rollout is not None,
        "held": ledger.hold is not None,
        "undelivered": bool(status.undelivered),
    }
    return FleetRow(
        name=name,
        ready=status.ready,
        why=status.why,
        owner=(spec.metadata.owner if spec else None) or "",
        serving=str(first["version"]) if first else "",
        realised=ledger.metrics.get(MAIN.name),
        backtest=status.metrics.get(MAIN.name),
        firing=sum(alert.state == "firing" for alert in ledger.alerts),
        flags=tuple(flag for flag, is_set in flags.items() if is_set),
        cutoff=status.last_run.cutoff if status.last_run else None,
        age=data_age(status.last_run.cutoff, spec.dataset.timezone if spec else None, now) if status.last_run else None,
        next_run=status.next_run,
        zone=forecast_zone(spec) if spec else "UTC",
    )


def _alerts(status: ForecastStatus, waiting: Sequence[PendingNotice], spec: Forecast | None) -> Iterator[InboxItem]:
    for alert in status.ledger.alerts:
        if alert.state in _SHOWN_STATES and (alert.state != "no-data" or alert.incident):
            yield InboxItem(
                forecast=status.name,
                alert=alert.name,
                state=alert.state,
                since=alert.began or alert.since,
                message=alert.message_without_name,
                delivery=alert_delivery(alert, waiting, has_receivers=bool(spec and spec.notify)),
                zone=forecast_zone(spec) if spec else "UTC",
            )


def _newest_spec(target: Target, name: str) -> Forecast | None:
    """Return the spec of the newest release; None if there is none, or if it cannot be read, which `status` says."""
    try:
        release = next(iter(target.load_releases(name)), None)
        return release_spec(release) if release else None
    except StateError as error:
        logger.debug("the newest release of %s cannot be read", name, exc_info=error)
        return None
