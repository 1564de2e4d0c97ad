"""Checks of thresholds, and of references between alerts, receivers and the rollback policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from mlspec.spec.agreement import parse_agreement
from mlspec.spec.alerts import KINDS_WITH_PAST, Alert
from mlspec.spec.checks.metrics import edge_problem, number_problem, quantiles_problem
from mlspec.spec.faults import Path, Problem, did_you_mean, did_you_mean_column
from mlspec.spec.forecast import Forecast
from mlspec.spec.metrics import SIDES, find_metric, format_names, metric_kind, metric_names
from mlspec.spec.receivers import RECEIVER_KINDS


def check_thresholds(forecast: Forecast) -> Iterator[Problem]:
    """Each alert has one threshold, on a side on which its metric can be bad, with a value that the metric can reach."""
    for index, alert in enumerate(forecast.alerts):
        path: Path = ("alerts", index)
        sides = [side for side in SIDES if getattr(alert, side) is not None]
        allowed = find_metric(alert.metric).sides
        if not sides and alert.is_by_past_alone and metric_kind(alert.metric) == "accuracy":
            pass  # what the backtest tells is its threshold
        elif len(sides) != 1:
            message = f"expected one of above, below and outside, found {' and '.join(sides) or 'none'}"
            yield Problem(path, "threshold", message, f"write {' or '.join(allowed)}, for {alert.metric}")
        elif sides[0] not in allowed:
            message = f"{alert.metric} is not bad {sides[0]} a value"
            hint = f"write {' or '.join(allowed)}"
            yield Problem((*path, sides[0]), "threshold-direction", message, hint, on_key=True)
        else:
            yield from _check_threshold(alert, sides[0], (*path, sides[0]))
        yield from _check_options(alert, path)


def _check_threshold(alert: Alert, side: str, path: Path) -> Iterator[Problem]:
    value = getattr(alert, side)
    if isinstance(value, timedelta) or find_metric(alert.metric).unit == "duration":
        yield from _check_age(alert, value, path)
    elif isinstance(value, tuple):
        yield from _check_range(alert, value, path)
    else:
        problem = number_problem(alert.metric, value) or edge_problem(alert.metric, side, value)
        if problem:
            yield Problem(path, "threshold", *problem)


def _check_age(alert: Alert, value: timedelta | float, path: Path) -> Iterator[Problem]:
    if not isinstance(value, timedelta):
        yield Problem(path, "threshold", f"{alert.metric} is compared with a duration, not a number", "such as 10d")
    elif find_metric(alert.metric).unit != "duration":
        yield Problem(path, "threshold", f"{alert.metric} is compared with a number, not a duration", "such as 0.2")
    elif not value:
        yield Problem(path, "threshold", "data is always older than 0: this alert would always fire", "such as 10d")


def _check_range(alert: Alert, value: Sequence[float], path: Path) -> Iterator[Problem]:
    low, high = value
    metric = find_metric(alert.metric)
    wrong = [problem for number in value if (problem := number_problem(alert.metric, number))]
    for problem in wrong:
        yield Problem(path, "threshold", *problem)
    if wrong:
        return
    if low >= high:
        yield Problem(path, "threshold", f"{low:g} is not below {high:g}", "write [low, high]")
    elif isinstance(metric.ideal, float) and not low <= metric.ideal <= high:
        message = f"a {alert.metric} of {metric.ideal:g}, which is ideal, would be outside {low:g} to {high:g}"
        example = f"[{metric.ideal - 0.1:g}, {metric.ideal + 0.1:g}]"
        yield Problem(path, "threshold", message, f"write a range around {metric.ideal:g}, such as {example}")
    elif (low, high) == (metric.low, metric.high):
        yield Problem(path, "threshold", f"{alert.metric} is never outside {low:g} to {high:g}", "narrow the range")


def _check_options(alert: Alert, path: Path) -> Iterator[Problem]:
    metric, (agree, evaluations) = find_metric(alert.metric), parse_agreement(alert.for_)
    if agree > evaluations:
        message = f"{agree} of {evaluations} can never agree"
        yield Problem((*path, "for"), "threshold", message, f"write {evaluations} of {agree}")
    if alert.baseline is not None and metric.kind != "drift":
        message, hint = f"{alert.metric} has no baseline", f"only {format_names(metric_names('drift'))} have one"
        yield Problem((*path, "baseline"), "threshold", message, hint, on_key=True)
    if alert.false_alarms_per_year is not None and metric.kind not in KINDS_WITH_PAST:
        message = f"{alert.metric} is judged by its threshold alone"
        hint = f"only {format_names(metric_names(*KINDS_WITH_PAST))} are judged by past windows too"
        yield Problem((*path, "false_alarms_per_year"), "threshold", message, hint, on_key=True)
    elif alert.tolerated_alarms is not None and alert.outside is not None and metric.sides[0] != "outside":
        message = f"past windows tell how low {alert.metric} usually is, not how high"
        yield Problem((*path, "outside"), "threshold", message, f"write {metric.sides[0]} instead", on_key=True)
    if alert.window is not None and metric.kind == "age":
        message = f"{alert.metric} is measured at the present moment: it has no window"
        yield Problem((*path, "window"), "threshold", message, "leave window out", on_key=True)
    if alert.by and not metric.by_series:
        message = f"{alert.metric} is one number for all series"
        yield Problem((*path, "by"), "threshold", message, "leave by out", on_key=True)


def check_alert_quantiles(forecast: Forecast) -> Iterator[Problem]:
    """An alert's metric can be measured with the quantiles in model.quantiles."""
    count = len(forecast.model.quantiles)
    for index, alert in enumerate(forecast.alerts):
        if problem := quantiles_problem(alert.metric, count):
            yield Problem(("alerts", index, "metric"), "threshold", *problem)


def check_alert_names(forecast: Forecast) -> Iterator[Problem]:
    """Each alert has a different name, and inhibits only other alerts that exist."""
    known = [alert.name for alert in forecast.alerts]
    for index, alert in enumerate(forecast.alerts):
        path: Path = ("alerts", index)
        if alert.name in known[:index]:
            message = f"there is an alert '{alert.name}' already"
            yield Problem((*path, "name"), "alert-twice", message, "choose another name")
        if alert.name in alert.inhibits:
            place = alert.inhibits.index(alert.name)
            yield Problem((*path, "inhibits", place), "reference", "an alert cannot inhibit itself", "name others")
        others = tuple(other for other in known if other != alert.name)
        yield from _check_alert_references(alert.inhibits, (*path, "inhibits"), others, allowed=alert.name)


def check_rollback_alerts(forecast: Forecast) -> Iterator[Problem]:
    """rollback.on names only alerts that exist."""
    known = tuple(alert.name for alert in forecast.alerts)
    yield from _check_alert_references(forecast.rollback.on, ("rollback", "on"), known)


def _check_alert_references(
    references: Sequence[str], path: Path, known: Sequence[str], allowed: str | None = None
) -> Iterator[Problem]:
    for place, name in enumerate(references):
        if name in references[:place]:
            yield Problem((*path, place), "reference", f"'{name}' is named twice", "name each once")
        elif name not in known and name != allowed:
            hint = did_you_mean(name, dict.fromkeys(known)) or "add it to alerts"
            yield Problem((*path, place), "reference", f"there is no alert '{name}'", hint)


def check_segments(forecast: Forecast) -> Iterator[Problem]:
    """The columns under an alert's `by` are series columns or static covariates."""
    columns = forecast.dataset.segment_columns
    for index, alert in enumerate(forecast.alerts):
        for place, column in enumerate(alert.by):
            path: Path = ("alerts", index, "by", place)
            if column in alert.by[:place]:
                yield Problem(path, "reference", f"'{column}' is named twice", "name each once")
            elif column not in columns:
                hint = did_you_mean_column(column, columns) or "name it in dataset.series or covariates.static"
                yield Problem(path, "reference", f"'{column}' is not a series or static column", hint)


def check_inhibit_circles(forecast: Forecast) -> Iterator[Problem]:
    """Alerts do not inhibit each other in a circle: then all of them would be silent."""
    quiets = {alert.name: set(alert.inhibits) - {alert.name} for alert in forecast.alerts}
    for index, alert in enumerate(forecast.alerts):
        reached, todo = set(), list(quiets[alert.name])
        while todo:
            name = todo.pop()
            if name not in reached:
                reached.add(name)
                todo += quiets.get(name, ())
        if alert.name in reached:
            message = f"'{alert.name}' inhibits itself through others: all of them would be silent"
            yield Problem(("alerts", index, "inhibits"), "reference", message, "break the circle")


def check_receivers(forecast: Forecast) -> Iterator[Problem]:
    """Each receiver is of one kind, and is named once."""
    for index, receiver in enumerate(forecast.notify):
        path: Path = ("notify", index)
        if len(receiver.kinds) != 1:
            given = " and ".join(receiver.kinds) or "none of them"
            hint = "such as {pubsub: demand-alerts} or {slack: {secret: demand-slack}}"
            yield Problem(path, "receiver", f"expected one of {', '.join(RECEIVER_KINDS)}; found {given}", hint)
        elif receiver.pubsub and receiver.pubsub.lower().startswith("goog"):
            message = "Pub/Sub keeps topics that begin with goog for itself"
            yield Problem((*path, "pubsub"), "receiver", message, "choose another topic")
        elif receiver.pubsub and receiver.pubsub.startswith("mlspec-"):
            message = "topics that begin with mlspec- are mlspec's own"
            yield Problem((*path, "pubsub"), "receiver", message, "choose another topic")
        elif receiver in forecast.notify[:index]:
            yield Problem(
                path, "receiver", "this receiver is named already: it would get every notice twice", "drop one"
            )
