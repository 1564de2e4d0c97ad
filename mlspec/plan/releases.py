"""Reads the spec of a recorded release."""

from __future__ import annotations

from mlspec.spec.forecast import Forecast
from mlspec.spec.stored import read_stored_spec
from mlspec.state.record import Release


def release_spec(release: Release) -> Forecast:
    """Return the spec that a release was made from. Raises StateError, naming the release, if it cannot be read."""
    return read_stored_spec(release.spec, f"{release.forecast}: the spec of release {release.release}")
