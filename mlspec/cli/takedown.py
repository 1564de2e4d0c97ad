"""Destroy for a target on Google Cloud: what the engine made, then what terraform made, then what these specs alone shared.

History goes last, where it goes at all: it names what stands, so that an end at any moment leaves something to go on from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlspec.cli.messages import report
from mlspec.cli.options import DEFAULT_PATHS
from mlspec.cli.project import find_root, known_name, load_specs
from mlspec.cli.rendering import render_sources, spec_sources
from mlspec.cli.target import timestamp
from mlspec.engine.infrastructure import Infrastructure
from mlspec.errors import MlspecError, StateError, UsageError
from mlspec.plan.gcp.terraform_state import TerraformState, destroy_sentences
from mlspec.plan.releases import release_spec
from mlspec.render.rendering import SHARED, RenderSource
from mlspec.spec import LoadedSpecs
from mlspec.state.resource import KINDS
from mlspec.targets.gcp.terraform import runner

if TYPE_CHECKING:
    from mlspec.targets.gcp.target import GcpTarget


@dataclass
class DestroyPlan:
    """What stands of the named forecasts by terraform's states, and of what specs share where nobody else needs it.

    `done` are the forecasts that were taken down; `errors` say why others were not.
    """

    names: tuple[str, ...]
    states: Mapping[str, TerraformState]
    target: GcpTarget
    infrastructure: Infrastructure
    done: list[str] = field(default_factory=list)
    errors: list[MlspecError] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What would be destroyed on Google Cloud, a line a resource."""
        return "\n".join(line for name, state in self.states.items() for line in destroy_sentences(name, state))

    def is_absent(self, name: str) -> bool:
        """Return whether nothing stands of a forecast; its history may be there."""
        return not self.states[name].addresses and not self.target.observe_forecast(name).resources

    def destroy_all(self, *, purge: bool, lock_timeout: float) -> None:
        """Take it down. One forecast that fails holds up no other, only what they share, and keeps its history."""
        self.done = [
            name for name in self.names if self._try_action(partial(self._destroy_forecast, name, lock_timeout))
        ]
        if SHARED in self.states and not self.errors:
            self._try_action(partial(self.infrastructure.destroy_resources, SHARED, self.states[SHARED]))
        if purge and not (SHARED in self.states and self.errors):
            self.done = [
                name for name in self.done if self._try_action(partial(self._purge_history, name, lock_timeout))
            ]

    def _destroy_forecast(self, name: str, lock_timeout: float) -> None:
        with self.target.lock_forecast(name, "destroy", timestamp(), lock_timeout):
            if self.target.observe_forecast(name).resources:
                # First: Google deletes no endpoint on which a model is deployed.
                self.target.remove_forecast(name, KINDS, purge=False, at=timestamp())
            self.infrastructure.destroy_resources(name, self.states[name])

    def _purge_history(self, name: str, lock_timeout: float) -> None:
        with self.target.lock_forecast(name, "destroy", timestamp(), lock_timeout):
            self.target.remove_forecast(name, KINDS, purge=True, at=timestamp())

    def _try_action(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except MlspecError as error:
            self.errors.append(error)
            return False
        return True


@contextmanager
def open_destroy_plan(
    opened_target: GcpTarget, names: Sequence[str], target: str, lock_timeout: float
) -> Iterator[DestroyPlan]:
    """Look at what stands, and keep what is needed to take it down while it is open. Raises UsageError for an unknown name."""
    root = find_root()
    loaded = load_specs([Path(path) for path in DEFAULT_PATHS], target)
    known = sorted({*opened_target.forecast_names(), *(spec.name for spec in loaded.specs)})
    inputs = [_find_source(opened_target, known_name(name, known), loaded, root) for name in names]
    shared_unused = not _needed_by_others(opened_target, names, loaded)
    files = render_sources(inputs, loaded.project, target, root, with_shared=shared_unused)
    with Infrastructure(
        files, runner.TerraformCli(runner.allowed_environment_here(), report, lock_timeout), report
    ) as infrastructure:
        states = {name: infrastructure.load_state(name) for name in (*names, *((SHARED,) if shared_unused else ()))}
        yield DestroyPlan(tuple(names), states, opened_target, infrastructure)


def _find_source(opened_target: GcpTarget, name: str, loaded: LoadedSpecs, root: Path) -> RenderSource:
    """Return what a forecast's files are rendered from: its spec, or where that is gone, the one of its newest release."""
    specs = [spec for spec in loaded.specs if spec.name == name]
    if specs:
        return spec_sources(specs, root)[0]
    releases = opened_target.load_releases(name)
    try:
        spec = release_spec(releases[0])
    except (IndexError, StateError) as error:
        raise UsageError(
            f"{name}: no valid spec under specs/ says what was made of it, and no release does",
            hint="put its spec back, and run the same command again",
        ) from error
    return RenderSource(name, spec, releases[0].spec_hash, f"specs/{name}.yaml")


def _needed_by_others(opened_target: GcpTarget, names: Sequence[str], loaded: LoadedSpecs) -> bool:
    """Return whether what specs share is needed on: by another spec, by one that cannot be read, or by what stands without one."""
    if len(loaded.specs) < loaded.files or {spec.name for spec in loaded.specs} - set(names):
        return True
    return any(
        opened_target.observe_forecast(name).resources for name in opened_target.forecast_names() if name not in names
    )
