"""A target that keeps its record in a package's store. Its sources are the project's files, and its steps run in this process."""

from __future__ import annotations

from mlspec.targets.local.target import LocalTarget
from mlspec.targets.package.guard import guard_store
from mlspec.targets.package.load import LoadedTarget
from mlspec.targets.package.port import TargetPlace


def open_package_target(loaded: LoadedTarget, place: TargetPlace, store: object, *, protect: bool) -> LocalTarget:
    """Return the target on the store that a package has opened. Raises BrokenTarget if it is no store."""
    return LocalTarget(place.folder, name=place.name, protect=protect, store=guard_store(store, loaded))
