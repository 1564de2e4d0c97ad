"""How far the plan of known covariates covers the horizon, and what of it the history does not know."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from mlspec.forecast.frame import ID, PREFIX, TIME, describe_series
from mlspec.forecast.load import KEY, TypedRows
from mlspec.forecast.row_facts import HistoryNames

_NUMBER = re.compile(r"[+-]?[0-9]+([.,]0*)?")


@dataclass(frozen=True)
class PlanCoverage:
    """The plan beside the history. `series` are the series to forecast, `times` the periods of the horizon."""

    plan: TypedRows
    history: HistoryNames
    series: pd.Index
    times: pd.DatetimeIndex

    @property
    def by_series(self) -> bool:
        """Whether the plan names series, and does not apply to all alike."""
        return any(str(name).startswith(KEY) for name in self.plan.frame)

    def absent(self) -> pd.MultiIndex:
        """Return the series and periods without a row."""
        if self._covers_all():
            return pd.MultiIndex.from_arrays([[], []], names=[ID, TIME])
        return self._expected().difference(pd.MultiIndex.from_frame(self.plan.frame[[ID, TIME]]))

    def empty(self) -> dict[str, pd.MultiIndex]:
        """Return by column the series and periods whose row has no value; none of texts that are empty in the history too."""
        columns = [PREFIX + name for name in self._columns()]
        rows = self.plan.frame.loc[self.plan.frame[columns].isna().any(axis=1), [ID, TIME, *columns]]
        rows = rows.set_index([ID, TIME])
        if len(rows):
            rows = rows[rows.index.isin(self._expected())]
        found = {name: rows.index[rows[PREFIX + name].isna()] for name in self._columns()}
        return {name: index for name, index in found.items() if len(index) and not self._may_be_empty(name)}

    def notes(self) -> tuple[str, ...]:
        """Return sentences on values and series of the plan that are in no row of the history."""
        return (*self._new_values(), *self._unknown_series())

    def twins(self) -> tuple[str, ...]:
        """Return sentences on series of the plan and of the history whose names are the same, written differently."""
        if not self.by_series:
            return ()
        known = {str(name): None for name in self.history.ids}  # in their order
        planned = (str(name) for name in self.plan.frame[ID].unique())
        pairs = find_twins([*known, *(name for name in planned if name not in known)])
        return tuple(
            f"'{first}' of the history and '{other}' of the plan may be one series: write them alike"
            for first, *others in pairs if first in known for other in others if other not in known
        )  # fmt: skip

    def _expected(self) -> pd.MultiIndex:
        names = self.series if self.by_series else self.plan.frame[ID].unique()
        return pd.MultiIndex.from_product([names, self.times], names=[ID, TIME])

    def _covers_all(self) -> bool:
        """Return whether each period of the horizon has a row. This takes less time than to say which one has none."""
        codes, names = pd.factorize(self.plan.frame[ID])
        series = self.series if self.by_series else names
        numbers, places = series.get_indexer(names)[codes], self.times.get_indexer(self.plan.frame[TIME])
        inside = (numbers >= 0) & (places >= 0)
        has_row = np.zeros((len(series), len(self.times)), dtype=bool)
        has_row[numbers[inside], places[inside]] = True
        return bool(has_row.all())

    def _columns(self) -> list[str]:
        return [str(name).removeprefix(PREFIX) for name in self.plan.frame if str(name).startswith(PREFIX)]

    def _may_be_empty(self, name: str) -> bool:
        return self.plan.kinds[name] == "category" and PREFIX + name in self.history.empty

    def _new_values(self) -> Iterable[str]:
        rows = self.plan.frame[self.plan.frame[TIME].isin(self.times)]
        for name in self._columns():
            if self.plan.kinds[name] != "category":
                continue
            new = pd.Index(rows[PREFIX + name].dropna().unique()).difference(self.history.values[PREFIX + name])
            if len(new):
                shown = describe_series([str(value) for value in new])
                yield f"{name} is {shown} in the plan and never in the history: a model takes it for a missing value"

    def _unknown_series(self) -> Iterable[str]:
        if not self.by_series:
            return
        unknown = pd.Index(self.plan.frame[ID].unique()).difference(self.history.ids)
        if len(unknown):
            shown = describe_series([str(name) for name in unknown])
            yield f"{len(unknown):,} series of the plan are in no row of the history, and are not used: {shown}"


def find_twins(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the names of series that differ only in how they are written: `1`, `1.0` and `01`, or `São Paulo` and `SAO PAULO`."""
    groups: Mapping[str, list[str]] = defaultdict(list)
    as_plain = cache(_as_plain)  # the names of many series have few parts
    for name in names:
        groups["/".join(map(as_plain, name.split("/")))].append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _as_plain(part: str) -> str:
    """Return a name without capitals, accents, needless spaces, leading zeros and decimals that are 0."""
    text = part.strip()
    if _NUMBER.fullmatch(text):
        return str(int(re.split("[.,]", text)[0]))
    letters = (each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return " ".join("".join(letters).casefold().split())


def twin_notes(history: HistoryNames) -> tuple[str, ...]:
    """Return a sentence on series of the history that differ only in how their names are written."""
    pairs = find_twins(str(name) for name in history.ids)
    if not pairs:
        return ()
    shown = "; ".join(" and ".join(f"'{name}'" for name in pair) for pair in pairs[:3])
    more = f"; and {len(pairs) - 3:,} more" if len(pairs) > 3 else ""
    differ = (
        "series that differ only in capitals, accents, spaces or how a number is written are taken for different ones"
    )
    return (f"{differ}: {shown}{more}",)
