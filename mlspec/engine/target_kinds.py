"""The kinds of target in one table. All other code reads the table instead of testing a target's kind.

A package brings further kinds (docs/own-target.md). Such a package is imported when a command uses a target of its kind.

The functions of a kind are in `engine/kinds/`. They import heavy modules where they are used, so that a command loads only the
modules of one kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mlspec.engine.context import Spec
from mlspec.engine.kinds import gcp, local
from mlspec.errors import SpecError, UsageError
from mlspec.spec.faults import Problem, did_you_mean, dotted_path
from mlspec.spec.gcp.settings import GcpTargetSettings
from mlspec.spec.package_settings import PackageSettings, UncheckedSettings
from mlspec.spec.project import LocalTargetSettings, Project, TargetSettings
from mlspec.spec.secrecy import redact_secrets
from mlspec.state.finding import Finding
from mlspec.targets.base import OpenedTarget, ServedRecord, Target

if TYPE_CHECKING:
    from mlspec.engine.infrastructure import TerraformRunner
    from mlspec.render.rendering import InfrastructureRenderer
    from mlspec.targets.package.load import LoadedTarget

Settings = TypeVar("Settings")


@dataclass(frozen=True, slots=True)
class InfrastructureKind(Generic[Settings]):
    """How infrastructure is made: the renderer of a target's Terraform, and its runner (`tell`, lock timeout in seconds)."""

    renderer: Callable[[str, Settings], InfrastructureRenderer]
    runner: Callable[[Settings, Callable[[str], None], float], TerraformRunner]


@dataclass(frozen=True, slots=True)
class TargetKind(Generic[Settings]):
    """One kind of target. `settings` is its model in mlspec.yaml; the functions take the target's name and its settings.

    `folder` is where it writes on this machine, by the target's name. `infrastructure` is None if nothing has to be made first,
    `serving_view` is None if a server may read the whole target, `pinned_view` if no platform starts a server for one version.
    `costs` takes the specs of a plan, the names that it trains, and how many series each forecast has, where data was checked.
    `check` yields the findings of `mlspec doctor` on the target itself; it takes the environment variables.
    """

    settings: type[Settings]
    open: Callable[[str, Settings, Path], OpenedTarget]
    folder: Callable[[str, Settings, Path], Path]
    extras: Callable[[Settings], tuple[str, ...]]
    costs: Callable[[Sequence[Spec], Sequence[str], Mapping[str, int]], tuple[str, ...]]
    check: Callable[[str, Settings, Path, Sequence[Spec], Mapping[str, str]], Iterator[Finding]]
    infrastructure: InfrastructureKind[Settings] | None = None
    serving_view: Callable[[str, Settings, Path, Sequence[str]], Target] | None = None
    pinned_view: Callable[[str, Settings, Path, str, str, str], ServedRecord] | None = None


TARGET_KINDS: Mapping[str, TargetKind[Any]] = {
    "local": TargetKind(
        settings=LocalTargetSettings,
        open=local.open_local,
        folder=local.working_folder,
        extras=local.needed_extras,
        costs=local.cost_sentences,
        check=local.check_local,
    ),
    "gcp": TargetKind(
        settings=GcpTargetSettings,
        open=gcp.open_gcp,
        folder=gcp.working_folder,
        extras=gcp.needed_extras,
        costs=gcp.cost_sentences,
        check=gcp.check_gcp,
        infrastructure=InfrastructureKind(renderer=gcp.make_renderer, runner=gcp.make_runner),
        serving_view=gcp.open_serving_view,
        pinned_view=gcp.open_pinned_view,
    ),
}


@dataclass(frozen=True, slots=True)
class ConfiguredTarget:
    """A target in mlspec.yaml, not opened yet."""

    name: str
    settings: TargetSettings | PackageSettings

    @property
    def kind(self) -> TargetKind[Any]:
        """The target's row in the table, or the one that a package brings."""
        return TARGET_KINDS.get(self.settings.type) or _package_kind(load_package_target(self.settings.type))

    @property
    def renderer(self) -> InfrastructureRenderer | None:
        """How its infrastructure is rendered; None if it has none."""
        infrastructure = self.kind.infrastructure
        return infrastructure.renderer(self.name, self.settings) if infrastructure else None

    def open(self, root: Path) -> OpenedTarget:
        """Return the target itself, without any request to it."""
        return self.kind.open(self.name, self.settings, root)


def find_target(project: Project | None, name: str) -> ConfiguredTarget:
    """Return the target of this name; `local` needs no entry in mlspec.yaml. Raises UsageError if there is none.

    Raises SpecError if no package brings the target's type, or if the package refuses its settings.
    """
    targets = {"local": LocalTargetSettings(type="local"), **(project.targets if project else {})}
    if name not in targets:
        raise UsageError(f"there is no target '{name}'", hint=did_you_mean(name, list(targets)))
    settings = targets[name]
    return ConfiguredTarget(
        name, _check_settings(name, settings) if isinstance(settings, UncheckedSettings) else settings
    )


def load_package_target(type_name: str) -> LoadedTarget:
    """Return the kind of target that a package brings. Imports the package. Raises SpecError if there is none, or if it fails."""
    from mlspec.targets.package.load import load_target

    return load_target(type_name, TARGET_KINDS)


def find_setting_problems(settings: UncheckedSettings) -> tuple[Problem, ...]:
    """Return what the package of a target finds wrong with its settings. Raises SpecError, or BrokenTarget if its code fails."""
    from mlspec.engine.kinds import package

    checked = package.check_settings(load_package_target(settings.type), settings.values)
    return checked if isinstance(checked, tuple) else ()


def _check_settings(name: str, settings: UncheckedSettings) -> PackageSettings:
    from mlspec.engine.kinds import package

    checked = package.check_settings(load_package_target(settings.type), settings.values)
    if isinstance(checked, tuple):
        where = dotted_path(("targets", name, *checked[0].path))
        raise SpecError(redact_secrets(f"mlspec.yaml: {where}: {checked[0].message}"), hint=checked[0].hint)
    return checked


def _package_kind(loaded: LoadedTarget) -> TargetKind[Any]:
    from mlspec.engine.kinds import package

    return TargetKind(
        settings=loaded.target.settings,
        open=partial(package.open_target, loaded),
        folder=package.working_folder,
        extras=lambda _settings: (),
        costs=partial(package.cost_sentences, loaded),
        check=partial(package.check_target, loaded),
    )


def open_target(project: Project | None, root: Path, name: str) -> OpenedTarget:
    """Return the target of this name, opened. Raises UsageError if there is none."""
    return find_target(project, name).open(root)


def open_serving_view(project: Project | None, root: Path, name: str, forecasts: Sequence[str]) -> Target | None:
    """Return a target as a server of these forecasts can read it; None if a server may read the whole target."""
    target = find_target(project, name)
    view = target.kind.serving_view
    return view(name, target.settings, root, forecasts) if view else None


def open_pinned_view(
    project: Project | None, root: Path, name: str, *, forecast: str, version: str, artifact: str
) -> ServedRecord:
    """Return one version of a forecast, from the files at `artifact` (gs://…).

    Raises UsageError if the target has no platform that copies such files.
    """
    target = find_target(project, name)
    if target.kind.pinned_view is None:
        raise UsageError(
            f"--version is for a container of Vertex AI, and target '{name}' is none there",
            hint="leave --version out: the server answers by the versions that serve",
        )
    return target.kind.pinned_view(name, target.settings, root, forecast, version, artifact)
