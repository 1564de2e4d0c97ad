"""The checks of `mlspec doctor`: of this machine, then of the target. They change nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from mlspec.engine.target_kinds import TARGET_KINDS, find_target, load_package_target
from mlspec.errors import SpecError
from mlspec.models.package_metrics import offered_names
from mlspec.models.package_targets import offered_types
from mlspec.plan.extras import needed_extras
from mlspec.spec import LoadedSpecs
from mlspec.spec.duration import format_duration
from mlspec.spec.faults import count_faults
from mlspec.spec.metrics import METRICS, find_metric
from mlspec.state.finding import Finding
from mlspec.targets import machine


def run_checks(loaded: LoadedSpecs, root: Path, target: str, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the findings, machine first. `environment` are the environment variables. Raises UsageError for an unknown target."""
    configured = find_target(loaded.project, target)
    kind, settings = configured.kind, configured.settings
    yield machine.check_python()
    for name in needed_extras([spec.forecast for spec in loaded.specs], kind.extras(settings)):
        yield machine.check_extra(name)
    folder = kind.folder(target, settings, root)
    yield machine.check_folder(folder)
    yield machine.check_privacy(folder)
    yield machine.check_disk(folder)
    if kind.infrastructure is not None:
        yield machine.check_terraform()
    yield _check_specs(loaded)
    yield _check_retention(loaded)
    yield from _check_metrics()
    yield from _check_target_packages()
    yield from kind.check(target, settings, root, loaded.specs, environment)


def _check_specs(loaded: LoadedSpecs) -> Finding:
    if loaded.faults:
        count = count_faults(loaded.faults)
        message = f"{count:,} error{'' if count == 1 else 's'}; the needs of these specs are not checked"
        return Finding("project", "specs", "missing", message, "mlspec validate")
    return Finding("project", "specs", "ok", f"{len(loaded.specs)} read")


def _check_metrics() -> Iterator[Finding]:
    """Yield a finding for each metric that an installed package brings: whether a spec can name it."""
    for name in offered_names():
        if name in METRICS:
            message = f"a package brings a metric '{name}', and mlspec has one of this name itself"
            yield Finding(
                "project", f"metric {name}", "missing", message, "give the entry point of the package another name"
            )
            continue
        try:
            yield Finding("project", f"metric {name}", "ok", f"of the package {find_metric(name).package}")
        except SpecError as error:
            yield Finding("project", f"metric {name}", "missing", error.message, error.hint or "")


def _check_target_packages() -> Iterator[Finding]:
    """Yield a finding for each type of target that an installed package brings: whether mlspec.yaml can name it."""
    for name in offered_types():
        if name in TARGET_KINDS:
            message = f"a package brings targets of the type '{name}', and mlspec has a type of this name itself"
            mend = "give the entry point of the package another name"
            yield Finding("project", f"target type {name}", "missing", message, mend)
            continue
        try:
            package = load_package_target(name).entry.package
            yield Finding("project", f"target type {name}", "ok", f"of the package {package}")
        except SpecError as error:
            yield Finding("project", f"target type {name}", "missing", error.message, error.hint or "")


def _check_retention(loaded: LoadedSpecs) -> Finding:
    """Return what the record keeps. To keep everything is a choice, so it is no miss."""
    kept = loaded.project.retention if loaded.project else None
    if kept is None:
        return Finding("project", "retention", "ok", "not set: nothing is ever removed from the record (mlspec prune)")
    spans = f"forecasts of {format_duration(kept.runs)}, events of {format_duration(kept.events)}"
    return Finding("project", "retention", "ok", f"{kept.releases} releases, {spans}")
