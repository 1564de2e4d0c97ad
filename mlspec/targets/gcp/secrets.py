"""Reads secrets from Secret Manager by name. The newest version is read at each use and never stored."""

from __future__ import annotations

from mlspec.errors import StateError
from mlspec.log_context import hide_secret
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.retry import TIMEOUT, call_with_retries


def secret_value(clients: Clients, name: str) -> str:
    """Return a secret's value. Raises StateError if there is none, TargetError if access is denied."""
    from google.api_core.exceptions import FailedPrecondition, NotFound

    version = f"projects/{clients.project}/secrets/{name}/versions/latest"
    try:
        response = call_with_retries(
            lambda: clients.secrets.access_secret_version(name=version, retry=None, timeout=TIMEOUT),
            f"read the secret '{name}'",
        )
    except (NotFound, FailedPrecondition) as error:
        raise StateError(
            f"there is no secret '{name}' in project {clients.project}, or no value in it",
            hint=f"gcloud secrets versions add {name} --data-file=- --project={clients.project}",
        ) from error
    return hide_secret(str(response.payload.data.decode().strip()))
