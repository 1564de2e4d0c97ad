"""Reads the history of a dataset in parts by series, if it is large: memory is bounded by a part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlspec.forecast.dealt_rows import DealtRows, can_be_dealt, deal_rows
from mlspec.forecast.load import (
    TypedRows,
    cell_kinds,
    covariate_kinds,
    history_columns,
    load_history,
    refuse_many_series,
    refuse_reserved,
    type_rows,
)
from mlspec.forecast.reading.column import Column, TextColumn
from mlspec.forecast.reading.csv_file import TextNeeded
from mlspec.forecast.reading.dialect import source_dialect
from mlspec.forecast.reading.source_blocks import SourceBlocks
from mlspec.forecast.reading.table import NO_KINDS, OpenedSource
from mlspec.forecast.reading.texts import CovariateKind
from mlspec.forecast.reading.times import has_mixed_offsets
from mlspec.forecast.series_parts import count_parts
from mlspec.forecast.source import open_history, refuse_empty
from mlspec.spec.dataset import Dataset


@dataclass(frozen=True)
class HistoryParts:
    """The rows of a source in parts by series, each of which is read by itself; `kinds` is the kind of each covariate."""

    readers: tuple[Callable[[], TypedRows], ...]
    kinds: Mapping[str, CovariateKind]

    @classmethod
    def of(cls, rows: TypedRows) -> HistoryParts:
        """Return rows that are in memory as the only part."""
        return cls((lambda: rows,), rows.kinds)

    def __len__(self) -> int:
        return len(self.readers)

    def read(self, number: int) -> TypedRows:
        """Return the rows of a part, in the order of the source."""
        return self.readers[number]()


def load_history_parts(dataset: Dataset, root: Path, folder: Path) -> HistoryParts:
    """Read the source of a dataset, in parts if it is large: they are files in `folder`. Raises DataError as `load_history` does.

    All rows are needed at once to make rows of a wide table, and where a period ends is seen from all rows that are aggregated.
    """
    if dataset.aggregate is not None or dataset.source.layout != "long":
        return HistoryParts.of(load_history(dataset, root))
    refuse_reserved(dataset)
    source = open_history(dataset, root, history_columns(dataset))
    parts = count_parts(source.budget.rows)
    dealt = _deal(dataset, source, parts, folder) if parts > 1 and can_be_dealt(source, dataset.series) else None
    if dealt is None:
        source.budget.hold_all(source.files[-1])
        table = refuse_empty(source.read(cell_kinds(dataset)), dataset.source.uri, source.where)
        return HistoryParts.of(type_rows(dataset, table, covariate_kinds(dataset, table.columns)))
    refuse_many_series(dealt.series)
    kinds = covariate_kinds(dataset, dealt.samples)
    return HistoryParts(tuple(_reader(dataset, dealt, number, kinds) for number in range(len(dealt.files))), kinds)


def _reader(
    dataset: Dataset, dealt: DealtRows, number: int, kinds: Mapping[str, CovariateKind]
) -> Callable[[], TypedRows]:
    return lambda: type_rows(dataset, dealt.read(number), kinds)


def _deal(dataset: Dataset, source: OpenedSource, parts: int, folder: Path) -> DealtRows | None:
    """Deal the rows of a source; None if they have to be looked at together."""
    cov = dataset.covariates
    sampled = list(dict.fromkeys((dataset.time, *cov.known, *cov.past, *cov.static)))
    for kinds in (cell_kinds(dataset), NO_KINDS):  # as numbers and times; or else as text, which tells what is wrong
        try:
            dealt = deal_rows(SourceBlocks(source, kinds), dataset.series, sampled, parts, folder)
        except TextNeeded:
            continue
        is_apart = dealt.files and not _mixes_offsets(
            dealt.samples[dataset.time], source_dialect(dataset.source).date_format
        )
        return dealt if is_apart else None
    return None


def _mixes_offsets(times: Column, date_format: str) -> bool:
    return isinstance(times, TextColumn) and date_format == "iso" and has_mixed_offsets(times)
