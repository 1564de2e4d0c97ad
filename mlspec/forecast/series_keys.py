"""Finds the columns that name a series, for `mlspec init`: with them each series has each period once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from mlspec.errors import DataError
from mlspec.forecast.reading.column import as_text
from mlspec.forecast.reading.odd_cells import explain_total
from mlspec.forecast.sample import Sample
from mlspec.spec.output_columns import is_output_column

# Names in English and in Portuguese.
KEY_NAMES = re.compile(
    r"store|shop|site|region|warehouse|country|market|location|dept|department|sku|item|product|category|brand|code|(^|_)id$"
    r"|loja|filial|regi[aã]o|dep[oó]sito|pa[ií]s|cidade|estado|^uf$|produto|categoria|marca|c[oó]d(igo)?(?![a-z])|cliente",
    re.IGNORECASE,
)
ROW_NUMBERS = re.compile(r"instant|index|row|^id$|^unnamed|linha|[ií]ndice", re.IGNORECASE)
_MOST_SERIES_COLUMNS = 3
_TRANSACTIONS = 0.1  # share of rows of a period that another row has, from which a table is one of transactions
_MERGED = 0.5  # share of empty cells from which a column looks like one of merged cells
_FEWEST_DAYS = 3  # of a table of transactions


def find_series_columns(
    sample: Sample, keys: pd.DataFrame, dates: pd.Series, figures: Mapping[str, pd.Series],
    taken: Sequence[str | None], given: tuple[str, ...] | None,
) -> tuple[tuple[str, ...], str]:  # fmt: skip
    """Return the columns that name a series, and the reason. `taken`: the columns of the time and, if it is known, of the target.

    `keys` has a number for each text of the rows with a date; `given` is what the caller named. Raises DataError if none will do.
    """
    if given is not None:
        return given, "named by the caller"
    if dates.is_unique:
        return (), f"one row a period in {len(dates):,} rows: a single series"
    possible = [name for name in keys if name not in taken and _may_name_series(sample, keys, name, figures)]
    chosen: list[str] = []
    for candidates in _key_candidates(possible, figures, is_target_known=taken[1] is not None):
        chosen = _choose_keys(keys, dates, candidates)
        if _is_unique(keys, dates, chosen):
            break
    if not _is_unique(keys, dates, chosen):
        _refuse_output_names(keys, dates, chosen)
        _refuse_merged_cells(sample, keys, dates, chosen)
        again = len(keys) - _count_groups(keys, dates, chosen)
        if again >= _TRANSACTIONS * len(keys) and dates.nunique() >= _FEWEST_DAYS:
            return _transaction_keys(keys, possible)
        raise DataError(
            f"no columns identify the series: tried {', '.join(possible) or 'none'}; "
            f"with them {again:,} of {len(keys):,} rows are of a period that another row has, "
            f"such as row {_first_repeated(sample, keys, dates, chosen):,}",
            hint="name them with --series: rows of a period are then added up; or remove rows that stand there twice",
        )
    parents = _parent_columns(keys, chosen, possible)
    series = tuple(name for name in keys if name in {*chosen, *parents})
    count = keys.groupby(list(series), sort=False).ngroups
    return series, f"{count:,} series, each with one row a period{_note_total(sample, keys, series)}"


def _note_total(sample: Sample, keys: pd.DataFrame, series: Sequence[str]) -> str:
    """Return a word about the first series that is named as a total, or nothing. A shop may have such a name."""
    for name in series:
        texts = as_text(sample.table.columns[name]).texts.take(keys[name].unique()).to_pylist()
        total = next((text for text in texts if explain_total(text)), None)
        if total is not None:
            return (
                f"; if '{total}' in {name} is a sum of others, remove its rows: it is forecast as a series of its own"
            )
    return ""


def _refuse_output_names(keys: pd.DataFrame, dates: pd.Series, chosen: Sequence[str]) -> None:
    """Raise DataError if the series would be found with a column that has the name of one that mlspec writes."""
    for name in (name for name in keys if is_output_column(name)):
        if _is_unique(keys, dates, [*chosen, name]):
            raise DataError(
                f"the column '{name}' names the series, and mlspec writes a column of that name itself",
                hint=f"rename it in the file, such as to series_{name}",
            )


def _first_repeated(sample: Sample, keys: pd.DataFrame, dates: pd.Series, chosen: Sequence[str]) -> int:
    """Return the number, in the file, of the first row that has the series and the period of one above it."""
    rows = pd.DataFrame({"\0": dates, **{name: keys[name] for name in chosen}})
    return int(sample.table.origin["row"][rows.duplicated().idxmax()])


def _refuse_merged_cells(sample: Sample, keys: pd.DataFrame, dates: pd.Series, chosen: Sequence[str]) -> None:
    """Raise DataError if a column would name the series, were its value in the rows below it too, as a merged cell looks."""
    for name in (name for name in keys if 0 < sample.missing[name] < 1):
        empty = sample.empty_rows(name)[keys.index]
        below = keys.assign(**{name: keys[name].mask(empty).ffill()})
        if empty.mean() > _MERGED and not empty.iloc[0] and _is_unique(below, dates, [*chosen, name]):
            row = sample.table.origin["row"][empty.idxmax()]
            raise DataError(
                f"'{name}' names the series, and is empty in {empty.sum():,} rows, the first of them row {row:,}",
                hint="write the name into every row: a merged cell has its value in the first row only",
            )


def _transaction_keys(keys: pd.DataFrame, possible: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Return the series columns of a table with many rows for each series and period: those that are named as a code."""
    most = max(50, len(keys) // 20)
    named = [name for name in possible if KEY_NAMES.search(name) and keys[name].nunique() <= most]
    free = [name for name in named if _PARENT_NAMES.search(name) or not _is_determined(keys, name, named)]
    series = tuple(free[:_MOST_SERIES_COLUMNS])
    if not series:
        why = "no column is named as a code of a shop or a product: a single series, of which a period has many rows"
        return series, why
    return series, "named as codes; a period of a series has many rows, and --series may name other columns"


def _is_determined(keys: pd.DataFrame, name: str, others: Sequence[str]) -> bool:
    return any(other != name and determines_column(keys, other, name) for other in others)


def _key_candidates(
    possible: Sequence[str], figures: Mapping[str, pd.Series], *, is_target_known: bool
) -> list[list[str]]:
    """Return the columns that may name series: text and what is named as a code, and if these are not enough, other numbers.

    Where no name says which column is to be forecast, other numbers are no names of series: one of them is the target.
    """
    names = [name for name in possible if name not in figures or KEY_NAMES.search(name)]
    return [names, list(possible)] if is_target_known else [names]


def _choose_keys(keys: pd.DataFrame, dates: pd.Series, candidates: Sequence[str]) -> list[str]:
    chosen: list[str] = []
    combinations = keys[
        list(candidates)
    ].drop_duplicates()  # few, beside the rows: what determines what is the same in them
    for _ in range(_MOST_SERIES_COLUMNS):
        remaining = [name for name in candidates if name not in chosen]
        if not remaining or _is_unique(keys, dates, chosen):
            break
        # The column that splits the rows best. Among equals prefer one that does not determine others, as a joined code does.
        groups = {name: _count_groups(keys, dates, [*chosen, name]) for name in remaining}
        equals = [name for name in remaining if groups[name] == max(groups.values())]
        chosen.append(
            equals[0]
            if len(equals) == 1
            else max(
                equals,
                key=lambda name: (not ROW_NUMBERS.search(name), -_count_determined(combinations, name, remaining)),
            )
        )
    return chosen


def _may_name_series(sample: Sample, keys: pd.DataFrame, name: str, figures: Mapping[str, pd.Series]) -> bool:
    """Return whether a column may name a series: few repeated values, and only whole numbers if it is numeric."""
    distinct = keys[name].nunique()
    if sample.missing[name] or is_output_column(name) or distinct > max(1, len(keys) // 2):
        return False
    values = figures.get(name)
    return values is None or bool((values.dropna() % 1 == 0).all() and distinct <= max(50, len(keys) // 10))


def _is_unique(keys: pd.DataFrame, dates: pd.Series, names: Sequence[str]) -> bool:
    return _count_groups(keys, dates, names) == len(keys)


def _count_groups(keys: pd.DataFrame, dates: pd.Series, names: Sequence[str]) -> int:
    """Return how many pairs of a series and a period there are, if these columns name the series."""
    return int((~pd.DataFrame({"\0": dates, **{name: keys[name] for name in names}}).duplicated()).sum())


def _count_determined(keys: pd.DataFrame, name: str, others: Sequence[str]) -> int:
    """Return how many other candidates a column determines: a joined code (`1_95`) determines its parts."""
    return sum(1 for other in others if other != name and determines_column(keys, name, other))


def determines_column(keys: pd.DataFrame, name: str, other: str) -> bool:
    """Return whether each value of a column has one value of another."""
    return bool((keys.groupby(name, sort=False)[other].nunique() <= 1).all())


def _parent_columns(keys: pd.DataFrame, chosen: Sequence[str], candidates: Sequence[str]) -> list[str]:
    """Return columns that look like the parent of the chosen series columns, such as Store if Dept was chosen.

    What another place tells already is none: the region of each store is a static column, and a plan by store does without it.
    """
    places = [name for name in chosen if _PARENT_NAMES.search(name)]
    return [
        name
        for name in (candidates if chosen else ())
        if name not in chosen and _PARENT_NAMES.search(name) and not _is_determined(keys, name, places)
    ]


_PARENT_NAMES = re.compile(
    r"(store|shop|site|region|warehouse|country|market|location)s?(_?id)?$|^(loja|filial|regi[aã]o|dep[oó]sito|pa[ií]s|cidade|uf)$",
    re.IGNORECASE,
)


def is_constant(keys: pd.DataFrame, name: str, series: Sequence[str]) -> bool:
    """Return whether a column has one value in each series."""
    return bool(series) and bool((keys.groupby(list(series), sort=False)[name].nunique() <= 1).all())
