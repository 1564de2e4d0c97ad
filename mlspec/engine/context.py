"""What the engine works with, handed in by the command line: a target, who runs steps, a clock, a root, someone to tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mlspec.plan.desired import DesiredForecast
from mlspec.state.resource import Json
from mlspec.state.step import RemoteStep, StepResult, StepRunner
from mlspec.targets.base import OpenedTarget, TargetView


class ProgressReporter(Protocol):
    """Whoever shows progress: of which forecast, in which step, how far, and what is being done."""

    def __call__(self, forecast: str, step: str, done: int, total: int, text: str) -> None:
        """Show it; `total` 0 says that nobody knows how far it is."""
        ...


class Spec(Protocol):
    """What the engine needs to know of a resolved spec."""

    @property
    def name(self) -> str:
        """The forecast's name."""
        ...

    @property
    def json(self) -> Mapping[str, Json]:
        """The resolved spec as JSON."""
        ...

    @property
    def spec_hash(self) -> str:
        """Digest of the resolved spec."""
        ...


class PlanContext(Protocol):
    """What a plan is made with: something to look at, and what a spec wants there. An Engine is one."""

    @property
    def target(self) -> TargetView:
        """The target, as far as it can be looked at."""
        ...

    @property
    def clock(self) -> Callable[[], str]:
        """Returns the present moment, RFC 3339 in UTC."""
        ...

    def desired_forecast(self, spec: Spec) -> DesiredForecast:
        """Return what a spec wants, with what its data is now."""
        ...


@dataclass(frozen=True, slots=True)
class Engine:
    """One run's surroundings. `clock` returns RFC 3339 in UTC; `libraries` are the versions of those that shape a model.

    `code` is the version of mlspec's code that shapes a model: it is in a version's lineage. `mlspec` is the version of the package
    that runs here: it is in the keys of steps, because what a step hands back may change with any release.
    `far` runs steps where their files are; without it they run in this process.
    """

    target: OpenedTarget
    steps: StepRunner
    root: Path
    clock: Callable[[], str]
    code: str
    libraries: Mapping[str, str]
    tell: ProgressReporter
    mlspec: str
    run_remote_step: Callable[[RemoteStep], StepResult] | None = None

    def desired_forecast(self, spec: Spec) -> DesiredForecast:
        """Return what a spec wants, with what its data is now. Raises DataError where the data is not there."""
        return DesiredForecast(
            spec.name, spec.json, spec.spec_hash, self.target.inspect_source(spec.json, self.root), self.code
        )


def model_libraries() -> dict[str, str]:
    """Return the versions of the installed libraries that shape a model, without importing one."""
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for name in ("lightgbm", "mlforecast", "numpy", "pandas", "scikit-learn", "scipy", "statsforecast"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
