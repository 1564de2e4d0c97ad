"""The rows of a forecast. What is predicted of each period is in memory for all series; the rest of a row is made piece by piece.

So memory holds three columns of a large forecast, and the other columns of a piece of it: quantiles, names, version, method.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mlspec.forecast.entrant_forecasts import MOST_ROWS
from mlspec.forecast.fates import BY_END
from mlspec.forecast.frame import ID, MEAN, STEP, TIME
from mlspec.forecast.quantiles import Calibration, quantile_column
from mlspec.forecast.scales import FLOOR, SCALE
from mlspec.jobs.predictions import VERSION
from mlspec.spec.forecast import Forecast
from mlspec.spec.output_columns import METHOD
from mlspec.state.split import series_partition, version_for

_MAKER = "maker"  # the column with the number of the maker of a row


@dataclass(frozen=True)
class RowMaker:
    """Makes rows of one version's forecast from one cutoff, with the user's columns.

    `names`: the user's series columns by unique_id. `series`: scale, floor and method of each series of the forecast, by
    unique_id. `times` are the periods of the horizon.
    """

    spec: Forecast
    version: str
    cutoff: pd.Timestamp
    times: pd.DatetimeIndex = field(repr=False)
    names: pd.DataFrame = field(repr=False)
    series: pd.DataFrame = field(repr=False)
    calibration: Calibration = field(repr=False)

    def make_rows(self, predicted: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of what is predicted (unique_id, ds, mean), by unique_id. Of a series that has ended all values are 0."""
        own = self.series.reindex(predicted[ID])
        known = {name: own[name].to_numpy() for name in (SCALE, FLOOR, METHOD)}
        rows = predicted.reset_index(drop=True).assign(
            **known, **{STEP: self.times.get_indexer(predicted[TIME]) + 1, VERSION: self.version}
        )
        rows = self.calibration.add_quantiles(rows)
        is_ended = rows[METHOD] == BY_END
        if is_ended.any():
            rows.loc[is_ended, [MEAN, *map(quantile_column, self.spec.model.quantiles)]] = 0.0
        return with_user_columns(self.spec, self.cutoff, self.names, rows)


@dataclass(frozen=True)
class ForecastRows:
    """The rows of a forecast, in their order.

    `predicted`: unique_id, ds, mean, and a model's own quantiles; `maker`: which of the `makers` makes the row.
    """

    predicted: pd.DataFrame = field(repr=False)
    makers: tuple[RowMaker, ...]

    @classmethod
    def of(cls, predicted: pd.DataFrame, maker: RowMaker) -> ForecastRows:
        """Return the rows that one maker makes."""
        return cls(predicted.assign(**{_MAKER: np.int8(0)}), (maker,))

    @classmethod
    def join(cls, forecasts: Sequence[ForecastRows]) -> ForecastRows:
        """Return the rows of several forecasts, one behind the other."""
        if len(forecasts) == 1:
            return forecasts[0]
        counts = np.cumsum([0, *(len(rows.makers) for rows in forecasts)])
        numbered = [
            rows.predicted.assign(**{_MAKER: rows.predicted[_MAKER].to_numpy("int64") + first})
            for rows, first in zip(forecasts, counts, strict=False)
        ]
        return cls(pd.concat(numbered, ignore_index=True), tuple(maker for rows in forecasts for maker in rows.makers))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.predicted)

    def select_series(self, ids: pd.Index) -> ForecastRows:
        """Return the rows of some series."""
        codes, names = pd.factorize(self.predicted[ID])
        chosen = pd.Index(names).isin(ids)[codes]
        return self if chosen.all() else ForecastRows(self.predicted[chosen], self.makers)

    def sort_series(self) -> ForecastRows:
        """Return the rows sorted by series; those of one series keep their order."""
        return ForecastRows(self.predicted.sort_values(ID, kind="stable", ignore_index=True), self.makers)

    def divide(self) -> Iterator[pd.DataFrame]:
        """Yield all rows with the user's columns, by unique_id, in pieces of MOST_ROWS; at least one piece."""
        for first in range(0, max(len(self), 1), MOST_ROWS):
            yield self._make_rows(self.predicted.iloc[first : first + MOST_ROWS])

    def whole(self) -> pd.DataFrame:
        """Return all rows with the user's columns, by unique_id."""
        pieces = list(self.divide())
        return pieces[0] if len(pieces) == 1 else pd.concat(pieces)

    def _make_rows(self, predicted: pd.DataFrame) -> pd.DataFrame:
        numbers = predicted[_MAKER].to_numpy()
        present = np.unique(numbers) if len(numbers) else [0]
        if len(present) == 1:
            return self.makers[present[0]].make_rows(predicted)
        places = np.argsort(numbers, kind="stable")
        made = pd.concat([self.makers[number].make_rows(predicted[numbers == number]) for number in present])
        return made.iloc[np.argsort(places)]


def split_by_traffic(
    forecasts: Mapping[str, ForecastRows], names: pd.DataFrame, traffic: Mapping[str, int]
) -> ForecastRows:
    """Return each series' rows from its version in the traffic split, sorted by series and time."""
    owners = np.array([version_for(series_partition(key), traffic) for key in names.index], dtype=object)
    parts = [rows.select_series(names.index[owners == version]) for version, rows in forecasts.items()]
    return ForecastRows.join(parts).sort_series() if len(parts) > 1 else parts[0]


def with_user_columns(spec: Forecast, cutoff: pd.Timestamp, names: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return time, cutoff, mean, quantiles and version with the user's column names, indexed by unique_id.

    Where a rule makes some rows, a column says by which method each is made.
    """
    own = names.reindex(rows[ID]).reset_index(drop=True)
    columns = {spec.dataset.time: rows[TIME], "cutoff": cutoff, "mean": rows[MEAN]}
    columns |= {quantile_column(q): rows[quantile_column(q)] for q in spec.model.quantiles}
    made_by = (VERSION, METHOD) if spec.dataset.tells_methods else (VERSION,)
    out = pd.concat([own, pd.DataFrame({**columns, **{name: rows[name] for name in made_by}})], axis=1)
    return out.set_index(pd.Index(rows[ID], name=ID))
