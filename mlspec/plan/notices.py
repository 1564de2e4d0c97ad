"""Makes notices of alerts, rollbacks, holds and failures, and an entry of the outbox for each receiver that wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlspec.plan.alerting import AlertTransition
from mlspec.plan.delivery import notice_receivers
from mlspec.spec.forecast import Forecast
from mlspec.state.ledger import AlertRecord, Ledger
from mlspec.state.notice import DATA_BACK, LOSS_REMOVED, NO_DATA, REMOVED, Notice, PendingNotice, Severity, lost_data_id
from mlspec.state.resource import Json, digest


def alert_notices(
    spec: Forecast, transitions: Sequence[AlertTransition], version: str | None, now: str
) -> tuple[Notice, ...]:
    """Return a notice for each alert that people have to be notified of, for each that goes on firing, and for data that are back.

    The notice of an incident has the same id as long as it fires, and the outbox takes an id once for each receiver. So a receiver
    that the spec names during an incident gets it, and no other gets it twice.
    """
    severity = {alert.name: alert.severity for alert in spec.alerts}
    back = [
        _data_back_notice(spec, transition, severity[transition.record.name], version, now)
        for transition in transitions
        if transition.lost_since
    ]
    told = [
        _alert_notice(spec, transition.record, severity[transition.record.name], version, now)
        for transition in transitions
        if transition.notify or transition.record.state == "firing"
    ]
    return (*back, *told)


def _alert_notice(spec: Forecast, record: AlertRecord, severity: Severity, version: str | None, now: str) -> Notice:
    name, is_lost = spec.metadata.name, record.state == NO_DATA
    notice_id = (
        digest([record.incident, record.state], 32)
        if record.incident
        else lost_data_id(name, record.name, record.since)
    )
    return Notice(
        id=notice_id,
        forecast=name,
        alert=record.name,
        kind="alert",
        state=record.state,
        severity=_loss_severity(severity) if is_lost else severity,
        at=now,
        since=record.since,
        message=record.message,
        version=version,
        value=record.value,
        owner=spec.metadata.owner,
        labels=spec.metadata.labels,
    )


def _data_back_notice(
    spec: Forecast, transition: AlertTransition, severity: Severity, version: str | None, now: str
) -> Notice:
    """Return the notice that an alert has data again, with the severity of the notice of their loss."""
    record, name = transition.record, spec.metadata.name
    return replace(
        _alert_notice(spec, record, _loss_severity(severity), version, now),
        id=digest([lost_data_id(name, record.name, transition.lost_since), DATA_BACK], 32),
        state=DATA_BACK,
        since=transition.lost_since,
    )


def removed_alert_notices(spec: Forecast, before: Ledger, version: str | None, now: str) -> tuple[Notice, ...]:
    """Return a notice for each alert that the spec has no more, if people heard of its incident or of its lost data.

    Without it an incident would stay open at a receiver for ever. The record does not keep an alert's severity, so the notice has
    the highest that the first notice can have had: everybody who got that one gets this one.
    """
    kept = {alert.name for alert in spec.alerts}
    return tuple(
        _removed_alert_notice(spec, record, version, now)
        for record in before.alerts
        if record.name not in kept and (record.loss_told or (record.told and record.incident))
    )


def _removed_alert_notice(spec: Forecast, record: AlertRecord, version: str | None, now: str) -> Notice:
    state, opened = REMOVED, record.incident
    severity: Severity = "critical"
    if record.loss_told:
        state, opened = LOSS_REMOVED, lost_data_id(spec.metadata.name, record.name, record.since)
        severity = _loss_severity(severity)
    return replace(
        _alert_notice(spec, record, severity, version, now),
        id=digest([opened, state], 32),
        state=state,
        severity=severity,
        since=record.since if record.loss_told else record.began or record.since,
        message=f"{record.name}: the spec no longer has this alert",
    )


def _loss_severity(severity: Severity) -> Severity:
    return "warning" if severity == "critical" else severity


def rollback_notice(spec: Forecast, version: str, message: str, now: str) -> Notice:
    """Return the notice that a version was rolled back."""
    return _forecast_notice(
        spec, kind="rollback", state="rolled-back", severity="critical", version=version, message=message, now=now
    )


def rollout_notice(spec: Forecast, version: str, message: str, now: str, *, done: bool) -> Notice:
    """Return the notice that a new version began to serve or serves more (`stepped`), or serves everything (`rolled-out`).

    An aborted rollout is a rollback (`rollback_notice`).
    """
    state = "rolled-out" if done else "stepped"
    return _forecast_notice(
        spec, kind="rollout", state=state, severity="info", version=version, message=message, now=now
    )


def with_page(notice: Notice, external_url: str | None) -> Notice:
    """Return a notice with the address of its forecast's page; `external_url` is where people reach the pages, if there are any."""
    return replace(notice, url=f"{external_url.rstrip('/')}/forecasts/{notice.forecast}") if external_url else notice


def probe_notice(spec: Forecast, now: str) -> Notice:
    """Return a notice by which a person tries a receiver. It is of no occurrence, and goes into no outbox."""
    message = "this is a test of `mlspec notify test`: nothing has happened"
    return _forecast_notice(spec, kind="test", state="test", severity="info", version=None, message=message, now=now)


def hold_notice(spec: Forecast, version: str, message: str, now: str) -> Notice:
    """Return the notice that the loop holds a release and needs a person."""
    return _forecast_notice(
        spec, kind="hold", state="held", severity="critical", version=version, message=message, now=now
    )


def stalled_notice(spec: Forecast, message: str, now: str) -> Notice:
    """Return the notice that work failed and is not retried."""
    return _forecast_notice(
        spec, kind="stalled", state="stalled", severity="warning", version=None, message=message, now=now
    )


def _forecast_notice(
    spec: Forecast, *, kind: Json, state: str, severity: Severity, version: str | None, message: str, now: str
) -> Notice:
    name = spec.metadata.name
    return Notice(
        id=digest([name, kind, state, version, now], 32), forecast=name, alert=None, kind=kind, state=state, severity=severity,
        at=now, since=now, message=message, version=version, owner=spec.metadata.owner, labels=spec.metadata.labels,
    )  # fmt: skip


def pending_notices(spec: Forecast, notices: Sequence[Notice], now: str) -> tuple[PendingNotice, ...]:
    """Return the outbox's entries, due at once: each notice for each receiver of the spec that wants its severity."""
    return tuple(
        PendingNotice(notice, receiver, 0, now)
        for notice in notices
        for receiver in notice_receivers(spec.notify, notice)
    )
