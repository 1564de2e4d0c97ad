"""Google's clients. Each is created at its first use in a process, because a client does not survive a fork.

Each sends mlspec's user agent, so that audit logs distinguish it from people and other programs of the same account. All share
one credentials object: finding credentials may start gcloud, and each object fetches a token of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from mlspec import __version__
from mlspec.errors import MissingExtra

Client = TypeVar("Client")
AGENT = f"mlspec/{__version__}"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class Clients:
    """The clients of one project and region. Credentials are Application Default Credentials; mlspec has no keys."""

    def __init__(self, project: str, region: str) -> None:
        self.project, self.region = project, region
        self._clients: dict[tuple[int, str], Any] = {}
        self._credentials: dict[int, Any] = {}

    @property
    def storage(self) -> Any:
        """Cloud Storage."""
        return self._get_or_make("storage", self._make_storage)

    @property
    def models(self) -> Any:
        """Vertex AI's model registry, in the region."""
        return self._get_or_make("models", lambda: self._make_vertex("ModelServiceClient"))

    @property
    def endpoints(self) -> Any:
        """Vertex AI's endpoints, in the region."""
        return self._get_or_make("endpoints", lambda: self._make_vertex("EndpointServiceClient"))

    @property
    def vertex_jobs(self) -> Any:
        """Vertex AI's jobs, in the region."""
        return self._get_or_make("vertex_jobs", lambda: self._make_vertex("JobServiceClient"))

    @property
    def jobs(self) -> Any:
        """Cloud Run's jobs."""
        return self._get_or_make("jobs", self._make_jobs)

    @property
    def executions(self) -> Any:
        """The executions of Cloud Run's jobs."""
        return self._get_or_make("executions", self._make_executions)

    @property
    def secrets(self) -> Any:
        """Secret Manager."""
        return self._get_or_make("secrets", self._make_secrets)

    @property
    def warehouse(self) -> Any:
        """BigQuery."""
        return self._get_or_make("warehouse", self._make_warehouse)

    @property
    def monitoring(self) -> Any:
        """Cloud Monitoring's time series."""
        return self._get_or_make("monitoring", self._make_monitoring)

    @property
    def logs(self) -> Any:
        """Cloud Logging's entries."""
        return self._get_or_make("logs", self._make_logs)

    @property
    def keys(self) -> Any:
        """Cloud KMS."""
        return self._get_or_make("keys", self._make_keys)

    @property
    def environments(self) -> Any:
        """Composer's environments."""
        return self._get_or_make("environments", self._make_environments)

    @property
    def functions(self) -> Any:
        """Cloud Functions of the second generation."""
        return self._get_or_make("functions", self._make_functions)

    def close(self) -> None:
        """Close the connections of this process."""
        for key in [key for key in self._clients if key[0] == os.getpid()]:
            client = self._clients.pop(key)
            client.close() if hasattr(client, "close") else client.transport.close()

    def _get_or_make(self, name: str, make: Callable[[], Client]) -> Client:
        key = (os.getpid(), name)
        if key not in self._clients:
            try:
                self._clients[key] = make()
            except ModuleNotFoundError as error:
                raise MissingExtra(error.name or name, "gcp") from error
        client: Client = self._clients[key]
        return client

    def _make_storage(self) -> Any:
        # Disables a thread of the client that reads each bucket's metadata for traces, which mlspec does not use.
        os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
        from google.cloud import storage

        return storage.Client(project=self.project, **self._common_options())

    def _make_vertex(self, name: str) -> Any:
        from google.cloud import aiplatform_v1

        regional = {"api_endpoint": f"{self.region}-aiplatform.googleapis.com"}
        return getattr(aiplatform_v1, name)(client_options=regional, **self._common_options())

    def _make_jobs(self) -> Any:
        from google.cloud import run_v2

        return run_v2.JobsClient(**self._common_options())

    def _make_executions(self) -> Any:
        from google.cloud import run_v2

        return run_v2.ExecutionsClient(**self._common_options())

    def _make_warehouse(self) -> Any:
        from google.cloud import bigquery

        # No location: BigQuery runs a job where the datasets that it names are, which for a source need not be the target's region
        # (cloud.google.com/bigquery/docs/locations#specify_locations).
        return bigquery.Client(project=self.project, **self._common_options())

    def _make_monitoring(self) -> Any:
        from google.cloud import monitoring_v3

        return monitoring_v3.MetricServiceClient(**self._common_options())

    def _make_logs(self) -> Any:
        from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client

        return LoggingServiceV2Client(**self._common_options())

    def _make_secrets(self) -> Any:
        from google.cloud import secretmanager_v1

        return secretmanager_v1.SecretManagerServiceClient(**self._common_options())

    def _make_keys(self) -> Any:
        from google.cloud import kms_v1

        return kms_v1.KeyManagementServiceClient(**self._common_options())

    def _make_environments(self) -> Any:
        from google.cloud.orchestration.airflow import service_v1

        return service_v1.EnvironmentsClient(**self._common_options())

    def _make_functions(self) -> Any:
        from google.cloud import functions_v2

        return functions_v2.FunctionServiceClient(**self._common_options())

    def _common_options(self) -> dict[str, Any]:
        """Return what each client is made with: the user agent (https://google.aip.dev/client-libraries/4210) and credentials."""
        from google.api_core.gapic_v1.client_info import ClientInfo

        return {"client_info": ClientInfo(user_agent=AGENT), "credentials": self._find_credentials()}

    def _find_credentials(self) -> Any:
        import google.auth

        if os.getpid() not in self._credentials:
            self._credentials[os.getpid()], _project = google.auth.default(scopes=[SCOPE])
        return self._credentials[os.getpid()]
