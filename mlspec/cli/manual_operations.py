"""What the commands for people share: who asks, about which applied forecast."""

from __future__ import annotations

import getpass
import os

from mlspec.cli.planning import quiet
from mlspec.cli.project import find_root, known_name, open_specs
from mlspec.cli.target import open_engine, open_here, open_target
from mlspec.engine.context import Engine, Tell
from mlspec.errors import SpecError, UsageError
from mlspec.spec import Resolved
from mlspec.spec.faults import did_you_mean


def who() -> str:
    """Return who asks: the user's name, or that of the account that a container runs as."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def applied(name: str, target: str) -> Engine:
    """Return an engine on the target where `name` is applied. Raises UsageError with the nearest name where it is not."""
    where = open_here(target)
    known_name(name, where.names())
    return open_engine(where, find_root(), quiet)


def spec_of(name: str, target: str, tell: Tell) -> tuple[Engine, Resolved]:
    """Return an engine, and the spec of an applied forecast. Raises SpecError where no spec describes it."""
    loaded = open_specs(("specs",), target)
    root = find_root()
    where = open_target(loaded.project, root, target)
    known_name(name, where.names())
    spec = next((each for each in loaded.specs if each.name == name), None)
    if spec is None:
        raise SpecError(
            f"no spec under specs/ describes {name} any more", hint=f"`mlspec destroy {name}` takes it down"
        )
    return open_engine(where, root, tell), spec


def alert_of(engine: Engine, name: str, alert: str) -> None:
    """Raise UsageError, with the nearest name, where the newest release of a forecast has no such alert."""
    release = next(iter(engine.target.releases(name)), None)
    known = [each["name"] for each in release.spec["alerts"]] if release else []
    if alert not in known:
        hint = did_you_mean(alert, known) or f"it has: {', '.join(known) or 'none'}"
        raise UsageError(f"{name} has no alert '{alert}'", hint=hint)
