"""A plan of known covariates with some of its values changed: what a forecast would be if a promotion or a price were another."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.errors import UsageError
from mlspec.forecast.frame import ID, PREFIX, TIME, Panel
from mlspec.forecast.reading.numbers import read_flag
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import collect_parts
from mlspec.spec.faults import did_you_mean

ChangedPanel = TypeVar("ChangedPanel", bound=PartedPanel)
_PERCENT = re.compile(r"([+-][0-9]+(?:\.[0-9]+)?)%")


@dataclass(frozen=True)
class PlanChange:
    """One covariate's value, as it was typed: a number, a text of the history, or a share to add (`+5%`, `-10%`)."""

    column: str
    value: str


@dataclass(frozen=True)
class PlanChanges:
    """What is changed: `changes`, for the series `ids` (None: all), in the periods from `first` to `last` (None: no end)."""

    changes: tuple[PlanChange, ...]
    ids: frozenset[str] | None = None
    first: pd.Timestamp | None = None
    last: pd.Timestamp | None = None


@dataclass(frozen=True)
class CovariateValues:
    """The values that a covariate had in the history: its texts, sorted; or None, and the lowest and the highest number."""

    texts: tuple[str, ...] | None
    low: float = math.nan
    high: float = math.nan


def change_plan(panel: ChangedPanel, asked: PlanChanges) -> tuple[ChangedPanel, tuple[str, ...]]:
    """Return the panel with the changed plan over its horizon, and a sentence on each value that no period of the history had.

    Raises UsageError for a column that is no known covariate, a value that it cannot have, or if no period is changed.
    """
    chosen = _chosen_rows(panel.future, asked)
    if not chosen.any():
        times = panel.future[TIME]
        text = panel.layout.frequency.format_period
        raise UsageError(
            "no period of the forecast is changed",
            hint=f"its periods are {text(times.min())} to {text(times.max())}" if len(times) else "it has no plan",
        )
    future, notes = panel.future, list[str]()
    for change in asked.changes:
        name = _covariate(panel, change.column)
        history = _read_history(panel, name)
        values = _changed_values(future[name], chosen, history, change)
        future = future.assign(**{name: values})
        notes += _beyond_history(values[chosen], history, change.column)
    return replace(panel, future=future), tuple(notes)


def _read_history(panel: PartedPanel, name: str) -> CovariateValues:
    """Return the values of a covariate in all parts of a panel."""
    is_text = name in panel.text_columns
    found = collect_parts(panel, partial(_part_values, name, is_text))[name]
    if is_text:
        return CovariateValues(tuple(sorted(set(found))))
    return CovariateValues(None, found.min(), found.max())


def _part_values(name: str, is_text: bool, part: Panel) -> pd.DataFrame:
    values = part.frame[name]
    found = list(values.dropna().unique()) if is_text else [values.min(), values.max()]
    return pd.DataFrame({ID: name, name: found})


def _chosen_rows(future: pd.DataFrame, asked: PlanChanges) -> npt.NDArray[np.bool_]:
    chosen = np.ones(len(future), dtype=bool)
    if asked.ids is not None:
        chosen &= future[ID].isin(asked.ids).to_numpy()
    if asked.first is not None:
        chosen &= (future[TIME] >= asked.first).to_numpy()
    if asked.last is not None:
        chosen &= (future[TIME] <= asked.last).to_numpy()
    return chosen


def _covariate(panel: PartedPanel, column: str) -> str:
    known = [name.removeprefix(PREFIX) for name in panel.layout.known]
    if column not in known:
        hint = did_you_mean(column, known) or "the spec names none under dataset.covariates"
        raise UsageError(f"'{column}' is no known covariate of this forecast", hint=hint)
    return PREFIX + column


def _changed_values(
    plan: pd.Series, chosen: npt.NDArray[np.bool_], history: CovariateValues, change: PlanChange
) -> pd.Series:
    if history.texts is not None:
        if change.value not in history.texts:
            raise UsageError(
                f"'{change.value}' is no value of '{change.column}' in the history",
                hint=did_you_mean(change.value, history.texts),
            )
        return plan.mask(chosen, change.value)
    percent = _PERCENT.fullmatch(change.value)
    numbers = plan.astype("float64")
    if percent:
        return numbers.mask(chosen, numbers * (1 + float(percent[1]) / 100))
    return numbers.mask(chosen, _read_number(change))


def _read_number(change: PlanChange) -> float:
    flag = read_flag(change.value)
    try:
        number = float(change.value) if flag is None else flag
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(
            f"'{change.value}' is no value of '{change.column}'", hint="write a number, such as 9.90, or a share: -10%"
        )
    return number


def _beyond_history(values: pd.Series, history: CovariateValues, column: str) -> Sequence[str]:
    if history.texts is not None:
        return ()
    low, high = history.low, history.high
    beyond = values[(values < low) | (values > high)]
    if beyond.empty:
        return ()
    known, here = _span_text(low, high), _span_text(beyond.min(), beyond.max())
    return (
        f"{column} was {known} in the history, and is {here} here: mlspec's models take it for the nearest that they know",
    )


def _span_text(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
