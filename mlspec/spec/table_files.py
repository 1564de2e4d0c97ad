"""The keys of a source that say how its table is written, and what the name of a file says of that."""

from __future__ import annotations

from mlspec.spec.fields import Compression, TableFormat

# The keys, and the formats in which each says something. Numbers and dates may be written as text in any format.
TABLE_KEYS: dict[str, tuple[TableFormat, ...]] = {
    "format": ("csv", "parquet", "xlsx"),
    "delimiter": ("csv",),
    "decimal": ("csv", "parquet", "xlsx"),
    "thousands": ("csv", "parquet", "xlsx"),
    "encoding": ("csv",),
    "date_format": ("csv", "parquet", "xlsx"),
    "sheet": ("xlsx",),
    "compression": ("csv",),
}
FORMATS: dict[str, TableFormat] = {".csv": "csv", ".parquet": "parquet", ".xlsx": "xlsx"}
COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}
NAMES = ".csv, .csv.gz, .csv.zst, .parquet or .xlsx"  # for messages


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
