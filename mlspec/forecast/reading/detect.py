"""Finds out how an unknown file is written: format, compression, encoding, delimiter. Each finding has its reason.

Only `mlspec init` looks: what is found is written into the spec.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mlspec.errors import DataError
from mlspec.forecast.reading.csv_text import declared_delimiter, decode_start, find_undecodable, open_bytes
from mlspec.forecast.reading.dialect import PLAIN, Dialect
from mlspec.forecast.reading.fixed_width import refuse_fixed_width
from mlspec.forecast.reading.header import find_header_row
from mlspec.spec.fields import Compression, TableFormat
from mlspec.spec.table_files import NAMES, WORKBOOKS, named_compression, named_format

if TYPE_CHECKING:
    from mlspec.forecast.reading.excel_file import SheetTable

Words = Mapping[str, str | int]  # what a person says of how a file is written, by key of `dataset.source`
DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
# Signs that stand in texts and times as well: they separate fields where every line says so, and no other sign does.
_RARE_DELIMITERS = {"^": "a caret", "~": "a tilde", ":": "a colon", " ": "a space"}
_CONTROL = re.compile(r"[\x01-\x08\x0e-\x1f]")
_QUOTED = re.compile(r"(?:^|[,;|\t])'[^'\r\n]*'(?=$|[,;|\t\r])", re.MULTILINE)
_WHY_HEADER = "the first row that fills as many columns as the rows below it"
_SAMPLE_BYTES, _SAMPLE_LINES = 2**18, 200
_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
# Encodings that are tried where a file is not UTF-8, the most frequent first, and letters that people write.
_ENCODINGS = ("cp1252", "cp850", "mac_roman")
_NUL_BYTES, _NULS = 512, (("utf-16-le", 1), ("utf-16-be", 0))  # where letters of ASCII have a byte that is 0
_RARE, _RARE_LETTERS = 0.1, frozenset("ìîïåøýÿœÌÎÏÅØŒ")  # a file that has these is rather one in another encoding
_LETTERS = frozenset("áàâãäåçéèêëíìîïñóòôõöøúùûüÁÀÂÃÄÅÇÉÈÊËÍÌÎÏÑÓÒÔÕÖØÚÙÛÜßªº°ÿýœŒ–—‘’“”…€£ ")
_BEGINNINGS: tuple[tuple[bytes, TableFormat | Compression], ...] = (
    (b"PAR1", "parquet"), (b"\xd0\xcf\x11\xe0", "xls"), (b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"),
)  # fmt: skip
_ARCHIVE = b"PK\x03\x04"
# What workbooks hold, by format, among other files of the archive that they are.
_PARTS: tuple[tuple[str, TableFormat], ...] = (
    ("xl/workbook.xml", "xlsx"), ("xl/workbook.bin", "xlsb"), ("content.xml", "ods"),
)  # fmt: skip
# How files begin that hold tables and are not read.
_FOREIGN: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\s*<(!doctype|html|table|\?xml|meta)", re.IGNORECASE), "a web page or XML"),
    (re.compile(rb'\s*(\{\s*"|\[\s*[{\[])'), "JSON"), (re.compile(b"ARROW1"), "Arrow or Feather"), (re.compile(b"ORC"), "ORC"),
    (re.compile(b"%PDF"), "PDF"), (re.compile(b"SQLite format 3"), "SQLite"), (re.compile(b"Rar!|7z\xbc\xaf"), "an archive"),
)  # fmt: skip


@dataclass(frozen=True)
class Detected:
    """How a file is written, and why: a sentence for each key of the dialect that is not what a spec leaves out."""

    dialect: Dialect
    reasons: Mapping[str, str] = field(default_factory=dict)

    def add(self, key: str, value: str | int | None, reason: str) -> Detected:
        """Return the finding with one more key."""
        return Detected(replace(self.dialect, **{key: value}), {**self.reasons, key: reason})  # type: ignore[arg-type]


def detect_layout(file: Path, words: Words) -> Detected:
    """Return how a file is written, without numbers and dates. `words` are the user's own choices, by key. Raises DataError."""
    detected = _detect_format(file)
    for key, value in words.items():
        detected = detected.add(key, value, "named by the caller")
    table_format = detected.dialect.format_of(file)
    if table_format in WORKBOOKS:
        return _detect_sheet(file, detected, words)
    if table_format != "csv":
        return detected
    if detected.dialect.compression_of(file) is not None:
        _refuse_packed(file, detected.dialect)
    if "encoding" not in words:
        detected = _detect_encoding(file, detected)
    lines = sample_lines(file, detected.dialect)
    if "quote" not in words:
        detected = _detect_quote(detected, lines)
    if "delimiter" not in words:
        detected = _detect_delimiter(file, detected, lines)
    return detected if "header_row" in words else _detect_header(detected, lines)


def _detect_format(file: Path) -> Detected:
    """Return format and compression where the name does not say them. A name that says another one than the bytes is refused."""
    if file.is_dir():
        return Detected(PLAIN).add("format", "parquet", "a folder of Parquet files")
    with file.open("rb") as stream:
        start = stream.read(512)
    _refuse_foreign(file, start)
    found = _detect_archive(file) if start.startswith(_ARCHIVE) else _kind_of(start)
    compressed = found in ("gzip", "zstd", "zip")
    table_format = "csv" if compressed else found
    named = named_format(file.name)
    if named == "xls" and table_format == "csv":
        return Detected(PLAIN).add("format", "csv", "the file is named as xls, and holds text")
    if named is not None and named != table_format:
        raise DataError(
            f"{file.name} is named as {named}, and holds {found}", hint=f"give it a name that ends in {NAMES}"
        )
    detected = Detected(PLAIN)
    if named is None:
        detected = detected.add("format", table_format, "the file's name does not say its format")
    if compressed and named_compression(file.name) != found:
        detected = detected.add("compression", found, "the file begins as such a file does")
    return detected


def _kind_of(start: bytes) -> TableFormat | Compression:
    return next((kind for begin, kind in _BEGINNINGS if start.startswith(begin)), "csv")


def _detect_archive(file: Path) -> TableFormat | Compression:
    """Return which kind of workbook an archive is, or that it is one of other files."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
    except zipfile.BadZipFile as error:
        raise DataError(f"{file.name} cannot be read: it is truncated", hint="write it or copy it again") from error
    return next((table_format for part, table_format in _PARTS if part in names), "zip")


def _refuse_foreign(file: Path, start: bytes) -> None:
    if not start.strip():
        raise DataError(f"{file.name} is empty", hint="it must hold a line of column names, and rows below it")
    kind = next((kind for pattern, kind in _FOREIGN if pattern.match(start)), None)
    if kind is not None:
        raise DataError(
            f"{file.name} holds {kind}, which is not read",
            hint="save it as CSV, Parquet or xlsx, such as with a spreadsheet program",
        )


def _refuse_packed(file: Path, dialect: Dialect) -> None:
    """Raise DataError if a compressed file holds something else than text."""
    with open_bytes(file, dialect) as stream:
        start = stream.read(512)
    _refuse_foreign(file, start)
    if start.startswith(_ARCHIVE) or _kind_of(start) != "csv":
        raise DataError(
            f"{file.name} holds a file that is not CSV", hint="unpack it: only CSV is read from such a file"
        )


def _detect_sheet(file: Path, detected: Detected, words: Words) -> Detected:
    from mlspec.forecast.reading.excel_file import sheets_with_tables  # few read workbooks

    tables = sheets_with_tables(file)
    if "sheet" in words:
        named = next((table for table in tables if table.name == words["sheet"]), None)
        return _add_sheet_header(detected, named, words) if named else detected
    if not tables:
        raise DataError(
            f"{file.name} has no sheet with a header of two or more columns and two or more rows below it",
            hint="is it the right file? --sheet names a sheet, and --header-row the row of the columns' names. If formulas fill "
            "columns, open it in a spreadsheet program and save it, so that it holds their results",
        )
    names = [table.name for table in tables]
    others = (
        f" of {len(names)} with a table: {', '.join(names[:10])}; --sheet names another"
        if len(names) > 1
        else " with a table"
    )
    return _add_sheet_header(detected.add("sheet", names[0], f"the first sheet{others}"), tables[0], words)


def _add_sheet_header(detected: Detected, table: SheetTable, words: Words) -> Detected:
    if "header_row" in words or table.header_row == table.first_row:
        return detected
    return detected.add("header_row", table.header_row, _WHY_HEADER)


def _detect_encoding(file: Path, detected: Detected) -> Detected:
    with open_bytes(file, detected.dialect) as stream:
        start = stream.read(_NUL_BYTES)
    mark = next((encoding for mark, encoding in _MARKS if start.startswith(mark)), None)
    if mark == "utf-16":
        return detected.add("encoding", mark, "the file begins with the byte order mark of UTF-16")
    half = next((encoding for encoding, nul in _NULS if start[nul::2].count(0) > len(start) / 4), None)
    if half is not None:
        return detected.add("encoding", half, "every second byte is 0, as in UTF-16 without a byte order mark")
    odd = find_undecodable(file, detected.dialect)
    if odd is None:
        return detected
    row, line = odd
    scores = {encoding: _count_odd_letters(line, encoding) for encoding in _ENCODINGS}
    encoding = min(scores, key=lambda name: scores[name])  # the first of the best
    shown = line.decode(encoding, errors="replace").partition("\n")[0].strip()[:60]
    return detected.add("encoding", encoding, f"row {row} is not UTF-8; it is text in {encoding}: '{shown}'")


def _count_odd_letters(line: bytes, encoding: str) -> float:
    """Return how many characters beyond ASCII are none that people write, if the bytes are text in this encoding."""
    text = line.decode(encoding, errors="replace")
    return sum(
        _RARE if char in _RARE_LETTERS else 1.0
        for char in text
        if ord(char) > 127 and (char not in _LETTERS or char in _RARE_LETTERS)
    )


def _detect_delimiter(file: Path, detected: Detected, lines: str) -> Detected:
    declared = declared_delimiter(lines)
    if declared is not None:
        return detected.add("delimiter", declared, f"the first line is sep={declared}")
    refuse_fixed_width(file, lines)
    fits = {delimiter: _fit(lines, delimiter, detected.dialect.quote) for delimiter in DELIMITERS | _RARE_DELIMITERS}
    usual = max(DELIMITERS, key=lambda delimiter: fits[delimiter])
    rare = max(_RARE_DELIMITERS, key=lambda delimiter: fits[delimiter])
    header = next((line for line in lines.splitlines() if line.strip()), "")
    best = rare if fits[rare][0] == 1 and usual not in header else usual  # a comma may be in numbers alone
    share, count = fits[best]
    if count < 2 or (best not in header and _CONTROL.search(header)):
        raise _no_delimiter(file, header)
    if best == PLAIN.delimiter:
        return detected
    rows = "every line has" if share == 1 else f"{share:.0%} of the first lines have"
    sign = (DELIMITERS | _RARE_DELIMITERS)[best]
    return detected.add("delimiter", best, f"{rows} {count} fields with {sign} between them")


def _no_delimiter(file: Path, header: str) -> DataError:
    message = f"{file.name} has no header of two or more columns: no sign separates its fields"
    control = _CONTROL.search(header)
    if control is not None:
        return DataError(
            f"{message} but the control character {control[0]!r}",
            hint=f"put another sign in its place, such as with tr '\\{ord(control[0]):03o}' ';'",
        )
    return DataError(message, hint="name the sign with --delimiter, or is it another kind of file?")


def _detect_quote(detected: Detected, lines: str) -> Detected:
    """Return the finding with single quotes around fields, if most of the first lines have such fields."""
    rows = [line for line in lines.splitlines()[:_SAMPLE_LINES] if line.strip()]
    quoted = [match[0] for match in map(_QUOTED.search, rows) if match]
    if not rows or len(quoted) < len(rows) / 2:
        return detected
    return detected.add("quote", "'", f"fields stand in single quotes, such as {quoted[-1].lstrip(',;|')}")


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


def _fit(text: str, delimiter: str, quote: str) -> tuple[float, int]:
    """Return the share of lines with as many fields as most lines, and that number. There may be titles above the table."""
    counts = [len(row) for _, row in _read_rows(text, delimiter, quote) if row]
    usual, lines = (
        Counter(count for count in counts if count > 1).most_common(1)[0] if max(counts, default=0) > 1 else (1, 0)
    )
    return (lines / len(counts) if lines else 0.0), usual


def _read_rows(text: str, delimiter: str, quote: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the first rows of a text, each with the number of the line on which it begins."""
    reader, line = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote), 1
    with suppress(csv.Error):  # such as a line that is too long: what comes before it counts
        for row in islice(reader, _SAMPLE_LINES):
            yield line, row
            line = reader.line_num + 1


def _detect_header(detected: Detected, lines: str) -> Detected:
    """Return the finding with the row of the header, if that is not the first line below one that declares the delimiter."""
    rows = list(_read_rows(lines, detected.dialect.delimiter, detected.dialect.quote))
    above = int(declared_delimiter(lines) is not None)
    place = find_header_row([row for _, row in rows[above:]]) + above
    return detected if place <= above else detected.add("header_row", rows[place][0], _WHY_HEADER)
