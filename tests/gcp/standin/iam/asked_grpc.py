"""Which permission each method over gRPC asks for, and on what.

A standard method asks for its verb on the resource that it names, or on the parent (`aiplatform.models.list`). What differs
stands in `OTHERS`. Source: "IAM permissions" in each method's REST reference (cloud.google.com/vertex-ai/docs/reference/rest,
cloud.google.com/run/docs/reference/rest, …), cloud.google.com/vertex-ai/docs/general/iam-permissions, and the methods of
github.com/iann0036/iam-dataset as of 2026-08-22.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.gcp.standin.iam.policies import Need
from tests.gcp.standin.refused import Refused
from tests.gcp.standin.rpcs import Rpc, snake
from tests.gcp.standin.standard import collection

_SERVICES = {
    "google.cloud.aiplatform.v1": "aiplatform", "google.cloud.run.v2": "run", "google.cloud.secretmanager.v1": "secretmanager",
    "google.cloud.kms.v1": "cloudkms", "google.monitoring.v3": "monitoring", "google.logging.v2": "logging",
    "google.cloud.orchestration.airflow.service.v1": "composer", "google.cloud.functions.v2": "cloudfunctions",
    "google.pubsub.v1": "pubsub",
}  # fmt: skip
_PLACE = (
    3  # slashes in projects/p/locations/l, on which Cloud Run keeps its operations; Vertex AI does on each resource
)
_VERBS = {"Create": "create", "Get": "get", "List": "list", "Update": "update", "Delete": "delete"}


def _named(field: str) -> Callable[[Any], str]:
    return lambda request: str(getattr(request, field))


# By method: the permission, and what of the request it is asked on.
OTHERS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "ModelService.UploadModel": ("aiplatform.models.upload", _named("parent")),
    "ModelService.ListModelVersions": ("aiplatform.models.list", _named("name")),
    "ModelService.MergeVersionAliases": ("aiplatform.models.update", _named("name")),
    "ModelService.DeleteModelVersion": ("aiplatform.models.delete", _named("name")),
    "EndpointService.DeployModel": ("aiplatform.endpoints.deploy", _named("endpoint")),
    "EndpointService.MutateDeployedModel": ("aiplatform.endpoints.deploy", _named("endpoint")),
    "EndpointService.UndeployModel": ("aiplatform.endpoints.undeploy", _named("endpoint")),
    "PredictionService.Predict": ("aiplatform.endpoints.predict", _named("endpoint")),
    "PredictionService.RawPredict": ("aiplatform.endpoints.predict", _named("endpoint")),
    "JobService.CancelCustomJob": ("aiplatform.customJobs.cancel", _named("name")),
    "Jobs.RunJob": ("run.jobs.run", _named("name")),
    "Executions.CancelExecution": ("run.executions.cancel", _named("name")),
    "SecretManagerService.AddSecretVersion": ("secretmanager.versions.add", _named("parent")),
    "SecretManagerService.AccessSecretVersion": ("secretmanager.versions.access", _named("name")),
    "SecretManagerService.GetSecretVersion": ("secretmanager.versions.get", _named("name")),
    "SecretManagerService.ListSecretVersions": ("secretmanager.versions.list", _named("parent")),
    "LoggingServiceV2.WriteLogEntries": (
        "logging.logEntries.create",
        lambda request: request.entries[0].log_name.partition("/logs/")[0] or request.log_name.partition("/logs/")[0],
    ),
    "LoggingServiceV2.ListLogEntries": ("logging.logEntries.list", lambda request: request.resource_names[0]),
    "Publisher.Publish": ("pubsub.topics.publish", _named("topic")),
    "Publisher.GetTopic": ("pubsub.topics.get", _named("topic")),
    "Publisher.DeleteTopic": ("pubsub.topics.delete", _named("topic")),
    "Subscriber.Pull": ("pubsub.subscriptions.consume", _named("subscription")),
    "Subscriber.Acknowledge": ("pubsub.subscriptions.consume", _named("subscription")),
    "Subscriber.DeleteSubscription": ("pubsub.subscriptions.delete", _named("subscription")),
}
# Which account a request names, that its caller must be allowed to act as (cloud.google.com/iam/docs/service-accounts-actas).
_ACTS_AS: dict[str, Callable[[Any], str]] = {
    "EndpointService.DeployModel": lambda request: request.deployed_model.service_account,
    "JobService.CreateCustomJob": lambda request: request.custom_job.job_spec.service_account,
    "JobService.CreateBatchPredictionJob": lambda request: request.batch_prediction_job.service_account,
    "Jobs.CreateJob": lambda request: request.job.template.template.service_account,
    "Jobs.UpdateJob": lambda request: request.job.template.template.service_account,
}


def needs(rpc: Rpc, request: Any) -> Iterator[Need]:
    """Yield what a call asks for. Raises Refused where the stand-in does not know: it is to be added above."""
    short = f"{rpc.service.rpartition('.')[2]}.{rpc.name}"
    if rpc.name == "TestIamPermissions":
        return
    if short in OTHERS:
        permission, named = OTHERS[short]
        yield Need(permission, named(request).partition("@")[0])
    else:
        yield _standard(rpc, request)
    if short == "Jobs.RunJob" and request.HasField("overrides"):
        yield Need("run.jobs.runWithOverrides", request.name)
    account = _ACTS_AS[short](request) if short in _ACTS_AS else ""
    if account:
        project = account.partition("@")[2].partition(".")[0]
        yield Need("iam.serviceAccounts.actAs", f"projects/{project}/serviceAccounts/{account}")


def _standard(rpc: Rpc, request: Any) -> Need:
    service = _SERVICES[rpc.service.rpartition(".")[0]]
    verb = next((each for each in _VERBS if rpc.name.startswith(each)), None)
    if verb is None:
        raise unknown(rpc.audited)
    noun = snake(rpc.name.removeprefix(verb))
    first, *rest = noun.split("_")
    plural = verb == "List" or noun == "time_series"
    things = first + "".join(map(str.title, rest)) if plural else collection(noun)
    name = getattr(request, "name", "")
    if verb == "Update":
        name = getattr(request, noun).name
    return Need(f"{service}.{things}.{_VERBS[verb]}", (getattr(request, "parent", "") or name).partition("@")[0])


def polling(rpc: Rpc, request: Any) -> Need:
    """Return what asking for the operation needs that a call answered with.

    Vertex AI asks for `get` of the kind that is worked on (cloud.google.com/vertex-ai/docs/general/iam-permissions), others for
    `get` of operations.
    """
    service = _SERVICES[rpc.service.rpartition(".")[0]]
    name = next(
        (
            getattr(request, field)
            for field in ("endpoint", "parent", "name")
            if isinstance(getattr(request, field, None), str)
        ),
        "",
    )
    if service == "aiplatform":
        kind = {"EndpointService": "endpoints", "ModelService": "models"}.get(
            rpc.service.rpartition(".")[2], "operations"
        )
        return Need(f"aiplatform.{kind}.get", name)
    return Need(
        f"{service}.operations.get", "/".join((name or f"{getattr(request, 'job', request).name}").split("/")[:4])
    )


def listing(parent: str) -> Need:
    """Return what a list of a resource's operations needs: `operations.list` of the service, which Vertex AI's resources name."""
    service = "aiplatform" if parent.count("/") > _PLACE else "run"
    return Need(f"{service}.operations.list", parent)


def unknown(method: str) -> Refused:
    """Return the refusal of a call whose permission is not written down here."""
    return Refused(
        "UNIMPLEMENTED",
        f"the stand-in does not know which permission {method} asks for: add it to tests/gcp/standin/iam",
    )
