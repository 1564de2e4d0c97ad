"""Proposes a spec for a data file, with a reason for each guess.

A pure function of the rows of a file. It guesses the time column, the target, the series columns, the frequency, the horizon, and
which other columns to use as covariates or to leave out because they leak the target.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mlspec.errors import DataError, ModelError
from mlspec.forecast.frequency import Frequency, parse_frequency, period_grid
from mlspec.forecast.frequency_guess import guess_frequency
from mlspec.forecast.odd_proposals import find_stock_column, name_series, opposite_columns, propose_outliers
from mlspec.forecast.proposals import RowProposal, as_history, find_repeated, is_clock_time, propose_rows
from mlspec.forecast.reading.column import BadRow, ParsedColumn, as_text
from mlspec.forecast.reading.numbers import is_missing, parse_numbers, read_flag
from mlspec.forecast.reading.times import parse_times
from mlspec.forecast.sample import Sample
from mlspec.forecast.series_keys import KEY_NAMES, ROW_NUMBERS, determines_column, find_series_columns, is_constant
from mlspec.forecast.starting_alerts import starting_alerts
from mlspec.forecast.time_column import find_time_column, refuse_split_dates, refuse_split_hours
from mlspec.forecast.total_rows import TotalRows, find_total_rows, name_total
from mlspec.forecast.zones import guess_zone
from mlspec.spec.backtest_windows import FEWEST_WINDOWS, fit_windows

# Names in English and in Portuguese.
_TARGET_NAMES = re.compile(
    r"sales|units|demand|qty|quantity|count|cnt|volume|orders|^y$|value|amount|target"
    r"|vendas?(?![a-z])|quantidade|qtde?|unidades|pedidos|valor|faturamento|receita|consumo|sa[ií]das?",
    re.IGNORECASE,
)
_WINDOWS, _MOST_WINDOWS = 4, 8  # of a backtest, where nothing asks for more, and where a longer season does
_MOST_LISTED = 5  # columns that are named in one line
_FORMULAS_HINT = (
    "if formulas fill it, open the workbook in a spreadsheet program and save it, so that it holds their results"
)
_MOST_FLAGS = 8  # spellings of yes and no in one column
_HORIZONS = {"min": 60, "h": 24, "D": 14, "B": 10, "W": 8, "MS": 6, "ME": 6, "QS": 4, "QE": 4, "YS": 2, "YE": 2}


@dataclass(frozen=True, slots=True)
class ProfileHints:
    """The user's own choices. A field that is None is guessed."""

    time: str | None = None
    series: tuple[str, ...] | None = None
    target: str | None = None
    frequency: str | None = None
    horizon: int | None = None
    date_format: str | None = None
    timezone: str | None = None


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
    sample: Sample
    bad_cells: tuple[BadRow, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    rows: tuple[RowProposal, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    alerts: Sequence[Mapping[str, Any]] = ()

    @property
    def source_keys(self) -> list[tuple[str, str | int, str]]:
        """The keys that say how the file is written, each with its value and the reason."""
        detected = self.sample.detected
        return [(key, getattr(detected.dialect, key), reason) for key, reason in detected.reasons.items()]

    @property
    def dataset_keys(self) -> list[RowProposal]:
        """What rows mean, as keys of `dataset` itself."""
        return [row for row in self.rows if "." not in row.key]

    @property
    def checks(self) -> list[tuple[str, Any, str]]:
        """The keys of `dataset.checks`, each with its value and the reason."""
        proposed = [(row.key.removeprefix("checks."), row.value, row.reason) for row in self.rows if "." in row.key]
        least = (
            [("range", {self.target: {"min": 0}}, "no value is below zero today")] if self.lowest is not None else []
        )
        return [*proposed, *least]

    @property
    def guesses(self) -> list[tuple[str, str, str]]:
        """What was found out, each with its value and the reason, for a person to look at."""
        found = {
            "time": self.time, "series": ", ".join(self.series) or "none", "target": self.target,
            "frequency": self.frequency, "horizon": str(self.horizon),
        }  # fmt: skip
        chosen = [(key, value, self.reasons[key]) for key, value in found.items()]
        chosen += [(row.key, row.shown, row.reason) for row in self.rows]
        if self.static:
            chosen.append(
                ("static", _count_columns(self.static), f"{_list_some(self.static)}: constant in each series")
            )
        if self.past:
            why = (
                "not used, as they are known only up to the cutoff; dataset.covariates in the spec says how to try them"
            )
            chosen.append(("past", _count_columns(self.past), f"{_list_some(self.past)}: {why}"))
        source = [(key, str(value), reason) for key, value, reason in self.source_keys]
        return [*source, *chosen, *(("left out", name, reason) for name, reason in self.left_out.items())]


def _count_columns(names: Sequence[str]) -> str:
    return f"{len(names):,} column{'' if len(names) == 1 else 's'}"


def _list_some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_LISTED
    return ", ".join(names[:_MOST_LISTED]) + (f" and {more:,} more" if more > 0 else "")


def profile_sample(sample: Sample, hints: ProfileHints) -> Profile:
    """Return the profile of the rows of a file. Raises DataError with the tried columns and the option to set."""
    names = list(sample.codes)
    if len(sample.codes) < 2:
        raise DataError(
            f"the file has {len(sample.codes)} row{'' if len(sample.codes) == 1 else 's'} below the columns' names, "
            "and a history needs two periods or more",
            hint="export it again with more rows; if the columns' names stand in another row, say which with --header-row",
        )
    for name in (hints.time, hints.target, *(hints.series or ())):
        if name is not None and name not in names:
            raise DataError(f"there is no column '{name}'", hint=f"columns: {', '.join(names[:30])}")
    sample, time, dates, why_time = find_time_column(sample, named=hints.time, date_format=hints.date_format)
    zone = (hints.timezone, "named by the caller") if hints.timezone else guess_zone(sample.table.columns[time])
    if zone is not None:
        dates = parse_times(sample.table.columns[time], sample.dialect, zone[0])
    # A row without a date is none of the history: a total, or a note below the table.
    totals = find_total_rows(sample, time, dates.values)
    keys = sample.codes[dates.values.notna() & ~sample.codes.index.isin([row for row, _ in totals])]
    sample = replace(sample, missing={name: sample.missing_among(name, keys.index) for name in names})
    figures = {name: values[keys.index] for name, values in sample.figures.items() if name != time}
    moments = dates.values[keys.index]
    refuse_split_dates(sample, keys, time)
    if hints.series is None:  # who names the series says what such a column is
        refuse_split_hours(sample, moments, time)
    days = moments.dt.normalize() if is_clock_time(moments, hints.frequency) else moments
    target = _named_target(figures, hints)
    series, why_series = find_series_columns(sample, keys, days, figures, (time, target), hints.series)
    target, why_target = _find_target(sample, figures, target, (time, *series), hints)
    others = [name for name in names if name not in {time, target, *series}]
    stock = find_stock_column(sample, keys.index, others, figures[target])
    others = [name for name in others if stock is None or name != stock.name]
    static, past, left_out = _sort_other_columns(sample, keys, figures, others, series, target)
    left_out |= dict.fromkeys(sample.table.nested, "holds lists or structures, not single values")
    sample.refuse_doubt([target, *static])
    repeated = find_repeated(keys[list(series)], moments, days, hints.frequency)
    if repeated is None:
        frequency, why_frequency = guess_frequency(keys, days, series, hints.frequency)
    else:
        days, frequency, why_frequency = repeated.periods, repeated.alias, repeated.why
    parsed = parse_frequency(frequency)
    length = len(period_grid(days.dropna(), parsed))
    horizon = hints.horizon or max(1, min(_usual_horizon(parsed), length // 5))
    windows = _usual_windows(parsed, length, horizon)
    why_windows = _describe_windows(parsed, length, horizon, windows, is_part=sample.table.is_part)
    lowest = float(figures[target].min())
    history = as_history(keys[list(series)], days, figures[target])
    rows = [RowProposal("timezone", *zone)] if zone else []
    rows += [*(repeated.proposals if repeated else ()), *propose_rows(history, frequency, horizon)]
    rows += [stock.proposal] if stock else []
    offered = figures[target] if stock is None else figures[target].mask(stock.is_out)
    rows += propose_outliers(
        as_history(keys[list(series)], days, offered), name_series(sample, keys[list(series)]), parsed, horizon
    )
    return Profile(
        time=time, series=series, target=target, frequency=frequency, season=parsed.season, horizon=horizon,
        static=static, past=past, windows=windows, lowest=0.0 if lowest >= 0 else None, left_out=left_out, sample=sample,
        rows=tuple(rows), alerts=starting_alerts(windows * horizon, len(keys[list(series)].drop_duplicates()) if series else 1),
        bad_cells=_find_bad_cells(sample, {time: dates, target: sample.numbers[target]}, totals),
        reasons={
            "time": why_time, "series": why_series, "target": why_target, "frequency": why_frequency,
            "horizon": f"{length:,} periods of history; {why_windows}",
            "demand": _describe_demand(figures[target]),
        },
    )  # fmt: skip


def _find_bad_cells(sample: Sample, columns: Mapping[str, ParsedColumn], totals: TotalRows) -> tuple[BadRow, ...]:
    """Return the cells that cannot be read. Of a row that is a total its label is named, and nothing else."""
    rows = [row for row, _ in totals]
    labels = dict.fromkeys(name_total(sample, row, name) for row, name in totals)  # a row of a wide table is several
    cells = (
        cell
        for name, parsed in columns.items()
        for cell in sample.bad_cells(name, replace(parsed, problems=parsed.problems.drop(rows, errors="ignore")))
    )
    return (*cells, *labels)


def _usual_windows(frequency: Frequency, length: int, horizon: int) -> int:
    """Return how many windows of the horizon a backtest has: four, or those of a longer season, if a few of them are one.

    Hours have a week beside the day: four windows of a day may have no weekend in them.
    """
    room = (length - max(frequency.season, 2) - 1) // horizon
    for season in frequency.seasons[1:]:
        whole = math.ceil(season / horizon)
        if whole <= _MOST_WINDOWS and 2 * season + whole * horizon <= length:
            return max(_WINDOWS, whole)
    return max(FEWEST_WINDOWS, min(_WINDOWS, room))


def _describe_windows(frequency: Frequency, length: int, horizon: int, windows: int, *, is_part: bool) -> str:
    """Return how the windows lie in the history. Raises DataError if it is too short for them.

    With `is_part` only the first rows were read, and the history may be longer.
    """
    try:
        count, distance = fit_windows(length, horizon, frequency.season, windows, horizon)
    except ModelError as error:
        if is_part:
            return f"{windows} backtest windows of {horizon} do not fit in the rows that were read, which are the first ones"
        hint = "name a shorter --horizon, or provide more history" if horizon > 1 else "provide more history"
        raise DataError(error.message, hint=hint) from error
    words = f"{count} backtest windows of {horizon}"
    if windows > _WINDOWS:
        return f"{words} are a whole longer season"
    apart = "" if distance == horizon else f", {distance} periods apart,"
    is_after_season = length - horizon - (count - 1) * distance >= frequency.season
    return f"{words}{apart} fit" + (" after a season" if is_after_season else "")


def _usual_horizon(frequency: Frequency) -> int:
    """Return how many periods ahead people usually look: of parts of a day that are no whole hour or minute, a day."""
    if frequency.alias != frequency.base and not frequency.is_daily:
        return max(frequency.season, _HORIZONS["h"])
    return _HORIZONS.get(frequency.base, 4)


def _named_target(figures: Mapping[str, pd.Series], hints: ProfileHints) -> str | None:
    """Return the column of numbers whose name says that it is to be forecast, or None. The series never take it for a key."""
    if hints.target is not None:
        if hints.target not in figures:
            raise DataError(f"the column '{hints.target}' does not hold numbers", hint="name another with --target")
        return hints.target
    free = [name for name in figures if name not in (hints.series or ()) and not ROW_NUMBERS.search(name)]
    named = [name for name in free if _TARGET_NAMES.search(name)]
    named = [name for name in named if not KEY_NAMES.search(name)] or named
    # If several match, the largest is usually the sum of the others.
    return max(named, key=lambda name: float(figures[name].abs().sum()), default=None)


def _find_target(
    sample: Sample, figures: Mapping[str, pd.Series], named: str | None, taken: Sequence[str], hints: ProfileHints
) -> tuple[str, str]:
    """Return the column to forecast, and the reason. `taken`: the columns of the time and of the series."""
    if named is not None:
        return named, "named by the caller" if hints.target else "chosen by its name"
    candidates = {
        name: values for name, values in figures.items() if name not in taken and not ROW_NUMBERS.search(name)
    }
    varying = [name for name, values in candidates.items() if values.nunique() > 2] or list(candidates)
    if len(varying) == 1:
        return varying[0], "the only column of numbers that varies"
    others = [name for name in sample.codes if name not in (*figures, *taken)]
    named_others = [name for name in others if _TARGET_NAMES.search(name)]
    empty = next((name for name in named_others if sample.missing[name] == 1), None)
    texts = [name for name in named_others if sample.missing[name] < 1]
    if empty is not None and not texts:
        is_sheet = sample.dialect.sheet is not None
        raise DataError(
            f"the column '{empty}' is empty in every row",
            hint=_FORMULAS_HINT if is_sheet else "name another column with --target",
        )
    if texts:
        raise DataError(
            f"the column '{texts[0]}' does not hold numbers: {_first_odd_cell(sample, texts[0])}",
            hint="correct the file, or name another column with --target",
        )
    odd = "" if candidates or not others else f": {others[0]}, {_first_odd_cell(sample, others[0])}"
    raise DataError(
        f"which column is to be forecast? numbers are in {', '.join(candidates) or f'none{odd}'}",
        hint="name it with --target; if each of these columns is a series, write the table with one row for each series and date",
    )


def _first_odd_cell(sample: Sample, name: str) -> str:
    cells = sample.bad_cells(name, parse_numbers(sample.table.columns[name], sample.dialect))
    return next((f"row {cell.row}: '{cell.value[:80]}' {cell.problem}" for cell in cells), "every row is empty")


def _sort_other_columns(
    sample: Sample,
    keys: pd.DataFrame,
    figures: Mapping[str, pd.Series],
    other_columns: Sequence[str],
    series: Sequence[str],
    target: str,
) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, str]]:
    """Sort the other columns into static, past, and left out with a reason."""
    leaks = _target_parts(figures, other_columns, target)
    static: list[str] = []
    past: list[str] = []
    left_out = dict(opposite_columns(sample, keys.index, other_columns))
    for name in [name for name in other_columns if name not in left_out]:
        reason = _why_left_out(sample, keys, figures, name, series, leaks)
        if reason:
            left_out[name] = reason
        elif series and is_constant(keys, name, series):
            static.append(name)
        else:
            past.append(name)
    return tuple(static), tuple(past), left_out


def _why_left_out(  # noqa: PLR0911  (the first reason that applies)
    sample: Sample,
    keys: pd.DataFrame,
    figures: Mapping[str, pd.Series],
    name: str,
    series: Sequence[str],
    leaks: frozenset[str],
) -> str | None:
    if name in leaks:
        return "is a part of the target, so it would leak the answer"
    if sample.missing[name] > 0.3:
        return f"{sample.missing[name]:.0%} of it is missing"
    if keys[name].nunique() <= 1:
        return "never varies"
    if series and determines_column(keys, name, series[-1]) and is_constant(keys, name, series):
        return "only repeats the series' name"
    if name in figures and figures[name].is_monotonic_increasing and figures[name].is_unique:
        return "is a row number"
    if name not in figures and not is_constant(keys, name, series) and not _is_flag(sample, name):
        return "is text that varies within a series"
    return None


def _is_flag(sample: Sample, name: str) -> bool:
    texts = as_text(sample.table.columns[name]).texts
    if len(texts) > _MOST_FLAGS:
        return False
    present = texts.filter(pa.array(~is_missing(texts)))
    return all(read_flag(text) is not None for text in present.to_pylist())


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
