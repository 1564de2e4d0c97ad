"""Parses names of series, flags and categories: text as it is written."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mlspec.forecast.reading.column import NO_PROBLEMS, Column, ParsedColumn, TextColumn, as_text
from mlspec.forecast.reading.dialect import Dialect
from mlspec.forecast.reading.numbers import is_missing, parse_numbers, read_flag, read_plain_texts, strip_currency

CovariateKind = Literal["number", "flag", "category"]


def parse_names(column: Column) -> ParsedColumn:
    """Parse a column of identifiers: the unchanged text (`001`, `NA`); only an empty one is refused."""
    names = as_text(column)
    empty = pc.equal(names.texts, "").to_numpy(zero_copy_only=False)
    reasons = {int(code): "is empty, but must name a series" for code in np.flatnonzero(empty)}
    return ParsedColumn(names.strings(), names.expand_reasons(reasons))


def covariate_kind(column: Column, dialect: Dialect) -> CovariateKind:
    """Return a covariate's kind: the kind of most distinct values, so that one wrong value changes nothing."""
    if not isinstance(column, TextColumn):
        if pd.api.types.is_bool_dtype(column):
            return "flag"
        return "number" if pd.api.types.is_numeric_dtype(column) else "category"
    distinct = column.texts.filter(pa.array(~is_missing(column.texts)))
    if not len(distinct):
        return "number"
    amounts = distinct if dialect.currency is None else strip_currency(distinct, dialect.currency)
    numbers = len(distinct) - read_plain_texts(amounts, dialect.decimal, dialect.thousands).null_count
    if numbers > len(distinct) / 2:
        return "number"
    flags = sum(read_flag(text) is not None for text in distinct.to_pylist())
    return "flag" if flags > len(distinct) / 2 else "category"


def static_kind(column: Column, dialect: Dialect) -> CovariateKind:
    """Return a static column's kind. Its values name segments in tables and alerts: `Sim` and `Não` stay what they are."""
    kind = covariate_kind(column, dialect)
    if kind != "flag" or not isinstance(column, TextColumn):
        return kind
    distinct = column.texts.filter(pa.array(~is_missing(column.texts)))
    return "flag" if any(text.lower() in ("true", "false") for text in distinct.to_pylist()) else "category"


def parse_covariate(column: Column, kind: CovariateKind, dialect: Dialect) -> ParsedColumn:
    """Parse a covariate of a kind. A flag becomes 1 or 0; a category stays text, its missing values None."""
    if kind == "number":
        return parse_numbers(column, dialect)
    named = as_text(column)
    missing = is_missing(named.texts)
    texts = named.texts.to_pylist()
    if kind == "category":
        values = np.array([None if absent else text for text, absent in zip(texts, missing, strict=True)], dtype=object)
        return ParsedColumn(pd.Series(named.expand(values), dtype=object), NO_PROBLEMS)
    flags = np.array([read_flag(text) for text in texts], dtype="float64")  # None becomes NaN
    reason = "is neither true nor false, yes nor no, unlike the rest of the column"
    wrong = np.flatnonzero(np.isnan(flags) & ~missing)
    return ParsedColumn(pd.Series(named.expand(flags)), named.expand_reasons({int(code): reason for code in wrong}))


def parse_share(column: Column, dialect: Dialect) -> ParsedColumn:
    """Parse a column of shares or of flags: from 0 to 1; an empty cell is 1."""
    kind = covariate_kind(column, dialect)
    parsed = parse_covariate(column, "number" if kind == "number" else "flag", dialect)
    values = parsed.values.astype("float64")
    wrong = np.flatnonzero(((values < 0) | (values > 1)).to_numpy())
    reasons = pd.Series("is not a share from 0 to 1", index=wrong, dtype=object)
    problems = pd.concat([parsed.problems, reasons]).sort_index() if len(wrong) else parsed.problems
    return ParsedColumn(values.where(values.notna(), 1.0), problems)
