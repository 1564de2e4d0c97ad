"""The bytes and the text of a CSV file: decompressed, counted, decoded; its header, and the first row that is no text."""

from __future__ import annotations

import codecs
import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mlspec import memory
from mlspec.errors import DataError
from mlspec.forecast.reading.dialect import Dialect

_HEADER_BYTES, _BLOCK, _COUNTED = 2**16, 2**22, 2**18
_NEWLINE = ord("\n")
_LINE_END = re.compile("\r\n|\n|\r")
_DECLARATION = re.compile('"?sep=(.)"?\r?\n', re.IGNORECASE)
_REPLACED = "\ufffd"  # stands for bytes that are no text
_SHOWN_AS = "cp1252"  # such bytes are most often this


@dataclass(frozen=True)
class CsvSize:
    """What a look at the bytes of a CSV file says: lines after the header at most, bytes after decompression, and any quotes."""

    lines: int
    size: int
    has_quotes: bool


def measure_csv(file: Path, dialect: Dialect, where: str, largest: int) -> CsvSize:
    """Count lines and bytes. A quoted value may hold a line, so rows are as many at most. Raises DataError for `largest` bytes."""
    lines, size, quote = 0, 0, dialect.quote.encode()
    has_quotes = False
    buffer = bytearray(_COUNTED)  # small enough for the processor's cache: it is looked at twice
    signs = np.frombuffer(buffer, dtype=np.uint8)
    with open_bytes(file, dialect) as stream:
        while count := stream.readinto(buffer):
            lines, size = lines + int(np.count_nonzero(signs[:count] == _NEWLINE)), size + count
            has_quotes = has_quotes or buffer.find(quote, 0, count) >= 0
            if size > largest:  # a small compressed file may hold any number of bytes
                raise DataError(
                    f"{where}: '{file.name}' holds more than {memory.format_size(largest)}, the most that is read",
                    hint="write it as Parquet, or split the forecast in several specs",
                )
    return CsvSize(lines, size, has_quotes)


@contextmanager
def open_bytes(file: Path, dialect: Dialect) -> Iterator[pa.NativeFile]:
    """Open a file for its bytes after decompression."""
    compression = dialect.compression_of(file)
    if compression == "zip":
        with _open_member(file) as member:
            yield member
        return
    with pa.OSFile(str(file)) as stored:
        if compression is None:
            yield stored
            return
        with pa.CompressedInputStream(stored, compression) as stream:
            yield stream


@contextmanager
def _open_member(file: Path) -> Iterator[pa.NativeFile]:
    """Open the one file of an archive. Raises DataError if there are several, or none."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive_members(archive)
            if len(names) != 1:
                raise DataError(
                    f"'{file.name}' holds {len(names):,} files ({', '.join(names[:10]) or 'none'}), and one is read",
                    hint="unpack it, and name one of its files, or several with *",
                )
            with archive.open(names[0]) as member, pa.PythonFile(member, mode="r") as stream:
                yield stream
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error) as error:  # such as one with a password
        raise DataError(
            f"'{file.name}' cannot be unpacked ({error})", hint="unpack it by hand, and name the file in it"
        ) from error


def archive_members(archive: zipfile.ZipFile) -> list[str]:
    """Return the names of the files in an archive, without what a Mac adds for itself."""
    return [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]


def read_header(file: Path, dialect: Dialect, where: str) -> list[str]:
    """Return the names in the first line. Raises DataError if there are none, or if they are not text in the encoding."""
    text = read_start(file, dialect)
    lines = skip_lines(text, lines_above(text, dialect))
    header = next(csv.reader(io.StringIO(lines, newline=""), **row_form(dialect)), [])
    if any(_REPLACED in name for name in header):
        row = 1 + lines_above(text, dialect)
        raise encoding_error(file, dialect, where, row, lines.encode())
    if not any(header) and dialect.header_row is not None and text.strip():
        raise DataError(
            f"{where}: '{file.name}' has no names of columns in row {dialect.header_row}", hint="correct header_row"
        )
    if not any(header):
        raise DataError(f"{where}: '{file.name}' is empty", hint="it must begin with a line of column names")
    return header


def has_padded_rows(file: Path, dialect: Dialect) -> bool:
    """Return whether the first row ends in a sign between fields that the header lacks, as some programs write all rows."""
    text = read_start(file, dialect)
    lines = skip_lines(text, lines_above(text, dialect))
    rows = csv.reader(io.StringIO(lines, newline=""), **row_form(dialect))
    names, first = next(rows, []), next(rows, [])
    return rows.line_num == 2 and len(first) == len(names) + 1 and len(names) > 1 and not first[-1]


def row_form(dialect: Dialect) -> dict[str, Any]:
    """Return what `csv.reader` has to know of how fields are written."""
    return {"delimiter": dialect.delimiter, "quotechar": dialect.quote}


def lines_above(text: str, dialect: Dialect) -> int:
    """Return how many lines stand above the header, where a file begins with this text."""
    return int(declared_delimiter(text) is not None) if dialect.header_row is None else dialect.header_row - 1


def skip_lines(text: str, count: int) -> str:
    """Return a text without its first lines, which may end in any way."""
    ends = [match.end() for match in islice(_LINE_END.finditer(text), count)]
    return text if not count else text[ends[-1] :] if len(ends) == count else ""


def read_start(file: Path, dialect: Dialect) -> str:
    """Return the beginning of a file as text; bytes that are no text are replaced by a sign."""
    with open_bytes(file, dialect) as stream:
        start = stream.read(_HEADER_BYTES)
    return decode_start(start, dialect.encoding, whole=len(start) < _HEADER_BYTES, errors="replace")


def declared_delimiter(text: str) -> str | None:
    """Return the sign between fields that a first line `sep=;` declares, as Excel writes and reads it; None without such a line."""
    match = _DECLARATION.match(text)
    return match[1] if match else None


def decode_start(start: bytes, encoding: str, *, whole: bool, errors: str = "strict") -> str:
    """Return the beginning of a file as text, without a byte order mark. Its end may cut a character, if it is not `whole`."""
    encoding = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    return codecs.getincrementaldecoder(encoding)(errors).decode(start, final=whole)


def find_undecodable(file: Path, dialect: Dialect) -> tuple[int, bytes] | None:
    """Return number and bytes of the first line that is not text in the encoding, and of what follows it; None if all is text."""
    decoder, row = codecs.getincrementaldecoder(dialect.encoding)(), 1
    with open_bytes(file, dialect) as stream:
        while block := stream.read(_BLOCK):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                begin = error.object.rfind(b"\n", 0, error.start) + 1
                return row + error.object.count(b"\n", 0, error.start), error.object[begin : begin + _HEADER_BYTES]
            except UnicodeError:  # such as UTF-16 without its mark
                return row, block[:_HEADER_BYTES]
            row += block.count(b"\n")
    return None


def encoding_error(file: Path, dialect: Dialect, where: str, row: int, line: bytes) -> DataError:
    """Return the error for a row that is not text in the encoding."""
    with open_bytes(file, dialect) as stream:
        start = stream.read(2)
    if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return DataError(
            f"{where}: '{file.name}' is not text in {dialect.encoding}: it begins with the byte order mark of UTF-16",
            hint=_encoding_hint(where, dialect, f"write {where}.encoding: utf-16"),
        )
    shown = line.partition(b"\n")[0].decode(_SHOWN_AS, errors="replace").strip()[:80]
    return DataError(
        f"{where}: '{file.name}' row {row} is not text in {dialect.encoding}: '{shown}'",
        hint=_encoding_hint(where, dialect, f"write its encoding as {where}.encoding, such as cp1252"),
    )


def _encoding_hint(where: str, dialect: Dialect, key: str) -> str:
    """Return what to do with a text in another encoding: write the key, unless it is a table of orders, which has none."""
    if where.startswith("inventory."):
        return f"such a table is written as dataset.source is; save it in {dialect.encoding}, or as a workbook (xlsx)"
    return f"{key}, or save it in UTF-8"
