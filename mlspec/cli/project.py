"""Finds the project of the working directory, its specs and its targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlspec.cli.faults import as_text
from mlspec.cli.messages import report
from mlspec.cli.options import DEFAULT_PATHS
from mlspec.engine.project_specs import find_project_root, invalid_specs_error, read_project_specs, resolve_path
from mlspec.spec import LoadedSpecs
from mlspec.targets.base import Target


def find_root() -> Path:
    """Return the project's root: the nearest parent folder with mlspec.yaml, or the working directory."""
    return find_project_root(Path.cwd())


def load_specs(paths: Sequence[Path], target: str) -> LoadedSpecs:
    """Read all specs of a command. A path that is left out, or that is not found here, is searched at the project's root."""
    return read_project_specs(paths, find_root(), target)


def load_default_specs(root: Path, target: str) -> LoadedSpecs:
    """Read the specs of a project, for a command that is given no paths."""
    return load_specs([root / path for path in DEFAULT_PATHS], target)


def known_forecasts(loaded: LoadedSpecs, target: Target) -> tuple[str, ...]:
    """Return the names of the forecasts that a spec describes or that have a record, sorted."""
    return tuple(sorted({*target.forecast_names(), *(spec.name for spec in loaded.specs)}))


def is_folder(path: Path, root: Path) -> bool:
    """Return whether a path of a command is a folder: then the command is about all the specs in it."""
    return resolve_path(path, root).is_dir()


def open_named_spec(name: str, target: str) -> LoadedSpecs:
    """Read the project's specs for a command on one forecast: a fault in the spec of another forecast does not stop it.

    Raises SpecError with every fault, unless exactly one valid spec has the name, and the project's file is valid.
    """
    loaded = load_specs([Path("specs")], target)
    found = [spec for spec in loaded.specs if spec.name == name]
    is_elsewhere = len(found) == 1 and loaded.project is not None
    return loaded if is_elsewhere else open_specs(("specs",), target)


def open_specs(paths: Sequence[Path | str], target: str) -> LoadedSpecs:
    """Read all specs of a command. Raises SpecError with every fault of every file."""
    loaded = load_specs([Path(path) for path in paths], target)
    if loaded.faults:
        report(as_text(loaded.faults), "ERROR")
        raise invalid_specs_error(loaded)
    return loaded
