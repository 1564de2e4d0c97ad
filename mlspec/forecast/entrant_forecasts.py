"""The forecasts of all entrants of a backtest. The periods, their actual values and scales are the same for all, and held once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pandas as pd

from mlspec.forecast.frame import CANDIDATE

CHAMPION = "champion"  # the column that marks the champion's rows
# Rows of a piece: one takes about 40 MB. So what many series were forecast is written without being in memory twice.
MOST_ROWS = 2**18


@dataclass(frozen=True)
class EntrantForecasts:
    """The forecasts of some entrants for the same periods.

    `periods`: unique_id, cutoff, ds, h, y and scales of each row. `own`: what each entrant forecast, row by row, by label: mean,
    the candidate's own mean, quantiles. `level_rows`: rows of the levels of a hierarchy, with all columns; None without one.
    """

    periods: pd.DataFrame = field(repr=False)
    own: Mapping[str, pd.DataFrame] = field(repr=False)
    level_rows: pd.DataFrame | None = field(default=None, repr=False)

    def rows_of(self, label: str, rows: slice = slice(None)) -> pd.DataFrame:
        """Return an entrant's rows, or some of them: what is known of the periods, candidate, and what it made of them."""
        own = self.own[label].iloc[rows]
        return self.periods.iloc[rows].assign(**{CANDIDATE: label, **{str(name): own[name] for name in own}})

    def divide_rows(self, champion: str) -> Iterator[pd.DataFrame]:
        """Yield all rows, entrant by entrant, in pieces with the same columns; the champion's are marked."""
        rest = [] if self.level_rows is None else [self.level_rows.assign(**{CHAMPION: False})]
        frames = [*(self._marked_rows(label, slice(0), champion) for label in self.own), *rest]
        columns = list(dict.fromkeys(name for frame in frames for name in frame))
        for label in self.own:
            for first in range(0, len(self.periods), MOST_ROWS):
                some = self._marked_rows(label, slice(first, first + MOST_ROWS), champion)
                yield some.reindex(columns=columns)
        yield from (frame.reindex(columns=columns) for frame in rest)

    def _marked_rows(self, label: str, rows: slice, champion: str) -> pd.DataFrame:
        return self.rows_of(label, rows).assign(**{CHAMPION: label == champion})
