"""Every method that mlspec calls, or that Terraform and the tests call for it, with the reference that it was held against.

A method that is not here is refused by the stand-in: whoever calls a new one reads its reference, writes down in `rules.py` what
Google refuses beyond single fields, adds the method here, and writes `fields.txt` anew (`read_protos.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

_PROTO = "github.com/googleapis/googleapis: google"
_VERTEX = "cloud/aiplatform/v1"

# A gRPC service: its definition, and the methods that are called.
_GRPC = {
    "google.cloud.aiplatform.v1.ModelService": (
        f"{_VERTEX}/model_service.proto",
        "UploadModel GetModel ListModels ListModelVersions UpdateModel MergeVersionAliases DeleteModel DeleteModelVersion",
    ),
    "google.cloud.aiplatform.v1.EndpointService": (
        f"{_VERTEX}/endpoint_service.proto",
        "CreateEndpoint GetEndpoint ListEndpoints UpdateEndpoint DeleteEndpoint DeployModel UndeployModel MutateDeployedModel",
    ),
    "google.cloud.aiplatform.v1.PredictionService": (f"{_VERTEX}/prediction_service.proto", "Predict RawPredict"),
    "google.cloud.aiplatform.v1.JobService": (
        f"{_VERTEX}/job_service.proto",
        (
            "CreateCustomJob GetCustomJob ListCustomJobs CancelCustomJob DeleteCustomJob CreateBatchPredictionJob"
            " GetBatchPredictionJob ListBatchPredictionJobs CancelBatchPredictionJob DeleteBatchPredictionJob"
        ),
    ),
    "google.longrunning.Operations": (
        "longrunning/operations.proto",
        "GetOperation ListOperations CancelOperation DeleteOperation WaitOperation",
    ),
    "google.cloud.run.v2.Jobs": ("cloud/run/v2/job.proto", "CreateJob GetJob ListJobs UpdateJob DeleteJob RunJob"),
    "google.cloud.run.v2.Executions": ("cloud/run/v2/execution.proto", "GetExecution ListExecutions CancelExecution"),
    "google.cloud.run.v2.Tasks": ("cloud/run/v2/task.proto", "ListTasks"),
    "google.cloud.secretmanager.v1.SecretManagerService": (
        "cloud/secretmanager/v1/service.proto",
        (
            "CreateSecret GetSecret ListSecrets UpdateSecret DeleteSecret AddSecretVersion GetSecretVersion ListSecretVersions"
            " AccessSecretVersion DisableSecretVersion EnableSecretVersion DestroySecretVersion"
        ),
    ),
    "google.cloud.kms.v1.KeyManagementService": (
        "cloud/kms/v1/service.proto",
        "CreateKeyRing GetKeyRing CreateCryptoKey GetCryptoKey CreateCryptoKeyVersion Encrypt Decrypt",
    ),
    "google.monitoring.v3.MetricService": (
        "monitoring/v3/metric_service.proto",
        "CreateMetricDescriptor GetMetricDescriptor ListMetricDescriptors DeleteMetricDescriptor CreateTimeSeries ListTimeSeries",
    ),
    "google.monitoring.v3.AlertPolicyService": (
        "monitoring/v3/alert_service.proto",
        "CreateAlertPolicy GetAlertPolicy ListAlertPolicies",
    ),
    "google.logging.v2.LoggingServiceV2": (
        "logging/v2/logging.proto",
        "WriteLogEntries ListLogEntries ListLogs DeleteLog",
    ),
    "google.cloud.orchestration.airflow.service.v1.Environments": (
        "cloud/orchestration/airflow/service/v1/environments.proto",
        "CreateEnvironment GetEnvironment ListEnvironments",
    ),
    "google.cloud.functions.v2.FunctionService": ("cloud/functions/v2/functions.proto", "CreateFunction GetFunction"),
}

_BIGQUERY = "cloud.google.com/bigquery/docs/reference/rest/v2"
_STORAGE = "cloud.google.com/storage/docs/json_api/v1"
# A REST method by its name in audit logs, and its page of the reference.
_REST = {
    "bigquery.datasets": (f"{_BIGQUERY}/datasets", "insert get list delete"),
    "bigquery.tables": (f"{_BIGQUERY}/tables", "insert get list patch delete"),
    "bigquery.tabledata": (f"{_BIGQUERY}/tabledata", "list"),
    "bigquery.jobs": (f"{_BIGQUERY}/jobs", "insert get getQueryResults query"),
    "storage.buckets": (f"{_STORAGE}/buckets", "create get list update delete testIamPermissions"),
    "storage.objects": (f"{_STORAGE}/objects", "insert get list patch update delete compose rewrite copy"),
    "cloudresourcemanager.projects": (
        "cloud.google.com/resource-manager/reference/rest/v3/projects",
        "get getIamPolicy testIamPermissions",
    ),
    "cloudbilling.projects": ("cloud.google.com/billing/docs/reference/rest/v1/projects", "getBillingInfo"),
    "iam.serviceAccounts": (
        "cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts",
        "create list disable",
    ),
    "iam.roles": ("cloud.google.com/iam/docs/reference/rest/v1/projects.roles", "list"),
    "cloudbuild.triggers": (
        "cloud.google.com/build/docs/api/reference/rest/v1/projects.locations.triggers",
        "create list",
    ),
    "cloudbuild.connections": (
        "cloud.google.com/build/docs/api/reference/rest/v2/projects.locations.connections",
        "create get",
    ),
    "compute.subnetworks": ("cloud.google.com/compute/docs/reference/rest/v1/subnetworks", "get insert"),
    "cloudscheduler.jobs": (
        "cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs",
        "create get pause",
    ),
    "monitoring.notificationChannels": (
        "cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.notificationChannels",
        "create list patch",
    ),
    "serviceusage.services": ("cloud.google.com/service-usage/docs/reference/rest/v1/services", "get list"),
    "serviceusage.consumerQuotaMetrics": (
        "cloud.google.com/service-usage/docs/reference/rest/v1beta1/services.consumerQuotaMetrics",
        "get",
    ),
    "artifactregistry.dockerimages": (
        "cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories.dockerImages",
        "get",
    ),
    "artifactregistry.tags": (
        "cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories.packages.tags",
        "get",
    ),
    "pubsub.topics": ("cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics", "get create"),
    "pubsub.subscriptions": ("cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions", "get create"),
}

METHODS: Mapping[str, str] = {
    **{f"{service}.{name}": f"{_PROTO}/{proto}" for service, (proto, names) in _GRPC.items() for name in names.split()},
    **{f"{collection}.{name}": page for collection, (page, names) in _REST.items() for name in names.split()},
}
"""Each method by its name in audit logs, with the page or the definition that says what it takes."""
