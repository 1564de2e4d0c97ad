"""What Google refuses because of what is there already: rules that the services' own classes keep. Each row has its source.

With `methods.py`, `fields.txt`, `limits.py` and `json_limits.py` this is all that was checked: `python -m tests.gcp.standin.rules`.
"""

from __future__ import annotations

from dataclasses import dataclass

_VERTEX = "github.com/googleapis/googleapis: google/cloud/aiplatform/v1"
_AI, _RUN, _SECRETS = (
    "google.cloud.aiplatform.v1",
    "google.cloud.run.v2",
    "google.cloud.secretmanager.v1.SecretManagerService",
)
_METRICS = "google.monitoring.v3.MetricService"
_VERSIONS = "cloud.google.com/vertex-ai/docs/model-registry/versioning"


@dataclass(frozen=True)
class Kept:
    """A rule of some methods: its words, its source, and the function that keeps it (module of `services`: name)."""

    methods: tuple[str, ...]
    says: str
    source: str
    by: str


KEPT: tuple[Kept, ...] = (
    Kept((f"{_AI}.ModelService.UploadModel", f"{_AI}.ModelService.MergeVersionAliases"),
         "an alias has its pattern; `default` moves and is never taken off", f"{_VERTEX}/model_service.proto; {_VERSIONS}",
         "vertex_models:Models.merge_version_aliases"),
    Kept((f"{_AI}.ModelService.UpdateModel",), "one call changes the model or a version, never both",
         f"{_VERTEX}/model_service.proto, UpdateModelRequest", "vertex_models:Models.update_model"),
    Kept((f"{_AI}.ModelService.DeleteModelVersion",), "neither the default, nor the only version, nor one that is deployed",
         _VERSIONS, "vertex_models:Models.delete_model_version"),
    Kept((f"{_AI}.ModelService.DeleteModel",), "no version may be deployed", f"{_VERTEX}/model_service.proto, DeleteModel",
         "vertex_models:Models.delete_model"),
    Kept((f"{_AI}.EndpointService.DeployModel", f"{_AI}.EndpointService.UndeployModel", f"{_AI}.EndpointService.UpdateEndpoint"),
         "a split names deployed models and sums to 100", f"{_VERTEX}/endpoint.proto, Endpoint.traffic_split",
         "vertex_endpoints:_check_split"),
    Kept((f"{_AI}.EndpointService.UndeployModel",), "no traffic may be left on what goes",
         f"{_VERTEX}/endpoint_service.proto, UndeployModelRequest.traffic_split", "vertex_endpoints:_check_leaving"),
    Kept((f"{_AI}.EndpointService.MutateDeployedModel",), "only the numbers of replicas and how they scale change",
         f"{_VERTEX}/endpoint_service.proto, MutateDeployedModelRequest.deployed_model",
         "vertex_endpoints:Endpoints.mutate_deployed_model"),
    Kept((f"{_AI}.EndpointService.DeleteEndpoint",), "no model may be deployed",
         f"{_VERTEX}/endpoint_service.proto, DeleteEndpoint",
         "vertex_endpoints:Endpoints.delete_endpoint"),
    Kept((f"{_AI}.JobService.CreateBatchPredictionJob",),
         "a model in a container needs a machine; max_replica_count is at least the start",
         f"{_VERTEX}/batch_prediction_job.proto", "vertex_batch:check"),
    Kept((f"{_AI}.JobService.DeleteCustomJob", f"{_AI}.JobService.DeleteBatchPredictionJob"), "a job that runs is cancelled first",
         f"{_VERTEX}/job_service.proto", "vertex_jobs:Jobs._delete"),
    Kept((f"{_RUN}.Jobs.RunJob",), "an override names a container of the job", "cloud.google.com/run/docs/execute/jobs",
         "run_jobs:_override"),
    Kept((f"{_RUN}.Executions.CancelExecution",), "what has completed is not cancelled",
         "cloud.google.com/run/docs/managing/job-executions",
         "run_jobs:Executions.cancel_execution"),
    Kept((f"{_SECRETS}.AccessSecretVersion",), "a version is enabled", "cloud.google.com/secret-manager/docs/access-secret-version",
         "secrets:Secrets.access_secret_version"),
    Kept((f"{_METRICS}.CreateTimeSeries",), "200 series, each once, one point each", "cloud.google.com/monitoring/quotas",
         "metrics:Metrics.create_time_series"),
    Kept((f"{_METRICS}.CreateTimeSeries",), "points in order, 5 seconds apart, at most 25 hours old and 5 minutes ahead",
         "cloud.google.com/monitoring/custom-metrics/creating-metrics", "metrics:_check_order"),
    Kept((f"{_METRICS}.CreateTimeSeries",), "a resource type that applications may write to, with its labels",
         "cloud.google.com/monitoring/custom-metrics/creating-metrics#custom-metric-resources", "metrics:_check_shape"),
    Kept((f"{_METRICS}.CreateMetricDescriptor",), "kind and type of the values stay",
         "cloud.google.com/monitoring/custom-metrics/creating-metrics", "metrics:Metrics.create_metric_descriptor"),
    Kept(("bigquery.jobs.insert",), "modes of the file, of the schema and of the table agree",
         "github.com/googleapis/python-bigquery/issues/1981; github.com/googleapis/google-cloud-python/issues/8093",
         "bigquery.modes:compare"),
    Kept(("storage.objects.insert", "storage.objects.patch", "storage.objects.delete", "storage.objects.compose"),
         "ifGenerationMatch and its like hold", "cloud.google.com/storage/docs/request-preconditions", "storage.conditions:check"),
    Kept(("storage.objects.insert",), "hashes are those of the bytes; a name has its pattern",
         "cloud.google.com/storage/docs/json_api/v1/objects/insert; cloud.google.com/storage/docs/objects#naming",
         "storage.objects:Store.write"),
    Kept(("storage.buckets.create",), "a name is taken once in all projects", "cloud.google.com/storage/docs/buckets#naming",
         "storage.routes:insert_bucket"),
    Kept(("iam.serviceAccounts.create",), "an id has its pattern, and is taken once in a project",
         "cloud.google.com/iam/docs/service-accounts-create", "accounts:create_account"),
    Kept(("cloudresourcemanager.projects.getIamPolicy",), "conditions are shown to who asks for version 3",
         "cloud.google.com/iam/docs/policies#versions", "projects:get_policy"),
    Kept(("cloudbuild.triggers.create", "cloudbuild.triggers.list"), "the query names the project, as the path does",
         "cloud.google.com/build/docs/api/reference/rest/v1/projects.locations.triggers/list", "builds:_named_project"),
    Kept(("compute.subnetworks.insert",), "a name has its pattern; a network and an IPv4 range are named",
         "cloud.google.com/compute/docs/reference/rest/v1/subnetworks", "networks:insert_subnetwork"),
    Kept(("monitoring.notificationChannels.create",), "a channel has a type and its labels; no caller says that it was verified",
         "cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.notificationChannels", "channels:create_channel"),
    Kept(("cloudscheduler.jobs.create",), "a job has a name in its region, a schedule and one target, and begins ENABLED",
         "cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs", "scheduler:create_job"),
    Kept(("cloudscheduler.jobs.pause",), "only a job that is ENABLED is paused",
         "cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs/pause", "scheduler:pause_job"),
    Kept(("pubsub.subscriptions.create",), "its topic is there; ackDeadlineSeconds is 10 to 600",
         "cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions", "shelves:put_subscription"),
)  # fmt: skip
