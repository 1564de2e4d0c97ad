"""Makes notices of alerts, rollbacks, holds and failures, and an entry of the outbox for each receiver that wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlspec.plan.alerting import AlertTransition
from mlspec.plan.delivery import notice_receivers
from mlspec.spec.forecast import Forecast
from mlspec.state.ledger import AlertRecord
from mlspec.state.notice import NO_DATA, Notice, PendingNotice, Severity, incident_notice_id, lost_data_id
from mlspec.state.resource import Json, digest


def alert_notices(
    spec: Forecast, transitions: Sequence[AlertTransition], version: str | None, now: str
) -> tuple[Notice, ...]:
    """Return a notice for each incident and loss of data that people have to hear of, and for each alert that goes on firing.

    The notice of an incident has the same id as long as it fires, and the outbox takes an id once for each receiver. So a receiver
    that the spec names during an incident gets it, and no other gets it twice. Its end is a notice of its own (`plan.alert_ends`).
    """
    severity = {alert.name: alert.severity for alert in spec.alerts}
    return tuple(
        alert_notice(spec, transition.record, version, now, severity=severity[transition.record.name])
        for transition in transitions
        if transition.record.state == "firing" or (transition.notify and transition.record.state != "resolved")
    )


def alert_notice(spec: Forecast, record: AlertRecord, version: str | None, now: str, *, severity: Severity) -> Notice:
    """Return the notice of the state in an alert's record. That data are lost is no worse than a warning."""
    name, is_lost = spec.metadata.name, record.state == NO_DATA
    notice_id = (
        incident_notice_id(record.incident, record.state)
        if record.incident
        else lost_data_id(name, record.name, record.since)
    )
    return Notice(
        id=notice_id,
        forecast=name,
        alert=record.name,
        kind="alert",
        state=record.state,
        severity=loss_severity(severity) if is_lost else severity,
        at=now,
        since=record.since,
        message=record.message,
        version=version,
        value=record.value,
        owner=spec.metadata.owner,
        labels=spec.metadata.labels,
    )


def loss_severity(severity: Severity) -> Severity:
    """Return the severity of a loss of data of an alert: no worse than a warning."""
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
