"""The files of data beside the history: the plan of known covariates, and the days of events."""

from __future__ import annotations

from pydantic import Field

from mlspec.spec.fields import (
    Compression,
    Currency,
    DateFormat,
    DecimalMark,
    Delimiter,
    Encoding,
    HeaderRow,
    QuoteMark,
    SheetName,
    TableFormat,
    ThousandsMark,
)
from mlspec.spec.part import Part


class TableFile(Part):
    """A table beside the history, and how it is written where that is not as the source is."""

    uri: str = Field(min_length=1, max_length=1024, description="An address in the form of `dataset.source.uri`.")
    format: TableFormat | None = Field(
        default=None,
        description="csv, parquet, xlsx, xlsb, xls or ods; by the file's name, if left out.",
        examples=["csv"],
    )
    delimiter: Delimiter | None = Field(
        default=None, description="The sign between two fields; the source's, if left out.", examples=[";"]
    )
    quote: QuoteMark | None = Field(
        default=None, description="The sign around a field; the source's, if left out.", examples=["'"]
    )
    encoding: Encoding | None = Field(
        default=None, description="The text's encoding; the source's, if left out.", examples=["cp1252"]
    )
    date_format: DateFormat | None = Field(
        default=None, description="How dates are written; as in the source, if left out.", examples=["%d/%m/%Y"]
    )
    header_row: HeaderRow | None = Field(
        default=None, description="The row that holds the columns' names; the first, if left out.", examples=[4]
    )
    sheet: SheetName | None = Field(
        default=None, description="The sheet of a workbook; the first, if left out.", examples=["Plano"]
    )
    compression: Compression | None = Field(
        default=None, description="How a CSV file is compressed; by the file's name, if left out.", examples=["gzip"]
    )


class Future(TableFile):
    """Where the known covariates over the horizon are read from."""

    decimal: DecimalMark | None = Field(
        default=None, description="The sign before decimals; the source's, if left out.", examples=[","]
    )
    thousands: ThousandsMark | None = Field(
        default=None, examples=["."],
        description="The sign between groups of three digits; as `decimal` is, the source's, if both are left out.",
    )  # fmt: skip
    currency: Currency | None = Field(
        default=None, description="The sign of the currency beside numbers; the source's, if left out.", examples=["R$"]
    )


class EventFile(TableFile):
    """The days of an event, in a file that may hold those of many."""

    uri: str = Field(
        min_length=1, max_length=1024, examples=["data/school.csv"],
        description="An address in the form of `dataset.source.uri`. The file has a column date, or start and end (the first and "
        "the last day), and may have a column event; or the same in Portuguese: data, início, fim, evento.",
    )  # fmt: skip
    event: str | None = Field(
        default=None, min_length=1, max_length=128, examples=["Férias escolares"],
        description="The event of the file's column event whose days count; the name of the covariate, if left out.",
    )  # fmt: skip

    @property
    def table(self) -> EventFile:
        """The file, whichever of its events is meant."""
        return self.model_copy(update={"event": None})
