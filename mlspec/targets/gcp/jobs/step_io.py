"""Downloads the inputs of a step in a container and uploads its outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlspec.errors import UsageError
from mlspec.spec.object_address import ObjectAddress, is_object_address, parse_object_address
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs.remote_steps import RESULT
from mlspec.targets.gcp.record.bucket import NEW, Bucket, WriteConflict
from mlspec.targets.gcp.retry import call_patiently, retry_on_conflict


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
    """Upload a step's files below an address, and last its result, which marks the upload as complete.

    An outage of Cloud Storage is outwaited for long: the container's disk is the only place where the results are.
    """
    call_patiently(lambda: _upload_all(clients, address, files, value), f"write the results of the step to {address}")


def upload_error(clients: Clients, address: str, value: Mapping[str, Any]) -> None:
    """Upload the error of a step below an address, in place of its result."""
    _upload_all(clients, address, {}, value)


def _upload_all(clients: Clients, address: str, files: Mapping[str, Path], value: Mapping[str, Any]) -> None:
    bucket, name = split_address(address)
    for path in files.values():
        _overwrite_object(Bucket(clients, bucket), f"{name.rstrip('/')}/{path.name}", path.read_bytes())
    _overwrite_object(
        Bucket(clients, bucket), f"{name.rstrip('/')}/{RESULT}", json.dumps(value, allow_nan=False).encode()
    )


def split_address(address: str) -> ObjectAddress:
    """Return an address's bucket and object name. Raises UsageError if it is not a gs:// address."""
    parsed = parse_object_address(address)
    if not is_object_address(address) or not all(parsed):
        raise UsageError(f"'{address}' is not the address of an object", hint="write gs://bucket/folder/name")
    return parsed


def _overwrite_object(bucket: Bucket, name: str, data: bytes) -> None:
    """Write an object, also over one of an earlier run of the same step."""

    def overwrite() -> None:
        current = bucket.find_object(name)
        bucket.write_object(name, data, current.generation if current else NEW)

    retry_on_conflict(
        overwrite, WriteConflict, f"write {bucket.address_of(name)}"
    )  # another execution of the step wrote the same
