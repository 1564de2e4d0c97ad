"""Finds out how an unknown file is written: format, compression, encoding, delimiter. Each finding has its reason.

Only `mlspec init` looks: what is found is written into the spec.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlspec.errors import DataError
from mlspec.forecast.reading.csv_text import declared_delimiter, decode_start, find_undecodable, open_bytes
from mlspec.forecast.reading.dialect import PLAIN, Dialect
from mlspec.spec.fields import Compression, TableFormat
from mlspec.spec.table_files import NAMES, named_compression, named_format

DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
_SAMPLE_BYTES, _SAMPLE_LINES = 2**18, 200
_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
# Encodings that are tried where a file is not UTF-8, the most frequent first, and letters that people write.
_ENCODINGS = ("cp1252", "cp850", "mac_roman")
_LETTERS = frozenset("áàâãäåçéèêëíìîïñóòôõöøúùûüÁÀÂÃÄÅÇÉÈÊËÍÌÎÏÑÓÒÔÕÖØÚÙÛÜßªº°ÿýœŒ–—‘’“”…€£ ")
_BEGINNINGS: tuple[tuple[bytes, TableFormat | Compression], ...] = (
    (b"PAR1", "parquet"), (b"PK\x03\x04", "xlsx"), (b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"),
)  # fmt: skip


@dataclass(frozen=True)
class Detected:
    """How a file is written, and why: a sentence for each key of the dialect that is not what a spec leaves out."""

    dialect: Dialect
    reasons: Mapping[str, str] = field(default_factory=dict)

    def add(self, key: str, value: str | None, reason: str) -> Detected:
        """Return the finding with one more key."""
        return Detected(replace(self.dialect, **{key: value}), {**self.reasons, key: reason})  # type: ignore[arg-type]


def detect_layout(file: Path, words: Mapping[str, str]) -> Detected:
    """Return how a file is written, without numbers and dates. `words` are the user's own choices, by key. Raises DataError."""
    detected = _detect_format(file)
    for key, value in words.items():
        detected = detected.add(key, value, "named by the caller")
    table_format = detected.dialect.format_of(file)
    if table_format == "xlsx" and "sheet" not in words:
        return _detect_sheet(file, detected)
    if table_format != "csv":
        return detected
    if "encoding" not in words:
        detected = _detect_encoding(file, detected)
    return detected if "delimiter" in words else _detect_delimiter(file, detected)


def _detect_format(file: Path) -> Detected:
    """Return format and compression where the name does not say them. A name that says another one than the bytes is refused."""
    if file.is_dir():
        return Detected(PLAIN).add("format", "parquet", "a folder of Parquet files")
    with file.open("rb") as stream:
        start = stream.read(8)
    found = next((kind for begin, kind in _BEGINNINGS if start.startswith(begin)), "csv")
    compressed = found in ("gzip", "zstd")
    table_format = "csv" if compressed else found
    named = named_format(file.name)
    if named is not None and named != table_format and start:
        raise DataError(
            f"{file.name} is named as {named}, and holds {found}", hint=f"give it a name that ends in {NAMES}"
        )
    detected = Detected(PLAIN)
    if named is None:
        detected = detected.add("format", table_format, "the file's name does not say its format")
    if compressed and named_compression(file.name) != found:
        detected = detected.add("compression", found, "the file begins as such a file does")
    return detected


def _detect_sheet(file: Path, detected: Detected) -> Detected:
    from mlspec.forecast.reading.excel_file import sheets_with_tables  # few read Excel's files

    names = sheets_with_tables(file)
    if not names:
        raise DataError(f"{file.name} has no sheet with a header of two or more columns", hint="is it the right file?")
    others = (
        f" of {len(names)} with a table: {', '.join(names[:10])}; --sheet names another"
        if len(names) > 1
        else " with a table"
    )
    return detected.add("sheet", names[0], f"the first sheet{others}")


def _detect_encoding(file: Path, detected: Detected) -> Detected:
    with open_bytes(file, detected.dialect) as stream:
        start = stream.read(4)
    mark = next((encoding for mark, encoding in _MARKS if start.startswith(mark)), None)
    if mark == "utf-16":
        return detected.add("encoding", mark, "the file begins with the byte order mark of UTF-16")
    odd = find_undecodable(file, detected.dialect)
    if odd is None:
        return detected
    row, line = odd
    scores = {encoding: _count_odd_letters(line, encoding) for encoding in _ENCODINGS}
    encoding = min(scores, key=lambda name: scores[name])  # the first of the best
    shown = line.decode(encoding, errors="replace").partition("\n")[0].strip()[:60]
    return detected.add("encoding", encoding, f"row {row} is not UTF-8; it is text in {encoding}: '{shown}'")


def _count_odd_letters(line: bytes, encoding: str) -> int:
    """Return how many characters beyond ASCII are none that people write, if the bytes are text in this encoding."""
    text = line.decode(encoding, errors="replace")
    return sum(1 for char in text if ord(char) > 127 and char not in _LETTERS)


def _detect_delimiter(file: Path, detected: Detected) -> Detected:
    lines = sample_lines(file, detected.dialect)
    declared = declared_delimiter(lines)
    if declared is not None:
        return detected.add("delimiter", declared, f"the first line is sep={declared}")
    fits = {delimiter: _fit(lines, delimiter) for delimiter in DELIMITERS}
    best = max(fits, key=lambda delimiter: fits[delimiter])
    share, count = fits[best]
    if count < 2:
        raise DataError(
            f"{file.name} has no header of two or more columns: no sign separates its fields",
            hint="name the sign with --delimiter, or is it another kind of file?",
        )
    if best == PLAIN.delimiter:
        return detected
    rows = "every line has" if share == 1 else f"{share:.0%} of the first {len(lines):,} lines have"
    return detected.add("delimiter", best, f"{rows} {count} fields with {DELIMITERS[best]} between them")


def sample_lines(file: Path, dialect: Dialect) -> str:
    """Return the text of the first lines of a file. Raises DataError if it is not text."""
    with open_bytes(file, dialect) as stream:
        start = stream.read(_SAMPLE_BYTES)
    try:
        text = decode_start(start, dialect.encoding, whole=len(start) < _SAMPLE_BYTES)
    except UnicodeError as error:
        hint = "name its encoding with --encoding, such as cp1252"
        raise DataError(f"{file.name} is not text in {dialect.encoding}: {error}", hint=hint) from error
    if len(start) == _SAMPLE_BYTES:
        text = text[: text.rfind("\n") + 1] or text
    return text


def _fit(text: str, delimiter: str) -> tuple[float, int]:
    """Return the share of lines with as many fields as the header, and that number."""
    reader, counts = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), list[int]()
    with suppress(csv.Error):  # such as a line that is too long: what comes before it counts
        counts += (len(row) for _, row in zip(range(_SAMPLE_LINES), reader, strict=False) if row)
    if not counts or counts[0] < 2:
        return 0.0, 1
    return sum(count == counts[0] for count in counts) / len(counts), counts[0]
