"""Files that a step in a container is handed by their address in a bucket, and those that it hands back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlspec.errors import UsageError
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.elsewhere import RESULT
from mlspec.targets.gcp.storage import NEW, Bucket, Moved

SCHEME = "gs://"


def take(clients: Clients, address: str, folder: Path) -> Path:
    """Bring an object into `folder` and return the file. Raises UsageError where there is none."""
    from google.api_core.exceptions import NotFound

    bucket, name = split(address)
    place = folder / name.rpartition("/")[2]
    try:
        Bucket(clients, bucket).download(name, place)
    except NotFound as error:
        raise UsageError(f"there is no object {address}", hint="name one that an earlier step wrote") from error
    return place


def give(clients: Clients, address: str, files: Mapping[str, Path], value: Mapping[str, Any]) -> None:
    """Write a step's files below an address, and then its result, which says that they are all there."""
    bucket, name = split(address)
    for path in files.values():
        _over(Bucket(clients, bucket), f"{name.rstrip('/')}/{path.name}", path.read_bytes())
    _over(Bucket(clients, bucket), f"{name.rstrip('/')}/{RESULT}", json.dumps(value, allow_nan=False).encode())


def split(address: str) -> tuple[str, str]:
    """Return an address's bucket and object. Raises UsageError where it is none."""
    bucket, _, name = address.removeprefix(SCHEME).partition("/")
    if not address.startswith(SCHEME) or not bucket or not name:
        raise UsageError(f"'{address}' is no address of an object", hint="such as gs://bucket/folder/name")
    return bucket, name


def _over(bucket: Bucket, name: str, data: bytes) -> None:
    """Write an object over whatever an earlier run of the same step left."""
    while True:
        seen = bucket.look(name)
        with suppress(Moved):  # two executions of one step write the same
            bucket.write(name, data, seen.generation if seen else NEW)
            return
