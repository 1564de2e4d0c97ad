"""Renders specs for one target, as text by path: `terraform/NAME/*.tf` and `dags/mlspec_NAME.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlspec.render.dag import dag_file, dag_name
from mlspec.render.gcp.terraform import forecast_files, shared_files
from mlspec.spec.gcp.location import GcpLocation
from mlspec.state.resource import Json

# No forecast's name begins with an underscore.
SHARED = "_project"


@dataclass(frozen=True, slots=True)
class RenderSource:
    """One resolved spec to render: its JSON, its digest, and its file relative to the project's root."""

    name: str
    json: Mapping[str, Json]
    spec_hash: str
    file: str


def render_forecast(
    source: RenderSource, target: str, place: GcpLocation | None, own: Path | None = None
) -> dict[str, str]:
    """Return the files of one forecast. Without a `place` (a local target) there is only a DAG."""
    files = {f"dags/{dag_name(source.json)}": dag_file(source.json, source.spec_hash, target, source.file, own)}
    if place is not None:
        terraform_files = forecast_files(source.json, place, own)
        files |= {f"terraform/{source.name}/{name}": text for name, text in terraform_files.items()}
    return files


def render_shared(
    sources: Sequence[RenderSource], place: GcpLocation | None, own: Path | None = None
) -> dict[str, str]:
    """Return the files of the resources that all specs of a project share: topics and secrets under `notify`."""
    if place is None:
        return {}
    terraform_files = shared_files([source.json for source in sources], place, own)
    return {f"terraform/{SHARED}/{name}": text for name, text in terraform_files.items()}
