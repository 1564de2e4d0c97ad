"""Finds the project of the working directory, its specs and its targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlspec.cli.faults import as_text
from mlspec.cli.messages import report
from mlspec.cli.model_faults import with_model_faults
from mlspec.errors import SpecError
from mlspec.spec import LoadedSpecs, read_specs
from mlspec.spec.faults import count_faults
from mlspec.spec.load import PROJECT_FILE


def find_root() -> Path:
    """Return the project's root: the nearest parent folder with mlspec.yaml, or the working directory."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / PROJECT_FILE).is_file()), here)


def load_specs(paths: Sequence[Path], target: str) -> LoadedSpecs:
    """Read all specs of a command. A path that is left out, or that is not found here, is searched at the project's root."""
    root = find_root()
    whole = [path if path.exists() or path.is_absolute() else root / path for path in paths]
    return with_model_faults(read_specs(whole, root, target), root)


def is_folder(path: Path, root: Path) -> bool:
    """Return whether a path of a command is a folder: then the command is about all the specs in it."""
    return (path if path.exists() or path.is_absolute() else root / path).is_dir()


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
        count = count_faults(loaded.faults)
        report(as_text(loaded.faults), "ERROR")
        raise SpecError(
            f"{count:,} error{'s' if count > 1 else ''} in the specs; nothing was changed",
            hint="`mlspec explain FIELD` explains a field",
        )
    return loaded
