"""From where a user stands to the project, its specs and its targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlspec.cli.faults import as_text
from mlspec.cli.messages import report
from mlspec.errors import SpecError
from mlspec.spec import LoadedSpecs, read_specs
from mlspec.spec.load import PROJECT_FILE


def find_root() -> Path:
    """Return the project's root: the nearest folder above with mlspec.yaml, or where the user stands."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / PROJECT_FILE).is_file()), here)


def load_specs(paths: Sequence[Path], target: str) -> LoadedSpecs:
    """Read all specs of a call. A path that is left out, or not found here, is looked for at the project's root."""
    root = find_root()
    return read_specs([path if path.exists() or path.is_absolute() else root / path for path in paths], root, target)


def is_folder(path: Path, root: Path) -> bool:
    """Return whether a path of a call is a folder: then the call is about all the specs in it."""
    return (path if path.exists() or path.is_absolute() else root / path).is_dir()


def open_specs(paths: Sequence[Path | str], target: str) -> LoadedSpecs:
    """Read all specs of a call. Raises SpecError with every fault of every file."""
    loaded = load_specs([Path(path) for path in paths], target)
    if loaded.faults:
        count = len(loaded.faults)
        report(as_text(loaded.faults), "ERROR")
        raise SpecError(
            f"{count} error{'s' if count > 1 else ''} in the specs; nothing was changed",
            hint="mlspec explain FIELD says more",
        )
    return loaded
