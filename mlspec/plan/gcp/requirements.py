"""What a set of forecasts needs on a target, as data: APIs, permissions, topics, secrets, quotas.


The tables follow `infra/` and the rendered Terraform. Tests compare them with both, so that no permission is required that
nothing grants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mlspec.spec.forecast import Forecast
from mlspec.spec.gcp.location import GcpLocation
from mlspec.spec.gcp.resource_names import derived_names
from mlspec.spec.object_address import is_object_address, parse_object_address
from mlspec.state.finding import CloudRequirements, ForecastParts, ForeignSource, Grant, PlatformIdentities, Quota

# What infra/services.tf enables: what the platform, the forecasts and these checks use.
_APIS = (
    "aiplatform", "artifactregistry", "bigquery", "binaryauthorization", "cloudbilling", "cloudbuild", "cloudfunctions",
    "cloudkms", "cloudresourcemanager", "cloudscheduler", "composer", "compute", "iam", "iamcredentials", "logging",
    "monitoring", "pubsub", "run", "secretmanager", "serviceusage", "storage", "sts",
)  # fmt: skip
# infra/identity.tf, and the custom roles and the agents' roles of infra/iam.tf.
_ACCOUNTS = ("build", "dag", "fbuild", "plan", "push", "reconcile", "redeploy", "tick")
_CUSTOM_ROLES = (
    "mlspecDoctor", "mlspecFileLister", "mlspecFilePruner", "mlspecForecastApplier", "mlspecForecastGranter",
    "mlspecForecastReader", "mlspecModelOperator", "mlspecModelRemover", "mlspecTableWriter", "mlspecTrafficOperator",
)  # fmt: skip
_AGENTS = ("aiplatform", "artifactregistry", "cloudfunctions", "cloudscheduler", "composer", "run")
_BUCKETS = ("data", "models", "state", "dags")
_FLOOR_OF_AIRFLOW = (3, 1, 7)  # the oldest version on which rendered DAGs are tested
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
    return CloudRequirements(
        apis=tuple(f"{name}.googleapis.com" for name in _APIS),
        identities=_platform_identities(place),
        grants=(*_project_grants(specs, place), *_bucket_grants(specs, place)),
        platform_buckets=tuple(place.bucket(role) for role in _BUCKETS),
        topics=("mlspec-alerts", *sorted(set(_topic_names(specs)) - {"mlspec-alerts"})),
        secrets=tuple(sorted(set(_secret_names(specs)))),
        quotas=_QUOTAS,
        airflow=_FLOOR_OF_AIRFLOW,
        forecasts=tuple(_forecast_parts(spec.metadata.name) for spec in specs),
        sources=tuple(sorted(set(_source_addresses(specs)))),
        foreign_sources=tuple(_foreign_sources(specs, place)),
    )


def _platform_identities(place: GcpLocation) -> PlatformIdentities:
    return PlatformIdentities(
        accounts=tuple(place.account(name) for name in _ACCOUNTS),
        custom_roles=tuple(f"projects/{place.project}/roles/{name}" for name in _CUSTOM_ROLES),
        agent_roles=tuple(f"roles/{name}.serviceAgent" for name in _AGENTS),
    )


def _forecast_parts(name: str) -> ForecastParts:
    names = derived_names(name)
    return ForecastParts(name, names["Cloud Run job"], f"dags/{names['Airflow DAG']}.py")


def _foreign_sources(specs: Iterable[Forecast], place: GcpLocation) -> Iterator[ForeignSource]:
    """Yield BigQuery's tables and datasets of other projects, in which the platform's Terraform can grant nothing."""
    readers: dict[str, set[str]] = {}
    for spec in specs:
        for name in _warehouse_names(spec):
            if not name.startswith(f"{place.project}."):
                train = derived_names(spec.metadata.name)["service account of training"]
                own = f"{train}@{place.project}.iam.gserviceaccount.com"
                readers.setdefault(name, set()).update((own, place.account("reconcile")))
    for name, accounts in sorted(readers.items()):
        yield ForeignSource(f"bq://{name}", tuple(_grant_command(name, account) for account in sorted(accounts)))


def _warehouse_names(spec: Forecast) -> Iterator[str]:
    """Yield the tables (project.dataset.table) and datasets (project.dataset) of BigQuery that a spec names."""
    yield from spec.dataset.source.datasets
    for uri in spec.dataset.addresses:
        if uri.startswith("bq://"):
            yield uri.removeprefix("bq://")


def _grant_command(name: str, account: str) -> str:
    """Return the command that lets an account read a table or a dataset
    (https://cloud.google.com/bigquery/docs/control-access-to-resources-iam).
    """
    kind = "TABLE" if name.count(".") > 1 else "SCHEMA"
    grant = f'GRANT `roles/bigquery.dataViewer` ON {kind} `{name}` TO "serviceAccount:{account}"'
    return f"bq query --project_id={name.partition('.')[0]} --use_legacy_sql=false '{grant}'"


def _topic_names(specs: Iterable[Forecast]) -> Iterator[str]:
    return (receiver.pubsub for spec in specs for receiver in spec.notify if receiver.pubsub)


def _secret_names(specs: Iterable[Forecast]) -> Iterator[str]:
    return (receiver.secret_name for spec in specs for receiver in spec.notify if receiver.secret_name)


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
    deploys = tuple(f"aiplatform.endpoints.{act}" for act in ("deploy", "get", "list", "update")) if online else ()
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
    yield Grant(
        "grant a forecast's accounts their roles", f"{own}/mlspecForecastGranter",
        ("pubsub.topics.setIamPolicy", "resourcemanager.projects.setIamPolicy", "run.jobs.setIamPolicy",
         "storage.managedFolders.setIamPolicy"),
    )  # fmt: skip
    yield Grant("write a forecast's table", f"{own}/mlspecTableWriter", ("bigquery.tables.updateData",))
    yield Grant("run as the forecasts' accounts", "roles/iam.serviceAccountUser", ("iam.serviceAccounts.actAs",))
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
    read = {parse_object_address(uri).bucket for uri in _source_addresses(specs)}
    for bucket in sorted(read - {place.bucket(role) for role in _BUCKETS}):
        yield Grant("read the data", "roles/storage.objectViewer", _READS, bucket)


def _source_addresses(specs: Iterable[Forecast]) -> Iterator[str]:
    for spec in specs:
        yield from filter(is_object_address, spec.dataset.addresses)
