"""The next state of each alert, and whether to notify people: from the previous state, the verdicts and the silences.

The same evidence again changes nothing, so a pass may be repeated. An incident begins when an alert fires, continues while data
is missing, and ends when the metric is known to be good again. A loss of data without an incident ends with the next verdict. Terms
as in Prometheus' Alertmanager (prometheus.io/docs/alerting): silences mute one alert for a time, an alert that fires inhibits those
that it names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mlspec.plan.thresholds import AlertVerdict, MeasuredState
from mlspec.spec.alerts import Alert
from mlspec.state.ledger import AlertRecord, AlertState, Ledger, Silence
from mlspec.state.resource import digest

# The measured state behind each recorded state.
_STATE_MEASURED: dict[AlertState, MeasuredState] = {
    "ok": "ok", "pending": "pending", "firing": "firing", "no-data": "no-data",
    "silenced": "firing", "inhibited": "firing", "resolved": "ok",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AlertTransition:
    """An alert's record after an evaluation, and whether to notify people of it.

    `lost_since` is when the data were lost that are back now, if people were notified of that loss; else it is empty.
    """

    record: AlertRecord
    notify: bool
    lost_since: str = ""


def advance_alerts(
    forecast: str, alerts: Sequence[Alert], judged: Mapping[str, AlertVerdict], ledger: Ledger, now: str
) -> tuple[AlertTransition, ...]:
    """Return every alert's next record, in the spec's order."""
    muted = {silence.alert for silence in active_silences(ledger.silences, now)}
    firing = {name for name, verdict in judged.items() if verdict.state == "firing"}
    inhibited = {other for alert in alerts if alert.name in firing for other in alert.inhibits}
    return tuple(
        _advance_alert(
            forecast,
            judged[alert.name],
            ledger.find_alert(alert.name),
            now,
            muted=alert.name in muted,
            inhibited=alert.name in inhibited,
        )
        for alert in alerts
    )


def unchanged_verdict(name: str, record: AlertRecord | None) -> AlertVerdict:
    """Return the last verdict of an alert that was not measured now, whether it was muted or not."""
    if record is None:
        return AlertVerdict(name, "no-data", None, f"{name}: not measured yet")
    return AlertVerdict(name, _STATE_MEASURED[record.state], record.value, record.message)


def _advance_alert(
    forecast: str, judged: AlertVerdict, before: AlertRecord | None, now: str, *, muted: bool, inhibited: bool
) -> AlertTransition:
    incident = before.incident if before and before.state != "resolved" else ""
    began = before.began if before and incident else ""
    state = _next_state(judged, before, muted=muted, inhibited=inhibited)
    if judged.state == "firing" and not incident:
        incident, began = digest([forecast, judged.alert, now], 16), now
    notified = bool(before and before.told and before.incident)
    data_lost = state == "no-data" and not incident
    if data_lost:  # the first evaluation has no earlier data to lose
        notified = before is None or (before.state == "no-data" and before.told)
    notify = (
        (state == "firing" and not notified)
        or (state == "resolved" and notified and bool(incident))
        or (data_lost and not notified and not muted and not inhibited)
    )
    heard_of_loss = bool(before and before.loss_told)
    told = (notified or notify) and state not in ("ok", "pending", "resolved")
    record = AlertRecord(
        name=judged.alert,
        state=state,
        since=before.since if before and before.state == state else now,
        value=judged.value,
        message=judged.sentence,
        incident="" if state in ("ok", "pending") else incident,
        began="" if state in ("ok", "pending") else began,
        told=told,
        loss_told=data_lost and (notify or heard_of_loss),
        discarded=told and notified and bool(before and before.discarded),
    )
    # Muted or not: who heard of the loss hears of its end.
    return AlertTransition(record, notify, before.since if before and heard_of_loss and not data_lost else "")


def _next_state(judged: AlertVerdict, before: AlertRecord | None, *, muted: bool, inhibited: bool) -> AlertState:
    trouble = bool(before and before.incident and before.state != "resolved")
    if judged.state == "firing" or (judged.state == "pending" and trouble):
        return "inhibited" if inhibited else "silenced" if muted else "firing"
    if judged.state == "ok" and trouble:
        return "resolved"
    return judged.state


def active_silences(silences: Sequence[Silence], now: str) -> tuple[Silence, ...]:
    """Return the silences that have not ended."""
    return tuple(silence for silence in silences if silence.until > now)


def removed_alerts(alerts: Sequence[Alert], before: Ledger) -> tuple[AlertRecord, ...]:
    """Return the records of the alerts that a spec has no more, of those that fired, muted or not, or had no data."""
    kept = {alert.name for alert in alerts}
    over = ("ok", "pending", "resolved")
    return tuple(record for record in before.alerts if record.name not in kept and record.state not in over)


def settle_alerts(transitions: Sequence[AlertTransition], ledger: Ledger, now: str) -> Ledger:
    """Return the ledger with these records in place of the previous ones, and without the silences that have ended."""
    return replace(
        ledger,
        alerts=tuple(transition.record for transition in transitions),
        silences=active_silences(ledger.silences, now),
    )
