"""The phase destroy: removes what the engine made, then the infrastructure, then the resources that only these specs share.

History is removed last, if at all: it names the existing resources, so that an interrupted destroy can be run again. A phase
asks for no approval itself: its caller passes a function that does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlspec.engine.defects import as_error
from mlspec.engine.infrastructure import Infrastructure
from mlspec.engine.outcome import removal_exit_code
from mlspec.engine.part_way import stops_part_way
from mlspec.engine.target_kinds import ConfiguredTarget
from mlspec.errors import Exit, MlspecError, StateError, UsageError
from mlspec.plan.forgotten import forgotten_sentences
from mlspec.plan.gcp.terraform_state import TerraformState, destroy_sentences
from mlspec.plan.releases import release_spec
from mlspec.plan.select import known_name
from mlspec.spec import LoadedSpecs
from mlspec.state.observed import Settlement
from mlspec.state.record import Event
from mlspec.state.resource import KINDS, SHARED
from mlspec.targets.base import OpenedTarget

if TYPE_CHECKING:
    from mlspec.render.rendering import RenderSource

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DestroyRequest:
    """What to destroy: forecasts by their names, on a target. `purge` removes their history and files too.

    `loaded` are the project's specs: those that are not named still need the shared resources. `clock` returns RFC 3339 in UTC,
    `tell` is called with each action of terraform, `lock_timeout` is in seconds.
    """

    names: tuple[str, ...]
    target: ConfiguredTarget
    loaded: LoadedSpecs
    root: Path
    purge: bool
    clock: Callable[[], str]
    tell: Callable[[str], None]
    lock_timeout: float = 0.0


@dataclass
class DestroyPlan:
    """The existing resources of the named forecasts, and the shared resources that no other spec needs; `states` are terraform's.

    `done` are the forecasts that were destroyed; `errors` say why others were not.
    """

    request: DestroyRequest
    target: OpenedTarget
    infrastructure: Infrastructure | None = None
    states: Mapping[str, TerraformState] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    errors: list[MlspecError] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The infrastructure that would be destroyed, one line for each resource, and what would be forgotten."""
        resources = (line for name, state in self.states.items() for line in destroy_sentences(name, state))
        forgotten = (f"{name}: forgets {sentence}" for name in self.request.names for sentence in self._forgotten(name))
        return "\n".join((*resources, *forgotten))

    @property
    def summary(self) -> str:
        """What would be destroyed, in words."""
        parts = "deployment, forecast, history and files" if self.request.purge else "deployment and forecast"
        return f"{parts} of {', '.join(self.request.names)}{', with everything listed above' if self.text else ''}"

    @property
    def absent(self) -> tuple[str, ...]:
        """The forecasts without resources; their history may exist."""
        return tuple(
            name
            for name in self.request.names
            if not (name in self.states and self.states[name].addresses) and not _has_resources(self.target, name)
        )

    @property
    def exit_code(self) -> Exit:
        """The exit code of the run: PARTIAL if some forecasts were destroyed and others were not."""
        return removal_exit_code(self.done, self.errors)

    def destroy_all(self, approve: Callable[[str], None]) -> None:
        """Destroy the planned resources. A forecast that fails keeps its history and the shared resources, but stops no other.

        `approve` is called with the summary. If it raises, nothing was changed.
        """
        approve(self.summary)
        hint = "run the same command again: what is gone already is left out"
        with stops_part_way(lambda: True, done="a part may be removed already", hint=hint):
            self._destroy_parts()

    def _destroy_parts(self) -> None:
        self.done = [name for name in self.request.names if self._try_action(partial(self._destroy_forecast, name))]
        if SHARED in self.states and not self.errors:
            self._try_action(partial(self._destroy_infrastructure, SHARED))
        if self.request.purge and not (SHARED in self.states and self.errors):
            self.done = [name for name in self.done if self._try_action(partial(self._purge_history, name))]

    def _forgotten(self, name: str) -> tuple[str, ...]:
        """Return what a destroy of a forecast forgets: nothing without resources, or where it fails on the record itself."""
        try:
            observed = self.target.observe_forecast(name)
            undelivered = self.target.load_undelivered_notices(name) if observed.resources else ()
        except StateError as error:
            logger.debug("the record of %s cannot be read", name, exc_info=error)
            return ()
        return forgotten_sentences(observed.ledger, undelivered, self.request.clock()) if observed.resources else ()

    def _destroy_forecast(self, name: str) -> None:
        clock = self.request.clock
        with self.target.lock_forecast(name, "destroy", clock(), self.request.lock_timeout):
            if self.target.observe_forecast(name).resources:
                self._record_forgotten(name)
                # First, because Google does not delete an endpoint with a deployed model.
                self.target.remove_forecast(name, KINDS, purge=False, at=clock())
            self._destroy_infrastructure(name)

    def _record_forgotten(self, name: str) -> None:
        """Keep what is forgotten in the history."""
        forgotten, at = self._forgotten(name), self.request.clock()
        if forgotten and not self.request.purge:
            event = Event(name, at, "Normal", "Forgotten", f"mlspec destroy forgets {'; '.join(forgotten)}")
            self.target.record_settlement(Settlement(name, events=(event,)), at)

    def _destroy_infrastructure(self, name: str) -> None:
        if self.infrastructure is not None:
            self.infrastructure.destroy_resources(name, self.states[name])

    def _purge_history(self, name: str) -> None:
        clock = self.request.clock
        with self.target.lock_forecast(name, "destroy", clock(), self.request.lock_timeout):
            self.target.remove_forecast(name, KINDS, purge=True, at=clock())

    def _try_action(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except Exception as error:  # a defect in one forecast's destroy does not stop the others
            logger.debug("a part could not be destroyed", exc_info=error)
            self.errors.append(as_error(error))
            return False
        return True


@contextmanager
def open_destroy_plan(request: DestroyRequest) -> Iterator[DestroyPlan]:
    """Plan the destroy, and keep its resources open as a context manager. Raises UsageError for an unknown name."""
    target, infrastructure_kind = request.target.open(request.root), request.target.kind.infrastructure
    recorded = target.forecast_names()
    if infrastructure_kind is None:
        for name in request.names:
            known_name(name, recorded)
        yield DestroyPlan(request, target)
        return
    from mlspec.engine.rendering import render_sources

    known = sorted({*recorded, *(spec.name for spec in request.loaded.specs)})
    sources = [_find_source(request, target, known_name(name, known)) for name in request.names]
    with_shared = not _needed_by_others(request, target)
    files = render_sources(sources, request.target, request.root, with_shared=with_shared)
    runner = infrastructure_kind.runner(request.target.settings, request.tell, request.lock_timeout)
    with Infrastructure(files, runner, request.tell) as infrastructure:
        folders = (*request.names, *((SHARED,) if with_shared else ()))
        states = {name: infrastructure.load_state(name) for name in folders}
        yield DestroyPlan(request, target, infrastructure, states)


def _find_source(request: DestroyRequest, target: OpenedTarget, name: str) -> RenderSource:
    """Return the spec from which a forecast's files are rendered; if it is gone, the spec of its newest release."""
    from mlspec.engine.rendering import spec_sources
    from mlspec.render.rendering import RenderSource

    specs = [spec for spec in request.loaded.specs if spec.name == name]
    if specs:
        return spec_sources(specs, request.root)[0]
    releases = target.load_releases(name)
    try:
        spec = release_spec(releases[0])
    except (IndexError, StateError) as error:
        raise UsageError(
            f"{name}: there is neither a valid spec under specs/ nor a release, so its resources are not known",
            hint="restore its spec, and run the same command again",
        ) from error
    return RenderSource(name, spec, releases[0].spec_hash, f"specs/{name}.yaml")


def _needed_by_others(request: DestroyRequest, target: OpenedTarget) -> bool:
    """Return whether shared resources are still needed: by another spec, by an invalid one, or by a forecast without a spec."""
    loaded, names = request.loaded, request.names
    if len(loaded.specs) < loaded.files or {spec.name for spec in loaded.specs} - set(names):
        return True
    return any(_has_resources(target, name) for name in target.forecast_names() if name not in names)


def _has_resources(target: OpenedTarget, name: str) -> bool:
    """Return whether a forecast has resources. One whose record cannot be read may have some."""
    try:
        return bool(target.observe_forecast(name).resources)
    except StateError as error:
        logger.debug("the record of %s cannot be read", name, exc_info=error)
        return True
