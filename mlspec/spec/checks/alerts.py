"""Thresholds that can fire and mean something; references between alerts, receivers and the rollback policy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from mlspec.spec.faults import Path, Problem, did_you_mean
from mlspec.spec.forecast import Alert, Forecast

# The side on which a metric is bad. An error is bad above, coverage below; where both sides are bad, a range says so.
DIRECTIONS: dict[str, tuple[str, ...]] = {
    "wape": ("above",), "mase": ("above",), "rmsse": ("above",), "pinball": ("above",),
    "bias": ("outside",), "coverage": ("below", "outside"),
    "psi": ("above",), "ks": ("above",), "data_age": ("above",), "volume": ("below", "outside"),
    "new_series": ("above",), "vanished_series": ("above",), "error_rate": ("above",), "latency": ("above",),
}  # fmt: skip
_SHARES = ("coverage", "ks", "error_rate")  # between 0 and 1
_DRIFT = ("psi", "ks")


def thresholds(forecast: Forecast) -> Iterator[Problem]:
    """Each alert has one threshold, on the side where its metric is bad, of a size that it can reach."""
    for index, alert in enumerate(forecast.alerts):
        path: Path = ("alerts", index)
        sides = [side for side in ("above", "below", "outside") if getattr(alert, side) is not None]
        allowed = DIRECTIONS[alert.metric]
        if len(sides) != 1:
            said = " and ".join(sides) or "none"
            yield Problem(
                path, "threshold", f"expected one of above, below and outside, found {said}", f"write {allowed[0]}"
            )
        elif sides[0] not in allowed:
            message = f"{alert.metric} is not bad {sides[0]} a value"
            yield Problem(
                (*path, sides[0]), "threshold-direction", message, f"write {' or '.join(allowed)}", on_key=True
            )
        else:
            yield from _size(alert, sides[0], path)
        yield from _words(alert, path)


def _size(alert: Alert, side: str, path: Path) -> Iterator[Problem]:
    value = getattr(alert, side)
    is_duration = isinstance(value, timedelta)
    if is_duration != (alert.metric == "data_age"):
        expected = "a duration, such as 10d" if alert.metric == "data_age" else "a number"
        yield Problem((*path, side), "threshold", f"{alert.metric} is compared with {expected}", None)
        return
    numbers = [] if is_duration else list(value) if isinstance(value, tuple) else [value]
    if len(numbers) == 2 and numbers[0] >= numbers[1]:
        yield Problem((*path, side), "threshold", f"{numbers[0]:g} is not below {numbers[1]:g}", "write [low, high]")
    if alert.metric in _SHARES and any(not 0 <= number <= 1 for number in numbers):
        yield Problem((*path, side), "threshold", f"{alert.metric} is a share between 0 and 1", "write 0.7 for 70 %")
    elif alert.metric != "bias" and any(number < 0 for number in numbers):
        yield Problem((*path, side), "threshold", f"{alert.metric} is never negative", None)


def _words(alert: Alert, path: Path) -> Iterator[Problem]:
    if alert.for_ is not None:
        agree, of = map(int, alert.for_.split(" of "))
        if agree > of:
            yield Problem((*path, "for"), "threshold", f"{agree} of {of} can never agree", f"write {of} of {agree}")
    if alert.baseline is not None and alert.metric not in _DRIFT:
        yield Problem(
            (*path, "baseline"), "threshold", f"{alert.metric} has no baseline", f"only {' and '.join(_DRIFT)} have one"
        )


def names(forecast: Forecast) -> Iterator[Problem]:
    """Alerts have names of their own, and inhibit others that are there."""
    known = [alert.name for alert in forecast.alerts]
    for index, alert in enumerate(forecast.alerts):
        path: Path = ("alerts", index)
        if alert.name in known[:index]:
            yield Problem(
                (*path, "name"), "alert-twice", f"there is an alert '{alert.name}' already", "choose another name"
            )
        for place, other in enumerate(alert.inhibits):
            if other == alert.name:
                yield Problem((*path, "inhibits", place), "reference", "an alert cannot inhibit itself", None)
            elif other not in known:
                yield _no_alert((*path, "inhibits", place), other, known)


def segments(forecast: Forecast) -> Iterator[Problem]:
    """An alert is judged by columns that name or describe series."""
    columns = [*forecast.dataset.series, *forecast.dataset.covariates.static]
    for index, alert in enumerate(forecast.alerts):
        for place, column in enumerate(alert.by):
            if column not in columns:
                message, hint = f"'{column}' is no series or static column", did_you_mean(column, columns)
                yield Problem(("alerts", index, "by", place), "reference", message, hint)


def rollbacks(forecast: Forecast) -> Iterator[Problem]:
    """A rollback starts on alerts that are there."""
    known = [alert.name for alert in forecast.alerts]
    for place, name in enumerate(forecast.rollback.on):
        if name not in known:
            yield _no_alert(("rollback", "on", place), name, known)


def _no_alert(path: Path, name: str, known: list[str]) -> Problem:
    return Problem(path, "reference", f"there is no alert '{name}'", did_you_mean(name, known))


def circles(forecast: Forecast) -> Iterator[Problem]:
    """Alerts that inhibit one another in a circle would all be silent."""
    quiets = {alert.name: set(alert.inhibits) - {alert.name} for alert in forecast.alerts}
    for index, alert in enumerate(forecast.alerts):
        reached, todo = set(), list(quiets[alert.name])
        while todo:
            name = todo.pop()
            if name not in reached:
                reached.add(name)
                todo += quiets.get(name, ())
        if alert.name in reached:
            yield Problem(
                ("alerts", index, "inhibits"),
                "reference",
                f"'{alert.name}' inhibits itself through others",
                "break the circle",
            )


def receivers(forecast: Forecast) -> Iterator[Problem]:
    """A receiver is a topic or a webhook."""
    for index, receiver in enumerate(forecast.notify):
        if (receiver.pubsub is None) == (receiver.webhook is None):
            yield Problem(("notify", index), "receiver", "expected one of pubsub and webhook", None)
        elif receiver.pubsub and receiver.pubsub.lower().startswith("goog"):
            yield Problem(("notify", index, "pubsub"), "receiver", "topics that begin with goog are reserved", None)
