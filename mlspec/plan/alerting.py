"""How an alert moves from one state to the next, and when people are told: from what was, what is measured and what is muted.

The same evidence again changes nothing, so a pass may be repeated. An incident is one stretch of trouble: it begins when an alert
fires, outlives missing data, and ends when the metric is known to be good again. Words as in Prometheus' Alertmanager
(prometheus.io/docs/alerting): silences mute one alert for a time, an alert that fires inhibits those that it names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mlspec.plan.thresholds import Judged, State
from mlspec.state.ledger import AlertRecord, AlertState, Ledger, Silence
from mlspec.state.resource import Json, digest

# What was measured when a record got its state.
_MEASURED: dict[AlertState, State] = {
    "ok": "ok", "pending": "pending", "firing": "firing", "no-data": "no-data",
    "silenced": "firing", "inhibited": "firing", "resolved": "ok",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moved:
    """An alert's record after an evaluation, and whether people have to be told of it."""

    record: AlertRecord
    tell: bool


def advance(
    forecast: str, alerts: Sequence[Mapping[str, Json]], judged: Mapping[str, Judged], ledger: Ledger, now: str
) -> tuple[Moved, ...]:
    """Return every alert's next record, in the spec's order."""
    muted = {silence.alert for silence in active(ledger.silences, now)}
    firing = {name for name, each in judged.items() if each.state == "firing"}
    inhibited = {other for alert in alerts if alert["name"] in firing for other in alert["inhibits"]}
    return tuple(
        _advance(
            forecast,
            judged[alert["name"]],
            ledger.alert(alert["name"]),
            now,
            muted=alert["name"] in muted,
            inhibited=alert["name"] in inhibited,
        )
        for alert in alerts
    )


def still(name: str, record: AlertRecord | None) -> Judged:
    """Return what an alert says that was not measured anew: what it said last, whoever muted it then."""
    if record is None:
        return Judged(name, "no-data", None, f"{name}: not measured yet")
    return Judged(name, _MEASURED[record.state], record.value, record.message)


def _advance(
    forecast: str, judged: Judged, before: AlertRecord | None, now: str, *, muted: bool, inhibited: bool
) -> Moved:
    incident = before.incident if before and before.state != "resolved" else ""
    began = before.began if before and incident else ""
    state = _state(judged, before, muted=muted, inhibited=inhibited)
    if judged.state == "firing" and not incident:
        incident, began = digest([forecast, judged.alert, now], 16), now
    told = bool(before and before.told and before.incident)
    lost = state == "no-data" and not incident
    if lost:  # the first evaluation of all has lost nothing
        told = before is None or (before.state == "no-data" and before.told)
    tell = (
        (state == "firing" and not told)
        or (state == "resolved" and told and bool(incident))
        or (lost and not told and not muted and not inhibited)
    )
    record = AlertRecord(
        name=judged.alert,
        state=state,
        since=before.since if before and before.state == state else now,
        value=judged.value,
        message=judged.sentence,
        incident="" if state in ("ok", "pending") else incident,
        began="" if state in ("ok", "pending") else began,
        told=(told or tell) and state not in ("ok", "pending", "resolved"),
    )
    return Moved(record, tell)


def _state(judged: Judged, before: AlertRecord | None, *, muted: bool, inhibited: bool) -> AlertState:
    trouble = bool(before and before.incident and before.state != "resolved")
    if judged.state == "firing" or (judged.state == "pending" and trouble):
        return "inhibited" if inhibited else "silenced" if muted else "firing"
    if judged.state == "ok" and trouble:
        return "resolved"
    return judged.state


def active(silences: Sequence[Silence], now: str) -> tuple[Silence, ...]:
    """Return the silences that still mute."""
    return tuple(each for each in silences if each.until > now)


def settled(moved: Sequence[Moved], ledger: Ledger, now: str) -> Ledger:
    """Return the ledger with these records in place of all before them, and silences that have run out left out."""
    return replace(ledger, alerts=tuple(each.record for each in moved), silences=active(ledger.silences, now))
