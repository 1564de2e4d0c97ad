"""An open project: its forecasts by name, plan and apply."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlspec.api.applied import ApplyReport
from mlspec.api.apply_process import ApplyRequest, ProgressCallback, run_apply
from mlspec.api.forecast import ForecastHandle
from mlspec.api.opened_plan import open_project_plan, specs_error
from mlspec.api.planned import ProjectPlan, engine_plan, make_project_plan
from mlspec.engine.project_specs import SPECS_FOLDER, find_project_root, read_project_specs
from mlspec.engine.target_kinds import ConfiguredTarget, find_target
from mlspec.errors import UsageError
from mlspec.plan.natural_order import natural_key
from mlspec.plan.select import known_name
from mlspec.spec import LoadedSpecs
from mlspec.spec.load import PROJECT_FILE


class ProjectHandle:
    """A project and one of its targets. `project["demand"]` is a forecast; iteration gives their names.

    Specs and record are read at each call. A handle holds no connection, and any thread may use it.
    """

    def __init__(self, root: Path, target: ConfiguredTarget) -> None:
        self._root, self._target = root, target

    def __repr__(self) -> str:
        return f"<project at {self._root}, target '{self._target.name}'>"

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self._root

    @property
    def target(self) -> str:
        """The name of the target."""
        return self._target.name

    def __getitem__(self, name: str) -> ForecastHandle:
        """Return a forecast that has a spec or a record. Raises UsageError with the names that there are, SpecError if the specs
        have errors and its own may be among them.
        """
        loaded, names = self._find_names()
        if name not in names and loaded.faults:
            raise specs_error(loaded)
        return ForecastHandle(known_name(name, names), self._root, self._target)

    def __iter__(self) -> Iterator[str]:
        """Yield the names of all forecasts that have a spec or a record, in natural order."""
        return iter(self._find_names()[1])

    def __len__(self) -> int:
        return len(self._find_names()[1])

    def __contains__(self, name: object) -> bool:
        return name in self._find_names()[1]

    def plan(self, select: str | Sequence[str] = ()) -> ProjectPlan:
        """Return what `apply` would change, and why. Writes nothing.

        `select` takes names, patterns (`store-*`), `new`, `modified` and `modified+`, as `mlspec plan --select`. Raises SpecError
        with every error of the specs, UsageError for a selector that matches nothing, TargetError if the target cannot be reached.
        A forecast that cannot be planned is one of `ProjectPlan.obstacles`.
        """
        with open_project_plan(self._root, self._target.name, _as_selectors(select)) as opened:
            return make_project_plan(opened.plan)

    def apply(
        self,
        select: str | Sequence[str] = (),
        *,
        plan: ProjectPlan | None = None,
        destroy: bool = False,
        protected: bool = False,
        lock_timeout: float = 0.0,
        progress: ProgressCallback | None = None,
    ) -> ApplyReport:
        """Bring forecasts to the state of their specs, as `mlspec apply`; what is up to date is left alone.

        Nothing is asked: `destroy` approves that something is destroyed or replaced, `protected` that a protected target is
        changed. Without the approval that a plan needs, Refused is raised and nothing is changed. With `plan`, made with the same
        `select`, StalePlan is raised if a new plan would say something else. `lock_timeout` is how many seconds to wait for
        another run on the same forecast. `progress` is called with forecast, step, done, total and a text.

        The work is done in a process of its own. A KeyboardInterrupt ends it in order: StoppedPartWay is raised if anything was
        recorded, and the next apply goes on from there. A forecast that fails does not stop the others, and raises nothing: its
        error is in the report (`ApplyReport.raise_for_errors`).
        """
        request = ApplyRequest(
            root=self._root,
            target=self._target.name,
            select=_as_selectors(select),
            plan=engine_plan(plan) if plan is not None else None,
            destroy=destroy,
            protected=protected,
            lock_timeout=lock_timeout,
        )
        return run_apply(request, progress)

    def _find_names(self) -> tuple[LoadedSpecs, list[str]]:
        folder = self._root / SPECS_FOLDER
        loaded = read_project_specs([folder] if folder.is_dir() else [], self._root, self._target.name)
        recorded = self._target.open(self._root).forecast_names()
        return loaded, sorted({*recorded, *(spec.name for spec in loaded.specs)}, key=natural_key)


def _as_selectors(select: str | Sequence[str]) -> tuple[str, ...]:
    return (select,) if isinstance(select, str) else tuple(select)


def open_project(path: str | os.PathLike[str], *, target: str) -> ProjectHandle:
    """Return the project at `path` or in a folder above it. Raises UsageError if there is none, SpecError if it is invalid."""
    start = Path(path).absolute()
    root = find_project_root(start)
    if not ((root / PROJECT_FILE).is_file() or (root / SPECS_FOLDER).is_dir()):
        raise UsageError(
            f"there is no project at {start}", hint=f"name a folder with {PROJECT_FILE}; `mlspec init` makes one"
        )
    loaded = read_project_specs([], root, target)
    errors = [fault for fault in loaded.faults if fault.code != "unknown-target"]
    if errors:
        raise specs_error(loaded)
    return ProjectHandle(root, find_target(loaded.project, target))
