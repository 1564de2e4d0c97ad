"""What people are told, and who: notices made of what happened, and a line of the outbox for each receiver that wants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlspec.plan.alerting import Moved
from mlspec.plan.delivery import receivers
from mlspec.state.ledger import AlertRecord
from mlspec.state.notice import Notice, Pending, Severity
from mlspec.state.resource import Json, digest


def of_alerts(spec: Mapping[str, Json], moved: Sequence[Moved], version: str | None, now: str) -> tuple[Notice, ...]:
    """Return a notice for each alert that people have to be told of."""
    severity = {alert["name"]: alert["severity"] for alert in spec["alerts"]}
    return tuple(_of_alert(spec, each.record, severity[each.record.name], version, now) for each in moved if each.tell)


def _of_alert(
    spec: Mapping[str, Json], record: AlertRecord, severity: Severity, version: str | None, now: str
) -> Notice:
    what = record.incident or f"{spec['metadata']['name']}:{record.name}:{record.since}"
    return Notice(
        id=digest([what, record.state], 32),
        forecast=spec["metadata"]["name"],
        alert=record.name,
        kind="alert",
        state=record.state,
        severity="warning" if record.state == "no-data" and severity == "critical" else severity,
        at=now,
        since=record.since,
        message=record.message,
        version=version,
        value=record.value,
        owner=spec["metadata"]["owner"],
        labels=spec["metadata"]["labels"],
    )


def rolled_back(spec: Mapping[str, Json], version: str, said: str, now: str) -> Notice:
    """Return the notice that a version gave way."""
    return _of_forecast(spec, "rollback", "rolled-back", "critical", version, said, now)


def held(spec: Mapping[str, Json], version: str, said: str, now: str) -> Notice:
    """Return the notice that the loop does no more by itself: it asks for a person."""
    return _of_forecast(spec, "hold", "held", "critical", version, said, now)


def stalled(spec: Mapping[str, Json], said: str, now: str) -> Notice:
    """Return the notice that work failed in a way that trying again does not mend."""
    return _of_forecast(spec, "stalled", "stalled", "warning", None, said, now)


def _of_forecast(
    spec: Mapping[str, Json], kind: Json, state: str, severity: Severity, version: str | None, said: str, now: str
) -> Notice:
    name = spec["metadata"]["name"]
    return Notice(
        id=digest([name, kind, state, version, now], 32), forecast=name, alert=None, kind=kind, state=state, severity=severity,
        at=now, since=now, message=said, version=version, owner=spec["metadata"]["owner"], labels=spec["metadata"]["labels"],
    )  # fmt: skip


def pending(spec: Mapping[str, Json], notices: Sequence[Notice], now: str) -> tuple[Pending, ...]:
    """Return the outbox's lines: each notice for each receiver of the spec that wants one so severe, due at once."""
    return tuple(
        Pending(notice, receiver, 0, now) for notice in notices for receiver in receivers(spec["notify"], notice)
    )
