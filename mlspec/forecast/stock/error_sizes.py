"""How large the errors of each series are beside those of its class, from few past errors of each.

A series with four windows has four errors: too few for a size of its own, and other series are too different to give it theirs. The
size is their mean, weighted by credibility, the empirical Bayes estimate of Buhlmann & Straub (1970): the class counts as k errors
of its mean size, where k is the variance of sizes inside of the series over that between them. So k is small where series differ
more than chance explains, and large where they do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlspec.forecast.stock.origins import Array, Codes

# The class counts as one error at least, so that a series without errors of its own has those of its class; and as so many that
# nothing else counts, where series do not differ.
FEWEST, MOST = 1.0, 1e9


@dataclass(frozen=True)
class RelativeSizes:
    """`by_series`: the size of each series' errors, relative to that of all. `without`: by error, what it is without that error.

    An error in sizes that it did not shape itself is spread like the next one will be.
    """

    by_series: Array
    without: Array


def shrink_sizes(values: Array, owners: Codes, count: int) -> RelativeSizes:
    """Return the relative sizes of `count` series from the absolute errors, `values`, of their `owners`."""
    mean = values.mean() if len(values) else 0.0
    if mean == 0:
        return RelativeSizes(np.ones(count), np.ones(len(values)))
    relative = values / mean
    number, total = np.bincount(owners, minlength=count), np.bincount(owners, weights=relative, minlength=count)
    prior = prior_errors(relative, owners, count)
    others = (total[owners] - relative + prior) / (number[owners] - 1 + prior)
    return RelativeSizes((total + prior) / (number + prior), others)


def prior_errors(values: Array, owners: Codes, count: int) -> float:
    """Return as how many errors the class counts: the variance inside of its series over that between them, by moments."""
    number = np.bincount(owners, minlength=count)
    own = number[number > 0]
    total = np.bincount(owners, weights=values, minlength=count)
    means = total / np.maximum(number, 1)
    freedom = len(values) - len(own)
    spread = float(len(values) - (own**2).sum() / max(len(values), 1))
    if freedom <= 0 or spread <= 0:  # one error a series, or one series: nothing tells how much they differ
        return MOST
    inside = float(((values - means[owners]) ** 2).sum()) / freedom
    overall = float(values.mean())
    between = (float((number * (means - overall) ** 2)[number > 0].sum()) - (len(own) - 1) * inside) / spread
    return MOST if between <= 0 else float(np.clip(inside / between, FEWEST, MOST))
