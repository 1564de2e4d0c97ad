"""Guesses how long a period is from the steps between the dates of each series, for `mlspec init`."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mlspec.errors import DataError
from mlspec.forecast.date_frequency import anchor_frequency, find_frequency

_LONGEST_DAYS = 27  # a period of days; what lasts longer is counted in months
AGREE = 0.9  # share of steps that must agree
_STEPS = ((7, "W"), (1, "D"))


def guess_frequency(keys: pd.DataFrame, dates: pd.Series, series: Sequence[str], given: str | None) -> tuple[str, str]:
    """Return the frequency and the reason. `keys`: the rows' columns; `given`: what the caller named. Raises DataError."""
    if given is not None:
        return given, "named by the caller"
    ordered = keys.assign(**{"\0": dates}).sort_values("\0")
    steps = (ordered.groupby(list(series), sort=False)["\0"] if series else ordered["\0"]).diff().dropna()
    if steps.empty:
        raise DataError(
            "every series has only one row, so the frequency cannot be guessed", hint="name it with --frequency"
        )
    hours = steps / pd.Timedelta(hours=1)
    part = day_part(steps)
    if part is not None:
        shown = "an hour" if part == pd.Timedelta(hours=1) else _describe_step(part)
        return _part_alias(part), f"{int((steps == part).sum()):,} of {len(steps):,} steps are {shown}"
    for step, alias in _STEPS:
        same = hours == step * 24
        if same.mean() >= AGREE:
            usual = dates[dates.dt.dayofweek == dates.dt.dayofweek.mode().iloc[0]].max()
            return anchor_frequency(
                alias, usual
            ), f"{int(same.sum()):,} of {len(steps):,} steps are {step} day{'s' if step > 1 else ''}"
    for alias, months, first in (
        ("MS", 1, True),
        ("ME", 1, False),
        ("QS", 3, True),
        ("QE", 3, False),
        ("YS", 12, True),
        ("YE", 12, False),
    ):
        on_boundary = dates.dt.day == 1 if first else dates.dt.is_month_end
        step_fits = hours.between(months * 27.9 * 24, months * 31.1 * 24)
        if on_boundary.mean() >= AGREE and step_fits.mean() >= AGREE:
            day = "first" if first else "last"
            return (
                anchor_frequency(alias, dates.max()),
                f"{int(step_fits.sum()):,} of {len(steps):,} steps are {months} month(s), on its {day} day",
            )
    common = steps.mode().iloc[0]
    if _are_spans_of_days(steps, dates, common):
        alias = anchor_frequency("W", dates.max()) if not common.days % 7 else "D"
        count = common.days // 7 if alias != "D" else common.days
        return f"{count}{alias}", f"{int((steps == common).sum()):,} of {len(steps):,} steps are {common.days} days"
    sparse = find_frequency(dates)
    if sparse is not None:
        return sparse, "all dates belong to it, and not every series has each of its periods"
    raise DataError(
        f"the steps between dates have no common length; the most common is {_describe_step(common)}",
        hint="name a length with --frequency: rows of one period are added up, such as half months with MS",
    )


def _are_spans_of_days(steps: pd.Series, dates: pd.Series, span: pd.Timedelta) -> bool:
    """Return whether most steps are of this length, some whole days, also those of all series together."""
    together = pd.Series(dates.unique()).sort_values().diff().dropna()
    is_span = not span % pd.Timedelta(days=1) and 1 < span.days <= _LONGEST_DAYS
    return is_span and bool((steps == span).mean() >= AGREE and (together == span).mean() >= AGREE)


def day_part(steps: pd.Series) -> pd.Timedelta | None:
    """Return the length that most steps have, if it is a whole number of minutes of which a day has several; else None."""
    if steps.empty:
        return None
    common = pd.Timedelta(steps.mode().iloc[0])
    day, minute = pd.Timedelta(days=1), pd.Timedelta(minutes=1)
    if not minute <= common < day or common % minute or day % common or (steps == common).mean() < AGREE:
        return None
    return common


def _part_alias(part: pd.Timedelta) -> str:
    """Return the alias of a part of a day: h, 2h, min, 15min."""
    minutes = int(part / pd.Timedelta(minutes=1))
    count, unit = (minutes, "min") if minutes % 60 else (minutes // 60, "h")
    return unit if count == 1 else f"{count}{unit}"


def _describe_step(step: pd.Timedelta) -> str:
    if step >= pd.Timedelta(days=1) and not step % pd.Timedelta(days=1):
        return f"{step.days:,} day{'s' if step.days > 1 else ''}"
    if step >= pd.Timedelta(hours=1):
        return f"{step / pd.Timedelta(hours=1):g} hours"
    return f"{step / pd.Timedelta(minutes=1):g} minutes"
