"""Downloads the inputs of a step in a container and uploads its outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlspec.errors import UsageError
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs.remote_steps import RESULT
from mlspec.targets.gcp.record.bucket import NEW, Bucket, WriteConflict

SCHEME = "gs://"


def download_input(clients: Clients, address: str, folder: Path) -> Path:
    """Download an object into `folder` and return the file. Raises UsageError if the object does not exist."""
    from google.api_core.exceptions import NotFound

    bucket, name = split_address(address)
    destination = folder / name.rpartition("/")[2]
    try:
        Bucket(clients, bucket).download_file(name, destination)
    except NotFound as error:
        raise UsageError(
            f"the object {address} does not exist", hint="name an object that an earlier step wrote"
        ) from error
    return destination


def upload_outputs(clients: Clients, address: str, files: Mapping[str, Path], value: Mapping[str, Any]) -> None:
    """Upload a step's files below an address, and last its result, which marks the upload as complete."""
    bucket, name = split_address(address)
    for path in files.values():
        _overwrite_object(Bucket(clients, bucket), f"{name.rstrip('/')}/{path.name}", path.read_bytes())
    _overwrite_object(
        Bucket(clients, bucket), f"{name.rstrip('/')}/{RESULT}", json.dumps(value, allow_nan=False).encode()
    )


def split_address(address: str) -> tuple[str, str]:
    """Return an address's bucket and object name. Raises UsageError if it is not a gs:// address."""
    bucket, _, name = address.removeprefix(SCHEME).partition("/")
    if not address.startswith(SCHEME) or not bucket or not name:
        raise UsageError(f"'{address}' is not the address of an object", hint="write gs://bucket/folder/name")
    return bucket, name


def _overwrite_object(bucket: Bucket, name: str, data: bytes) -> None:
    """Write an object, also over one of an earlier run of the same step."""
    while True:
        current = bucket.find_object(name)
        with suppress(WriteConflict):  # another execution of the step wrote the same
            bucket.write_object(name, data, current.generation if current else NEW)
            return
