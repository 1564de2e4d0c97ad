"""How the table of a file is written: one frozen value, made from the keys of a spec's source or plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from mlspec.spec.data_files import Future, TableFile
from mlspec.spec.dataset import Dataset, Source
from mlspec.spec.fields import Compression, TableFormat, TableLayout
from mlspec.spec.table_files import TABLE_KEYS, named_compression, named_format


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a table is written. The defaults are those of a spec that says nothing. `format` and `compression`: None is by name."""

    format: TableFormat | None = None
    delimiter: str = ","
    quote: str = '"'
    decimal: str = "."
    thousands: str | None = None
    currency: str | None = None
    encoding: str = "utf-8"
    date_format: str = "iso"
    header_row: int | None = None
    sheet: str | None = None
    compression: Compression | None = None
    layout: TableLayout = "long"

    def format_of(self, file: Path) -> TableFormat:
        """Return the format of a file: what the spec says, else what its name says, else CSV."""
        return self.format or named_format(file.name) or "csv"

    def compression_of(self, file: Path) -> Compression | None:
        """Return how a file is compressed: what the spec says, else what its name says."""
        return self.compression or named_compression(file.name)


PLAIN = Dialect()
# The keys that say how cells are written; the others say it of the file.
_NOTATION = ("delimiter", "quote", "encoding", "date_format", "currency", "decimal", "thousands")


def source_dialect(source: Source) -> Dialect:
    """Return how the history of a spec is written."""
    return Dialect(**{key: getattr(source, key) for key in (*TABLE_KEYS, "layout")})


def table_dialect(source: Source) -> Dialect:
    """Return how a table beside the history is written: as the history, but for the file's own form."""
    return Dialect(**{key: getattr(source, key) for key in _NOTATION})


def file_dialect(source: Source, table: TableFile) -> Dialect:
    """Return how a table beside the history is written: what it leaves out, except for the file's own form, is the source's."""
    return Dialect(
        format=table.format,
        delimiter=table.delimiter or source.delimiter,
        quote=table.quote or source.quote,
        encoding=table.encoding or source.encoding,
        date_format=table.date_format or source.date_format,
        header_row=table.header_row,
        sheet=table.sheet,
        compression=table.compression,
    )


def plan_dialect(dataset: Dataset) -> Dialect:
    """Return how the plan of known covariates is written, as `file_dialect` does.

    It has one row for each period, also where the source is wide.
    """
    source, plan = dataset.source, dataset.future
    if plan is None:
        return source_dialect(source)
    decimal, thousands = _number_marks(source, plan)
    currency = plan.currency or source.currency
    return replace(file_dialect(source, plan), decimal=decimal, thousands=thousands, currency=currency)


def _number_marks(source: Source, plan: Future) -> tuple[str, str | None]:
    """Return decimal and thousands of a plan. They belong together: where it says one, the other is not the source's."""
    if plan.decimal is None and plan.thousands is None:
        return source.decimal, source.thousands
    return plan.decimal or (source.decimal if source.decimal != plan.thousands else "."), plan.thousands
