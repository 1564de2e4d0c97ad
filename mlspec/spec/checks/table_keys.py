"""Checks of the keys that say how the table of a file is written: of `dataset.source`, `dataset.future` and files of events."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from mlspec.spec.data_files import Future, TableFile
from mlspec.spec.dataset import Source
from mlspec.spec.faults import Path, Problem, did_you_mean
from mlspec.spec.forecast import Forecast
from mlspec.spec.table_files import TABLE_KEYS, named_format

DATE_FORMS = ("iso", "iso-week", "yyyymm", "yyyymmdd", "quarter", "excel", "epoch", "epoch-ms")
_DIRECTIVES = "aAbBdfGHIjmMpSuVyYz%"
# Parts of a date as spreadsheet programs write them, also in Portuguese, Spanish, French and German: dd/mm/aaaa, TT.MM.JJJJ.
_SPREADSHEET_PARTS = {
    "dd": "%d", "d": "%d", "tt": "%d", "jj": "%d", "mmmm": "%b", "mmm": "%b", "mm": "%m", "m": "%m",
    "aaaa": "%Y", "yyyy": "%Y", "jjjj": "%Y", "aa": "%y", "yy": "%y", "hh": "%H", "h": "%H", "ss": "%S",
}  # fmt: skip
_SPREADSHEET_FORM = re.compile("|".join(sorted(_SPREADSHEET_PARTS, key=len, reverse=True)))
# Encodings of Python that are no encodings of text files.
_NO_TEXT = ("idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7", "mbcs", "oem")


def check_source_keys(forecast: Forecast) -> Iterator[Problem]:
    """The keys of the source fit its format and one another. A source in BigQuery has none: its columns have types."""
    yield from _check_keys(forecast.dataset.source, ("dataset", "source"))


def check_layout(forecast: Forecast) -> Iterator[Problem]:
    """A wide table is a file, and its cells hold the target alone."""
    dataset, path = forecast.dataset, ("dataset", "source", "layout")
    if dataset.source.layout == "long":
        return
    if dataset.source.uri is None or dataset.source.uri.startswith("bq://"):
        yield Problem(path, "table-key", "it is for files", "write dataset.source.query with UNPIVOT")
    if dataset.available is not None:
        message = f"a wide table has one value for each series and period: it cannot hold '{dataset.available}', too"
        yield Problem(("dataset", "available"), "table-key", message, "write the table long, or remove this")
    for kind in ("known", "past"):
        names: tuple[str, ...] = getattr(dataset.covariates, kind)
        if names:
            message = f"a wide table has one value for each series and period: it cannot hold '{names[0]}', too"
            yield Problem(
                ("dataset", "covariates", kind), "table-key", message, "write the table long, or remove these"
            )


def check_plan_keys(forecast: Forecast) -> Iterator[Problem]:
    """The keys of the plan of known covariates fit its format and one another."""
    if forecast.dataset.future is not None:
        yield from _check_keys(forecast.dataset.future, ("dataset", "future"))


def check_event_keys(forecast: Forecast) -> Iterator[Problem]:
    """The keys of a file of events fit its format and one another."""
    for name, file in forecast.dataset.covariates.event_files.items():
        yield from _check_keys(file, ("dataset", "covariates", "events", name))


def _check_keys(part: Source | TableFile, path: Path) -> Iterator[Problem]:
    fields = type(part).model_fields
    written = [key for key in TABLE_KEYS if key in fields and getattr(part, key) != fields[key].default]
    if part.uri is None or part.uri.startswith("bq://"):
        for key in written:
            message = "it is for files: BigQuery's columns have types, and a query says what they hold"
            yield Problem((*path, key), "table-key", message, "remove it, or convert the column in a query")
        return
    table_format = part.format or named_format(part.uri) or "csv"
    for key in written:
        if table_format not in TABLE_KEYS[key]:
            *others, last = TABLE_KEYS[key]
            formats = f"{', '.join(others)} and {last}" if others else last
            message = f"it is for {formats} files, and this one is {table_format}"
            yield Problem((*path, key), "table-key", message, "remove it, or correct format")
    if isinstance(part, Source | Future) and part.thousands is not None and part.thousands == part.decimal:
        message = f"'{part.thousands}' cannot be before decimals and between thousands"
        yield Problem((*path, "thousands"), "table-key", message, "correct one of decimal and thousands")
    for problem in value_problems({"encoding": part.encoding, "date_format": part.date_format}):
        yield replace(problem, path=(*path, *problem.path))


def value_problems(words: Mapping[str, str | None]) -> Iterator[Problem]:
    """Yield what is wrong with an encoding and a form of dates, by key."""
    encoding, date_format = words.get("encoding"), words.get("date_format")
    if encoding is not None:
        yield from _check_encoding(encoding, ("encoding",))
    if date_format is not None:
        yield from _check_date_format(date_format, ("date_format",))


def _check_encoding(name: str, path: Path) -> Iterator[Problem]:
    try:
        known = codecs.lookup(name).name
        text = "a".encode(known).decode(known) == "a" and known not in _NO_TEXT
    except (LookupError, UnicodeError, ValueError, TypeError, AttributeError):
        text = False
    if not text:
        near = did_you_mean(name, ("utf-8", "utf-16", "cp1252", "cp850", "iso-8859-1", "iso-8859-15"))
        yield Problem(path, "encoding", f"'{name}' is not an encoding of text", near or "such as utf-8 or cp1252")


def _check_date_format(form: str, path: Path) -> Iterator[Problem]:
    if form in DATE_FORMS:
        return
    directives = re.findall("%(.?)", form)
    unknown = next((sign for sign in directives if not sign or sign not in _DIRECTIVES), None)
    hint = f"one of {', '.join(DATE_FORMS)}, or a format such as '%d/%m/%Y'"
    if not directives:
        yield Problem(
            path,
            "date-format",
            f"'{form}' is neither a named form nor a format",
            _suggest_directives(form) or did_you_mean(form, DATE_FORMS) or hint,
        )
    elif unknown is not None:
        yield Problem(path, "date-format", f"'%{unknown}' is not a part of a date", hint)
    elif not {"Y", "y", "G"} & set(directives):
        yield Problem(path, "date-format", f"'{form}' has no year", hint)


def _suggest_directives(form: str) -> str | None:
    """Return what to write for a form such as dd/mm/aaaa; None if a part of it is none of a date. `mm` after hours is minutes."""
    lower = form.lower()
    if re.search(r"[^\W\d_]", _SPREADSHEET_FORM.sub("", lower)) or not _SPREADSHEET_FORM.search(lower):
        return None
    written = _SPREADSHEET_FORM.sub(lambda part: _SPREADSHEET_PARTS[part[0]], lower)
    return f"write '{re.sub(r'(?<=%H:)%m', '%M', written)}'"
