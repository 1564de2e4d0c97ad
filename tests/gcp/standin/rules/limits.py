"""What Google refuses beyond single fields: sizes, counts, patterns of ids, what may not stand together. Each row has its source.

Rules that need what exists already, such as which model is deployed, are kept by the services' own classes in `services/`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_DEFINITIONS = "github.com/googleapis/googleapis: google"
_VERTEX = f"{_DEFINITIONS}/cloud/aiplatform/v1"
_AI, _RUN = "google.cloud.aiplatform.v1", "google.cloud.run.v2.Jobs"
_MAKES_JOB = (f"{_RUN}.CreateJob", f"{_RUN}.UpdateJob")


@dataclass(frozen=True)
class Limit:
    """A rule for requests of some methods: its words, its source, and what finds the values that break it."""

    methods: tuple[str, ...]
    says: str
    source: str
    broken: Callable[[Any], Iterable[object]]


def _outside(pattern: str, read: Callable[[Any], Iterable[str]]) -> Callable[[Any], Iterator[str]]:
    """Find the texts that are said and do not match a pattern."""
    compiled = re.compile(pattern)
    return lambda request: (text for text in read(request) if text and not compiled.fullmatch(text))


def _longer(most: int, read: Callable[[Any], Iterable[Any]]) -> Callable[[Any], Iterator[Any]]:
    """Find what is longer than it may be."""
    return lambda request: (found for found in read(request) if len(found) > most)


def _titles(request: Any) -> Iterator[str]:
    """Yield the display name of what a request makes, uploads or changes."""
    for one, value in request.ListFields():
        if one.message_type is not None and "display_name" in one.message_type.fields_by_name:
            yield value.display_name


def _containers(request: Any) -> Iterator[Any]:
    yield from request.job.template.template.containers


def _repeated(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _job_timeouts(request: Any) -> Iterator[int]:
    task = request.job.template.template
    if task.HasField("timeout"):
        yield task.timeout.seconds


def _outside_range(low: float, high: float, read: Callable[[Any], Iterable[float]]) -> Callable[[Any], Iterator[float]]:
    return lambda request: (found for found in read(request) if not low <= found <= high)


def _metric_labels(request: Any) -> Iterator[Any]:
    for series in request.time_series:
        yield from (series.metric.labels, series.resource.labels)


def _deployed_ids(request: Any) -> Iterator[str]:
    yield request.deployed_model.id


def _key_ids(request: Any) -> Iterator[str]:
    yield from (getattr(request, name, "") for name in ("key_ring_id", "crypto_key_id"))


def _ways(request: Any) -> Iterator[str]:
    config = request.endpoint
    ways = [name for name in ("network", "dedicated_endpoint_enabled") if getattr(config, name)]
    ways += ["private_service_connect_config"] * config.HasField("private_service_connect_config")
    if len(ways) > 1:
        yield " and ".join(ways)


LIMITS: tuple[Limit, ...] = (
    Limit(
        (f"{_AI}.ModelService.UploadModel", f"{_AI}.EndpointService.CreateEndpoint", f"{_AI}.EndpointService.UpdateEndpoint",
         f"{_AI}.JobService.CreateCustomJob", f"{_AI}.JobService.CreateBatchPredictionJob"),
        "display_name has at most 128 characters",
        f"{_VERTEX}/endpoint.proto, model.proto, custom_job.proto, batch_prediction_job.proto",
        _longer(128, _titles),
    ),
    Limit(
        (f"{_AI}.ModelService.UploadModel",), "model_id has at most 63 of [a-z0-9_-], the first no digit and no hyphen",
        f"{_VERTEX}/model_service.proto, UploadModelRequest.model_id",
        _outside(r"[a-z_][a-z0-9_-]{0,62}", lambda request: [request.model_id]),
    ),
    Limit(
        (f"{_AI}.EndpointService.CreateEndpoint",),
        "endpoint_id is at most 9 digits without a leading zero, or at most 63 of [a-z0-9-] that begin with a letter",
        f"{_VERTEX}/endpoint_service.proto, CreateEndpointRequest.endpoint_id (the provider takes 10 digits)",
        _outside(r"[1-9][0-9]{0,8}|[a-z]([a-z0-9-]{0,61}[a-z0-9])?", lambda request: [request.endpoint_id]),
    ),
    Limit(
        (f"{_AI}.EndpointService.CreateEndpoint",), "an endpoint is reached in one way",
        f"{_VERTEX}/endpoint.proto, Endpoint.network and private_service_connect_config", _ways,
    ),
    Limit(
        (f"{_AI}.EndpointService.DeployModel",), "the id of a deployed model has 1 to 10 digits",
        f"{_VERTEX}/endpoint.proto, DeployedModel.id", _outside(r"[0-9]{1,10}", _deployed_ids),
    ),
    Limit(
        (f"{_RUN}.CreateJob",), "job_id has at most 63 of [a-z0-9-], a letter first and no hyphen last",
        "cloud.google.com/run/docs/create-jobs", _outside(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", lambda request: [request.job_id]),
    ),
    Limit(
        _MAKES_JOB, "a task takes at most 168 hours",
        "cloud.google.com/run/docs/configuring/task-timeout", _outside_range(1, 168 * 3600, _job_timeouts),
    ),
    Limit(
        _MAKES_JOB, "a task is tried again at most 10 times",
        "cloud.google.com/run/docs/configuring/max-retries",
        _outside_range(0, 10, lambda request: [request.job.template.template.max_retries]),
    ),
    Limit(
        _MAKES_JOB, "an environment variable stands once",
        "cloud.google.com/run/docs/configuring/jobs/environment-variables",
        lambda request: [name for one in _containers(request) for name in _repeated([each.name for each in one.env])],
    ),
    Limit(
        _MAKES_JOB, "the value of a variable has at most 32768 bytes",
        f"{_DEFINITIONS}/cloud/run/v2/k8s.min.proto, EnvVar.value",
        _longer(32_768, lambda request: [each.value.encode() for one in _containers(request) for each in one.env]),
    ),
    Limit(
        (f"{_RUN}.RunJob",), "the value of a variable has at most 32768 bytes",
        f"{_DEFINITIONS}/cloud/run/v2/k8s.min.proto, EnvVar.value",
        _longer(32_768, lambda request: [each.value.encode() for one in request.overrides.container_overrides for each in one.env]),
    ),
    Limit(
        ("google.cloud.secretmanager.v1.SecretManagerService.CreateSecret",), "secret_id has at most 255 of [A-Za-z0-9_-]",
        f"{_DEFINITIONS}/cloud/secretmanager/v1/service.proto, CreateSecretRequest.secret_id",
        _outside(r"[A-Za-z0-9_-]{1,255}", lambda request: [request.secret_id]),
    ),
    Limit(
        ("google.cloud.secretmanager.v1.SecretManagerService.AddSecretVersion",), "a secret has at most 65536 bytes",
        "cloud.google.com/secret-manager/quotas", _longer(65_536, lambda request: [request.payload.data]),
    ),
    Limit(
        ("google.cloud.kms.v1.KeyManagementService.CreateKeyRing", "google.cloud.kms.v1.KeyManagementService.CreateCryptoKey"),
        "an id has 1 to 63 of [a-zA-Z0-9_-]", f"{_DEFINITIONS}/cloud/kms/v1/service.proto, CreateKeyRingRequest.key_ring_id",
        _outside(r"[a-zA-Z0-9_-]{1,63}", _key_ids),
    ),
    Limit(
        ("google.monitoring.v3.MetricService.CreateTimeSeries",), "a label's value has at most 1024 characters",
        "cloud.google.com/monitoring/quotas#custom_metrics_quotas",
        _longer(1024, lambda request: [value for labels in _metric_labels(request) for value in labels.values()]),
    ),
    Limit(
        ("google.monitoring.v3.MetricService.CreateTimeSeries",), "a metric has at most 30 labels",
        "cloud.google.com/monitoring/quotas#custom_metrics_quotas", _longer(30, _metric_labels),
    ),
    Limit(
        ("google.logging.v2.LoggingServiceV2.ListLogEntries",), "a filter has at most 20,000 characters",
        f"{_DEFINITIONS}/logging/v2/logging.proto, ListLogEntriesRequest.filter", _longer(20_000, lambda request: [request.filter]),
    ),
    Limit(
        ("google.logging.v2.LoggingServiceV2.ListLogEntries",), "page_size is from 0 to 1000",
        f"{_DEFINITIONS}/logging/v2/logging.proto, ListLogEntriesRequest.page_size",
        _outside_range(0, 1000, lambda request: [request.page_size]),
    ),
    Limit(
        ("google.logging.v2.LoggingServiceV2.ListLogEntries",), "at most 100 resource_names",
        f"{_DEFINITIONS}/logging/v2/logging.proto, ListLogEntriesRequest.resource_names",
        _longer(100, lambda request: [request.resource_names]),
    ),
)  # fmt: skip


def problems(method: str, request: Any) -> Iterator[str]:
    """Yield what a request breaks, in words."""
    for limit in LIMITS:
        if method in limit.methods:
            yield from (f"{limit.says}, got {str(found)[:80]!r}" for found in limit.broken(request))
