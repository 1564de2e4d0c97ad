"""The columns of a table that was read, and the cells that could not be parsed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

Codes = npt.NDArray[np.int32]
Cell: TypeAlias = float | pd.Timestamp  # what a cell of a workbook holds that is no text


@dataclass(frozen=True)
class TextColumn:
    """A column of text: each distinct text once, and for each row the place of its text. An absent value is the text "".

    `cells` has the value of each text that is no text but a cell of a workbook with a type, beside cells with text, by its place.
    """

    codes: Codes
    texts: pa.StringArray
    cells: Mapping[int, Cell] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.codes)

    def strings(self) -> pd.Series:
        """Return the text of every row. Rows with the same text share one object."""
        return pd.Series(self._objects().take(self.codes), dtype=object)

    def take(self, rows: npt.NDArray[np.int64]) -> TextColumn:
        """Return some rows of the column."""
        return TextColumn(self.codes.take(rows), self.texts, self.cells)

    def without_cells(self) -> TextColumn:
        """Return the rows whose cell is text."""
        if not self.cells:
            return self
        typed = np.zeros(len(self.texts), dtype=bool)
        typed[list(self.cells)] = True
        texts = self.texts.filter(pa.array(~typed))
        return TextColumn((np.cumsum(~typed) - 1)[self.codes[~typed[self.codes]]].astype("int32"), texts)

    def counts(self) -> npt.NDArray[np.int64]:
        """Return how many rows have each text."""
        return np.bincount(self.codes, minlength=len(self.texts))

    def rows_with(self, text: str) -> npt.NDArray[np.bool_]:
        """Return for every row whether it has this text."""
        return self.codes == pc.index(self.texts, text).as_py()

    def expand(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Return for every row the value of its text. `values` are by text."""
        return values.take(self.codes)

    def expand_reasons(self, reasons: Mapping[int, str]) -> pd.Series:
        """Return the reason of each row whose text has one, by row. `reasons` are by the place of a text."""
        if not reasons:
            return NO_PROBLEMS
        wrong = np.zeros(len(self.texts), dtype=bool)
        wrong[list(reasons)] = True
        rows = np.flatnonzero(wrong[self.codes])
        return pd.Series([reasons[code] for code in self.codes[rows].tolist()], index=rows, dtype=object)

    def _objects(self) -> npt.NDArray[np.object_]:
        objects = np.empty(len(self.texts), dtype=object)
        objects[:] = self.texts.to_pylist()
        return objects


Column: TypeAlias = TextColumn | pd.Series  # a series of numbers, flags or times, as the file holds them
NO_PROBLEMS = pd.Series([], index=pd.Index([], dtype="int64"), dtype=object)


@dataclass(frozen=True)
class ParsedColumn:
    """Values of one column, and `problems` by row: why a cell cannot be used. The value of such a cell is missing."""

    values: pd.Series
    problems: pd.Series


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used: its file and number (the header is row 1), the column, the value and the reason."""

    file: str
    row: int
    column: str
    value: str
    problem: str


@dataclass(frozen=True)
class FileRows:
    """The rows of one file: its columns, the number of each row (the header is row 1), and rows with a wrong number of fields."""

    columns: dict[str, Column]
    rows: npt.NDArray[np.int64]
    ragged: tuple[BadRow, ...]


def take_rows(column: Column, rows: npt.NDArray[np.int64]) -> Column:
    """Return some rows of a column."""
    return column.take(rows) if isinstance(column, TextColumn) else column.iloc[rows].reset_index(drop=True)


def text_column(array: pa.ChunkedArray) -> TextColumn:
    """Return an Arrow column of text, encoded or not, as a `TextColumn`."""
    if not pa.types.is_dictionary(array.type):
        array = array.cast(pa.string()).dictionary_encode()
    whole = array.unify_dictionaries().combine_chunks() if array.num_chunks else pa.chunked_array([], array.type)
    if isinstance(whole, pa.ChunkedArray):  # an empty column stays one
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], pa.string()).dictionary_encode()
    texts = whole.dictionary.cast(pa.string())
    indices = whole.indices
    if whole.null_count:
        place = pc.index(texts, "").as_py()
        if place < 0:
            place, texts = len(texts), pa.concat_arrays([texts, pa.array([""], pa.string())])
        indices = indices.fill_null(place)
    return TextColumn(indices.to_numpy(zero_copy_only=False).astype("int32", copy=False), texts)


def as_text(column: Column) -> TextColumn:
    """Return a column as text. A whole number has no decimals, also in a column that lacks values; an absent value is ""."""
    if isinstance(column, TextColumn):
        return column
    whole = pd.api.types.is_float_dtype(column) and bool((column.dropna() % 1 == 0).all())
    text = (column.astype("Int64") if whole else column).astype(object).where(column.notna(), "").map(str)
    return texts_as_column(text)


def with_cells(column: Column) -> TextColumn:
    """Return a column as text that keeps the numbers and dates of its cells, to stand beside one of text."""
    if isinstance(column, TextColumn):
        return column
    return cells_as_column(column.astype(object).where(column.notna(), ""))


def cells_as_column(values: Iterable[object]) -> TextColumn:
    """Return cells of several types as a column: texts, numbers and dates. An absent value is ""."""
    codes, distinct = pd.factorize(np.array([_known_cell(value) for value in values], dtype=object))
    texts = [cell_text(value) for value in distinct]
    cells = {code: value for code, value in enumerate(distinct) if isinstance(value, (float, pd.Timestamp))}
    column = TextColumn(codes.astype("int32"), pa.array(texts, pa.string()), cells)
    return column if len(set(texts)) == len(texts) else _merge_names(column)


def _known_cell(value: object) -> object:
    if isinstance(value, (bool, np.bool_)):
        return str(value)
    if isinstance(value, (int, float, np.number)):
        return float(value)
    return pd.Timestamp(value) if isinstance(value, dt.date) else str(value)


def cell_text(value: object) -> str:
    """Return a cell as a person reads it: a whole number has no decimals, and midnight is a date."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, pd.Timestamp):
        return value.isoformat().removesuffix("T00:00:00")
    return str(value)


def _merge_names(column: TextColumn) -> TextColumn:
    """Return a column in which the text `7` and the number 7 are one name.

    The text `7.5` stays apart from the number: it may mean another one.
    """
    places: dict[tuple[str, bool], int] = {}
    texts = column.texts.to_pylist()
    keys = [(text, _is_fraction(column.cells.get(code))) for code, text in enumerate(texts)]
    merged = np.array([places.setdefault(key, len(places)) for key in keys], dtype="int32")
    cells = {int(merged[code]): cell for code, cell in column.cells.items()}
    return TextColumn(merged[column.codes], pa.array([text for text, _ in places], pa.string()), cells)


def _is_fraction(cell: Cell | None) -> bool:
    return isinstance(cell, float) and not cell.is_integer()


def join_cells(parts: Sequence[TextColumn]) -> TextColumn:
    """Return columns one after the other, with the cells of each."""
    offsets = np.cumsum([0, *(len(part.texts) for part in parts)])
    codes = np.concatenate([part.codes + offset for part, offset in zip(parts, offsets, strict=False)])
    texts = pa.concat_arrays([part.texts for part in parts])
    cells = {
        code + int(offset): cell
        for part, offset in zip(parts, offsets, strict=False)
        for code, cell in part.cells.items()
    }
    return _merge_names(TextColumn(codes.astype("int32"), texts, cells))


def texts_as_column(texts: Iterable[str]) -> TextColumn:
    """Return the text of each row as a column."""
    codes, distinct = pd.factorize(np.array(list(texts), dtype=object))
    return TextColumn(codes.astype("int32"), pa.array(distinct.tolist(), pa.string()))
