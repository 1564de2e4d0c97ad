"""Reads the spec of a recorded release, and gives it the present keys that no model depends on."""

from __future__ import annotations

from mlspec.plan.fields import KEPT_WITH_RELEASE
from mlspec.spec.digest import resolved_json
from mlspec.spec.forecast import Forecast
from mlspec.spec.stored import read_stored_spec
from mlspec.state.record import Release


def release_spec(release: Release) -> Forecast:
    """Return the spec that a release was made from. Raises StateError, naming the release, if it cannot be read."""
    return read_stored_spec(release.spec, f"{release.forecast}: the spec of release {release.release}")


def served_spec(release: Release, present: Forecast) -> Forecast:
    """Return the spec of a release with the keys of the present spec that are only kept with a release: alerts, receivers, …

    Data, model and stock keys stay those of the release, which its version was made with. Raises StateError, naming the release,
    if its spec cannot be read.
    """
    document, values = resolved_json(release_spec(release)), resolved_json(present)
    for key in KEPT_WITH_RELEASE:
        *sections, name = key.split(".")
        kept, wanted = document, values
        for section in sections:
            kept, wanted = kept[section], wanted[section]
        kept[name] = wanted[name]
    return read_stored_spec(document, f"{release.forecast}: the spec of release {release.release} under present keys")
