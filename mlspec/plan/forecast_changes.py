"""Compares two forecasts by series and in total, over the periods that both of them have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mlspec.plan.natural_order import natural_key
from mlspec.state.resource import Json

Key = tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class ForecastValue:
    """The mean of one series and period."""

    series: Key
    period: str
    mean: float | None


@dataclass(frozen=True, slots=True)
class SeriesChange:
    """The sums of one series over the common periods in two forecasts. None: that forecast does not have the series."""

    series: Key
    before: float | None
    after: float | None

    @property
    def change(self) -> float | None:
        """The difference; None if one of the forecasts does not have the series."""
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def share(self) -> float | None:
        """The difference as a share of the earlier sum; None where that is 0."""
        return self.change / abs(self.before) if self.change is not None and self.before else None


@dataclass(frozen=True, slots=True)
class ForecastChanges:
    """The common periods in order, the total of the series that both have, and each series, the one that moved most first."""

    periods: tuple[str, ...]
    total: SeriesChange
    series: tuple[SeriesChange, ...]

    @property
    def new(self) -> int:
        """How many series only the later forecast has."""
        return sum(change.before is None for change in self.series)

    @property
    def gone(self) -> int:
        """How many series only the earlier forecast has."""
        return sum(change.after is None for change in self.series)


def compare_forecasts(before: Iterable[ForecastValue], after: Iterable[ForecastValue]) -> ForecastChanges | None:
    """Return what changed from one forecast to another; None if they have no period in common."""
    old, new = list(before), list(after)
    common = {value.period for value in old} & {value.period for value in new}
    if not common:
        return None
    return compare_sums(sorted(common), _sums(old, common), _sums(new, common))


def compare_sums(
    periods: Sequence[str], sums_before: Mapping[Key, float], sums_after: Mapping[Key, float]
) -> ForecastChanges:
    """Return what changed between the sums of two forecasts over their common periods, by series."""
    changes = [SeriesChange(key, sums_before.get(key), sums_after.get(key)) for key in {**sums_before, **sums_after}]
    both = [change for change in changes if change.change is not None]
    total = SeriesChange((), sum(each.before or 0.0 for each in both), sum(each.after or 0.0 for each in both))
    return ForecastChanges(tuple(periods), total, tuple(sorted(changes, key=_order)))


def _sums(values: Sequence[ForecastValue], periods: set[str]) -> dict[Key, float]:
    sums: dict[Key, float] = {}
    for value in values:
        if value.period in periods and value.mean is not None:
            sums[value.series] = sums.get(value.series, 0.0) + value.mean
    return sums


def _order(change: SeriesChange) -> tuple[float, list[object]]:
    """Return the sort key: what moved most first, then series that only one forecast has, in natural order."""
    moved = -1.0 if change.change is None else abs(change.change)
    return (-moved, [natural_key(part) for part in change.series])
