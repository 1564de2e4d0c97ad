"""Many of what is there once: a forecast's objects, model and endpoint under other names, at the cost of none of the calls."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from tests.gcp.standin import standard
from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.services.storage.objects import Bucket, Store
from tests.gcp.standin.services.vertex_models import Models


def likewise(cloud: Cloud, name: str, others: Sequence[str]) -> None:
    """Let there be for each other name what there is for `name`; the contents of objects stay as they are."""
    store = cloud.service(Store)
    for bucket in store.buckets.values():
        _objects(store, bucket, name, others)
    for other in others:
        _model(cloud, name, other)
        _endpoint(cloud, name, other)


def _objects(store: Store, bucket: Bucket, name: str, others: Sequence[str]) -> None:
    for each in list(bucket.each(versions=False)):
        if name in (parts := each.name.split("/")):
            for other in others:
                path = "/".join(other if part == name else part for part in parts)
                store.write(bucket, path, each.data, each.said)


def _model(cloud: Cloud, name: str, other: str) -> None:
    models = cloud.service(Models)
    for path, registered in list(models.all.items()):
        if path.endswith(f"/mlspec-{name}"):
            found = copy.deepcopy(registered)
            for version in (each for each in found.versions.values()):
                version.name = version.name.replace(f"mlspec-{name}", f"mlspec-{other}")
                version.labels["mlspec-forecast"] = other
            found.labels["mlspec-forecast"] = other
            models.all[path.replace(f"mlspec-{name}", f"mlspec-{other}")] = found


def _endpoint(cloud: Cloud, name: str, other: str) -> None:
    for path, found in list(cloud.resources.items()):
        if "/endpoints/" in path and found.labels.get("mlspec-forecast") == name:
            made = standard.copy(found)
            made.name = f"{path.rpartition('/')[0]}/{cloud.next_id()}"
            made.labels["mlspec-forecast"] = other
            cloud.resources[made.name] = made
