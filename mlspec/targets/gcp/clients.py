"""Google's clients, each made when it is first used, for the process that uses it: none survives a fork.

Each says that it is mlspec that calls, so that audit logs tell it from people and from other programs of the same account.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from mlspec import __version__
from mlspec.errors import MissingExtra

Client = TypeVar("Client")
AGENT = f"mlspec/{__version__}"


class Clients:
    """The clients of one project and region. Credentials are Application Default Credentials, never a key of ours."""

    def __init__(self, project: str, region: str) -> None:
        self.project, self.region = project, region
        self._made: dict[tuple[int, str], Any] = {}

    @property
    def storage(self) -> Any:
        """Cloud Storage."""
        return self._once("storage", self._storage)

    @property
    def models(self) -> Any:
        """Vertex AI's model registry, in the region."""
        return self._once("models", lambda: self._vertex("ModelServiceClient"))

    @property
    def endpoints(self) -> Any:
        """Vertex AI's endpoints, in the region."""
        return self._once("endpoints", lambda: self._vertex("EndpointServiceClient"))

    @property
    def vertex_jobs(self) -> Any:
        """Vertex AI's jobs, in the region."""
        return self._once("vertex_jobs", lambda: self._vertex("JobServiceClient"))

    @property
    def jobs(self) -> Any:
        """Cloud Run's jobs."""
        return self._once("jobs", self._jobs)

    @property
    def executions(self) -> Any:
        """What Cloud Run's jobs were started for."""
        return self._once("executions", self._executions)

    @property
    def secrets(self) -> Any:
        """Secret Manager."""
        return self._once("secrets", self._secrets)

    @property
    def warehouse(self) -> Any:
        """BigQuery."""
        return self._once("warehouse", self._warehouse)

    @property
    def monitoring(self) -> Any:
        """Cloud Monitoring's time series."""
        return self._once("monitoring", self._monitoring)

    @property
    def logs(self) -> Any:
        """Cloud Logging's entries."""
        return self._once("logs", self._logs)

    @property
    def keys(self) -> Any:
        """Cloud KMS."""
        return self._once("keys", self._keys)

    @property
    def environments(self) -> Any:
        """Composer's environments."""
        return self._once("environments", self._environments)

    def close(self) -> None:
        """Close the connections of this process."""
        for key in [key for key in self._made if key[0] == os.getpid()]:
            client = self._made.pop(key)
            client.close() if hasattr(client, "close") else client.transport.close()

    def _once(self, name: str, make: Callable[[], Client]) -> Client:
        key = (os.getpid(), name)
        if key not in self._made:
            try:
                self._made[key] = make()
            except ModuleNotFoundError as error:
                raise MissingExtra(error.name or name, "gcp") from error
        found: Client = self._made[key]
        return found

    def _storage(self) -> Any:
        # A thread of the client's own that looks at each bucket, for traces that nobody reads here.
        os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
        from google.cloud import storage

        return storage.Client(project=self.project, client_info=_ours())

    def _vertex(self, name: str) -> Any:
        from google.cloud import aiplatform_v1

        regional = {"api_endpoint": f"{self.region}-aiplatform.googleapis.com"}
        return getattr(aiplatform_v1, name)(client_options=regional, client_info=_ours())

    def _jobs(self) -> Any:
        from google.cloud import run_v2

        return run_v2.JobsClient(client_info=_ours())

    def _executions(self) -> Any:
        from google.cloud import run_v2

        return run_v2.ExecutionsClient(client_info=_ours())

    def _warehouse(self) -> Any:
        from google.cloud import bigquery

        return bigquery.Client(project=self.project, location=self.region, client_info=_ours())

    def _monitoring(self) -> Any:
        from google.cloud import monitoring_v3

        return monitoring_v3.MetricServiceClient(client_info=_ours())

    def _logs(self) -> Any:
        from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client

        return LoggingServiceV2Client(client_info=_ours())

    def _secrets(self) -> Any:
        from google.cloud import secretmanager_v1

        return secretmanager_v1.SecretManagerServiceClient(client_info=_ours())

    def _keys(self) -> Any:
        from google.cloud import kms_v1

        return kms_v1.KeyManagementServiceClient(client_info=_ours())

    def _environments(self) -> Any:
        from google.cloud.orchestration.airflow import service_v1

        return service_v1.EnvironmentsClient(client_info=_ours())


def _ours() -> Any:
    """Return the user agent, as https://google.aip.dev/client-libraries/4210 has it."""
    from google.api_core.gapic_v1.client_info import ClientInfo

    return ClientInfo(user_agent=AGENT)
