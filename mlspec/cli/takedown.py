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

from pydantic import ValidationError

from mlspec.cli.messages import report
from mlspec.cli.options import DEFAULT_PATHS
from mlspec.cli.project import find_root, known_name, load_specs
from mlspec.cli.rendering import compiled, sources
from mlspec.cli.target import timestamp
from mlspec.engine.infrastructure import Infrastructure
from mlspec.errors import MlspecError, UsageError
from mlspec.plan.takedown import Standing, sentences
from mlspec.render.rendering import SHARED, Source
from mlspec.spec import Loaded
from mlspec.spec.forecast import Forecast
from mlspec.state.resource import KINDS
from mlspec.targets.gcp import terraform

if TYPE_CHECKING:
    from mlspec.targets.gcp.target import GcpTarget


@dataclass
class Takedown:
    """What stands of the named forecasts by terraform's states, and of what specs share where nobody else needs it.

    `done` are the forecasts that were taken down; `errors` say why others were not.
    """

    names: tuple[str, ...]
    standing: Mapping[str, Standing]
    where: GcpTarget
    infrastructure: Infrastructure
    done: list[str] = field(default_factory=list)
    errors: list[MlspecError] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What would be destroyed on Google Cloud, a line a resource."""
        return "\n".join(line for name, found in self.standing.items() for line in sentences(name, found))

    def gone(self, name: str) -> bool:
        """Return whether nothing stands of a forecast; its history may be there."""
        return not self.standing[name].made and not self.where.observe(name).seen

    def carry_out(self, *, purge: bool, lock_timeout: float) -> None:
        """Take it down. One forecast that fails holds up no other, only what they share, and keeps its history."""
        self.done = [name for name in self.names if self._tried(partial(self._take_down, name, lock_timeout))]
        if SHARED in self.standing and not self.errors:
            self._tried(partial(self.infrastructure.take_down, SHARED, self.standing[SHARED]))
        if purge and not (SHARED in self.standing and self.errors):
            self.done = [name for name in self.done if self._tried(partial(self._purge, name, lock_timeout))]

    def _take_down(self, name: str, lock_timeout: float) -> None:
        with self.where.lock(name, "destroy", timestamp(), lock_timeout):
            if self.where.observe(name).seen:
                # First: Google deletes no endpoint on which a model is deployed.
                self.where.forget(name, KINDS, purge=False, at=timestamp())
            self.infrastructure.take_down(name, self.standing[name])

    def _purge(self, name: str, lock_timeout: float) -> None:
        with self.where.lock(name, "destroy", timestamp(), lock_timeout):
            self.where.forget(name, KINDS, purge=True, at=timestamp())

    def _tried(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except MlspecError as error:
            self.errors.append(error)
            return False
        return True


@contextmanager
def opened(where: GcpTarget, names: Sequence[str], target: str, lock_timeout: float) -> Iterator[Takedown]:
    """Look at what stands, and keep what is needed to take it down while it is open. Raises UsageError for an unknown name."""
    root = find_root()
    loaded = load_specs([Path(path) for path in DEFAULT_PATHS], target)
    known = sorted({*where.names(), *(spec.name for spec in loaded.specs)})
    found = [_source(where, known_name(name, known), loaded, root) for name in names]
    alone = not _needed_by_others(where, names, loaded)
    files = compiled(found, loaded.project, target, root, with_shared=alone)
    with Infrastructure(files, terraform.Terraform(terraform.allowed_here(), report, lock_timeout), report) as made:
        standing = {name: made.standing(name) for name in (*names, *((SHARED,) if alone else ()))}
        yield Takedown(tuple(names), standing, where, made)


def _source(where: GcpTarget, name: str, loaded: Loaded, root: Path) -> Source:
    """Return what a forecast's files are rendered from: its spec, or where that is gone, the one of its newest release."""
    specs = [spec for spec in loaded.specs if spec.name == name]
    if specs:
        return sources(specs, root)[0]
    releases = where.releases(name)
    try:
        spec = Forecast.model_validate(dict(releases[0].spec))
    except (IndexError, ValidationError) as error:
        raise UsageError(
            f"{name}: no valid spec under specs/ says what was made of it, and no release does",
            hint="put its spec back, and run the same command again",
        ) from error
    json = spec.model_dump(mode="json", by_alias=True, exclude={"targets"})
    return Source(name, json, releases[0].spec_hash, f"specs/{name}.yaml")


def _needed_by_others(where: GcpTarget, names: Sequence[str], loaded: Loaded) -> bool:
    """Return whether what specs share is needed on: by another spec, by one that cannot be read, or by what stands without one."""
    if len(loaded.specs) < loaded.files or {spec.name for spec in loaded.specs} - set(names):
        return True
    return any(where.observe(name).seen for name in where.names() if name not in names)
