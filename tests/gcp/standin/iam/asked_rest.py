"""Which permission each method over HTTP asks for, and on what.

Source: cloud.google.com/storage/docs/access-control/iam-json, cloud.google.com/bigquery/docs/access-control,
cloud.google.com/artifact-registry/docs/access-control, cloud.google.com/billing/docs/reference/rest/v1/projects/getBillingInfo,
cloud.google.com/build/docs/api/reference/rest/v1/projects.locations.triggers, cloud.google.com/pubsub/docs/access-control, and
github.com/iann0036/iam-dataset as of 2026-08-22.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.iam.asked_grpc import unknown
from tests.gcp.standin.iam.policies import Need
from tests.gcp.standin.rest import Json, Request

Asked = Callable[[Cloud, Request], Iterator[Need]]
_BUCKET, _OBJECT = "storage.googleapis.com/Bucket", "storage.googleapis.com/Object"


def _project(cloud: Cloud, bucket: str) -> str:
    from tests.gcp.standin.services.storage.objects import Store

    found = cloud.service(Store).buckets.get(bucket)
    return f"projects/{found.project if found else 'of-nobody'}"


def _folders(bucket: str, name: str) -> tuple[str, ...]:
    """Return the managed folders that an object or a prefix may lie in, the narrowest first."""
    ends = [at + 1 for at, letter in enumerate(name) if letter == "/"]
    return tuple(f"buckets/{bucket}/managedFolders/{name[:end]}" for end in reversed(ends))


def in_bucket(cloud: Cloud, permission: str, bucket: str, name: str = "", *, inside: str = "") -> Need:
    """Return what is needed on an object, or on a bucket; `inside`: for what lies there under a prefix."""
    places = (*_folders(bucket, name or inside), f"buckets/{bucket}", _project(cloud, bucket))
    full = f"projects/_/buckets/{bucket}"
    return Need(permission, f"{full}/objects/{name}" if name else full, _OBJECT if name else _BUCKET, places)


def _written(cloud: Cloud, bucket: str, name: str, condition: str | None) -> Iterator[Need]:
    """Writing over an object takes its removal too; where the precondition stands against it nothing is written over."""
    from tests.gcp.standin.services.storage.objects import Store

    yield in_bucket(cloud, "storage.objects.create", bucket, name)
    found = cloud.service(Store).buckets.get(bucket)
    live = found.live(name) if found else None
    if live is not None and (condition is None or condition == str(live.generation)):
        yield in_bucket(cloud, "storage.objects.delete", bucket, name)


def _upload(cloud: Cloud, request: Request) -> Iterator[Need]:
    if request.method == "PUT":  # a piece of an upload, whose beginning was allowed
        return
    kind = request.query.get("uploadType")
    said: Json = request.parts[0] if kind == "multipart" else request.json() if kind == "resumable" else {}
    name = said.get("name") or request.query.get("name", "")
    yield from _written(cloud, request.names["bucket"], name, request.query.get("ifGenerationMatch"))


def _copy(cloud: Cloud, request: Request) -> Iterator[Need]:
    names = request.names
    yield in_bucket(cloud, "storage.objects.get", names["bucket"], names["object"])
    yield from _written(cloud, names["to_bucket"], names["to_object"], request.query.get("ifGenerationMatch"))


def _compose(cloud: Cloud, request: Request) -> Iterator[Need]:
    bucket = request.names["bucket"]
    for each in request.json().get("sourceObjects", []):
        yield in_bucket(cloud, "storage.objects.get", bucket, each["name"])
    yield from _written(cloud, bucket, request.names["object"], request.query.get("ifGenerationMatch"))


def _of_object(permission: str) -> Asked:
    def found(cloud: Cloud, request: Request) -> Iterator[Need]:
        yield in_bucket(cloud, permission, request.names["bucket"], request.names["object"])

    return found


def _of_bucket(permission: str) -> Asked:
    def found(cloud: Cloud, request: Request) -> Iterator[Need]:
        yield in_bucket(cloud, permission, request.names["bucket"], inside=request.query.get("prefix", ""))

    return found


def _of_project(permission: str) -> Asked:
    def found(cloud: Cloud, request: Request) -> Iterator[Need]:
        yield Need(permission, f"projects/{request.names.get('project') or request.query.get('project', '')}")

    return found


def _of_path(permission: str, *, parent: bool = False) -> Asked:
    """A resource's name is what of the path stands behind the version, up to its last collection where `parent` says so."""

    def found(_cloud: Cloud, request: Request) -> Iterator[Need]:
        name = request.path[request.path.index("projects/") :]
        yield Need(permission, name.rpartition("/")[0] if parent else name)

    return found


def _of_verb(permission: str) -> Asked:
    """A method of its own stands behind the resource's name, after a colon: `…/jobs/nightly:pause`."""

    def found(_cloud: Cloud, request: Request) -> Iterator[Need]:
        yield Need(permission, request.path[request.path.index("projects/") :].rpartition(":")[0])

    return found


def _subscription(_cloud: Cloud, request: Request) -> Iterator[Need]:
    yield Need("pubsub.subscriptions.create", f"projects/{request.names['project']}")
    yield Need("pubsub.topics.attachSubscription", request.json().get("topic", ""))


def table(project: str, dataset: str, name: str) -> str:
    """Return a table's name; a partition is its table's."""
    return f"projects/{project}/datasets/{dataset}/tables/{name.partition('$')[0]}"


def _job(cloud: Cloud, request: Request) -> Iterator[Need]:
    """A job asks for the right to run it, and for what it reads and writes."""
    if request.method == "PUT":
        return
    project = request.names["project"]
    yield Need("bigquery.jobs.create", f"projects/{project}")
    said = request.parts[0] if request.query.get("uploadType") == "multipart" else request.json()
    configuration = said.get("configuration") or {"query": said}
    job = said.get("jobReference", {}).get("jobId")
    cloud.iam_jobs[project, job] = cloud.iam.caller
    if "query" in configuration:
        yield from _queried(cloud, project, configuration["query"])
    if "load" in configuration:
        target = configuration["load"]["destinationTable"]
        name = table(target["projectId"], target["datasetId"], target["tableId"])
        # cloud.google.com/bigquery/docs/batch-loading-data#permissions-load-data-into-bigquery
        made = configuration["load"].get("createDisposition") != "CREATE_NEVER"
        for permission in ("update", "updateData", *(("create",) if made else ())):
            yield Need(f"bigquery.tables.{permission}", name)


def _queried(cloud: Cloud, project: str, how: Json) -> Iterator[Need]:
    import sqlglot
    from sqlglot import exp

    try:
        found = sqlglot.parse_one(how["query"], dialect="bigquery")
    except sqlglot.errors.ParseError:
        return  # the query itself is refused, with its words
    own = {each.alias for each in found.find_all(exp.CTE)}
    default = how.get("defaultDataset", {})
    for each in found.find_all(exp.Table):
        if each.db or each.name not in own:
            dataset = each.db or default.get("datasetId", "")
            yield Need(
                "bigquery.tables.getData",
                table(each.catalog or default.get("projectId") or project, dataset, each.name),
            )


def _own_job(permission: str) -> Asked:
    """Whoever made a job may look at it (cloud.google.com/bigquery/docs/running-jobs#required_permissions)."""

    def found(cloud: Cloud, request: Request) -> Iterator[Need]:
        project = request.names["project"]
        if cloud.iam_jobs.get((project, request.names["job"])) != cloud.iam.caller:
            yield Need(permission, f"projects/{project}")

    return found


def _none(_cloud: Cloud, _request: Request) -> Iterator[Need]:
    yield from ()


ASKED: dict[str, Asked] = {
    "storage.objects.get": _of_object("storage.objects.get"),
    "storage.objects.list": _of_bucket("storage.objects.list"),
    "storage.objects.insert": _upload,
    "storage.objects.patch": _of_object("storage.objects.update"),
    "storage.objects.update": _of_object("storage.objects.update"),
    "storage.objects.delete": _of_object("storage.objects.delete"),
    "storage.objects.copy": _copy,
    "storage.objects.rewrite": _copy,
    "storage.objects.compose": _compose,
    "storage.buckets.create": _of_project("storage.buckets.create"),
    "storage.buckets.list": _of_project("storage.buckets.list"),
    "storage.buckets.get": _of_bucket("storage.buckets.get"),
    "storage.buckets.update": _of_bucket("storage.buckets.update"),
    "storage.buckets.delete": _of_bucket("storage.buckets.delete"),
    "storage.buckets.testIamPermissions": _none,
    "bigquery.datasets.insert": _of_project("bigquery.datasets.create"),
    "bigquery.datasets.list": _of_project("bigquery.datasets.get"),
    "bigquery.datasets.get": _of_path("bigquery.datasets.get"),
    "bigquery.datasets.delete": _of_path("bigquery.datasets.delete"),
    "bigquery.tables.insert": _of_path("bigquery.tables.create", parent=True),
    "bigquery.tables.list": _of_path("bigquery.tables.list", parent=True),
    "bigquery.tables.get": _of_path("bigquery.tables.get"),
    "bigquery.tables.patch": _of_path("bigquery.tables.update"),
    "bigquery.tables.delete": _of_path("bigquery.tables.delete"),
    "bigquery.tabledata.list": _of_path("bigquery.tables.getData", parent=True),
    "bigquery.jobs.insert": _job,
    "bigquery.jobs.query": _job,
    "bigquery.jobs.get": _own_job("bigquery.jobs.get"),
    "bigquery.jobs.getQueryResults": _own_job("bigquery.jobs.get"),
    "artifactregistry.dockerimages.get": _of_path("artifactregistry.dockerimages.get"),
    "artifactregistry.tags.get": _of_path("artifactregistry.tags.get"),
    "pubsub.topics.get": _of_path("pubsub.topics.get"),
    "pubsub.topics.create": _of_project("pubsub.topics.create"),
    "pubsub.subscriptions.get": _of_path("pubsub.subscriptions.get"),
    "pubsub.subscriptions.create": _subscription,
    "cloudbilling.projects.getBillingInfo": _of_project("resourcemanager.projects.get"),
    "iam.serviceAccounts.create": _of_project("iam.serviceAccounts.create"),
    "iam.serviceAccounts.list": _of_project("iam.serviceAccounts.list"),
    "iam.serviceAccounts.disable": _of_verb("iam.serviceAccounts.disable"),
    "iam.roles.list": _of_project("iam.roles.list"),
    "cloudbuild.triggers.create": _of_project("cloudbuild.builds.create"),
    "cloudbuild.triggers.list": _of_project("cloudbuild.builds.list"),
    "cloudbuild.connections.create": _of_path("cloudbuild.connections.create", parent=True),
    "cloudbuild.connections.get": _of_path("cloudbuild.connections.get"),
    "compute.subnetworks.get": _of_path("compute.subnetworks.get"),
    "compute.subnetworks.insert": _of_path("compute.subnetworks.create", parent=True),
    "cloudscheduler.jobs.create": _of_path("cloudscheduler.jobs.create", parent=True),
    "cloudscheduler.jobs.get": _of_path("cloudscheduler.jobs.get"),
    "cloudscheduler.jobs.pause": _of_verb("cloudscheduler.jobs.pause"),
    "monitoring.notificationChannels.create": _of_project("monitoring.notificationChannels.create"),
    "monitoring.notificationChannels.list": _of_project("monitoring.notificationChannels.list"),
    "monitoring.notificationChannels.patch": _of_path("monitoring.notificationChannels.update"),
    "cloudresourcemanager.projects.getIamPolicy": _of_project("resourcemanager.projects.getIamPolicy"),
    "cloudresourcemanager.projects.get": _of_project("resourcemanager.projects.get"),
    "cloudresourcemanager.projects.testIamPermissions": _none,
    "serviceusage.services.list": _of_project("serviceusage.services.list"),
    "serviceusage.services.get": _of_project("serviceusage.services.get"),
    "serviceusage.consumerQuotaMetrics.get": _of_project("serviceusage.quotas.get"),
}


def needs(cloud: Cloud, audited: str, request: Request) -> Iterator[Need]:
    """Yield what a call asks for. Raises Refused where the stand-in does not know: it is to be added above."""
    if audited not in ASKED:
        raise unknown(audited)
    return ASKED[audited](cloud, request)


def hides(cloud: Cloud, audited: str, request: Request) -> Need | None:
    """Return what it takes to be told that an object is not there: without it the answer is 403, not 404.

    Source: cloud.google.com/storage/docs/troubleshooting ("403: storage.objects.list").
    """
    if not audited.startswith("storage.objects.") or "object" not in request.names:
        return None
    return in_bucket(cloud, "storage.objects.list", request.names["bucket"], inside=request.names["object"])
