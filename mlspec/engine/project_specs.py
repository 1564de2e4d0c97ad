"""Finds a project and reads its specs, with the faults of the code that they name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlspec.engine.model_faults import with_model_faults
from mlspec.engine.target_faults import with_target_faults
from mlspec.errors import SpecError
from mlspec.spec import LoadedSpecs, read_specs
from mlspec.spec.faults import count_faults
from mlspec.spec.load import PROJECT_FILE

SPECS_FOLDER = "specs"


def find_project_root(start: Path) -> Path:
    """Return the nearest folder with mlspec.yaml: `start` or one of its parents; `start` itself if there is none."""
    return next((folder for folder in (start, *start.parents) if (folder / PROJECT_FILE).is_file()), start)


def page_language(root: Path, given: str | None) -> str:
    """Return the language of pages and pictures: the one that is given, or else the project's."""
    if given is not None:
        return given
    project = read_project_specs([], root, "local").project
    return project.language if project else "en"


def resolve_path(path: Path, root: Path) -> Path:
    """Return a path as it is if it is found from the working directory or absolute, else the path below the project's root."""
    return path if path.exists() or path.is_absolute() else root / path


def read_project_specs(paths: Sequence[Path], root: Path, target: str) -> LoadedSpecs:
    """Read specs. A path that is not found from the working directory is searched at the project's root."""
    loaded = read_specs([resolve_path(path, root) for path in paths], root, target)
    return with_target_faults(with_model_faults(loaded, root), root, target)


def invalid_specs_error(loaded: LoadedSpecs, details: str = "", hint: str = "") -> SpecError:
    """Return the error that says how many errors the specs have, and that nothing was changed. `details` are put after it."""
    count = count_faults(loaded.faults)
    return SpecError(
        f"{count:,} error{'s' if count > 1 else ''} in the specs; nothing was changed{details}",
        hint=hint or "`mlspec explain FIELD` explains a field",
    )
