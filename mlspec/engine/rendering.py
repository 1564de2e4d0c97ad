"""Renders specs for a target: the texts that `render` writes and `plan` passes to Terraform."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import TemplateError

from mlspec.engine.target_kinds import ConfiguredTarget
from mlspec.engine.template_process import describe_template_error, render_apart
from mlspec.errors import SpecError, TargetError
from mlspec.render.rendering import RenderJob, RenderSource, render_files
from mlspec.spec import ResolvedSpec

OWN_TEMPLATES = "templates"


def render_specs(
    specs: Sequence[ResolvedSpec], target: ConfiguredTarget, root: Path, *, with_shared: bool
) -> dict[str, str]:
    """Return all rendered files of the specs, as text by path. Raises TargetError if a template cannot be rendered."""
    return render_sources(spec_sources(specs, root), target, root, with_shared=with_shared)


def render_sources(
    inputs: Sequence[RenderSource], target: ConfiguredTarget, root: Path, *, with_shared: bool
) -> dict[str, str]:
    """Return all rendered files of specs in the form that the templates need."""
    own = own_templates(root)
    job = RenderJob(tuple(inputs), target.name, target.renderer, with_shared, own)
    if own is not None:
        return render_apart(job, own)
    try:
        return render_files(job)
    except TemplateError as error:  # a defect: mlspec's own templates are tested
        raise TargetError(describe_template_error(error)) from error


def spec_sources(specs: Sequence[ResolvedSpec], root: Path) -> list[RenderSource]:
    """Return specs in the form that the templates need. Raises SpecError for a file outside the project: a DAG cannot name it."""
    return [RenderSource(spec.name, spec.forecast, spec.spec_hash, _relative_path(spec.file, root)) for spec in specs]


def _relative_path(file: Path, root: Path) -> str:
    try:
        return file.resolve().relative_to(root.resolve()).as_posix()
    except ValueError as error:
        raise SpecError(
            f"'{file}' is not in the project's folder '{root}': a DAG names its spec relative to it",
            hint="move the spec below the folder of mlspec.yaml",
        ) from error


def own_templates(root: Path) -> Path | None:
    """Return the project's own folder of templates, whose files replace mlspec's; None if there is none."""
    folder = root / OWN_TEMPLATES
    return folder if (folder / "terraform").is_dir() or (folder / "airflow").is_dir() else None
