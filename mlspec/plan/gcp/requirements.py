"""What a set of forecasts needs on a target, as data: APIs, permissions, topics, secrets, quotas.


The tables follow `infra/` and the rendered Terraform. Tests compare them with both, so that no permission is required that
nothing grants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mlspec.spec.forecast import Forecast
from mlspec.spec.gcp.location import GcpLocation
from mlspec.spec.object_address import is_object_address, parse_object_address
from mlspec.state.finding import CloudRequirements, Grant, Quota

# APIs that the platform and every forecast use. infra/services.tf enables these, and more that only the platform needs.
_APIS = (
    "aiplatform", "artifactregistry", "bigquery", "cloudkms", "cloudresourcemanager", "composer", "compute", "iam",
    "logging", "monitoring", "pubsub", "run", "serviceusage", "storage",
)  # fmt: skip
_BUCKETS = ("data", "models", "state", "dags")
_FLOOR_OF_AIRFLOW = (3, 2)  # the oldest version that a rendered DAG runs on
_READS = ("storage.objects.get", "storage.objects.list")
_WRITES = ("storage.objects.create", *_READS)
_KEEPS = (*_WRITES, "storage.objects.delete")
# One run of a forecast's job: 4 vCPU and 16 GiB, as in its template. Cloud Run counts thousandths of a vCPU, and bytes.
_QUOTAS = (
    Quota("4 vCPU for a step", "run", "cpu_allocation", "CpuAllocPerProjectRegion", 4_000),
    Quota("16 GiB for a step", "run", "mem_allocation", "MemAllocPerProjectRegion", 16 * 1024**3),
)


def cloud_requirements(specs: Sequence[Forecast], place: GcpLocation) -> CloudRequirements:
    """Return what the specs need on Google Cloud."""
    secrets = tuple(sorted(set(_secret_names(specs))))
    apis = (*_APIS, *(("secretmanager",) if secrets else ()))
    return CloudRequirements(
        apis=tuple(f"{name}.googleapis.com" for name in sorted(apis)),
        grants=(*_project_grants(specs, place), *_bucket_grants(specs, place)),
        platform_buckets=tuple(place.bucket(role) for role in _BUCKETS),
        topics=("mlspec-alerts", *sorted(set(_topic_names(specs)) - {"mlspec-alerts"})),
        secrets=secrets,
        quotas=_QUOTAS,
        airflow=_FLOOR_OF_AIRFLOW,
    )


def _topic_names(specs: Iterable[Forecast]) -> Iterator[str]:
    return (receiver.pubsub for spec in specs for receiver in spec.notify if receiver.pubsub)


def _secret_names(specs: Iterable[Forecast]) -> Iterator[str]:
    return (receiver.webhook.secret for spec in specs for receiver in spec.notify if receiver.webhook)


def _project_grants(specs: Sequence[Forecast], place: GcpLocation) -> Iterator[Grant]:
    own = f"projects/{place.project}/roles"
    yield Grant(
        "make a forecast's infrastructure", f"{own}/mlspecForecastApplier",
        (
            "bigquery.datasets.create", "bigquery.tables.create", "iam.serviceAccounts.create", "logging.logMetrics.create",
            "monitoring.alertPolicies.create", "monitoring.dashboards.create", "pubsub.topics.create",
            "resourcemanager.projects.getIamPolicy", "run.jobs.create",
        ),
    )  # fmt: skip
    online = any(spec.deployment.serve != "batch" for spec in specs)
    deploys = (
        ("aiplatform.endpoints.deploy", "aiplatform.endpoints.get", "aiplatform.endpoints.update") if online else ()
    )
    jobs = [
        f"aiplatform.{kind}.{act}"
        for kind, machines in (
            ("customJobs", [spec.training.machine for spec in specs]),
            ("batchPredictionJobs", [spec.deployment.batch_machine for spec in specs]),
        )
        if any(machines)
        for act in ("create", "get", "list")
    ]
    yield Grant(
        "register versions and deploy them", f"{own}/mlspecModelOperator",
        ("aiplatform.models.get", "aiplatform.models.list", "aiplatform.models.update", "aiplatform.models.upload", *deploys,
         *jobs),
    )  # fmt: skip
    yield Grant("load a forecast's table", "roles/bigquery.jobUser", ("bigquery.jobs.create",))
    yield Grant(
        "write the metrics that alerts compare", "roles/monitoring.metricWriter", ("monitoring.timeSeries.create",)
    )
    if online:
        yield Grant("read the request counts of endpoints", "roles/monitoring.viewer", ("monitoring.timeSeries.list",))
    yield Grant("read the log of a failed step", "roles/logging.viewer", ("logging.logEntries.list",))
    yield Grant("watch the forecasts' jobs", "roles/run.viewer", ("run.executions.get", "run.jobs.get"))


def _bucket_grants(specs: Iterable[Forecast], place: GcpLocation) -> Iterator[Grant]:
    yield Grant("read the data", "roles/storage.objectViewer", _READS, place.bucket("data"))
    yield Grant("keep models", "roles/storage.objectUser", _WRITES, place.bucket("models"))
    yield Grant("keep the record", "roles/storage.objectUser", _KEEPS, place.bucket("state"))
    yield Grant("upload DAGs", "roles/storage.objectUser", _WRITES, place.bucket("dags"))
    for bucket in sorted(set(_source_buckets(specs)) - {place.bucket(role) for role in _BUCKETS}):
        yield Grant("read the data", "roles/storage.objectViewer", _READS, bucket)


def _source_buckets(specs: Iterable[Forecast]) -> Iterator[str]:
    for spec in specs:
        for part in (spec.dataset.source, spec.dataset.future):
            if part and part.uri and is_object_address(part.uri):
                yield parse_object_address(part.uri).bucket
