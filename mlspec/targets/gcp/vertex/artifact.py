"""What a version's container needs to answer by itself: a folder of files, which Vertex AI copies when the version is registered.

Vertex AI tells the container where its copy is (AIP_STORAGE_URI), and lets its account read there. The copy never changes
(https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements, "Access model artifacts"). So a deployment
answers with its version, whatever the record says meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from mlspec.errors import StateError, UsageError
from mlspec.spec.object_address import ObjectAddress, is_object_address, parse_object_address
from mlspec.state.observed import Observed
from mlspec.state.record import FileRef
from mlspec.state.resource import Json, digest
from mlspec.state.step import panel_parts
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.record.artifacts import BucketFiles
from mlspec.targets.gcp.record.bucket import NEW, Bucket, WriteConflict
from mlspec.targets.gcp.vertex.model_registry import FROM_RECORD
from mlspec.targets.local.artifacts import sha256_of

DESCRIPTION = "served.json"
MODEL_ROLES = ("model", "backtest")
_REGISTER_AGAIN = "train another version: change model.seed, and run `mlspec apply`"


@dataclass(frozen=True, slots=True)
class VersionArtifact:
    """One version of a forecast: the spec that it was made with, and its files by role.

    `data` holds the files of the data by role; it is empty if the container reads the newest data from the record.
    """

    forecast: str
    version: str
    spec: Mapping[str, Json]
    model: Mapping[str, FileRef]
    data: Mapping[str, FileRef]

    @property
    def data_digest(self) -> str:
        """The digest of the data among the files; FROM_RECORD if there is none."""
        return data_digest(self.data) if self.data else FROM_RECORD

    @property
    def folder(self) -> str:
        """Its folder in the bucket of models."""
        own = f"{self.forecast}/versions/{self.version}"
        return f"{own}/{self.data_digest}" if self.data else own


def split_copy(name: str) -> tuple[str, str]:
    """Return the version of an object in a version's folder, and the digest of its data. `name` is below the folder `versions`."""
    version, *rest = name.split("/")
    return version, rest[0] if len(rest) > 1 else FROM_RECORD


def select_data(checked: Mapping[str, FileRef]) -> dict[str, FileRef]:
    """Return those of the files of checked data that a version predicts from."""
    return {**panel_parts(checked), **{role: checked[role] for role in ("series", "future") if role in checked}}


def brought_data(observed: Observed) -> tuple[dict[str, FileRef], ...]:
    """Return the data that a container may bring along, as files by role: that of the newest forecast, then the checked data.

    A version that takes over brings the checked data: a forecast is made from it next.
    """
    files = [select_data(observed.resources[kind].files) for kind in ("forecast", "data") if kind in observed.resources]
    return tuple(data for data in files if data)


def choose_data(observed: Observed, traffic: Mapping[str, int], main: str) -> dict[str, FileRef]:
    """Return the data that containers bring along which serve with these shares (percent), as files by role.

    Where the recorded deployment is made again, that is the data of the newest forecast. Else it is the checked data.
    """
    data = brought_data(observed)
    recorded = [observed.find_fact("deployment", name) for name in ("traffic", "version")]
    if not data:
        return {}
    return data[0] if recorded == [dict(traffic), main] else data[-1]


def data_digest(checked: Mapping[str, FileRef]) -> str:
    """Return the digest of what a version predicts from."""
    return digest({role: ref.sha256 for role, ref in select_data(checked).items()}, 10)


def write_artifact(models: Bucket, files: BucketFiles, artifact: VersionArtifact) -> None:
    """Copy a version's files into its folder of the bucket of models, and describe them there. Existing objects are kept."""
    files.copy_to_folder({**artifact.model, **artifact.data}, artifact.folder)
    description = json.dumps(asdict(artifact), sort_keys=True).encode()
    with suppress(WriteConflict):  # an earlier run described the same version
        models.write_object(f"{artifact.folder}/{DESCRIPTION}", description, NEW)


def read_artifact(clients: Clients, address: str, folder: Path) -> tuple[VersionArtifact, Mapping[str, Path]]:
    """Download the folder at `address` (gs://…) into `folder`. Return the version, and its files' paths by their sha256.

    Raises UsageError if there is no description, StateError if a file is missing or is not what the description says.
    """
    bucket, prefix = _split_address(address)
    stored = Bucket(clients, bucket)
    content = stored.read_object(f"{prefix}/{DESCRIPTION}")
    if content is None:
        raise UsageError(
            f"there is no {DESCRIPTION} at {address}",
            hint="mlspec writes it when it registers a version: run `mlspec apply`",
        )
    artifact = _parse_description(json.loads(content[0]))
    folder.mkdir(parents=True, exist_ok=True)
    files = {**artifact.model, **artifact.data}
    return artifact, {ref.sha256: _download(stored, prefix, role, ref, folder) for role, ref in files.items()}


def _download(stored: Bucket, prefix: str, role: str, ref: FileRef, folder: Path) -> Path:
    from google.api_core.exceptions import NotFound

    name = f"{role}{Path(ref.name).suffix}"
    try:
        stored.download_file(f"{prefix}/{name}", folder / name)
    except NotFound as error:
        raise StateError(f"{stored.address_of(f'{prefix}/{name}')} is missing", hint=_REGISTER_AGAIN) from error
    if sha256_of(folder / name) != ref.sha256:
        raise StateError(f"{stored.address_of(f'{prefix}/{name}')} was changed", hint=_REGISTER_AGAIN)
    return folder / name


def _parse_description(value: Mapping[str, Json]) -> VersionArtifact:
    refs = {part: {role: FileRef(**ref) for role, ref in value[part].items()} for part in ("model", "data")}
    return VersionArtifact(value["forecast"], value["version"], value["spec"], refs["model"], refs["data"])


def _split_address(address: str) -> ObjectAddress:
    if not is_object_address(address):
        raise UsageError(
            f"AIP_STORAGE_URI is '{address}', which is no address of a bucket", hint="Vertex AI sets it, to gs://…"
        )
    parsed = parse_object_address(address)
    return ObjectAddress(parsed.bucket, parsed.name.rstrip("/"))
