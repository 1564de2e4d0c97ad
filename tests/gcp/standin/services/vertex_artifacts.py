"""The files of a registered model: Vertex AI copies them into a bucket of its own, and tells the container where (AIP_STORAGE_URI).

The copy is made once and never changes. What it is called is Google's affair.
Source: https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements, "Access model artifacts".
"""

from __future__ import annotations

from typing import Any

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.iam.policies import Grant
from tests.gcp.standin.services.storage.objects import Bucket, Store

_TENANT = "a-tenant-project-of-vertex-ai"


def copy_artifacts(cloud: Cloud, model: Any) -> None:
    """Copy what lies below a new version's artifact_uri."""
    source, _, prefix = model.artifact_uri.removeprefix("gs://").partition("/")
    store: Store = cloud.service(Store)
    if source not in store.buckets:
        return
    name, folder = _place(model)
    managed = store.buckets.setdefault(name, Bucket(name, store.now(), _TENANT))
    below = f"{prefix.rstrip('/')}/"
    for each in list(store.bucket(source).each(versions=False)):
        if each.name.startswith(below):
            store.write(managed, f"{folder}/{each.name.removeprefix(below)}", each.data, {})


def storage_uri(model: Any) -> str:
    """Return the value of AIP_STORAGE_URI in a container of this version; empty for a model without files."""
    return "gs://" + "/".join(_place(model)) if model.artifact_uri else ""


def let_read(cloud: Cloud, model: Any, account: str) -> None:
    """Grant the account of a prediction container to read the copy, as Vertex AI does by itself for an account of the user's.

    Google says so of a deployment to an endpoint (the page above). That a batch prediction job does it too is assumed.
    """
    if account and model.artifact_uri:
        bucket = f"buckets/{_place(model)[0]}"
        cloud.iam.add(Grant(bucket, "roles/storage.objectViewer", f"serviceAccount:{account}"))


def _place(model: Any) -> tuple[str, str]:
    _, project, _, location, _, name = model.name.split("/")
    return f"vertex-ai-{project}-{location}", f"{name}/{model.version_id}"
