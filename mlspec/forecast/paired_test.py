"""Whether one candidate is better than another by more than chance explains, over the same series and windows of a backtest.

Both forecast the same series and periods from the same cutoffs, so what is hard to forecast is hard for both, and differences of
losses tell more than the two sums (Diebold and Mariano 1995, Comparing Predictive Accuracy).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mlspec.forecast.entrant_forecasts import EntrantForecasts
from mlspec.forecast.frame import CUTOFF, ID, MEAN, TARGET
from mlspec.forecast.metrics import quantile_loss
from mlspec.forecast.quantiles import RAW, quantile_column
from mlspec.forecast.scales import SCALE
from mlspec.forecast.scores import score_rows
from mlspec.spec.metrics import MAIN, METRICS, find_metric

# The metric of forecasts of a mean: unlike absolute errors, squared ones are smallest at the mean of intermittent demand, not at
# zero (Kolassa 2016).
SQUARED = METRICS["rmsse"]
# The share by which losses have to be smaller in all, where windows are counted by a sign test.
CLEAR_GAIN = 0.1


def _quantile(level: float, degrees: int) -> float:
    """Return the quantile of Student's t that is exceeded with the probability `level`."""
    from scipy.stats import t

    return float(t.ppf(1 - level, degrees))


def _standard_error(values: pd.Series) -> float:
    """Return that of the mean of independent values."""
    return float(values.std(ddof=1)) / math.sqrt(len(values))


def _wins_surely(won: int, windows: int, level: float) -> bool:
    """Return whether chance alone wins so many windows or more about as seldom as `level` says: at 5 %, 4 of 4 or 11 of 14.

    The sign test (Conover 1999, Practical Nonparametric Statistics, section 3.4). With few windows no number of them has just that
    probability. So the level is rounded to the nearest power of one half, in which so many windows of as many are won.
    """
    as_many = sum(math.comb(windows, count) for count in range(won, windows + 1))
    return as_many / 2**windows <= 2.0 ** min(-1, round(math.log2(level)))


@dataclass(frozen=True)
class PairedTest:
    """By which metric two candidates are compared, with which quantiles, and at which level (one-sided).

    Without a level the metric alone decides.
    """

    metric: str = MAIN.name
    quantiles: Sequence[float] = ()
    level: float | None = 0.05

    def divide_level(self, rivals: int) -> PairedTest:
        """Return the test by which one of so many rivals has to be better, for the level to hold for all of them together.

        The level is divided by their number (Dunn 1961, Multiple Comparisons Among Means), whatever they have in common.
        """
        return self if self.level is None else replace(self, level=self.level / max(rivals, 1))

    def is_surely_better(self, forecasts: EntrantForecasts, label: str, other: str) -> bool:
        """Return whether one candidate's losses are smaller than another's, surely, by one of two tests.

        A paired t-test over series and windows: the difference of their mean losses, in the series' scale, is compared with its
        standard error. The series of a window share its events. So the error is the larger one of that over all pairs and that
        over the means of windows (Cameron and Miller 2015, A Practitioner's Guide to Cluster-Robust Inference), the degrees of
        freedom are those of the windows, and the candidate has to be better in more than half of them. A sign test over windows,
        for few series that differ much: the sum of losses is smaller in so many of the windows that chance alone does that about
        as seldom as the level says (`_wins_surely`), and by a tenth in all.

        A metric of a package is no mean of losses of rows: it is compared by its value in each window, by both tests.
        """
        if self.level is None:
            return True
        if find_metric(self.metric).package:
            return self._is_better_by_windows(forecasts, label, other, self.level)
        losses, scaled = {}, {}
        for name in (label, other):
            losses[name], scaled[name] = self._row_losses(forecasts.rows_of(name))
        cutoffs = forecasts.periods[CUTOFF]
        by_pair = pd.DataFrame(scaled).groupby([cutoffs, forecasts.periods[ID]]).mean().dropna()
        gains = by_pair[other] - by_pair[label]
        in_windows = gains.groupby(level=CUTOFF).mean()
        error = max(_standard_error(gains), _standard_error(in_windows))
        least = _quantile(self.level, len(in_windows) - 1) * error if len(in_windows) > 1 else math.inf
        if gains.mean() > least and (in_windows > 0).mean() > 0.5:
            return True
        sums = pd.DataFrame(losses).groupby(cutoffs).sum()
        won = int((sums[label] < sums[other]).sum())
        clearly = bool(sums[label].sum() <= (1 - CLEAR_GAIN) * sums[other].sum())
        return clearly and _wins_surely(won, len(sums), self.level)

    def _is_better_by_windows(self, forecasts: EntrantForecasts, label: str, other: str, level: float) -> bool:
        """Return whether the metric of a package is surely smaller, by its values in the windows in which both have one."""
        by_window = {name: self._window_values(forecasts.rows_of(name)) for name in (label, other)}
        values = pd.DataFrame(by_window, dtype="float64").dropna()
        gains = values[other] - values[label]
        if len(gains) < 2:
            return False
        if gains.mean() > _quantile(level, len(gains) - 1) * _standard_error(gains) and (gains > 0).mean() > 0.5:
            return True
        won = int((gains > 0).sum())
        clearly = bool(values[label].sum() <= (1 - CLEAR_GAIN) * values[other].sum())
        return clearly and _wins_surely(won, len(values), level)

    def _window_values(self, rows: pd.DataFrame) -> dict[pd.Timestamp, float | None]:
        """Return the metric of a package in each window of one candidate."""
        needs_quantiles = find_metric(self.metric).quantiles > 0
        quantiles = self.quantiles if needs_quantiles else ()
        means = rows if needs_quantiles or RAW not in rows else rows.assign(**{MEAN: rows[RAW]})
        windows = means.groupby(CUTOFF)
        return {cutoff: score_rows(part, quantiles, [self.metric])[self.metric] for cutoff, part in windows}

    def _row_losses(self, rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
        """Return each row's loss by the metric, and the same in the series' scale.

        Means are compared before their correction. In a backtest that is learned from the other windows, later ones too: after a
        jump of demand it would let a model that has not seen the jump look as if it had.
        """
        if find_metric(self.metric).quantiles:
            columns = [quantile_loss(rows[TARGET], q, rows[quantile_column(q)]) for q in self.quantiles]
            losses = pd.Series(np.mean(columns, axis=0), index=rows.index)
            return losses, losses / rows[SCALE]
        errors = (rows[TARGET] - rows[RAW if RAW in rows else MEAN]).abs()
        if self.metric == SQUARED.name:
            return errors**2, (errors / rows[SCALE]) ** 2
        return errors, errors / rows[SCALE]
