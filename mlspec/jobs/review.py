"""Reads the data of a spec, for `mlspec validate --data`: columns that are missing, cells that cannot be read, and two readings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mlspec.errors import DataError
from mlspec.forecast.contract import judge_contract
from mlspec.forecast.event_files import CHECK as EVENT_CHECK
from mlspec.forecast.event_files import EventDays, judge_event_days, read_event_files
from mlspec.forecast.load import TypedRows, load_future, load_history, read_plan
from mlspec.forecast.named_days import public_holidays
from mlspec.forecast.reading.column import TextColumn
from mlspec.forecast.reading.dialect import Dialect, plan_dialect, source_dialect, table_dialect
from mlspec.forecast.reading.evidence import DATE_FORMS, DIGIT_FORMS, DoubtfulCells, weigh_dates, weigh_numbers
from mlspec.forecast.reading.header import explain_names
from mlspec.forecast.reading.numbers import NOTATIONS
from mlspec.forecast.reading.table import Table, file_columns, join_columns
from mlspec.forecast.sample import as_amounts
from mlspec.forecast.segment_notes import list_segments, segment_notes
from mlspec.forecast.source import local_files, read_history, source_folder
from mlspec.forecast.stock.term_columns import CHECK as STOCK_CHECK
from mlspec.forecast.stock.term_columns import SeriesTerms, judge_series_terms, read_series_terms, unknown_series_notes
from mlspec.jobs.evidence import gather_evidence, notes_on_events
from mlspec.source_files import partition_values
from mlspec.spec.data_files import Future
from mlspec.spec.dataset import EVENTS, Dataset
from mlspec.spec.faults import Path as Field
from mlspec.spec.faults import Problem, did_you_mean
from mlspec.spec.inventory import Inventory

_EVENTS: Field = tuple(EVENTS.split("."))
_HOLIDAYS = ("dataset.calendar.holidays", "dataset.covariates.holidays")
_SHOWN = 3  # cells of a column that are named
Roles = Sequence[tuple[Field, str]]  # the fields that name columns, each with the name


def review_data(
    dataset: Dataset, horizon: int, root: Path, history: Roles, plan: Roles, *, inventory: Inventory | None = None
) -> Iterator[Problem]:
    """Yield what is wrong with the files of a dataset. The roles: the fields that name columns of the history and of the plan.

    That is what the step `check` refuses, but for the age of the data, which a file alone does not tell.
    """
    files = {"source": (dataset.source.uri or "bq://", source_dialect(dataset.source), history)}
    if dataset.future is not None:
        files["future"] = (dataset.future.uri, plan_dialect(dataset), plan)
    local = {key: row for key, row in files.items() if "://" not in row[0]}
    try:
        missing = [problem for key, row in local.items() for problem in _missing_columns(f"dataset.{key}", *row, root)]
        missing += [problem for table in _term_roles(dataset, inventory) for problem in _missing_columns(*table, root)]
        yield from missing
        if missing or dataset.source.uri is None or any("://" in uri for uri in dataset.addresses):
            return
        if dataset.covariates.holidays is not None:
            public_holidays(dataset.covariates.holidays, _HOLIDAYS[1])  # raises DataError, as the step `check` would
        rows = load_history(dataset, root)
        yield from _bad_cells(rows, history, ("dataset", "source"))
        future = load_future(dataset, root, rows.kinds)
        if future is not None:
            yield from _bad_cells(future, plan, ("dataset", "future"))
        beside = _TablesBeside(_read_terms(dataset, inventory, root), read_event_files(dataset, root))
        yield from _broken_contract(dataset, horizon, rows, future, beside)
    except DataError as error:
        where, _, message = error.message.partition(": ")
        yield Problem(_field_of_error(where), "unreadable", message or error.message, error.hint)
        return
    yield from _doubts(dataset, root, history, plan)


def _field_of_error(where: str) -> Field:
    """Return the field of a file, from the words that begin the message of its error."""
    if where in _HOLIDAYS:
        return tuple(where.split("."))
    if where.startswith("inventory."):
        return (*where.split("."), "uri")
    if where.startswith(f"{EVENTS}."):
        return (*_EVENTS, where.removeprefix(f"{EVENTS}."), "uri")
    return ("dataset", "future" if where.startswith("dataset.future") else "source", "uri")


def _read_terms(dataset: Dataset, inventory: Inventory | None, root: Path) -> StockTerms | None:
    if inventory is None or not inventory.term_columns:
        return None
    return StockTerms(inventory, read_series_terms(dataset, inventory, root))


class StockTerms(NamedTuple):
    """What `inventory` says, and the terms of orders that it reads by series."""

    inventory: Inventory
    terms: SeriesTerms


class _TablesBeside(NamedTuple):
    """What is read beside the history and the plan: terms of orders, and the days of events."""

    stock: StockTerms | None
    events: EventDays


def _term_roles(dataset: Dataset, inventory: Inventory | None) -> Iterator[tuple[str, str, Dialect, Roles]]:
    """Yield each table of terms of orders: its field, its file, how it is written, and the fields that name its columns."""
    if inventory is None:
        return
    for table in inventory.term_tables:
        columns = [(column.path, column.column) for column in inventory.term_columns if column.uri == table.uri]
        series = [((*table.path[:2], "uri"), name) for name in dataset.series]
        yield ".".join(table.path[:2]), table.uri or "", table_dialect(dataset.source), [*series, *columns]


def _missing_columns(where: str, uri: str, dialect: Dialect, roles: Roles, root: Path) -> Iterator[Problem]:
    folder = source_folder(uri, root)
    for file in local_files(uri, root, where, dialect):
        columns = file_columns(file, dialect, where)
        if folder is not None:
            columns += partition_values(file.relative_to(folder).as_posix())
        for field, name in roles:
            if name not in columns and not (dialect.layout == "wide" and field[1] in ("time", "target")):
                message = f"{file.name} has no column '{name[:80]}'"
                yield Problem(
                    field, "no-such-column", message, explain_names(columns, where) or did_you_mean(name, columns)
                )


def _bad_cells(rows: TypedRows, roles: Roles, elsewhere: Field) -> Iterator[Problem]:
    """Yield one problem for each column with cells that cannot be read: the first of them, and how many there are."""
    fields = {name: field for field, name in roles}
    # In a wide file each period is a column, and none of them is a field: they have one problem together.
    for column, cells in rows.bad.groupby(rows.bad["column"].where(rows.bad["column"].isin(fields), ""), sort=False):
        cells = cells.drop_duplicates()  # noqa: PLW2901  (the name of a line of a wide table is in each of its rows)
        shown = "; ".join(_describe_cell(row, named=bool(column)) for row in cells.head(_SHOWN).to_dict("records"))
        more = f"; and {len(cells) - _SHOWN:,} more" if len(cells) > _SHOWN else ""
        yield Problem(
            fields.get(column, elsewhere),
            "unreadable-cell",
            f"{shown}{more}",
            "correct these cells in the file, or in dataset.source how it is written",
        )


# Cells that cannot be read have a problem each, and the age of the data is not of a file.
_NOT_OF_FILES = ("types", "freshness")
# The other checks of the contract, and the field of each.
_FIELD_OF_CHECK: dict[str, Field] = {
    "keys": ("dataset", "series"), "values": ("dataset", "target"),
    "frequency": ("dataset", "frequency"), "calendar": ("dataset", "calendar"),
    "gaps": ("dataset", "checks", "completeness"),
    "range": ("dataset", "checks", "range"), "series": ("dataset", "checks", "series"),
    "new": ("dataset", "new_series"), "ended": ("dataset", "ended_after"),
    "static": ("dataset", "covariates", "static"), "future": ("dataset", "future"), STOCK_CHECK: ("inventory",),
    EVENT_CHECK: _EVENTS,
}  # fmt: skip


def _broken_contract(
    dataset: Dataset, horizon: int, read: TypedRows, future: TypedRows | None, beside: _TablesBeside
) -> Iterator[Problem]:
    """Yield a problem for each broken check of the contract, with its first examples, and a warning for each sentence.

    If no row is left, the sentences say why, and are no warnings.
    """
    if read.frame.empty or (future is not None and not future.bad.empty):
        return
    evidence, notes = gather_evidence(dataset, horizon, read, future, pd.Timestamp.max)
    if evidence is not None and len(evidence.spans.first):
        late = notes_on_events(beside.events, evidence)
        yield from (Problem(_EVENTS, EVENT_CHECK, note, None, warning=True) for note in late)
        segments = segment_notes(list_segments(read, dataset), dataset)
        yield from (Problem(("dataset",), "rows", note, None, warning=True) for note in segments)
    yield from (Problem(("dataset",), "rows", note, None, warning=evidence is not None) for note in notes)
    results = [*(judge_contract(evidence) if evidence is not None else ()), judge_event_days(beside.events)]
    stock = beside.stock
    if stock is not None and evidence is not None:
        results.append(judge_series_terms(stock.terms, stock.inventory, evidence.spans.active, horizon))
        unknown = unknown_series_notes(stock.terms, evidence.facts.names.ids)
        yield from (Problem(("inventory",), STOCK_CHECK, note, None, warning=True) for note in unknown)
    for result in results:
        if result.ok or result.check in _NOT_OF_FILES:
            continue
        more = "; and more" if len(result.examples) > _SHOWN else ""
        yield Problem(
            _FIELD_OF_CHECK[result.check],
            result.check,
            result.message,
            f"{'; '.join(result.examples[:_SHOWN])}{more}" or None,
        )


def _describe_cell(row: dict[str, object], *, named: bool) -> str:
    """Return where a cell stands, and why it cannot be read. `named`: the problem names the column already."""
    column = f"{row['column']} " if row["column"] and not named else ""
    value = f"'{row['value']}' " if row["column"] else ""
    return f"{row['file']} row {row['row']}: {column}{value}{row['problem']}"


def _doubts(dataset: Dataset, root: Path, history: Roles, plan: Roles) -> Iterator[Problem]:
    """Yield a warning for each column that another notation, or another form of dates, reads as well, with other values."""
    dialect = source_dialect(dataset.source)
    texts = _text_columns(read_history(dataset, root, [name for _field, name in history]))
    names_only = {*dataset.series, dataset.time}
    doubtful = _doubtful_numbers({name: column for name, column in texts.items() if name not in names_only}, dialect)
    doubtful |= _doubtful_dates(dataset.time, texts, dialect)
    for field, name in history:
        if name in doubtful:
            yield Problem(
                field, "two-readings", _describe_doubt(name, doubtful[name], dialect), _DOUBT_HINT, warning=True
            )
    if dataset.future is not None and dataset.covariates.known:
        yield from _plan_doubts(dataset, dataset.future, root, plan, texts)


def _plan_doubts(
    dataset: Dataset, future: Future, root: Path, roles: Roles, history: Mapping[str, TextColumn]
) -> Iterator[Problem]:
    """Yield a warning for each column of the plan with two readings.

    Where the plan is read as the source is, the cells of the source tell too.
    """
    dialect = plan_dialect(dataset)
    texts = _text_columns(read_plan(dataset, root, dialect)[0])
    numbers = {name: column for name, column in texts.items() if name in dataset.covariates.known}
    doubtful = _doubtful_numbers(numbers, dialect)
    if doubtful and future.decimal is None and future.thousands is None:
        told = {name: column for name, column in history.items() if name not in (*dataset.series, dataset.time)}
        doubtful = {
            name: doubt for name, doubt in doubtful.items() if name in _doubtful_numbers(told, dialect, numbers)
        }
    dates = _doubtful_dates(dataset.time, texts, dialect)
    if dates and future.date_format is None:
        dates = dates if _doubtful_dates(dataset.time, _append_columns(history, texts), dialect) else {}
    doubtful |= dates
    for field, name in roles:
        if name in doubtful:
            message = f"{_describe_doubt(name, doubtful[name], dialect)} in the plan ({future.uri})"
            yield Problem(field, "two-readings", message, _PLAN_HINT, warning=True)


def _text_columns(table: Table) -> dict[str, TextColumn]:
    return {name: column for name, column in table.columns.items() if isinstance(column, TextColumn)}


def _append_columns(columns: Mapping[str, TextColumn], more: Mapping[str, TextColumn]) -> dict[str, TextColumn]:
    """Return columns with the cells of other columns of the same names behind theirs."""
    joined = {name: join_columns([columns[name], column]) for name, column in more.items() if name in columns}
    return {**columns, **more, **{name: column for name, column in joined.items() if isinstance(column, TextColumn)}}


def _doubtful_numbers(
    columns: Mapping[str, TextColumn], dialect: Dialect, more: Mapping[str, TextColumn] | None = None
) -> dict[str, DoubtfulCells]:
    """Return the columns of numbers with two readings. `more`: cells that stand in another file, and are written alike."""
    amounts = {
        name: as_amounts(column, dialect.currency) for name, column in _append_columns(columns, more or {}).items()
    }
    return dict(weigh_numbers(amounts, ((dialect.decimal, dialect.thousands), *NOTATIONS)).doubtful)


def _doubtful_dates(name: str, columns: Mapping[str, TextColumn], dialect: Dialect) -> dict[str, DoubtfulCells]:
    if name not in columns:
        return {}
    dates = weigh_dates(columns[name], (dialect.date_format, *DATE_FORMS, *DIGIT_FORMS))
    return {} if dates is None or dates.doubt is None else {name: dates.doubt}


_DOUBT_HINT = "no cell of the file tells which is meant: look whether dataset.source says it as it is"
_PLAN_HINT = (
    "no cell tells which is meant: look whether dataset.future says it as it is, and what it leaves out dataset.source"
)


def _describe_doubt(name: str, doubt: DoubtfulCells, dialect: Dialect) -> str:
    if isinstance(doubt.other, str):
        return (
            f"'{doubt.example[:80]}' in {name} is read as {dialect.date_format}, and {doubt.other} reads all dates too"
        )
    decimal, thousands = doubt.other
    other = f'decimal: "{decimal}"' + (f', thousands: "{thousands}"' if thousands else "")
    return f"'{doubt.example[:80]}' in {name} is read with decimal: \"{dialect.decimal}\", and {other} reads all numbers too"
