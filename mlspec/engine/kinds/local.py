"""The parts of a target on this machine: a folder, or the database of a team."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mlspec.engine.context import Spec
from mlspec.errors import MlspecError
from mlspec.plain_files import refuse_links
from mlspec.spec.project import LocalTargetSettings
from mlspec.state.finding import Finding
from mlspec.targets.local.target import LocalTarget
from mlspec.targets.machine import folder_size


def open_local(name: str, settings: LocalTargetSettings, root: Path) -> LocalTarget:
    """Return the target. The store is the folder itself, or the database that a team shares.

    Raises StateError if the folder, or a folder above it in the project, is a symbolic link.
    """
    folder = root / settings.path
    refuse_links(folder, below=root)
    if settings.state is None:
        return LocalTarget(folder, name=name, protect=settings.protect)
    from mlspec.targets.postgres.store import shared_store

    return LocalTarget(folder, name=name, protect=settings.protect, store=shared_store(settings.state, folder))


def working_folder(_name: str, settings: LocalTargetSettings, root: Path) -> Path:
    """Return the folder on this machine that is written to."""
    return root / settings.path


def needed_extras(settings: LocalTargetSettings) -> tuple[str, ...]:
    """Return the extras of mlspec that the target needs."""
    return ("postgres",) if settings.state else ()


def cost_sentences(_specs: Sequence[Spec], trained: Sequence[str], _series: Mapping[str, int]) -> tuple[str, ...]:
    """Return the cost of training."""
    return ("costs nothing: the local target runs on this machine",) if trained else ()


def check_local(
    name: str,
    settings: LocalTargetSettings,
    root: Path,
    _specs: Sequence[Spec],
    _environment: Mapping[str, str],
) -> Iterator[Finding]:
    """Yield whether the record can be read."""
    try:
        count = len(open_local(name, settings, root).forecast_names())
    except MlspecError as error:
        yield Finding("target", "state", "missing", error.message, error.hint or "")
    else:
        size = folder_size(working_folder(name, settings, root)) / 1e6
        yield Finding("target", "state", "ok", f"{count} forecasts on record, {size:.1f} MB in {settings.path}")
