"""Renders specs for one target, as text by path: `terraform/NAME/*.tf` and `dags/mlspec_NAME.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mlspec.render.dag import dag_file, dag_name
from mlspec.spec.forecast import Forecast
from mlspec.state.resource import SHARED


@dataclass(frozen=True, slots=True)
class RenderSource:
    """One resolved spec to render, with its digest, and its file relative to the project's root."""

    name: str
    spec: Forecast
    spec_hash: str
    file: str


class InfrastructureRenderer(Protocol):
    """What renders a target's infrastructure as Terraform. `own` is the project's own folder of templates."""

    def forecast_files(self, spec: Forecast, own: Path | None = None) -> dict[str, str]:
        """Return the Terraform of one resolved spec, by file name."""
        ...

    def shared_files(self, specs: Sequence[Forecast], own: Path | None = None) -> dict[str, str]:
        """Return the Terraform of what all specs of a project share, by file name."""
        ...


@dataclass(frozen=True, slots=True)
class RenderJob:
    """Everything to render for one target: `own` is the project's own folder of templates, `with_shared` adds what specs share."""

    sources: tuple[RenderSource, ...]
    target: str
    infrastructure: InfrastructureRenderer | None
    with_shared: bool
    own: Path | None = None


def render_files(job: RenderJob) -> dict[str, str]:
    """Return all files of a job, as text by path. Raises TemplateError, or what a template of the project raises."""
    files = {
        path: text
        for source in job.sources
        for path, text in render_forecast(source, job.target, job.infrastructure, job.own).items()
    }
    return files | (render_shared(job.sources, job.infrastructure, job.own) if job.with_shared else {})


def render_forecast(
    source: RenderSource, target: str, infrastructure: InfrastructureRenderer | None, own: Path | None = None
) -> dict[str, str]:
    """Return the files of one forecast: its DAG, and its infrastructure on a target that has some."""
    files = {
        f"dags/{dag_name(source.spec)}": dag_file(
            source.spec, spec_hash=source.spec_hash, target=target, file=source.file, own=own
        )
    }
    if infrastructure is not None:
        terraform_files = infrastructure.forecast_files(source.spec, own)
        files |= {f"terraform/{source.name}/{name}": text for name, text in terraform_files.items()}
    return files


def render_shared(
    sources: Sequence[RenderSource], infrastructure: InfrastructureRenderer | None, own: Path | None = None
) -> dict[str, str]:
    """Return the files of the resources that all specs of a project share: topics and secrets under `notify`."""
    if infrastructure is None:
        return {}
    terraform_files = infrastructure.shared_files([source.spec for source in sources], own)
    return {f"terraform/{SHARED}/{name}": text for name, text in terraform_files.items()}
