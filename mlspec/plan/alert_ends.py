"""Says when an incident or a loss of data is over, and who is told: everybody who heard that it began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mlspec.plan.alerting import AlertTransition, removed_alerts
from mlspec.plan.notices import alert_notice, loss_severity, pending_notices
from mlspec.spec.forecast import Forecast
from mlspec.state.ledger import AlertRecord, Ledger
from mlspec.state.notice import (
    DATA_BACK,
    LOSS_REMOVED,
    REMOVED,
    Notice,
    PendingNotice,
    Severity,
    incident_notice_id,
    lost_data_id,
)
from mlspec.state.record import Event

REMOVED_REASON = "AlertRemoved"


@dataclass(frozen=True, slots=True)
class AlertEnd:
    """A notice that an incident or a loss of data is over, and the id of the notice that it began."""

    notice: Notice
    beginning: str


def alert_ends(
    spec: Forecast, transitions: Sequence[AlertTransition], before: Ledger, version: str | None, now: str
) -> tuple[AlertEnd, ...]:
    """Return what is over after an evaluation, of everything that people heard of: of the spec's alerts, and of those it lost.

    `before` is the ledger before the evaluation.
    """
    severity = {alert.name: alert.severity for alert in spec.alerts}
    data_back = [
        _data_back_end(spec, transition, version, now, severity=severity[transition.record.name])
        for transition in transitions
        if transition.lost_since
    ]
    resolved = [
        AlertEnd(
            alert_notice(spec, transition.record, version, now, severity=severity[transition.record.name]),
            incident_notice_id(transition.record.incident, "firing"),
        )
        for transition in transitions
        if transition.notify and transition.record.state == "resolved"
    ]
    removed = [
        _removed_end(spec, record, version, now)
        for record in removed_alerts(spec.alerts, before)
        if record.loss_told or (record.told and record.incident)
    ]
    return (*data_back, *resolved, *removed)


def _data_back_end(
    spec: Forecast, transition: AlertTransition, version: str | None, now: str, *, severity: Severity
) -> AlertEnd:
    """Return the notice that an alert has data again, with the severity of the notice of their loss."""
    record = transition.record
    beginning = lost_data_id(spec.metadata.name, record.name, transition.lost_since)
    notice = replace(
        alert_notice(spec, record, version, now, severity=loss_severity(severity)),
        id=incident_notice_id(beginning, DATA_BACK),
        state=DATA_BACK,
        since=transition.lost_since,
    )
    return AlertEnd(notice, beginning)


def _removed_end(spec: Forecast, record: AlertRecord, version: str | None, now: str) -> AlertEnd:
    """Return the notice that an alert was taken out of the spec. Its severity is that of the beginning (`end_entries`)."""
    if record.loss_told:
        state, beginning = LOSS_REMOVED, lost_data_id(spec.metadata.name, record.name, record.since)
        notice_id = incident_notice_id(beginning, state)
    else:
        state, beginning = REMOVED, incident_notice_id(record.incident, "firing")
        notice_id = incident_notice_id(record.incident, state)
    notice = replace(
        alert_notice(spec, record, version, now, severity="info"),
        id=notice_id,
        state=state,
        since=record.since if record.loss_told else record.began or record.since,
        message=removal_sentence(record),
    )
    return AlertEnd(notice, beginning)


def end_entries(spec: Forecast, end: AlertEnd, heard: Sequence[PendingNotice], now: str) -> tuple[PendingNotice, ...]:
    """Return the outbox's entries of an end: for receivers that want its severity, and for all that heard of the beginning.

    `heard` are the entries of the beginning at receivers that have it, or get it yet. Severities may have changed since, and so
    may the receivers: an entry may be for one that the spec no longer names. An alert that the spec has no more has no severity:
    nobody else is told, and its end has the severity of its beginning.
    """
    is_kept = end.notice.alert in {alert.name for alert in spec.alerts}
    wanted = pending_notices(spec, [end.notice], now) if is_kept else ()
    receivers = {entry.receiver for entry in wanted}
    others = {
        entry.receiver: PendingNotice(replace(end.notice, severity=entry.notice.severity), entry.receiver, 0, now)
        for entry in heard
        if entry.receiver not in receivers
    }
    return (*wanted, *others.values())


def removal_sentence(record: AlertRecord) -> str:
    """Return a sentence on an alert that was taken out of the spec while it fired or had no data."""
    trouble = (
        f"had fired since {record.began or record.since}" if record.incident else f"had no data since {record.since}"
    )
    return f"{record.name}: the spec no longer has this alert, which {trouble}"


def removal_event(name: str, record: AlertRecord, at: str) -> Event:
    """Return the history's event for an alert that was taken out of the spec while it fired or had no data."""
    return Event(name, at, "Normal", REMOVED_REASON, removal_sentence(record))
