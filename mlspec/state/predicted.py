"""The predictions of one version for every series: small enough to keep in memory, and read without a data frame."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlspec.state.resource import Json


@dataclass(frozen=True, slots=True)
class Predictions:
    """A forecast of all series over the horizon.

    `cutoff` is the newest period in the version's data, `until` the moment when that period ended (RFC 3339, UTC). `times` are
    the periods of the forecast, `time` is the user's name of that column. `positions` maps each series' key
    (`split.series_key`) to the position of the series. `columns` holds mean and quantiles: all periods of the first series,
    then those of the second, and so on. `methods` maps series to the method that made their forecast; it is empty if every forecast
    is made by the version's model.
    """

    cutoff: str
    until: str
    time: str
    times: tuple[str, ...]
    positions: Mapping[str, int]
    columns: Mapping[str, array[float]]
    methods: Mapping[str, str] = field(default_factory=dict)

    def for_series(self, key: str, horizon: int) -> list[dict[str, Json]]:
        """Return the next `horizon` periods of one series. Raises KeyError for an unknown series."""
        first = self.positions[key] * len(self.times)
        return [
            {self.time: time, **{name: values[first + step] for name, values in self.columns.items()}}
            for step, time in enumerate(self.times[:horizon])
        ]
