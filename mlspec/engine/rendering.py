"""Renders specs for a target: the texts that `render` writes and `plan` passes to Terraform."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from traceback import extract_tb

from jinja2 import TemplateError, TemplateSyntaxError

from mlspec.engine.target_kinds import ConfiguredTarget
from mlspec.errors import SpecError, TargetError
from mlspec.render.rendering import RenderSource, render_forecast, render_shared
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
    renderer, own = target.renderer, own_templates(root)
    try:
        files = {
            path: text
            for source in inputs
            for path, text in render_forecast(source, target.name, renderer, own).items()
        }
        return files | (render_shared(inputs, renderer, own) if with_shared else {})
    except TemplateError as error:
        raise template_error(error, own) from error


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


def template_error(error: TemplateError, own: Path | None) -> TargetError:
    """Return the error of a template: where it is and what to do. It is about the project's templates; mlspec's own are tested."""
    return TargetError(
        f"the template {_error_location(error)} cannot be rendered: {error.message or type(error).__name__}",
        hint=f"correct it, or remove it from {own} to use mlspec's own",
    )


def _error_location(error: TemplateError) -> str:
    """Return FILE:LINE of a template's error: from a syntax error itself, or from the traceback of any other."""
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename or error.name}:{error.lineno}"
    calls = [call for call in extract_tb(error.__traceback__) if call.filename.endswith(".j2")]
    return f"{calls[-1].filename}:{calls[-1].lineno}" if calls else str(error)
