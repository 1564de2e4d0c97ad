"""What the command line passes to the engine: a target, a runner of steps, a clock, a root, and a reporter of progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from mlspec.models.code import find_model_code
from mlspec.models.package_metrics import metric_digest
from mlspec.plan.desired import DesiredForecast
from mlspec.spec.candidates import Custom
from mlspec.spec.forecast import Forecast
from mlspec.spec.retention import Retention
from mlspec.state.lineage_event import LineageReporter
from mlspec.state.step import RemoteStep, StepResult, StepRunner
from mlspec.targets.base import KeepUnfinished, OpenedTarget, TargetView


class ProgressReporter(Protocol):
    """A function that shows progress: the forecast, the step, how far it is, and what is being done."""

    def __call__(self, forecast: str, step: str, done: int, total: int, text: str) -> None:
        """Show the progress; `total` 0 means that the total is unknown."""
        ...


class Spec(Protocol):
    """What the engine needs of a resolved spec."""

    @property
    def name(self) -> str:
        """The forecast's name."""
        ...

    @property
    def forecast(self) -> Forecast:
        """The spec, resolved for one target."""
        ...

    @property
    def spec_hash(self) -> str:
        """Digest of the resolved spec."""
        ...


class PlanContext(Protocol):
    """What a plan is made with: a target to observe, and the desired state of a spec. An Engine is one."""

    @property
    def target(self) -> TargetView:
        """The target, read only."""
        ...

    @property
    def clock(self) -> Callable[[], str]:
        """A function that returns the present moment, RFC 3339 in UTC."""
        ...

    def desired_forecast(self, spec: Spec) -> DesiredForecast:
        """Return the desired state of a spec on its present data."""
        ...


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that one run works with. `clock` returns RFC 3339 in UTC.

    `libraries` are the versions of the libraries that shape a model. `code` is the version of mlspec's code that shapes a
    model: it is in a version's lineage. `mlspec` is the version of the package that runs here: it is in the keys of steps,
    because the result of a step may change with any release. `run_remote_step` runs steps where their files are; without it
    they run in this process. `retention` says what a pass may remove from the record; None: nothing. `report_lineage` tells a
    receiver what runs; None: nobody asked for it. `keep_unfinished` gives the place for what a step has made so far, if the files
    of this machine are gone with it (`targets.base.ContainerRuntime`); None: it is a folder of this machine.
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
    retention: Retention | None = None
    report_lineage: LineageReporter | None = None
    keep_unfinished: KeepUnfinished | None = None

    def desired_forecast(self, spec: Spec) -> DesiredForecast:
        """Return the desired state of a spec on its present data. Raises DataError if the data is missing."""
        source = self.target.inspect_source(spec.forecast, self.root)
        if source.byte_digest is not None:
            data = self.target.observe_forecast(spec.name).resources.get("data")
            source = source.as_recorded(data and data.resource.fields.get("data.digest"))
        return DesiredForecast(
            spec.name, spec.forecast, spec.spec_hash, source, self.code,
            model_code_digests(spec.forecast, self.root), metric_code_digests(spec.forecast),
        )  # fmt: skip


def model_code_digests(spec: Forecast, root: Path) -> dict[str, str]:
    """Return the digest of the code of each custom candidate, by its name. Raises SpecError if one has none.

    Without custom candidates nothing is read, and a version's lineage is what it was before there were any.
    """
    if isinstance(spec.model.candidates, str):
        return {}
    custom = [candidate for candidate in spec.model.candidates if isinstance(candidate, Custom)]
    return {candidate.label: find_model_code(root, candidate.class_).digest for candidate in custom}


def metric_code_digests(spec: Forecast) -> dict[str, str]:
    """Return the digest of each metric of a package that a spec names. Raises SpecError if no installed package has one."""
    return {name: metric_digest(name) for name in spec.package_metrics}


def model_libraries() -> dict[str, str]:
    """Return the versions of the installed libraries that shape a model, without importing them."""
    places = ((Path(place), place) for place in sys.path)
    return dict(_library_versions(tuple((name, path.stat().st_mtime_ns) for path, name in places if path.is_dir())))


@lru_cache(maxsize=1)
def _library_versions(_places: tuple[tuple[str, int], ...]) -> dict[str, str]:
    """Read them anew only if a folder of packages has changed, as reading takes milliseconds.

    The loop imports no library: each of its processes imports what is installed at that moment.
    """
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for name in ("lightgbm", "mlforecast", "numpy", "pandas", "scikit-learn", "scipy", "statsforecast"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
