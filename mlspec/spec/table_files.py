"""The keys of a source that say how its table is written, and what the name of a file says of that."""

from __future__ import annotations

from mlspec.spec.fields import Compression, TableFormat

WORKBOOKS: tuple[TableFormat, ...] = ("xlsx", "xlsb", "xls", "ods")  # formats with sheets
_ALL: tuple[TableFormat, ...] = ("csv", "parquet", *WORKBOOKS)
# The keys, and the formats in which each says something. Numbers and dates may be written as text in any format.
TABLE_KEYS: dict[str, tuple[TableFormat, ...]] = {
    "format": _ALL,
    "delimiter": ("csv",),
    "quote": ("csv",),
    "decimal": _ALL,
    "thousands": _ALL,
    "currency": _ALL,
    "encoding": ("csv",),
    "date_format": _ALL,
    "header_row": ("csv", *WORKBOOKS),
    "sheet": WORKBOOKS,
    "compression": ("csv",),
}
FORMATS: dict[str, TableFormat] = {
    ".csv": "csv", ".parquet": "parquet", ".xlsx": "xlsx", ".xlsm": "xlsx", ".xlsb": "xlsb", ".xls": "xls", ".ods": "ods",
}  # fmt: skip
COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd", ".zip": "zip"}
NAMES = ".csv, .csv.gz, .csv.zst, .csv.zip, .parquet, .xlsx, .xls or .ods"  # for messages


def named_format(name: str) -> TableFormat | None:
    """Return the format that a file's name says, or None. Only CSV files may be compressed."""
    base, compression = _split_compression(name.lower())
    named = next((table_format for suffix, table_format in FORMATS.items() if base.endswith(suffix)), None)
    return None if compression and named != "csv" else named


def named_compression(name: str) -> Compression | None:
    """Return the compression that a file's name says, or None."""
    return _split_compression(name.lower())[1]


def _split_compression(name: str) -> tuple[str, Compression | None]:
    for suffix, compression in COMPRESSIONS.items():
        if name.endswith(suffix):
            return name.removesuffix(suffix), compression
    return name, None
