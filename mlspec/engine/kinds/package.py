"""The parts of a target that a package brings. What a package does not bring is as on this machine: sources, steps, serving."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlspec.engine.context import Spec
from mlspec.errors import BrokenTarget, MlspecError
from mlspec.plain_files import refuse_links
from mlspec.spec.error_messages import validation_problems
from mlspec.spec.faults import Problem
from mlspec.spec.package_settings import PackageSettings, package_folder
from mlspec.state.finding import Finding
from mlspec.targets.base import OpenedTarget
from mlspec.targets.package.load import LoadedTarget
from mlspec.targets.package.port import TargetPlace
from mlspec.targets.package.target import open_package_target


def check_settings(loaded: LoadedTarget, values: Mapping[str, Any]) -> PackageSettings | tuple[Problem, ...]:
    """Return the settings as the package reads them, or their problems. Raises BrokenTarget if the package's code fails."""
    model = loaded.target.settings
    with loaded.tell_errors("settings"):
        try:
            settings = model.model_validate(dict(values))
        except ValidationError as error:
            return tuple(validation_problems(error, model, values))
        settings.model_dump(mode="json")  # a plan has a digest of them
    if not isinstance(settings, PackageSettings):
        raise loaded.refuse_type("settings", settings, "settings")
    return settings


def open_target(loaded: LoadedTarget, name: str, settings: PackageSettings, root: Path) -> OpenedTarget:
    """Return the target. Raises BrokenTarget if the package's code fails, StateError if a folder above its own is a link."""
    place = _make_place(name, root)
    refuse_links(place.folder, below=root)
    with loaded.tell_errors("open_store"):
        store = loaded.target.open_store(settings, place)
    return open_package_target(loaded, place, store, protect=settings.protect)


def working_folder(name: str, _settings: PackageSettings, root: Path) -> Path:
    """Return the folder on this machine that is written to."""
    return root / package_folder(name)


def cost_sentences(
    loaded: LoadedTarget, _specs: Sequence[Spec], trained: Sequence[str], _series: Mapping[str, int]
) -> tuple[str, ...]:
    """Return what the package says of the cost of training."""
    return (loaded.target.cost,) if trained and loaded.target.cost else ()


def check_target(
    loaded: LoadedTarget,
    name: str,
    settings: PackageSettings,
    root: Path,
    _specs: Sequence[Spec],
    _environment: Mapping[str, str],
) -> Iterator[Finding]:
    """Yield whether the record can be read, and then what the package finds."""
    try:
        count = len(open_target(loaded, name, settings, root).forecast_names())
        findings = [] if loaded.target.check is None else list(_package_findings(loaded, name, settings, root))
    except MlspecError as error:
        name_of_check = "package" if isinstance(error, BrokenTarget) else "state"
        yield Finding("target", name_of_check, "missing", error.message, error.hint or "")
    else:
        yield Finding("target", "state", "ok", f"{count} forecasts on record, by {loaded.entry.package}")
        yield from findings


def _package_findings(loaded: LoadedTarget, name: str, settings: PackageSettings, root: Path) -> Iterator[Finding]:
    check = loaded.target.check
    with loaded.tell_errors("check"):
        found = list(check(settings, _make_place(name, root)) if check else ())
    for finding in found:
        if not isinstance(finding, Finding):
            raise loaded.refuse_type("check", finding, "a Finding for each thing that it looked at")
        yield finding


def _make_place(name: str, root: Path) -> TargetPlace:
    return TargetPlace(name, root, root / package_folder(name))
