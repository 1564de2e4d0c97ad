"""Every service: for gRPC the client that knows its methods, and the class that knows what they mean beyond the standard ones."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

_OWN = "tests.gcp.standin.services"


@dataclass(frozen=True)
class Service:
    """Where a service's client stands (module, class), and where its meaning does; both are loaded when first asked for."""

    module: str
    client: str
    meaning: str | None = None

    def load(self) -> type[Any] | None:
        """Return the class with the service's own methods, named as the RPC's are, in snake case."""
        if self.meaning is None:
            return None
        module, name = self.meaning.split(":")
        found: type[Any] = getattr(importlib.import_module(f"{_OWN}.{module}"), name)
        return found


_VERTEX, _RUN, _MONITORING = "google.cloud.aiplatform_v1", "google.cloud.run_v2", "google.cloud.monitoring_v3"
_LOGGING = "google.cloud.logging_v2.services"
GRPC = {
    "google.cloud.aiplatform.v1.ModelService": Service(_VERTEX, "ModelServiceClient", "vertex_models:Models"),
    "google.cloud.aiplatform.v1.EndpointService": Service(
        _VERTEX, "EndpointServiceClient", "vertex_endpoints:Endpoints"
    ),
    "google.cloud.aiplatform.v1.PredictionService": Service(
        _VERTEX, "PredictionServiceClient", "vertex_predict:Predict"
    ),
    "google.cloud.aiplatform.v1.JobService": Service(_VERTEX, "JobServiceClient", "vertex_jobs:Jobs"),
    "google.cloud.run.v2.Jobs": Service(_RUN, "JobsClient", "run_jobs:RunJobs"),
    "google.cloud.run.v2.Executions": Service(_RUN, "ExecutionsClient", "run_jobs:Executions"),
    "google.cloud.run.v2.Tasks": Service(_RUN, "TasksClient", "run_jobs:Tasks"),
    "google.cloud.secretmanager.v1.SecretManagerService": Service(
        "google.cloud.secretmanager_v1", "SecretManagerServiceClient", "secrets:Secrets"
    ),
    "google.cloud.kms.v1.KeyManagementService": Service(
        "google.cloud.kms_v1", "KeyManagementServiceClient", "keys:Keys"
    ),
    "google.monitoring.v3.MetricService": Service(_MONITORING, "MetricServiceClient", "metrics:Metrics"),
    "google.monitoring.v3.AlertPolicyService": Service(_MONITORING, "AlertPolicyServiceClient"),
    "google.monitoring.v3.NotificationChannelService": Service(_MONITORING, "NotificationChannelServiceClient"),
    "google.logging.v2.LoggingServiceV2": Service(
        f"{_LOGGING}.logging_service_v2", "LoggingServiceV2Client", "logs:Logs"
    ),
    "google.cloud.orchestration.airflow.service.v1.Environments": Service(
        "google.cloud.orchestration.airflow.service_v1", "EnvironmentsClient"
    ),
    "google.cloud.functions.v2.FunctionService": Service(
        "google.cloud.functions_v2", "FunctionServiceClient", "functions:Functions"
    ),
}
