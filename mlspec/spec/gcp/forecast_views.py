"""The columns of a forecast's views in BigQuery that depend on its spec: one for each series column and each quantile."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mlspec.spec.forecast import Forecast

# What BigQuery takes as the name of a column everywhere, views and older clients included
# (cloud.google.com/bigquery/docs/schemas#column_names). A name with an underscore in front may be one of BigQuery's own.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,299}")
_OWN_COLUMNS = frozenset(
    ("series", "time", "cutoff", "next_cutoff", "mean", "actual", "error", "newest", "version", "method", "run")
)


@dataclass(frozen=True, slots=True)
class QuantileColumn:
    """A column of the views with one quantile's values."""

    name: str
    quantile: float


def key_columns(spec: Forecast) -> tuple[str, ...]:
    """Return the series columns that the views have as columns of their own.

    A name that BigQuery does not take, or that the views have already, stays in the key alone: the column `series`, as JSON.
    BigQuery does not tell small letters from capitals.
    """
    return tuple(_without_taken(spec.dataset.series, {*_OWN_COLUMNS, *(one.name for one in quantile_columns(spec))}))


def quantile_columns(spec: Forecast) -> tuple[QuantileColumn, ...]:
    """Return a column for each quantile, named in percent: `q10` for 0.1, `q97_5` for 0.975."""
    return tuple(
        QuantileColumn(f"q{quantile * 100:.10g}".replace(".", "_"), quantile)
        for quantile in sorted(spec.model.quantiles)
    )


def _without_taken(names: Sequence[str], taken: set[str]) -> Iterator[str]:
    for name in names:
        if _PLAIN.fullmatch(name) and name.lower() not in taken:
            taken.add(name.lower())
            yield name
