"""How many standard deviations of the demand over the protection interval a service takes: the safety factor k.

No distribution is assumed: the factors are those of past errors, each in the size of its series. Only beyond the outermost of them
the normal distribution may give more, so that a higher service never takes less stock.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from statistics import NormalDist

import numpy as np

from mlspec.forecast.stock.origins import Array, Flags

_NORMAL = NormalDist()


@dataclass(frozen=True)
class ErrorShape:
    """The distribution of a class's errors: their mean and standard deviation in sizes, and them in standard deviations, sorted."""

    mean: float
    deviation: float
    standardised: Array

    def cycle_factor(self, service_level: float) -> float:
        """Return k for which a cycle has no stock-out with this probability: the quantile of the errors.

        n errors have quantiles up to n / (n + 1); above that, k is the normal one, or their maximum if that is larger.
        """
        values = self.standardised
        if service_level <= len(values) / (len(values) + 1):
            return float(np.quantile(values, service_level, method="weibull"))
        return max(float(values[-1]), _NORMAL.inv_cdf(service_level))

    def fill_factors(self, losses: Array) -> Array:
        """Return k for which the expected shortage of a cycle is this many standard deviations: the inverse of the loss function.

        Where only the largest error is beyond k, it is the normal one if that is larger.
        """
        values, at_error = self.standardised, self._losses
        factors = np.interp(losses, at_error[::-1], values[::-1])
        factors = np.where(losses > at_error[0], values[0] - (losses - at_error[0]), factors)
        return np.where(self.is_tail(losses), np.maximum(factors, normal_fill_factors(losses)), factors)

    def is_tail(self, losses: Array) -> Flags:
        """Return where only the largest error is beyond the factor of an expected shortage."""
        return losses < (self._losses[-2] if len(self._losses) > 1 else np.inf)

    def losses(self, factors: Array) -> Array:
        """Return the expected shortage with so many standard deviations of safety stock, in standard deviations."""
        values, at_error = self.standardised, self._losses
        below = at_error[0] + np.maximum(values[0] - factors, 0.0)
        return np.where(factors < values[0], below, np.interp(factors, values, at_error))

    @cached_property
    def _losses(self) -> Array:
        """The loss at each error, falling: the mean of what the larger ones exceed it by."""
        values = self.standardised
        above = np.cumsum(values[::-1])[::-1]
        return np.maximum(above - values * np.arange(len(values), 0, -1), 0.0) / len(values)


def error_shape(errors: Array) -> ErrorShape:
    """Return the shape of errors, which are in sizes of their series; where all are the same, it is the normal one."""
    mean, deviation = float(errors.mean()), float(errors.std())
    if deviation <= 1e-12 * max(1.0, abs(mean)):
        return ErrorShape(mean, 0.0, normal_sample())
    return ErrorShape(mean, deviation, np.sort((errors - mean) / deviation))


@lru_cache(maxsize=1)
def normal_sample() -> Array:
    """Return the middle of each percent of the normal distribution."""
    return np.array([_NORMAL.inv_cdf((percent + 0.5) / 100) for percent in range(100)])


def normal_fill_factors(losses: Array) -> Array:
    """Return k of the normal distribution for these expected shortages in standard deviations; 8 at most."""
    factors, at_factor = _normal_losses()
    return np.interp(losses, at_factor[::-1], factors[::-1])


@lru_cache(maxsize=1)
def _normal_losses() -> tuple[Array, Array]:
    """Return factors and G(k) = density(k) - k (1 - distribution(k)) at each, the unit normal loss function, which falls."""
    from scipy.special import ndtr

    factors = np.linspace(-8.0, 8.0, 6401)
    density = np.exp(-(factors**2) / 2) / np.sqrt(2 * np.pi)
    return factors, density - factors * ndtr(-factors)
