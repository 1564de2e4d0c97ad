"""From a spec's alert thresholds to Cloud Monitoring's alert policies.

mlspec measures, Monitoring watches: the step `evaluate` takes a metric over its window of mature periods and writes one point an
alert and segment to `custom.googleapis.com/mlspec/value`; where the spec says `for: m of n`, it writes to
`custom.googleapis.com/mlspec/breaches` in how many of the last n evaluations the threshold was broken, because no condition
of Monitoring looks back over weeks. What an endpoint does by itself (error_rate, latency) is read from Vertex AI's own metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mlspec.render.quote import promql
from mlspec.spec.duration import parse_duration
from mlspec.spec.escaping import log_filter
from mlspec.state.resource import Json

VALUE = "custom.googleapis.com/mlspec/value"
BREACHES = "custom.googleapis.com/mlspec/breaches"

_LOUDNESS = ("info", "warning", "critical")
# Severities of a policy: cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alertPolicies, "Severity". `info` has none.
_SEVERITY = {"critical": "CRITICAL", "warning": "WARNING"}
_OF_ENDPOINT = ("error_rate", "latency")
# Vertex AI's own (cloud.google.com/monitoring/api/metrics_gcp), as PromQL spells them: the first slash of a name is a colon there,
# every other sign that is no letter an underscore (cloud.google.com/monitoring/promql/promql-mapping).
_REQUESTS = "aiplatform_googleapis_com:prediction_online_response_count"  # a series a class of codes; 5xx are the server's fault
_LATENCIES = "aiplatform_googleapis_com:prediction_online_prediction_latencies_bucket"
_ENDPOINT = "aiplatform.googleapis.com/Endpoint"
_MILLISECONDS = 1000.0


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a policy: a metric's filter with a comparison, or a query that is true when the alert fires."""

    title: str
    filter: str = ""
    comparison: Literal["COMPARISON_GT", "COMPARISON_LT"] = "COMPARISON_GT"
    value: float = 0.0
    aligner: Literal["ALIGN_MAX", "ALIGN_MIN"] = "ALIGN_MAX"
    query: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """One alert as Monitoring has it.

    `channels` are topics that the spec names under `notify`; `rolls_back` says that it wakes the redeploy function.
    """

    name: str
    title: str
    severity: str | None
    conditions: tuple[Condition, ...]
    channels: tuple[str, ...]
    rolls_back: bool
    text: str


def policies(spec: Mapping[str, Json], endpoint: str | None) -> tuple[Policy, ...]:
    """Return one policy an alert of a resolved spec. `endpoint` is the Vertex AI endpoint's id, where the spec serves online."""
    return tuple(_policy(spec, alert, endpoint) for alert in spec["alerts"])


def _policy(spec: Mapping[str, Json], alert: Mapping[str, Json], endpoint: str | None) -> Policy:
    forecast, rolls_back = spec["metadata"]["name"], alert["name"] in spec["rollback"]["on"]
    threshold = " or ".join(words for words, _, _ in _sides(alert))
    what = f"{alert['metric']} is {threshold}"
    then = "mlspec looks at the version that serves, and may roll it back" if rolls_back else "a person should look"
    return Policy(
        name=alert["name"],
        title=f"mlspec {forecast}: {alert['name']}",
        severity=_SEVERITY.get(alert["severity"]),
        conditions=tuple(_conditions(forecast, alert, endpoint)),
        channels=_topics(spec["notify"], _LOUDNESS.index(alert["severity"])),
        rolls_back=rolls_back,
        text=f"The alert {alert['name']} of forecast {forecast} fires when {what}. Now {then}: mlspec status {forecast}.",
    )


def _topics(notify: Sequence[Mapping[str, Json]], loudness: int) -> tuple[str, ...]:
    """Return the topics that take alerts of this loudness, each once."""
    heard = (each["pubsub"] for each in notify if each["pubsub"] and loudness >= _LOUDNESS.index(each["severity"]))
    return tuple(dict.fromkeys(heard))


def _conditions(forecast: str, alert: Mapping[str, Json], endpoint: str | None) -> Sequence[Condition]:
    if endpoint is not None and alert["metric"] in _OF_ENDPOINT:
        return [_of_endpoint(alert, endpoint)]
    if alert["for"]:
        agree, of = alert["for"].split(" of ")
        series = _series(BREACHES, forecast, alert["name"])
        return [Condition(f"in {agree} of {of} evaluations", series, "COMPARISON_GT", int(agree) - 0.5)]
    series = _series(VALUE, forecast, alert["name"])
    return [
        Condition(words, series, comparison, value, "ALIGN_MAX" if comparison == "COMPARISON_GT" else "ALIGN_MIN")
        for words, comparison, value in _sides(alert)
    ]


def _series(metric: str, forecast: str, alert: str) -> str:
    """Return the filter of one alert's time series. Monitoring wants the resource's type beside the metric's."""
    parts = [
        f"metric.type={log_filter(metric)}",
        f"resource.type={log_filter('generic_task')}",
        f"metric.labels.forecast={log_filter(forecast)}",
        f"metric.labels.alert={log_filter(alert)}",
    ]
    return " AND ".join(parts)


def _sides(alert: Mapping[str, Json]) -> list[tuple[str, Literal["COMPARISON_GT", "COMPARISON_LT"], float]]:
    """Return the words, the comparison and the value of each side on which an alert fires; a duration in seconds."""
    low, high = alert["outside"] or (alert["below"], alert["above"])
    found: list[tuple[str, Literal["COMPARISON_GT", "COMPARISON_LT"], float]] = []
    if low is not None:
        found.append((f"below {low:g}", "COMPARISON_LT", low))
    if high is not None:
        number = parse_duration(high).total_seconds() if isinstance(high, str) else high
        found.append((f"above {high if isinstance(high, str) else format(high, 'g')}", "COMPARISON_GT", number))
    return found


def _of_endpoint(alert: Mapping[str, Json], endpoint: str) -> Condition:
    """Return the condition on what Vertex AI itself counts: the share of failed requests, or the 95th percentile in seconds."""
    labels = f"monitored_resource={promql(_ENDPOINT)},endpoint_id={promql(endpoint)}"
    of, whole = f"{{{labels}}}", f"{{{labels},latency_type={promql('total')}}}"
    words, _, value = _sides(alert)[0]
    if alert["metric"] == "error_rate":
        failed = f"{{{labels},response_code=~{promql('5.*')}}}"
        share = " / ".join(f"sum(rate({_REQUESTS}{which}[10m]))" for which in (failed, of))
        return Condition(f"share of failed requests {words}", query=f"{share} > {value!r}")
    buckets = f"sum by (le) (rate({_LATENCIES}{whole}[10m]))"
    query = f"histogram_quantile(0.95, {buckets}) > {value * _MILLISECONDS!r}"
    return Condition(f"95th percentile of the latency {words} s", query=query)
