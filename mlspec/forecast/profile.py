"""Proposes a spec for a data file, with a reason for each guess.

A pure function of a frame of text. It guesses the time column, the series columns, the target, the frequency, the horizon, and
which other columns to use as covariates or to leave out because they leak the target.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mlspec.errors import DataError
from mlspec.forecast.frequency import SEASONS
from mlspec.forecast.parse import MISSING, parse_numbers, parse_times

_TIME_NAMES = re.compile(r"date|time|day|week|month|period|^ds$|^dt", re.IGNORECASE)
_TARGET_NAMES = re.compile(
    r"sales|units|demand|qty|quantity|count|cnt|volume|orders|^y$|value|amount|target", re.IGNORECASE
)
_ROW_NUMBERS = re.compile(r"instant|index|row|^id$|^unnamed", re.IGNORECASE)
_MOST_SERIES_COLUMNS = 3
# Share of steps that must agree with a guessed frequency.
_AGREE = 0.9
_HORIZONS = {"min": 60, "h": 24, "D": 14, "B": 10, "W": 8, "MS": 6, "ME": 6, "QS": 4, "QE": 4, "YS": 2, "YE": 2}
_STEPS = ((7, "W"), (1, "D"))


@dataclass(frozen=True, slots=True)
class ProfileHints:
    """The user's own choices. A field that is None is guessed."""

    time: str | None = None
    series: tuple[str, ...] | None = None
    target: str | None = None
    frequency: str | None = None
    horizon: int | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """The proposed spec. `reasons` maps a key of the spec to a sentence, `left_out` an unused column to its reason."""

    time: str
    series: tuple[str, ...]
    target: str
    frequency: str
    season: int
    horizon: int
    static: tuple[str, ...]
    past: tuple[str, ...]
    windows: int
    lowest: float | None
    reasons: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


def profile_frame(frame: pd.DataFrame, hints: ProfileHints) -> Profile:
    """Return the profile of a frame of text columns. Raises DataError with the tried columns and the option to set."""
    if len(frame) < 2:
        raise DataError(
            f"the file has {len(frame)} row(s), which is not enough for a history", hint="is it the right file?"
        )
    for name in (hints.time, hints.target, *(hints.series or ())):
        if name is not None and name not in frame:
            raise DataError(f"there is no column '{name}'", hint=f"columns: {', '.join(frame.columns[:30])}")
    time, dates, why_time = _find_time_column(frame, hints)
    figures = _numeric_columns(frame.drop(columns=[time]))
    series, why_series = _find_series_columns(frame, dates, figures, time, hints)
    target, why_target = _find_target(figures, series, hints)
    frequency, why_frequency = _guess_frequency(frame, dates, series, hints)
    base = re.sub(r"^[0-9]+|-.*$", "", frequency)
    length = int(dates.nunique())
    horizon = hints.horizon or max(1, min(_HORIZONS.get(base, 4), length // 5))
    windows = max(1, min(4, (length - max(SEASONS.get(base, 1), 2) - 1) // horizon))
    other_columns = [name for name in frame.columns if name not in {time, target, *series}]
    static, past, left_out = _sort_other_columns(frame, figures, other_columns, series, target)
    lowest = float(figures[target].min())
    return Profile(
        time=time, series=series, target=target, frequency=frequency, season=SEASONS.get(base, 1), horizon=horizon,
        static=static, past=past, windows=windows, lowest=0.0 if lowest >= 0 else None, left_out=left_out,
        reasons={
            "time": why_time, "series": why_series, "target": why_target, "frequency": why_frequency,
            "horizon": f"{length:,} periods of history; {windows} backtest windows of {horizon} fit after a season",
            "demand": _describe_demand(figures[target]),
        },
    )  # fmt: skip


def _find_time_column(frame: pd.DataFrame, hints: ProfileHints) -> tuple[str, pd.Series, str]:
    tried: list[str] = []
    for name in (
        [hints.time] if hints.time else sorted(frame.columns, key=lambda column: not _TIME_NAMES.search(column))
    ):
        parsed = parse_times(frame[name])
        bad = len(parsed.problems)
        if not bad and parsed.values.notna().all() and not _is_plain_number(frame[name]):
            return (
                name,
                parsed.values,
                "named by the caller" if hints.time else f"every one of {len(frame):,} values is an ISO 8601 date",
            )
        if hints.time or _TIME_NAMES.search(name):
            tried.append(f"{name} ('{frame[name].iloc[0]}')")
    examined = f": tried {', '.join(tried)}" if tried else ""
    raise DataError(
        f"no column holds dates{examined}",
        hint="dates are ISO 8601, such as 2024-02-01; convert the column, or name another with --time",
    )


def _is_plain_number(column: pd.Series) -> bool:
    return bool(column.str.fullmatch(r"[0-9]+").all())


def _numeric_columns(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the columns that hold numbers, as numbers; missing values are NaN."""
    numeric = {}
    for name in frame.columns:
        parsed = parse_numbers(frame[name])
        if parsed.problems.empty and parsed.values.notna().any():
            numeric[name] = parsed.values
    return numeric


def _find_series_columns(
    frame: pd.DataFrame, dates: pd.Series, figures: Mapping[str, pd.Series], time: str, hints: ProfileHints
) -> tuple[tuple[str, ...], str]:
    if hints.series is not None:
        return hints.series, "named by the caller"
    if dates.is_unique:
        return (), f"one row a period in {len(dates):,} rows: a single series"
    candidates = [name for name in frame.columns if name != time and _may_name_series(frame[name], figures.get(name))]
    chosen: list[str] = []
    for _ in range(_MOST_SERIES_COLUMNS):
        if _is_unique(frame, dates, chosen):
            break
        remaining = [name for name in candidates if name not in chosen]
        if not remaining:
            break
        # The column that splits the rows best. Among equals prefer one that does not determine others, as a joined code does.
        chosen.append(
            max(
                remaining,
                key=lambda name: (
                    _count_groups(frame, dates, [*chosen, name]),
                    not _ROW_NUMBERS.search(name),
                    -_count_determined(frame, name, remaining),
                ),
            )
        )
    if not _is_unique(frame, dates, chosen):
        raise DataError(
            f"no columns identify the series: tried {', '.join(candidates) or 'none'}",
            hint="name them with --series",
        )
    parents = _parent_columns(chosen, candidates)
    series = tuple(name for name in frame.columns if name in {*chosen, *parents})
    count = frame.groupby(list(series), sort=False).ngroups
    return series, f"{count:,} series, each with one row a period"


def _may_name_series(column: pd.Series, figures: pd.Series | None) -> bool:
    """Return whether a column may name a series: few repeated values, and only whole numbers if it is numeric."""
    if column.isin(MISSING).any() or column.nunique() > max(1, len(column) // 2):
        return False
    return figures is None or bool((figures % 1 == 0).all() and figures.nunique() <= max(50, len(column) // 10))


def _is_unique(frame: pd.DataFrame, dates: pd.Series, names: Sequence[str]) -> bool:
    return not frame.assign(**{"\0": dates}).duplicated([*names, "\0"]).any()


def _count_groups(frame: pd.DataFrame, dates: pd.Series, names: Sequence[str]) -> int:
    return int((~frame.assign(**{"\0": dates}).duplicated([*names, "\0"])).sum())


def _count_determined(frame: pd.DataFrame, name: str, others: Sequence[str]) -> int:
    """Return how many other candidates a column determines: a joined code (`1_95`) determines its parts."""
    return sum(1 for other in others if other != name and _determines_column(frame, name, other))


def _determines_column(frame: pd.DataFrame, name: str, other: str) -> bool:
    return bool((frame.groupby(name, sort=False)[other].nunique() <= 1).all())


def _parent_columns(chosen: Sequence[str], candidates: Sequence[str]) -> list[str]:
    """Return columns that look like the parent of the chosen series columns, such as Store if Dept was chosen."""
    parent_pattern = re.compile(r"(store|shop|site|region|warehouse|country|market|location)s?(_?id)?$", re.IGNORECASE)
    return [name for name in candidates if name not in chosen and parent_pattern.search(name)] if chosen else []


def _find_target(figures: Mapping[str, pd.Series], series: Sequence[str], hints: ProfileHints) -> tuple[str, str]:
    if hints.target is not None:
        if hints.target not in figures:
            raise DataError(f"the column '{hints.target}' does not hold numbers", hint="name another with --target")
        return hints.target, "named by the caller"
    candidates = {
        name: values for name, values in figures.items() if name not in series and not _ROW_NUMBERS.search(name)
    }
    named = [name for name in candidates if _TARGET_NAMES.search(name)]
    if named:
        # If several match, the largest is usually the sum of the others.
        chosen = max(named, key=lambda name: float(candidates[name].abs().sum()))
        return chosen, "chosen by its name"
    varying = [name for name, values in candidates.items() if values.nunique() > 2]
    if len(varying) == 1:
        return varying[0], "the only column of numbers that varies"
    raise DataError(
        f"which column is to be forecast? numbers are in {', '.join(candidates) or 'none'}",
        hint="name it with --target",
    )


def _guess_frequency(
    frame: pd.DataFrame, dates: pd.Series, series: Sequence[str], hints: ProfileHints
) -> tuple[str, str]:
    if hints.frequency is not None:
        return hints.frequency, "named by the caller"
    ordered = frame.assign(**{"\0": dates}).sort_values("\0")
    steps = (ordered.groupby(list(series), sort=False)["\0"] if series else ordered["\0"]).diff().dropna()
    if steps.empty:
        raise DataError(
            "every series has only one row, so the frequency cannot be guessed", hint="name it with --frequency"
        )
    hours = steps / pd.Timedelta(hours=1)
    if (hours == 1).mean() >= _AGREE:
        return "h", f"hourly: {(hours == 1).sum():,} of {len(steps):,} steps are an hour"
    for days, alias in _STEPS:
        same = hours == days * 24
        if same.mean() >= _AGREE:
            return _anchor_weeks(
                alias, dates
            ), f"{int(same.sum()):,} of {len(steps):,} steps are {days} day{'s' if days > 1 else ''}"
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
        if on_boundary.mean() >= _AGREE and step_fits.mean() >= _AGREE:
            day = "first" if first else "last"
            return (
                alias,
                f"{int(step_fits.sum()):,} of {len(steps):,} steps are {months} month(s), on its {day} day",
            )
    common = steps.mode().iloc[0]
    raise DataError(
        f"the steps between dates have no common length; the most common is {common}", hint="name it with --frequency"
    )


def _anchor_weeks(alias: str, dates: pd.Series) -> str:
    if alias != "W":
        return alias
    day = dates.dt.day_name().mode().iloc[0]
    return f"W-{str(day)[:3].upper()}"


def _sort_other_columns(
    frame: pd.DataFrame,
    figures: Mapping[str, pd.Series],
    other_columns: Sequence[str],
    series: Sequence[str],
    target: str,
) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, str]]:
    """Sort the other columns into static, past, and left out with a reason."""
    leaks = _target_parts(figures, other_columns, target)
    static: list[str] = []
    past: list[str] = []
    left_out: dict[str, str] = {}
    for name in other_columns:
        reason = _why_left_out(frame, figures, name, series, leaks)
        if reason:
            left_out[name] = reason
        elif series and _is_constant(frame, name, series):
            static.append(name)
        else:
            past.append(name)
    return tuple(static), tuple(past), left_out


def _why_left_out(  # noqa: PLR0911  (the first reason that applies)
    frame: pd.DataFrame, figures: Mapping[str, pd.Series], name: str, series: Sequence[str], leaks: frozenset[str]
) -> str | None:
    column = frame[name]
    if name in leaks:
        return "is a part of the target, so it would leak the answer"
    if column.isin(MISSING).mean() > 0.3:
        return f"{column.isin(MISSING).mean():.0%} of it is missing"
    if column.nunique() <= 1:
        return "never varies"
    if series and _determines_column(frame, name, series[-1]) and _is_constant(frame, name, series):
        return "only repeats the series' name"
    if name in figures and figures[name].is_monotonic_increasing and figures[name].is_unique:
        return "is a row number"
    if name not in figures and not _is_constant(frame, name, series) and not _is_flag(column):
        return "is text that varies within a series"
    return None


def _is_flag(column: pd.Series) -> bool:
    return bool(column.str.lower().isin(["true", "false"]).all())


def _is_constant(frame: pd.DataFrame, name: str, series: Sequence[str]) -> bool:
    return bool(series) and bool((frame.groupby(list(series), sort=False)[name].nunique() <= 1).all())


def _target_parts(figures: Mapping[str, pd.Series], columns: Sequence[str], target: str) -> frozenset[str]:
    """Return columns that equal the target, or pairs that add up to it (casual + registered = total)."""
    total = figures[target]
    known = [name for name in columns if name in figures]
    parts = {name for name in known if np.allclose(figures[name], total, equal_nan=False)}
    for index, first in enumerate(known):
        for second in known[index + 1 :]:
            if np.allclose(figures[first] + figures[second], total, equal_nan=False):
                parts |= {first, second}
    return frozenset(parts)


def _describe_demand(target: pd.Series) -> str:
    zeros = float((target == 0).mean())
    return f"intermittent: {zeros:.0%} of the values are zero" if zeros > 0.3 else f"{zeros:.0%} of the values are zero"
