"""Days that have a name, such as holidays and pay days, as known covariates: how many of them each period holds.

They are known for every period, past and future. A period shorter than a day holds the day that it lies in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.errors import DataError, MissingExtra
from mlspec.forecast.frame import PREFIX, TIME, Panel
from mlspec.forecast.frequency import ENDS_ON_ITS_DATE, Frequency
from mlspec.spec.data_files import EventFile
from mlspec.spec.dataset import HOLIDAYS, Dataset
from mlspec.spec.days import event_days

_YEARS = range(1990, 2061)  # for which a country's holidays are known
NamedDays = Mapping[str, tuple[date, ...]]  # sorted days by name


def add_named_days(panel: Panel, days: NamedDays) -> Panel:
    """Return the panel with a covariate for each name of days, in its history and over its horizon."""
    if not days:
        return panel
    frequency = panel.layout.frequency
    frame, future = (
        table.assign(**{PREFIX + name: count_days(table[TIME], frequency, dates) for name, dates in days.items()})
        for table in (panel.frame, panel.future)
    )
    return replace(panel, frame=frame, future=future)


def named_days(dataset: Dataset, in_files: NamedDays) -> NamedDays:
    """Return the days of a dataset by name. `in_files`: those of the events that name a file.

    Raises DataError for a country without holidays, and MissingExtra if the package with the holidays is not installed.
    """
    covariates = dataset.covariates
    named: dict[str, tuple[date, ...]] = {}
    if covariates.holidays is not None:
        named[HOLIDAYS] = public_holidays(covariates.holidays, "dataset.covariates.holidays")
    free = _work_free_days(dataset) if covariates.events else frozenset()
    for name, texts in covariates.events.items():
        if isinstance(texts, EventFile):
            named[name] = in_files[name]
        else:
            named[name] = tuple(sorted({day for text in texts for day in event_days(text, _YEARS, free)}))
    return named


def _work_free_days(dataset: Dataset) -> frozenset[date]:
    """Return the public holidays on which nobody works: of the place that the covariates name, or else the calendar."""
    if dataset.covariates.holidays is not None:
        return frozenset(public_holidays(dataset.covariates.holidays, "dataset.covariates.holidays"))
    if dataset.calendar is not None and dataset.calendar.holidays is not None:
        return frozenset(public_holidays(dataset.calendar.holidays, "dataset.calendar.holidays"))
    return frozenset()


def count_days(times: pd.Series, frequency: Frequency, days: tuple[date, ...]) -> npt.NDArray[np.float64]:
    """Return how many of the sorted `days` each of the periods `times` holds. Many series share a time: each is looked at once."""
    places, distinct = pd.factorize(times)
    spans = [days_of_period(pd.Timestamp(time), frequency) for time in distinct]
    ordinals = np.array([day.toordinal() for day in days], dtype="int64")
    first = np.searchsorted(ordinals, [span[0].toordinal() for span in spans])
    after = np.searchsorted(ordinals, [span[1].toordinal() for span in spans])
    counts: npt.NDArray[np.float64] = (after - first).astype("float64").take(places)
    return counts


def days_of_period(period: pd.Timestamp, frequency: Frequency) -> tuple[date, date]:
    """Return the first day of a period, and the day after its last."""
    if not frequency.is_daily or frequency.open_days is not None:
        return period.date(), period.date() + timedelta(days=1)
    end = frequency.period_end(period).date()
    begin = period - frequency.offset + timedelta(days=1) if frequency.base in ENDS_ON_ITS_DATE else period
    return begin.date(), end


@lru_cache(maxsize=16)
def public_holidays(place: str, path: str) -> tuple[date, ...]:
    """Return the public holidays of a country (BR), or of one of its regions (BR-SP), sorted. `path` names the key of the spec.

    Raises DataError if none are known, and MissingExtra if the package with the holidays is not installed.
    """
    try:
        import holidays
    except ImportError as error:
        raise MissingExtra("holidays", "holidays") from error
    country, _, region = place.partition("-")
    try:
        days = holidays.country_holidays(country, subdiv=region or None, years=_YEARS)
    except NotImplementedError as error:
        known = holidays.list_supported_countries().get(country)
        of_country = f"regions of {country}: {', '.join(known[:60])}" if known else "such as BR, or BR-SP"
        raise DataError(f"{path}: no holidays of '{place}' are known", hint=of_country) from error
    return tuple(sorted(days))
