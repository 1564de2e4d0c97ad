"""Checks of the data's source, of the roles of columns, and of the data contract."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from mlspec.spec.calendar import frequency_problem, timezone_problem
from mlspec.spec.checks.addresses import EXAMPLE, address_problem
from mlspec.spec.data_files import EventFile
from mlspec.spec.dataset import HOLIDAYS
from mlspec.spec.days import LONGEST_EVENT, dates_named
from mlspec.spec.faults import Path, Problem, did_you_mean_column
from mlspec.spec.fields import TableFormat
from mlspec.spec.forecast import Forecast
from mlspec.spec.output_columns import METHOD, is_level_column, is_output_column

_SELECT = re.compile(r"(?:select|with)\b", re.IGNORECASE)
# Parts of BigQuery's SQL that are not code: text in quotes (a backslash escapes), names in backticks, comments.
_NO_CODE = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`[^`]*`|--[^\n]*|#[^\n]*|/\*.*?\*/", re.DOTALL)


def check_source(forecast: Forecast) -> Iterator[Problem]:
    """A source is either a uri or a query, in a form that mlspec reads."""
    dataset_source = forecast.dataset.source
    path: Path = ("dataset", "source")
    if dataset_source.uri is not None and dataset_source.query is not None:
        yield Problem(path, "source", "expected one of uri and query, found both", "keep one of them")
    elif dataset_source.uri is not None:
        yield from _check_address(dataset_source.uri, dataset_source.format, (*path, "uri"))
    elif dataset_source.query is not None:
        yield from _check_query(dataset_source.query, (*path, "query"))
    else:
        yield Problem(path, "source", "expected uri or query, found neither", EXAMPLE)
    if dataset_source.datasets and dataset_source.query is None:
        yield Problem((*path, "datasets"), "source", "they are read by a query, and there is none", "remove them")


def check_future(forecast: Forecast) -> Iterator[Problem]:
    """dataset.future is given if, and only if, there are known covariates."""
    dataset = forecast.dataset
    if dataset.future is not None:
        yield from _check_address(dataset.future.uri, dataset.future.format, ("dataset", "future", "uri"))
        if not dataset.covariates.known:
            message = "nothing is read from it: covariates.known is empty"
            yield Problem(("dataset", "future"), "reference", message, "name its columns there")
    elif dataset.covariates.known:
        yield Problem(
            ("dataset", "covariates", "known"), "reference", "they are read from dataset.future, which is missing",
            "add future: {uri: …}, or move them to past",
        )  # fmt: skip


def _check_address(uri: str, table_format: TableFormat | None, path: Path) -> Iterator[Problem]:
    problem = address_problem(uri, table_format)
    if problem:
        yield Problem(path, "uri", *problem)


def _check_query(query: str, path: Path) -> Iterator[Problem]:
    code = _NO_CODE.sub(" ", query).strip()
    if not _SELECT.match(code):
        hint = "such as SELECT week, store, units FROM `acme-prod.sales.weekly`"
        yield Problem(path, "source", "expected a query that begins with SELECT or WITH", hint)
    elif ";" in code.rstrip("; \t\n"):
        yield Problem(path, "source", "expected one statement, found several", "keep the SELECT")


def check_frequency(forecast: Forecast) -> Iterator[Problem]:
    """The frequency is a pandas offset alias that mlspec supports."""
    problem = frequency_problem(forecast.dataset.frequency)
    if problem:
        yield Problem(("dataset", "frequency"), "frequency", *problem)


def check_timezone(forecast: Forecast) -> Iterator[Problem]:
    """The time zone of the data is an IANA time zone."""
    zone = forecast.dataset.timezone
    problem = timezone_problem(zone) if zone is not None else None
    if problem:
        yield Problem(("dataset", "timezone"), "timezone", *problem)


def check_calendar(forecast: Forecast) -> Iterator[Problem]:
    """A calendar is for days, closes some of them, and names days that exist."""
    dataset = forecast.dataset
    calendar = dataset.calendar
    path: Path = ("dataset", "calendar")
    if calendar is None:
        return
    if dataset.frequency not in ("D", "B"):
        message = f"a calendar is for days, and dataset.frequency is {dataset.frequency}"
        yield Problem(path, "calendar", message, "remove it: it is for the frequencies D and B")
    if not (calendar.open or calendar.closed or calendar.holidays or calendar.week_start != "MON"):
        yield Problem(
            path, "calendar", "expected open, closed or holidays", "such as open: [MON, TUE, WED, THU, FRI, SAT]"
        )
    for index, day in enumerate(calendar.open):
        if day in calendar.open[:index]:
            yield Problem((*path, "open", index), "calendar", f"{day} is named already", "name each weekday once")
        elif dataset.frequency == "B" and day in ("SAT", "SUN"):
            yield Problem(
                (*path, "open", index), "calendar", f"B is Monday to Friday, without {day}", "write frequency: D"
            )
    for index, text in enumerate(calendar.closed):
        if not _is_date(text):
            yield Problem((*path, "closed", index), "calendar", f"there is no {text}", "correct the day or the month")


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def column_roles(forecast: Forecast) -> list[tuple[Path, str]]:
    """Return every column that the dataset names, with the path that names it, in the order of the language."""
    dataset, covariates = forecast.dataset, forecast.dataset.covariates
    named_columns: list[tuple[Path, str]] = [(("dataset", "time"), dataset.time)]
    named_columns += [(("dataset", "series", index), name) for index, name in enumerate(dataset.series)]
    named_columns.append((("dataset", "target"), dataset.target))
    if dataset.available is not None:
        named_columns.append((("dataset", "available"), dataset.available))
    for kind in ("known", "past", "static"):
        names: tuple[str, ...] = getattr(covariates, kind)
        named_columns += [(("dataset", "covariates", kind, index), name) for index, name in enumerate(names)]
    computed = [] if covariates.holidays is None else [(("dataset", "covariates", HOLIDAYS), HOLIDAYS)]
    return [
        *named_columns,
        *computed,
        *((("dataset", "covariates", "events", name), name) for name in covariates.events),
    ]


def check_events(forecast: Forecast) -> Iterator[Problem]:
    """The days of an event exist, and a range ends no earlier than it begins; a file of events is read from where data are."""
    for name, days in forecast.dataset.covariates.events.items():
        path: Path = ("dataset", "covariates", "events", name)
        if isinstance(days, EventFile):
            yield from _check_address(days.uri, days.format, (*path, "uri"))
            continue
        for index, text in enumerate(days):
            problem = _range_problem(text)
            if problem:
                yield Problem((*path, index), "calendar", *problem)


def _range_problem(text: str) -> tuple[str, str] | None:
    named = dates_named(text)
    absent = [day for day in named if not _is_date(day)]
    if absent:
        return f"there is no {absent[0] if absent[0] in text else absent[0][5:]}", "correct the day or the month"
    if len(named) < 2 or named[0] not in text:  # a range of each year may end in the next one
        return None
    first, last = named
    if last < first:
        return f"{last} is before {first}", "write the first day first"
    if date.fromisoformat(last) - date.fromisoformat(first) > LONGEST_EVENT:
        return "an event of more than a year tells a model nothing", "write each time that it takes place"
    return None


def check_columns(forecast: Forecast) -> Iterator[Problem]:
    """Each column has one role, and no time or series column has the name of a column that mlspec writes."""
    first: dict[str, Path] = {}
    dataset = forecast.dataset
    for path, name in column_roles(forecast):
        if name in first:
            role = ".".join(map(str, first[name][1:2] if len(first[name]) < 4 else first[name][1:3]))
            yield Problem(path, "column-twice", f"the column '{name}' is the {role} already", "a column has one role")
        first.setdefault(name, path)
        is_written = (
            is_output_column(name, dataset.series)
            or (name == METHOD and dataset.tells_methods)
            or (dataset.hierarchy is not None and is_level_column(name))
        )
        if path[1] in ("time", "series") and is_written:
            message = f"'{name}' is the name of a column that mlspec writes in the forecast"
            renamed = f"dataset.source.query: SELECT {name} AS {path[1]}_{name}, …" if dataset.source.query else ""
            hint = renamed or f"rename the column in the data, such as to {path[1]}_{name}"
            yield Problem(path, "column-reserved", message, hint)
    if dataset.covariates.static and not dataset.series:
        message = "a single series has no static columns: a model learns nothing from a constant"
        yield Problem(
            ("dataset", "covariates", "static"), "reference", message, "name the series columns, or drop these"
        )


def check_ended_series(forecast: Forecast) -> Iterator[Problem]:
    """Where ended series are forecast as zero, some series can end; a series of zeros ends after a time that the spec says."""
    dataset = forecast.dataset
    if dataset.ended_when == "no-demand" and dataset.ended_after is None:
        message = "nothing says how long a series that has ended sells nothing: a slow seller has zeros, too"
        yield Problem(("dataset", "ended_when"), "reference", message, "add ended_after, such as ended_after: 180d")
    if dataset.ended_series == "zero" and dataset.missing == "zero" and dataset.ended_after is None:
        message = "no series ever ends: dataset.missing is zero, and dataset.ended_after says nothing"
        yield Problem(("dataset", "ended_series"), "reference", message, "add ended_after, such as ended_after: 90d")


def check_ranges(forecast: Forecast) -> Iterator[Problem]:
    """A range is for a numeric column of the dataset, has a min or a max, and min is not above max."""
    covariates = forecast.dataset.covariates
    known = {forecast.dataset.target: "dataset.target"}
    known |= dict.fromkeys(covariates.known, "dataset.covariates.known")
    known |= dict.fromkeys(covariates.past, "dataset.covariates.past")
    for name, limits in forecast.dataset.checks.range.items():
        path: Path = ("dataset", "checks", "range", name)
        if name not in known:
            message = f"'{name}' is not a numeric column that this dataset reads"
            yield Problem(path, "reference", message, did_you_mean_column(name, known), on_key=True)
        if limits.min is None and limits.max is None:
            yield Problem(path, "range", "expected min, max or both", "such as {min: 0}", on_key=True)
        elif limits.min is not None and limits.max is not None and limits.min > limits.max:
            yield Problem(path, "range", f"min {limits.min:g} is above max {limits.max:g}", "swap them", on_key=True)


def check_contract(forecast: Forecast) -> Iterator[Problem]:
    """Each part of the data contract sets a limit that data can meet."""
    checks = forecast.dataset.checks
    path: Path = ("dataset", "checks")
    if checks.freshness is not None and checks.freshness.max_age == timedelta(0):
        message = "the age of data is never 0: the newest period ends before it is read"
        yield Problem((*path, "freshness", "max_age"), "range", message, "such as 10d")
    if checks.series is not None and checks.series.min is None and checks.series.max_missing is None:
        yield Problem((*path, "series"), "range", "expected min, max_missing or both", "such as {min: 1}")
    if checks.series is not None and not forecast.dataset.series and (checks.series.min or 0) > 1:
        message = f"dataset.series is empty: there is one series, never {checks.series.min}"
        yield Problem((*path, "series", "min"), "reference", message, "name the series columns")
