"""The read-only Google Cloud target of a prediction server: its account can read only the named forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlspec.spec.gcp.location import GcpLocation
from mlspec.state.observed import Observed
from mlspec.state.request_counts import RequestCount as Minute
from mlspec.targets.gcp.target import GcpTarget


class ServingView(GcpTarget):
    """The named forecasts. Vertex AI counts the requests that it routes here, so this view counts none."""

    def __init__(self, place: GcpLocation, cache: Path, names: Sequence[str]) -> None:
        super().__init__(place, cache)
        self._names = tuple(names)

    @property
    def serial(self) -> int:
        """The newest generation of the records of these forecasts."""
        return max((self._snapshots.find_generation(name) for name in self._names), default=0)

    def forecast_names(self) -> tuple[str, ...]:
        """Return the given names, also those without a record."""
        return self._names

    def observe_forecast(self, forecast: str) -> Observed:
        """Return the recorded state of a forecast. Its files are checked only when they are read."""
        store = self._store_of(forecast)
        with store.files.list_once(trusted=True):
            return store.record.observe_forecast(forecast)

    def add_request_counts(self, minutes: Sequence[Minute]) -> None:
        """Do nothing: Vertex AI counts the requests."""
