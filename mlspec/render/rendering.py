"""What specs are compiled to for one target, as text by path: `terraform/NAME/*.tf` and `dags/mlspec_NAME.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlspec.render.dag import dag_file, dag_name
from mlspec.render.gcp.terraform import forecast_files, shared_files
from mlspec.spec.forecast import Forecast
from mlspec.spec.gcp.location import GcpLocation

# No forecast's name begins with an underscore.
SHARED = "_project"


@dataclass(frozen=True, slots=True)
class RenderSource:
    """One resolved spec to render, with its digest, and its file relative to the project's root."""

    name: str
    spec: Forecast
    spec_hash: str
    file: str


def render_forecast(
    source: RenderSource, target: str, place: GcpLocation | None, own: Path | None = None
) -> dict[str, str]:
    """Return the files of one forecast. Without a `place` (a local target) there is a DAG and no infrastructure."""
    files = {f"dags/{dag_name(source.spec)}": dag_file(source.spec, source.spec_hash, target, source.file, own)}
    if place is not None:
        terraform_files = forecast_files(source.spec, place, own)
        files |= {f"terraform/{source.name}/{name}": text for name, text in terraform_files.items()}
    return files


def render_shared(
    sources: Sequence[RenderSource], place: GcpLocation | None, own: Path | None = None
) -> dict[str, str]:
    """Return the files of what all specs of a project share: topics and secrets named under `notify`."""
    if place is None:
        return {}
    terraform_files = shared_files([source.spec for source in sources], place, own)
    return {f"terraform/{SHARED}/{name}": text for name, text in terraform_files.items()}
