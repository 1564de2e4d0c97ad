"""Reads the days of events that are in files, judges them, and says where such a file ends too early.

A file has a column `date`, or `start` and `end`, and may have a column `event`. One row is one day, or all days from the first to
the last one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pandas as pd

from mlspec.errors import DataError
from mlspec.forecast.contract import CheckResult
from mlspec.forecast.frame import describe_series
from mlspec.forecast.reading.column import as_text
from mlspec.forecast.reading.dialect import Dialect, file_dialect
from mlspec.forecast.reading.header import explain_names
from mlspec.forecast.reading.table import Table, file_columns, read_table
from mlspec.forecast.reading.times import parse_times
from mlspec.forecast.row_facts import EXAMPLES
from mlspec.forecast.source import local_files, source_folder
from mlspec.spec.data_files import EventFile
from mlspec.spec.dataset import EVENTS, Dataset
from mlspec.spec.days import LONGEST_EVENT

CHECK = "events"
EVENT = "event"
# What a column holds, by its name; upper and lower case are the same.
_MEANINGS = {
    "event": "event", "evento": "event", "date": "date", "data": "date", "start": "start", "início": "start", "inicio": "start",
    "end": "end", "fim": "end",
}  # fmt: skip
_FORMS = ({"date"}, {"start", "end"})  # the columns of days that a file may have
_HINT = (
    "write the columns date, or start and end, and event if the file holds several events; or data, início, fim, evento. "
    "Days are of all series: what is of single ones, such as a product's promotion, is a known covariate"
)


@dataclass(frozen=True)
class EventDays:
    """The days of the events that files hold.

    `days`: those of each covariate, sorted. `ends`: the last day of each file, with the covariates that it is read for.
    `unused`: events of the files that no covariate is named for. `problems`: what cannot be used, a sentence each.
    """

    days: Mapping[str, tuple[date, ...]] = field(default_factory=dict)
    ends: Mapping[tuple[str, ...], date] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def read_event_files(dataset: Dataset, root: Path) -> EventDays:
    """Read the days of events that are in files. Raises DataError if a file cannot be read, is empty or has other columns."""
    found = EventDays()
    for table in dict.fromkeys(file.table for file in dataset.covariates.event_files.values()):
        found = _join(found, _read_table_days(dataset, table, root))
    return found


def _join(first: EventDays, second: EventDays) -> EventDays:
    return EventDays(
        {**first.days, **second.days},
        {**first.ends, **second.ends},
        (*first.unused, *second.unused),
        (*first.problems, *second.problems),
    )


def _read_table_days(dataset: Dataset, table: EventFile, root: Path) -> EventDays:
    """Return the days of the events that are read from one table."""
    files = {name: file for name, file in dataset.covariates.event_files.items() if file.table == table}
    key = f"{EVENTS}.{next(iter(files))}"
    rows, problems = _read_rows(table, file_dialect(dataset.source, table), root, key, dataset.timezone)
    events = list(dict.fromkeys(rows[EVENT])) if EVENT in rows else _refuse_unnamed(files, table.uri, key)
    meant = {name: file.event or name for name, file in files.items()}
    days = {name: _days_of(rows[rows[EVENT] == event] if EVENT in rows else rows) for name, event in meant.items()}
    problems += [] if EVENT not in rows else _describe_absent(meant, events, table.uri)
    ends = {} if rows.empty else {tuple(meant): rows["end"].max().date()}
    return EventDays(days, ends, tuple(event for event in events if event not in meant.values()), tuple(problems))


def _refuse_unnamed(files: Mapping[str, EventFile], uri: str, key: str) -> list[str]:
    """Return no events: the file names none. Raises DataError if the spec tells events of it apart."""
    if len(files) > 1 or any(file.event is not None for file in files.values()):
        raise DataError(
            f"{key}: '{Path(uri).name}' has no column event, and the spec names events in it",
            hint="add the column, or give each event a file of its own",
        )
    return []


def _describe_absent(meant: Mapping[str, str], events: Sequence[str], uri: str) -> list[str]:
    """Return a sentence for each event of the spec that no row of its file names."""
    there = f"its events are {_join_names(events)}" if events else "no row of it can be used"
    return [
        f"{Path(uri).name}: no row names the event '{event}', and {there}: {EVENTS}.{name}.event says which is meant"
        for name, event in meant.items()
        if event not in events
    ]


def _days_of(rows: pd.DataFrame) -> tuple[date, ...]:
    spans = zip(rows["start"], rows["end"], strict=True)
    return tuple(sorted({day.date() for first, last in spans for day in pd.date_range(first, last)}))


def _read_rows(
    table: EventFile, dialect: Dialect, root: Path, key: str, zone: str | None
) -> tuple[pd.DataFrame, list[str]]:
    """Return start, end and, if the files have it, event of each row that can be used, and a sentence for each that cannot."""
    if source_folder(table.uri, root) is not None:
        raise DataError(f"{key}: '{table.uri}' is a folder", hint="name its files, such as data/events/*.parquet")
    frames, problems = list[pd.DataFrame](), list[str]()
    for file in local_files(table.uri, root, key, dialect):
        columns = _find_columns(file_columns(file, dialect, key), file, key)
        read = read_table([file], columns.values(), dialect, key)
        frame, wrong = _type_rows(read, columns, dialect, zone)
        if frame.empty and not wrong:
            raise DataError(
                f"{key}: '{file.name}' has no rows", hint="write a row for each time that the event takes place"
            )
        usable, beside = _judge_ranges(frame)
        frames.append(usable)
        problems += [text.replace("dataset.source.date_format", f"{key}.date_format") for text in (*wrong, *beside)]
    if len({EVENT in frame for frame in frames}) > 1:
        raise DataError(f"{key}: some files of '{table.uri}' have a column event, and others have none", hint=_HINT)
    return pd.concat(frames, ignore_index=True), problems


def _find_columns(header: Sequence[str], file: Path, key: str) -> dict[str, str]:
    """Return the columns of a file by what they hold. Raises DataError for other columns, and for those that are not there."""
    columns: dict[str, str] = {}
    for name in header:
        meaning = _MEANINGS.get(name.strip().lower())
        if meaning is None or meaning in columns:
            what = f"a column '{name[:80]}', which is unknown" if meaning is None else f"the column {meaning} twice"
            raise DataError(f"{key}: '{file.name}' has {what}", hint=_explain_columns(header, key))
        columns[meaning] = name
    if columns.keys() - {EVENT} not in _FORMS:
        listed = ", ".join(name[:80] for name in header)
        raise DataError(f"{key}: '{file.name}' does not say the days: its columns are {listed}", hint=_HINT)
    return columns


def _explain_columns(header: Sequence[str], key: str) -> str:
    """Return what to do about columns that are unknown."""
    delimiter = next((sign for sign in ";|\t" if len(header) == 1 and sign in header[0]), None)
    if delimiter is not None:
        return f"if '{delimiter}' stands between its columns, write delimiter: \"{delimiter}\" in {key}"
    return explain_names(header, key) or _HINT


def _type_rows(
    rows: Table, columns: Mapping[str, str], dialect: Dialect, zone: str | None
) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows that are not empty, and a sentence for each cell of them that cannot be used."""
    texts = pd.DataFrame(
        {meaning: as_text(rows.columns[name]).strings().str.strip() for meaning, name in columns.items()}
    )
    filled = (texts != "").any(axis=1)
    frame, problems = rows.origin.copy(), [f"{row.file} row {row.row}: {row.problem}" for row in rows.ragged]
    for meaning, name in columns.items():
        frame[meaning], wrong = _parse_column(rows, meaning, name, texts[meaning], dialect, zone)
        # An empty line is no row, and an event of one day needs no end.
        needed = filled & (texts[meaning] != "") if meaning == "end" else filled
        problems += rows.describe_cells(name, wrong[needed[wrong.index]])
    if "end" in texts:
        frame["end"] = frame["end"].where(texts["end"] != "", frame["start"])
    else:
        frame["start"] = frame["end"] = frame.pop("date")
    return frame[filled], problems


def _parse_column(
    rows: Table, meaning: str, name: str, texts: pd.Series, dialect: Dialect, zone: str | None
) -> tuple[pd.Series, pd.Series]:
    """Return the values of a column, empty where there is none, and the reason of each cell that cannot be used."""
    if meaning == EVENT:
        empty = texts.index[texts == ""]
        return texts.where(texts != "", None), pd.Series("names no event", index=empty, dtype=object)
    parsed = parse_times(rows.columns[name], dialect, zone)
    return parsed.values.dt.normalize(), parsed.problems


def _judge_ranges(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows whose days can be used, and a sentence for each other range of days."""
    rows = frame.dropna()
    backwards, long = rows["end"] < rows["start"], rows["end"] - rows["start"] > LONGEST_EVENT
    problems = [
        f"{row.file} row {row.row}: "
        + (
            f"end {row.end:%Y-%m-%d} is before start {row.start:%Y-%m-%d}"
            if row.end < row.start
            else f"{row.start:%Y-%m-%d} to {row.end:%Y-%m-%d} is more than a year, which tells a model nothing"
        )
        for row in rows[backwards | long].itertuples()
    ]
    return rows[~(backwards | long)], problems


def judge_event_days(found: EventDays) -> CheckResult:
    """Return whether all rows of the files of events can be used."""
    if not found.problems:
        return CheckResult(CHECK, True, f"the days of {_join_names(list(found.days))} can be read")
    many = len(found.problems)
    message = f"{many:,} {'place' if many == 1 else 'places'} in files of events cannot be used"
    return CheckResult(CHECK, False, message, many, list(found.problems[:EXAMPLES]))


def event_notes(found: EventDays, history: tuple[date, date], horizon: date) -> tuple[str, ...]:
    """Return sentences on files that end before the horizon does, and on events that nobody uses or can learn from.

    `history`: its first and its last day; `horizon`: its last day. Files that cannot be used have no such sentence.
    """
    if found.problems:
        return ()
    ended = [
        f"the file of {_join_names(names)} ends on {last}, and the horizon on {horizon}: the forecast expects no such event after "
        "the file's end; add the next ones to it"
        for names, last in found.ends.items()
        if last < horizon
    ]
    never = [
        f"{name} has no day from {history[0]} to {history[1]}, where the history is: a model learns nothing about it"
        for name, days in found.days.items()
        if days and not any(history[0] <= day <= history[1] for day in days)
    ]
    unused = [f"no event of the spec names {_join_names(found.unused)} in its file: not used"] if found.unused else []
    return (*ended, *never, *unused)


def _join_names(names: Sequence[str]) -> str:
    return describe_series(list(names))
