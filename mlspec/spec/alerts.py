"""The `alerts` part of a forecast's spec: thresholds of metrics, and what makes a value count as beyond one."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from mlspec.spec.agreement import Agreement, parse_agreement
from mlspec.spec.fields import AgreementText, AlertMetric, AlertName, Column, Duration, Many, Severity
from mlspec.spec.metrics import METRICS, SIDES, MetricKind, format_names, metric_kind, metric_names
from mlspec.spec.part import Part

Threshold = Annotated[
    Annotated[float, Tag("number")] | Annotated[Duration, Tag("text")],
    Discriminator(lambda value: "text" if isinstance(value, str | timedelta) else "number"),
]

_USUAL_ABOVE = {name: metric.usual_above for name, metric in METRICS.items() if metric.usual_above is not None}


def _threshold_words() -> str:
    """Return the meaning of a threshold that is not a plain number, and the metrics that have a usual threshold."""
    words = [
        f"{word} for {format_names(names)}"
        for word, unit in (("a duration", "duration"), ("seconds", "seconds"))
        if (names := tuple(name for name, metric in METRICS.items() if metric.unit == unit))
    ]
    usual = [f"{value:g} for {name}" for name, value in _USUAL_ABOVE.items()]
    return f"{', '.join(words)}. {', '.join(usual)}, if no threshold is named"


USUAL_FALSE_ALARMS = 1.0  # a year, of an alert on drift that names no rate
# Metrics whose own past says what is usual: that of demand, or that of the backtest.
KINDS_WITH_PAST: tuple[MetricKind, ...] = ("drift", "accuracy")


class Alert(Part):
    """One alert threshold. Without enough data the alert's state is `no-data`, which is neither good nor bad."""

    @model_validator(mode="before")
    @classmethod
    def _fill_threshold(cls, value: Any) -> Any:
        """Fill in the usual threshold of the metric, if none is set."""
        if isinstance(value, dict) and value.get("metric") in _USUAL_ABOVE and not any(side in value for side in SIDES):
            return {**value, "above": _USUAL_ABOVE[value["metric"]]}
        return value

    name: AlertName = Field(description="Name of the alert, for `rollback.on`, `inhibits` and `mlspec silence`.")
    metric: AlertMetric = Field(
        description="The metric that the alert watches; packages may bring others, of accuracy."
    )
    above: Threshold | None = Field(default=None, description=f"Fires above this value; {_threshold_words()}.")
    below: float | None = Field(default=None, description="Fires below this value.")
    outside: Annotated[Many[float], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="Fires outside this range, [low, high]."
    )
    window: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description=f"Mature periods that the metric is taken over; hours for {format_names(metric_names('serving'))}.",
    )
    for_: AgreementText | None = Field(
        default=None, alias="for",
        description="Fires if `m of n` of the last evaluations are beyond the threshold.", examples=["2 of 3"],
    )  # fmt: skip
    by: Many[Column] = Field(
        default=(), description="Series or static columns; each of their values is judged separately."
    )
    baseline: Literal["same-season", "training"] | None = Field(
        default=None, description="The period that drift is measured against."
    )
    false_alarms_per_year: Annotated[float, Field(gt=0, le=52)] | Literal["any"] | None = Field(
        default=None,
        description="A value beyond the threshold counts only if it is also beyond what the forecast's own past windows exceed so "
        f"often a year. For {format_names(metric_names('drift'))} these are windows of demand: once, if left out; with `any` the "
        "threshold alone decides. For metrics of accuracy these are windows of the backtest, and no threshold is needed beside it.",
    )
    severity: Severity = Field(default="warning", description="Severity of the notices.")
    inhibits: Many[AlertName] = Field(default=(), description="Alerts that send no notices while this one fires.")

    @property
    def agreement(self) -> Agreement:
        """How many evaluations must agree, and of how many: `m of n`; 1 of 1, if `for` is left out."""
        return parse_agreement(self.for_)

    @property
    def tolerated_alarms(self) -> float | None:
        """How often a year its own past may exceed what a value has to exceed; None if the threshold alone decides."""
        if self.false_alarms_per_year == "any":
            return None
        return self.false_alarms_per_year or (USUAL_FALSE_ALARMS if metric_kind(self.metric) == "drift" else None)

    @property
    def needs_past(self) -> bool:
        """Whether it has no verdict before its past tells what is usual, as a threshold beside it is only the size that matters."""
        return metric_kind(self.metric) == "accuracy" and self.tolerated_alarms is not None

    @property
    def is_by_past_alone(self) -> bool:
        """Whether it has no threshold: its own past alone says what is too much."""
        return self.bounds == (None, None) and self.tolerated_alarms is not None

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """The values below and above which it fires, None for a side that it does not watch; a duration in seconds."""
        if self.outside is not None:
            return self.outside[0], self.outside[1]
        return self.below, self.above.total_seconds() if isinstance(self.above, timedelta) else self.above
