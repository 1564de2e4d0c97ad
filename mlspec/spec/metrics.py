"""Every metric, declared once: schema, checks, gate, alerts, rollback, training, rehearsal, evaluation and docs read this table.

METRICS has mlspec's own. An installed package brings others of the kind `accuracy`; `find_metric` returns the row of either.

How a metric is computed is elsewhere, under its name: `forecast.metrics` (accuracy), `forecast.data_metrics` (drift, data),
`plan.serving_metrics` (serving). CONTRIBUTING.md has the recipe for a new one.

Formulas: Hyndman & Koehler 2006 (MASE), Makridakis et al. 2022 (RMSSE, weighted pinball loss), Kolassa & Schuetz 2007 (WAPE);
PSI and the Kolmogorov-Smirnov distance compare two distributions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from mlspec.errors import SpecError

# accuracy: forecasts against actuals, in a backtest too. drift: the distribution of demand against a baseline. data: rows and
# series. age: how old the newest row is now. serving: the request counts of a prediction server.
MetricKind = Literal["accuracy", "drift", "data", "age", "serving"]
# share: shown in percent. ratio: relative to something, shown as a number. duration: written as 10d in a spec, measured in
# seconds.
Unit = Literal["share", "ratio", "series", "seconds", "duration"]
Side = Literal["above", "below", "outside"]
SIDES: tuple[Side, ...] = ("above", "below", "outside")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric: the values from `low` to `high` that it can take, the `sides` on which it is bad, and what follows from it.

    `title` heads its column; `tile` stands below its figure in a report, where {interval} is the share between the outermost
    quantiles (empty: no such figure). `quantiles` is how many it needs. `ideal` is the value from which too low and too high are
    both worse, or `nominal` for the share between the outermost quantiles; None where less is always better. `ranks` says that a
    champion may be chosen by it, `blames_version` that it is about the version whose forecasts or answers were measured,
    `asks_training` that a model which has seen the newest data may help. `by_series` says that segments of series have values of
    their own. `usual_above` is the threshold, and `usual_window` the number of periods (hours, of a server), of an alert that names
    none. `package` is the name and version of the package that brings it; empty for mlspec's own.
    """

    name: str
    kind: MetricKind
    title: str
    meaning: str
    high: float
    low: float = 0.0
    unit: Unit = "ratio"
    sides: tuple[Side, ...] = ("above",)
    tile: str = ""
    quantiles: int = 0
    ideal: float | Literal["nominal"] | None = None
    ranks: bool = False
    blames_version: bool = False
    asks_training: bool = False
    by_series: bool = True
    usual_above: float | None = None
    usual_window: int = 1
    package: str = ""

    def badness(self, value: float) -> float:
        """Return how bad a value is, from 0 for ideal: by its size, by its distance from ideal, or by how much of it lacks."""
        if isinstance(self.ideal, float):
            return abs(value - self.ideal)
        return self.high - value if self.sides[0] == "below" else value

    def bounds_of(self, badness: float) -> tuple[float | None, float | None]:
        """Return the values below and above which one is worse than `badness`; None for a side on which none is."""
        if isinstance(self.ideal, float):
            return self.ideal - badness, self.ideal + badness
        return (self.high - badness, None) if self.sides[0] == "below" else (None, badness)


# A relative error above this (ten times the demand) was probably written in percent.
_RELATIVE = 10.0
_ANY = math.inf
# Periods: with four series, enough values for a verdict on a distribution.
_DRIFT_WINDOW = 8
_ROWS = (
    Metric(name="wape", kind="accuracy", title="WAPE",
           meaning="sum of absolute errors over the sum of absolute actuals",
           high=_RELATIVE, unit="share", tile="WAPE in the backtest", ranks=True, blames_version=True, asks_training=True),
    Metric(name="mase", kind="accuracy", title="MASE",
           meaning="mean absolute error over that of a seasonal-naive forecast in the history",
           high=_ANY, ranks=True, blames_version=True, asks_training=True),
    Metric(name="rmsse", kind="accuracy", title="RMSSE",
           meaning="root of the mean squared error over that of a naive forecast in the history",
           high=_ANY, ranks=True, blames_version=True, asks_training=True),
    Metric(name="bias", kind="accuracy", title="bias",
           meaning="sum of errors over the sum of absolute actuals; above 0 forecasts too much",
           low=-_RELATIVE, high=_RELATIVE, unit="share", sides=("outside",), tile="bias: above 0 forecasts too much", ideal=0.0,
           blames_version=True, asks_training=True),
    Metric(name="pinball", kind="accuracy", title="pinball",
           meaning="mean pinball loss of the quantiles over the sum of absolute actuals",
           high=_ANY, quantiles=1, ranks=True, blames_version=True, asks_training=True),
    Metric(name="coverage", kind="accuracy", title="coverage",
           meaning="share of actuals between the outermost quantiles", high=1, unit="share",
           sides=("below", "outside"), tile="of actuals in the {interval} interval", quantiles=2, ideal="nominal",
           blames_version=True, asks_training=True),
    # 0.25 is a major shift (Siddiqi 2006, Credit Risk Scorecards, ch. 9).
    Metric(name="psi", kind="drift", title="PSI",
           meaning="population stability index of demand against its baseline", high=_ANY,
           asks_training=True, usual_above=0.25, usual_window=_DRIFT_WINDOW),
    Metric(name="ks", kind="drift", title="KS",
           meaning="largest distance between the distributions of demand and its baseline", high=1,
           asks_training=True, usual_window=_DRIFT_WINDOW),
    Metric(name="data_age", kind="age", title="data age",
           meaning="time since the end of the newest period", high=_ANY, unit="duration"),
    Metric(name="volume", kind="data", title="volume",
           meaning="values in the newest period, relative to the season before it", high=_ANY,
           sides=("below", "outside")),
    Metric(name="new_series", kind="data", title="new series",
           meaning="series that were first seen in the window", high=_ANY, unit="series",
           by_series=False),
    Metric(name="vanished_series", kind="data", title="vanished series",
           meaning="series that were last seen before the window", high=_ANY,
           unit="series", by_series=False),
    Metric(name="error_rate", kind="serving", title="error rate",
           meaning="share of requests that failed in the server", high=1, unit="share",
           blames_version=True, by_series=False),
    # 10 s is the last bound of the histogram.
    Metric(name="latency", kind="serving", title="latency",
           meaning="95th percentile of the time that an answer takes, in seconds", high=10.0,
           unit="seconds", blames_version=True, by_series=False),
)  # fmt: skip
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ROWS}
# The metric that is shown if only one is, and the default by which a champion is chosen.
MAIN = METRICS["wape"]


def find_metric(name: str) -> Metric:
    """Return the row of a metric: mlspec's own, or that of an installed package.

    Raises SpecError if there is none, or if its package cannot be imported.
    """
    return METRICS.get(name) or _load_package_row(name)


def metric_kind(name: str) -> MetricKind:
    """Return the kind of a metric that a spec names. Packages bring accuracy metrics alone, so none is imported to tell."""
    return METRICS[name].kind if name in METRICS else "accuracy"


def _load_package_row(name: str) -> Metric:
    from mlspec.models.package_metrics import load_metric

    loaded = load_metric(name, METRICS)
    metric = loaded.metric
    has_ideal = metric.ideal is not None
    return Metric(
        name=name, kind="accuracy", title=metric.title, meaning=metric.meaning, low=float(metric.low), high=float(metric.high),
        unit=metric.unit, sides=("outside",) if has_ideal else ("above",), quantiles=metric.quantiles,
        ideal=None if metric.ideal is None else float(metric.ideal), ranks=not has_ideal, blames_version=True,
        asks_training=True, package=loaded.entry.package,
    )  # fmt: skip


def names_of_packages(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of some metrics that mlspec has not itself, each once, sorted."""
    return tuple(sorted({name for name in names if name not in METRICS}))


def accuracy_metrics(measured: Iterable[Mapping[str, object] | None]) -> tuple[Metric, ...]:
    """Return the metrics that a table of `measured` values shows: mlspec's own, then those of packages that are among the values.

    A value may be older than the environment: without its package a metric is shown under its name.
    """
    others = names_of_packages(name for values in measured for name in values or ())
    return (*metrics_of_kind("accuracy"), *map(recorded_metric, others))


def recorded_metric(name: str) -> Metric:
    """Return the row of a metric that is recorded: where its package is not there, what is known of all metrics of packages."""
    try:
        return find_metric(name)
    except SpecError as error:
        return Metric(
            name=name,
            kind="accuracy",
            title=name,
            meaning=error.message,
            high=_ANY,
            blames_version=True,
            asks_training=True,
        )


def metrics_of_kind(*kinds: MetricKind) -> tuple[Metric, ...]:
    """Return mlspec's own metrics of these kinds, in the table's order."""
    return tuple(metric for metric in METRICS.values() if metric.kind in kinds)


def metric_names(*kinds: MetricKind) -> tuple[str, ...]:
    """Return the names of mlspec's own metrics of these kinds, in the table's order."""
    return tuple(metric.name for metric in metrics_of_kind(*kinds))


def format_names(names: tuple[str, ...]) -> str:
    """Return names as a list in a sentence: a, b and c."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
