"""Evaluates forecasts against their actuals and judges the alerts: the evidence for the loop's decisions and for people."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from mlspec.engine.comparable_runs import evaluated_runs
from mlspec.engine.effects import ForecastWork, known_version, panel_files
from mlspec.engine.pipeline import run_step
from mlspec.errors import StateError, TargetError
from mlspec.plan import serving_metrics
from mlspec.plan.alert_ends import AlertEnd, alert_ends, end_entries, removal_event, removal_sentence
from mlspec.plan.alert_history import DATA_BACK_REASON, STATE_BEGUN
from mlspec.plan.alerting import (
    AlertTransition,
    active_silences,
    advance_alerts,
    removed_alerts,
    settle_alerts,
    unchanged_verdict,
)
from mlspec.plan.delivery import discarded_event, leave_open, left_open_event, notices_without_receiver, split_unnamed
from mlspec.plan.health import healthy_condition
from mlspec.plan.moments import day_or_hour
from mlspec.plan.notices import alert_notices, pending_notices
from mlspec.plan.points import alert_points, notice_points
from mlspec.plan.rollback import cooldown_end, is_proved_good
from mlspec.plan.rollout import judging_alerts
from mlspec.plan.serving import observed_traffic, stable_version
from mlspec.plan.thresholds import AlertVerdict, judge_alert
from mlspec.spec.digest import resolved_json
from mlspec.spec.forecast import Forecast
from mlspec.spec.metrics import metric_kind
from mlspec.state.ledger import AlertRecord, Ledger
from mlspec.state.notice import PendingNotice
from mlspec.state.observed import Observed, Settlement, StoredStep
from mlspec.state.point import MetricPoint
from mlspec.state.record import Event, FileRef
from mlspec.state.resource import Json, digest
from mlspec.state.step import ACTUALS_SINCE
from mlspec.targets.base import OpenedTarget

logger = logging.getLogger(__name__)
_EVENT_REASONS = {state: reason for reason, state in STATE_BEGUN.items()}


def evaluation_key(work: ForecastWork, observed: Observed) -> str:
    """Return the digest of everything that an evaluation depends on. If it is unchanged, there is nothing new to judge."""
    now = work.engine.clock()
    return _evaluation_digest(work, observed, _serving_alert_values(work, observed, now), now)


def _evaluation_digest(work: ForecastWork, observed: Observed, served: Sequence[Mapping[str, Json]], now: str) -> str:
    data = observed.resources.get("data")
    return digest(
        [
            {role: ref.sha256 for role, ref in data.files.items()} if data else None,
            work.desired.spec_hash,
            day_or_hour(now, work.desired.spec.dataset.frequency),
            sorted(observed.ledger.quarantined_versions),
            sorted(observed_traffic(observed)),
            sorted(silence.alert for silence in active_silences(observed.ledger.silences, now)),
            observed.ledger.hold is not None,
            *served,
        ],
        32,
    )


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The verdict of each alert, and a sentence for each whose state people have to know of.

    That is one that newly fires, is resolved, has lost its data or has data again, or was taken out of the spec meanwhile.
    """

    judged: tuple[AlertVerdict, ...]
    alert_changes: tuple[str, ...]


def evaluate_forecasts(work: ForecastWork) -> Evaluation:
    """Compare the forecasts with their actuals, move every alert to its next state, and record all with the notices."""
    at, observed = work.engine.clock(), work.observed
    facts, served = evaluation_facts(work, observed), _serving_alert_values(work, observed, at)
    values = {alert_values["name"]: alert_values for alert_values in (*facts["alerts"], *served)}
    ledger = replace(
        observed.ledger,
        evaluated=_evaluation_digest(work, observed, served, at),
        metrics=facts["metrics"],
        by_horizon=tuple(facts.get("by_horizon", ())),
        made_with=_made_with(work),
    )
    return _record_alerts(work, observed, values, ledger, at, whole=True)


def _made_with(work: ForecastWork) -> dict[str, Json]:
    """Return the versions in the keys of an evaluation's steps: `engine.alert_handler` finds the stored steps by them."""
    engine, metrics = work.engine, dict(work.desired.metric_code)
    versions = {"code": engine.code, "mlspec": engine.mlspec, "libraries": dict(engine.libraries)}
    return {**versions, **({"metrics": metrics} if metrics else {})}


def evaluate_serving_alerts(work: ForecastWork) -> Evaluation:
    """Move the alerts on errors and latency to their next state, from request counts. The other alerts stay as they are."""
    at, observed = work.engine.clock(), work.observed
    values = {alert_values["name"]: alert_values for alert_values in _serving_alert_values(work, observed, at)}
    return _record_alerts(work, observed, values, observed.ledger, at, whole=False)


def has_serving_alarm(work: ForecastWork, observed: Observed) -> bool:
    """Return whether request counts make an alert fire, overall or for a version, that does not fire in the record."""
    ledger = observed.ledger
    values = {
        alert_values["name"]: alert_values
        for alert_values in _serving_alert_values(work, observed, work.engine.clock())
    }
    for alert in work.desired.spec.alerts:
        if (name := alert.name) not in values:
            continue
        known = {"": unchanged_verdict(name, ledger.find_alert(name)).state, **ledger.own.get(name, {})}
        parts = {"": values[name]["segments"], **values[name]["by_version"]}
        if any(judge_alert(alert, part).state == "firing" != known.get(who) for who, part in parts.items()):
            return True
    return False


def _record_alerts(
    work: ForecastWork,
    observed: Observed,
    values: Mapping[str, Mapping[str, Json]],
    ledger: Ledger,
    at: str,
    *,
    whole: bool,
) -> Evaluation:
    """Move every alert to its next state by its `values`, and record that. An alert without new values keeps its last verdict.

    Only a `whole` evaluation decides whether a version is proved good.
    """
    spec, serves = work.desired.spec, stable_version(observed)
    anew = [alert for alert in spec.alerts if alert.name in values]
    judged = {alert.name: unchanged_verdict(alert.name, ledger.find_alert(alert.name)) for alert in spec.alerts}
    judged |= {
        alert.name: judge_alert(alert, values[alert.name]["segments"], values[alert.name].get("limits"))
        for alert in anew
    }
    own = {alert.name: ledger.own.get(alert.name, {}) for alert in spec.alerts}
    own |= {
        alert.name: {
            version: judge_alert(alert, segments, values[alert.name].get("limits")).state
            for version, segments in values[alert.name].get("by_version", {}).items()
        }
        for alert in anew
    }
    moved = advance_alerts(work.name, spec.alerts, judged, ledger, at)
    ledger = replace(settle_alerts(moved, ledger, at), own=own, spec=work.desired.spec_hash)
    news = _changed_alerts(moved, observed.ledger)
    back = [transition for transition in moved if transition.lost_since]
    removed = removed_alerts(spec.alerts, observed.ledger)
    ends = _end_entries(work, alert_ends(spec, moved, observed.ledger, serves, at), at)
    unnamed = notices_without_receiver(ends, spec.notify)
    unsent, open_ends = split_unnamed(unnamed)
    left_open = tuple(map(leave_open, open_ends))
    work.record_settlement(
        Settlement(
            work.name,
            events=(
                *(_data_back_event(work.name, transition, at) for transition in back),
                *(_alert_event(work.name, record, at) for record in news),
                *(removal_event(work.name, record, at) for record in removed),
                *(discarded_event(pending, at) for pending in unsent),
                *(left_open_event(pending, at) for pending in left_open),
            ),
            # Without an alert nothing says what is healthy: only the figures are recorded.
            conditions=(healthy_condition(work.name, ledger, at),) if spec.alerts or observed.ledger.alerts else (),
            ledger=_with_rollbacks_reset(spec, observed, ledger, at) if whole else ledger,
            notices=(
                *(pending for pending in ends if pending not in unnamed),
                *left_open,
                *pending_notices(spec, alert_notices(spec, moved, serves, at), at),
            ),
        )
    )
    _record_metrics(work, (*alert_points(anew, values), *_notice_points(work)), at)
    return Evaluation(
        tuple(judged.values()),
        (
            *(
                f"alert {transition.record.name} has data again, which it had not since {transition.lost_since}"
                for transition in back
            ),
            *(f"alert {record.name} is {record.state}: {record.message_without_name}" for record in news),
            *(f"alert {removal_sentence(record)}" for record in removed),
        ),
    )


def _end_entries(work: ForecastWork, ends: Sequence[AlertEnd], at: str) -> tuple[PendingNotice, ...]:
    """Return the outbox's entries of what is over, also for receivers that the spec no longer names."""
    if not ends:
        return ()
    target, spec = work.engine.target, work.desired.spec
    undelivered = target.load_undelivered_notices(work.name)
    unnamed = notices_without_receiver(undelivered, spec.notify)
    awaited = [pending for pending in undelivered if pending not in unnamed]
    return tuple(
        entry
        for end in ends
        for entry in end_entries(
            spec,
            end,
            [
                *target.load_accepted_notices(work.name, end.beginning),
                *(pending for pending in awaited if pending.notice.id == end.beginning),
            ],
            at,
        )
    )


def _notice_points(work: ForecastWork) -> tuple[MetricPoint, ...]:
    if not work.desired.spec.notify:
        return ()
    return notice_points(work.engine.target.load_undelivered_notices(work.name))


def _record_metrics(work: ForecastWork, metric_points: Sequence[MetricPoint], at: str) -> None:
    """Send the measured values to outside monitoring. If that fails, it is recorded, and no decision is delayed."""
    try:
        work.engine.target.record_metrics(work.name, metric_points, at)
    except TargetError as error:
        logger.debug("the metrics could not be sent to monitoring", exc_info=error)
        event = Event(work.name, at, "Warning", "MonitorsNotTold", error.message)
        work.record_settlement(Settlement(work.name, events=(event,)))


def evaluation_facts(
    work: ForecastWork,
    observed: Observed,
    inputs: Mapping[str, FileRef] = MappingProxyType({}),
    options: Mapping[str, Json] = MappingProxyType({}),
) -> Mapping[str, Json]:
    """Return the facts of the step `evaluate`, on the newest forecasts and the data that was checked last."""
    return evaluation_step(work, observed, inputs, options).facts


def evaluation_step(
    work: ForecastWork,
    observed: Observed,
    inputs: Mapping[str, FileRef] = MappingProxyType({}),
    options: Mapping[str, Json] = MappingProxyType({}),
) -> StoredStep:
    """Return the files and facts of the step `evaluate`."""
    runs = evaluated_runs(work.engine.target, work.name, resolved_json(work.desired.spec))
    read = panel_files(work)
    if not read:
        raise StateError(f"{work.name}: there is no checked data to evaluate on", hint="run the step check before it")
    for number, run in enumerate(runs, 1):
        read |= {f"{role}-{number}": run.files[role] for role in ("forecast", "shadow") if role in run.files}
    read |= _backtests(work, observed)
    usual = {
        "now": work.engine.clock(),
        "quarantined": sorted(observed.ledger.quarantined_versions),
        "versions": sorted(observed_traffic(observed)),
        **_actuals_option(work.engine.target, work.name),
    }
    return run_step(work.engine, work.desired, "evaluate", {**read, **inputs}, {**usual, **options})


def _actuals_option(target: OpenedTarget, name: str) -> dict[str, Json]:
    """Return the option for the actual values since the year of the oldest forecast, where users read them in a table.

    Whole years: a year is written in one piece, so what is not read anew would be lost.
    """
    if not target.publishes_actuals:
        return {}
    cutoffs = [run.cutoff for run in (*target.load_runs(name), *target.load_backfills(name))]
    return {ACTUALS_SINCE: f"{min(cutoffs)[:4]}-01-01"} if cutoffs else {}


def _backtests(work: ForecastWork, observed: Observed) -> dict[str, FileRef]:
    """Return the backtests of the versions with traffic, if an alert asks them what is usual."""
    asks = any(
        metric_kind(alert.metric) == "accuracy" and alert.tolerated_alarms is not None
        for alert in work.desired.spec.alerts
    )
    serving = [known_version(work, name) for name in sorted(observed_traffic(observed))] if asks else []
    return {f"backtest-{one.version}": one.files["backtest"] for one in serving if "backtest" in one.files}


def _serving_alert_values(work: ForecastWork, observed: Observed, now: str) -> tuple[Mapping[str, Json], ...]:
    """Return the values of the alerts on errors and latency, from the request counts of servers."""
    alerts = [alert for alert in work.desired.spec.alerts if metric_kind(alert.metric) == "serving"]
    if not alerts:
        return ()
    counted = work.engine.target.load_request_counts(
        work.name, min(serving_metrics.window_start(alert, now) for alert in alerts)
    )
    good = [counts for counts in counted if counts.version not in observed.ledger.quarantined_versions]
    return tuple(serving_metrics.measure_alert(alert, good, observed_traffic(observed), now) for alert in alerts)


def _with_rollbacks_reset(spec: Forecast, observed: Observed, ledger: Ledger, now: str) -> Ledger:
    """Return the ledger with the count of rollbacks reset, if a version that came after them is proved good.

    Not before the cooldown of the last rollback ends: the cooldown is computed from its record.
    """
    serves = stable_version(observed)
    if not ledger.rollbacks or serves is None or now < cooldown_end(ledger, spec.rollback):
        return ledger
    gave_way = {name for rollback in ledger.rollbacks for name in (rollback.version, rollback.to)}
    good = serves not in gave_way and is_proved_good(judging_alerts(spec), ledger, serves)
    return replace(ledger, rollbacks=()) if good else ledger


def _changed_alerts(moved: Sequence[AlertTransition], before: Ledger) -> tuple[AlertRecord, ...]:
    """Return the alerts that newly fire, are resolved, or have lost their data. The first evaluation reports no lost data."""
    changed = []
    for moved_alert in moved:
        previous, state = before.find_alert(moved_alert.record.name), moved_alert.record.state
        if state in _EVENT_REASONS and (previous.state != state if previous else state == "firing"):
            changed.append(moved_alert.record)
    return tuple(changed)


def _data_back_event(name: str, transition: AlertTransition, at: str) -> Event:
    message = f"{transition.record.name}: it has data again, which it had not since {transition.lost_since}"
    return Event(name, at, "Normal", DATA_BACK_REASON, message)


def _alert_event(name: str, alert: AlertRecord, at: str) -> Event:
    return Event(
        name, at, "Normal" if alert.state == "resolved" else "Warning", _EVENT_REASONS[alert.state], alert.message
    )
