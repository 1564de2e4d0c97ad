"""Checks targets of packages: their packages read their settings, and each problem gets its line in mlspec.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from mlspec.errors import MlspecError
from mlspec.spec import LoadedSpecs, Problem
from mlspec.spec.document import open_document
from mlspec.spec.faults import fault_order, limit_faults
from mlspec.spec.load import PROJECT_FILE
from mlspec.spec.package_settings import UncheckedSettings


def with_target_faults(loaded: LoadedSpecs, root: Path, target: str) -> LoadedSpecs:
    """Return the specs with the faults of the target that a command uses, if a package brings it. Else nothing is looked for."""
    return _with_faults_of(loaded, root, [target])


def with_all_target_faults(loaded: LoadedSpecs, root: Path) -> LoadedSpecs:
    """Return the specs with the faults of every target that a package brings, for `validate`."""
    return _with_faults_of(loaded, root, loaded.project.targets if loaded.project else ())


def _with_faults_of(loaded: LoadedSpecs, root: Path, names: Iterable[str]) -> LoadedSpecs:
    targets = loaded.project.targets if loaded.project else {}
    problems = [
        problem
        for name in names
        if isinstance(settings := targets.get(name), UncheckedSettings)
        for problem in _find_problems(name, settings)
    ]
    if not problems:
        return loaded
    document = open_document(root / PROJECT_FILE, PROJECT_FILE)
    faults = {*loaded.faults, *map(document.make_fault, problems)}
    return replace(loaded, faults=limit_faults(sorted(faults, key=fault_order)))


def _find_problems(name: str, settings: UncheckedSettings) -> Iterator[Problem]:
    from mlspec.engine.target_kinds import find_setting_problems  # the parts of all kinds

    try:
        for problem in find_setting_problems(settings):
            yield replace(problem, path=("targets", name, *problem.path))
    except MlspecError as error:
        yield Problem(("targets", name, "type"), "target-package", error.message, error.hint)
