"""Makes Cloud Monitoring's alert policies from a spec's alert thresholds.

mlspec measures, and Monitoring watches. The step `evaluate` computes each metric over its window of periods with actuals, and
writes one point for each alert and segment to `custom.googleapis.com/mlspec/value`. For `for: m of n` it writes the number of
the last n evaluations that broke the threshold to `custom.googleapis.com/mlspec/breaches`, because no condition of Monitoring
looks back over weeks. The metrics of an endpoint (error_rate, latency) are read from Vertex AI's own metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from mlspec.render.quote import promql_text
from mlspec.spec.alerts import Alert
from mlspec.spec.duration import format_duration
from mlspec.spec.escaping import log_filter
from mlspec.spec.fields import SEVERITIES
from mlspec.spec.forecast import Forecast
from mlspec.spec.receivers import Notify

VALUE = "custom.googleapis.com/mlspec/value"
BREACHES = "custom.googleapis.com/mlspec/breaches"

# Severities of a policy: cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alertPolicies, "Severity". `info` has none.
_GCP_SEVERITY = {"critical": "CRITICAL", "warning": "WARNING"}
# Vertex AI's own (cloud.google.com/monitoring/api/metrics_gcp), as PromQL spells them: the first slash of a name is a colon there,
# every other sign that is no letter an underscore (cloud.google.com/monitoring/promql/promql-mapping).
_REQUESTS = (
    "aiplatform_googleapis_com:prediction_online_response_count"  # one series a class of codes; 5xx are server errors
)
_LATENCIES = "aiplatform_googleapis_com:prediction_online_prediction_latencies_bucket"
_ENDPOINT = "aiplatform.googleapis.com/Endpoint"
ENDPOINT_ID = "ENDPOINT_ID"  # in a query, what terraform replaces by the id of the endpoint, which it alone knows
_MILLISECONDS = 1000.0


@dataclass(frozen=True, slots=True)
class PolicyCondition:
    """One condition of a policy: a metric's filter with a comparison, or a query that is true when the alert fires."""

    title: str
    filter: str = ""
    comparison: Literal["COMPARISON_GT", "COMPARISON_LT"] = "COMPARISON_GT"
    value: float = 0.0
    aligner: Literal["ALIGN_MAX", "ALIGN_MIN"] = "ALIGN_MAX"
    query: str = ""


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """One alert policy for Monitoring.

    `channels` are topics that the spec names under `notify`; `rolls_back` says that it triggers the redeploy function.
    """

    name: str
    title: str
    severity: str | None
    conditions: tuple[PolicyCondition, ...]
    channels: tuple[str, ...]
    rolls_back: bool
    text: str


def alert_policies(spec: Forecast) -> tuple[AlertPolicy, ...]:
    """Return one policy for each alert of a resolved spec. Their queries name the endpoint as ENDPOINT_ID."""
    return tuple(_alert_policy(spec, alert) for alert in spec.alerts)


def _alert_policy(spec: Forecast, alert: Alert) -> AlertPolicy:
    forecast, rolls_back = spec.metadata.name, alert.name in spec.rollback.on
    threshold = " or ".join(words for words, _, _ in _threshold_sides(alert))
    usual = [] if alert.tolerated_alarms is None else ["beyond what its own past windows tell"]
    condition = f"{alert.metric} is {' and '.join([*([threshold] if threshold else []), *usual])}"
    reaction = (
        "mlspec evaluates the version that serves, and may roll it back" if rolls_back else "a person should look at it"
    )
    return AlertPolicy(
        name=alert.name,
        title=f"mlspec {forecast}: {alert.name}",
        severity=_GCP_SEVERITY.get(alert.severity),
        conditions=tuple(_policy_conditions(forecast, alert, online=spec.deployment.serve != "batch")),
        channels=_notify_topics(spec.notify, SEVERITIES.index(alert.severity)),
        rolls_back=rolls_back,
        text=f"The alert {alert.name} of forecast {forecast} fires when {condition}. Now {reaction}: mlspec status {forecast}.",
    )


def _notify_topics(notify: Sequence[Notify], severity: int) -> tuple[str, ...]:
    """Return the topics that receive alerts of this severity, each once."""
    topics = (
        receiver.pubsub for receiver in notify if receiver.pubsub and severity >= SEVERITIES.index(receiver.severity)
    )
    return tuple(dict.fromkeys(topics))


def _policy_conditions(forecast: str, alert: Alert, *, online: bool) -> Sequence[PolicyCondition]:
    if online and alert.metric in _ENDPOINT_CONDITIONS:
        return [_endpoint_condition(alert)]
    if alert.for_ or alert.tolerated_alarms is not None:
        agree, evaluations = alert.agreement
        series = _series_filter(BREACHES, forecast, alert.name)
        return [PolicyCondition(f"in {agree} of {evaluations} evaluations", series, "COMPARISON_GT", agree - 0.5)]
    series = _series_filter(VALUE, forecast, alert.name)
    return [
        PolicyCondition(words, series, comparison, value, "ALIGN_MAX" if comparison == "COMPARISON_GT" else "ALIGN_MIN")
        for words, comparison, value in _threshold_sides(alert)
    ]


def _series_filter(metric: str, forecast: str, alert: str) -> str:
    """Return the filter of one alert's time series. Monitoring needs the resource's type besides the metric's."""
    parts = [
        f"metric.type={log_filter(metric)}",
        f"resource.type={log_filter('generic_task')}",
        f"metric.labels.forecast={log_filter(forecast)}",
        f"metric.labels.alert={log_filter(alert)}",
    ]
    return " AND ".join(parts)


def _threshold_sides(alert: Alert) -> list[tuple[str, Literal["COMPARISON_GT", "COMPARISON_LT"], float]]:
    """Return text, comparison and value for each side on which an alert fires; a duration is in seconds."""
    low, high = alert.bounds
    sides: list[tuple[str, Literal["COMPARISON_GT", "COMPARISON_LT"], float]] = []
    if low is not None:
        sides.append((f"below {low:g}", "COMPARISON_LT", low))
    if high is not None:
        text = format_duration(alert.above) if isinstance(alert.above, timedelta) else f"{high:g}"
        sides.append((f"above {text}", "COMPARISON_GT", high))
    return sides


def _endpoint_condition(alert: Alert) -> PolicyCondition:
    """Return the condition on what Vertex AI itself counts."""
    labels = f"monitored_resource={promql_text(_ENDPOINT)},endpoint_id={promql_text(ENDPOINT_ID)}"
    words, _, value = _threshold_sides(alert)[0]
    return _ENDPOINT_CONDITIONS[alert.metric](labels, words, value)


def _failed_share_condition(labels: str, words: str, value: float) -> PolicyCondition:
    failed = f"{{{labels},response_code=~{promql_text('5.*')}}}"
    share = " / ".join(f"sum(rate({_REQUESTS}{which}[10m]))" for which in (failed, f"{{{labels}}}"))
    return PolicyCondition(f"share of failed requests {words}", query=f"{share} > {value!r}")


def _latency_condition(labels: str, words: str, value: float) -> PolicyCondition:
    buckets = f"sum by (le) (rate({_LATENCIES}{{{labels},latency_type={promql_text('total')}}}[10m]))"
    query = f"histogram_quantile(0.95, {buckets}) > {value * _MILLISECONDS!r}"
    return PolicyCondition(f"95th percentile of the latency {words} s", query=query)


# By the metric's name in `spec.metrics`: from labels in PromQL, a threshold in words and as a number. A metric of the kind
# `serving` that has no line here is watched as mlspec measures it, like all others.
_ENDPOINT_CONDITIONS: dict[str, Callable[[str, str, float], PolicyCondition]] = {
    "error_rate": _failed_share_condition,
    "latency": _latency_condition,
}
