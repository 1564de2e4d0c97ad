"""What the commands for manual operations share: how they open an applied forecast."""

from __future__ import annotations

from mlspec.cli.project import find_root, open_named_spec
from mlspec.cli.target import open_engine, open_here
from mlspec.engine.assembly import ignore_progress
from mlspec.engine.context import Engine, ProgressReporter
from mlspec.engine.target_kinds import open_target
from mlspec.errors import SpecError, UsageError
from mlspec.plan.releases import release_spec
from mlspec.plan.select import recorded_name
from mlspec.spec import LoadedSpecs, ResolvedSpec
from mlspec.spec.faults import did_you_mean


def open_applied(name: str, target: str) -> Engine:
    """Return an engine on the target where `name` is applied. Raises UsageError with the nearest name if it is not."""
    opened_target = open_here(target)
    recorded_name(name, opened_target.forecast_names())
    return open_engine(opened_target, find_root(), ignore_progress)


def open_applied_spec(name: str, target: str, tell: ProgressReporter) -> tuple[Engine, ResolvedSpec]:
    """Return an engine, and the spec of an applied forecast. Raises SpecError if no spec describes it."""
    loaded = open_named_spec(name, target)
    root = find_root()
    opened_target = open_target(loaded.project, root, target)
    recorded_name(name, opened_target.forecast_names())
    return open_engine(opened_target, root, tell), described_spec(name, loaded)


def described_spec(name: str, loaded: LoadedSpecs) -> ResolvedSpec:
    """Return the spec of a forecast that has a spec or a record. Raises SpecError if no spec describes it."""
    spec = next((resolved for resolved in loaded.specs if resolved.name == name), None)
    if spec is None:
        raise SpecError(f"no spec under specs/ describes {name} any more", hint=f"`mlspec destroy {name}` removes it")
    return spec


def require_alert(engine: Engine, name: str, alert: str) -> None:
    """Raise UsageError, with the nearest name, if the newest release of a forecast has no such alert."""
    release = next(iter(engine.target.load_releases(name)), None)
    known = [spec_alert.name for spec_alert in release_spec(release).alerts] if release else []
    if alert not in known:
        hint = did_you_mean(alert, known) or f"it has: {', '.join(known) or 'none'}"
        raise UsageError(f"{name} has no alert '{alert}'", hint=hint)
