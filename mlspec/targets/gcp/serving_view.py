"""Google Cloud as a server of predictions sees it: some forecasts, read under an account that sees no other and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlspec.spec.gcp.location import GcpLocation
from mlspec.state.observed import Observed
from mlspec.state.request_counts import RequestCount as Minute
from mlspec.targets.gcp.target import GcpTarget


class ServingView(GcpTarget):
    """The forecasts of these names. What Vertex AI routes here it counts itself, so nothing is counted twice."""

    def __init__(self, place: GcpLocation, cache: Path, names: Sequence[str]) -> None:
        super().__init__(place, cache)
        self._names = tuple(names)

    @property
    def serial(self) -> int:
        """The newest generation of these forecasts' records."""
        return max((self._snapshots.find_generation(name) for name in self._names), default=0)

    def forecast_names(self) -> tuple[str, ...]:
        """Return the names, whether there is a record of them or not."""
        return self._names

    def observe_forecast(self, forecast: str) -> Observed:
        """Return what is held of a forecast; whether its files are whole is found out when they are read."""
        store = self._store_of(forecast)
        with store.files.list_once(trusted=True):
            return store.record.observe_forecast(forecast)

    def add_request_counts(self, minutes: Sequence[Minute]) -> None:
        """Do nothing: Vertex AI counts."""
