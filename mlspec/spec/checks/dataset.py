"""Where the data is read from, and which column is what."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlspec.spec.calendar import frequency_problem
from mlspec.spec.faults import Path, Problem, did_you_mean
from mlspec.spec.forecast import Forecast

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(//)?")
_BUCKET = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]/[^/\s].*")
_TABLE = re.compile(r"bq://[a-z][a-z0-9-]{4,28}[a-z0-9]\.[A-Za-z0-9_]{1,1024}\.[A-Za-z0-9_-]{1,1024}")
_SUFFIXES = (".csv", ".parquet")


def source(forecast: Forecast) -> Iterator[Problem]:
    """A source is a uri or a query, and one that mlspec reads."""
    found = forecast.dataset.source
    path: Path = ("dataset", "source")
    if (found.uri is None) == (found.query is None):
        what = "both" if found.uri is not None else "neither"
        yield Problem(
            path,
            "source",
            f"expected one of uri and query, found {what}",
            "keep one of them" if what == "both" else None,
        )
    elif found.uri is not None:
        yield from _uri(found.uri, (*path, "uri"))
    elif not re.match(r"\s*(select|with)\s", found.query or "", re.IGNORECASE):
        yield Problem((*path, "query"), "source", "expected a query that begins with SELECT or WITH", None)
    elif ";" in (found.query or "").rstrip().removesuffix(";"):
        yield Problem((*path, "query"), "source", "expected one statement, found a semicolon inside", "keep one SELECT")


def future(forecast: Forecast) -> Iterator[Problem]:
    """Covariates that are known over the horizon are read from somewhere."""
    dataset = forecast.dataset
    if dataset.future is not None:
        yield from _uri(dataset.future.uri, ("dataset", "future", "uri"))
        if not dataset.covariates.known:
            yield Problem(
                ("dataset", "future"),
                "reference",
                "nothing is read from it: covariates.known is empty",
                "name its columns there",
            )
    elif dataset.covariates.known:
        yield Problem(
            ("dataset", "covariates", "known"), "reference", "they are read from dataset.future, which is missing",
            "add future: {uri: …}, or move them to past",
        )  # fmt: skip


def _uri(uri: str, path: Path) -> Iterator[Problem]:
    problem = _uri_problem(uri)
    if problem:
        yield Problem(
            path, "uri", problem, "a path such as data/sales.csv, gs://bucket/object or bq://project.dataset.table"
        )


def _uri_problem(uri: str) -> str | None:
    scheme = _SCHEME.match(uri)
    if uri.startswith("gs://"):
        return None if _BUCKET.fullmatch(uri) else "expected gs://bucket/object"
    if uri.startswith("bq://"):
        return None if _TABLE.fullmatch(uri) else "expected bq://project.dataset.table"
    if scheme and len(scheme[1]) > 1:
        return f"addresses of the kind {scheme[1]}: are not read"
    rules = (
        (uri.startswith(("/", "\\")) or bool(scheme), "absolute paths are not read: a spec is for every machine"),
        (uri.startswith("~"), "~ is not the same on two machines"),
        ("\\" in uri, "expected / between folders"),
        ("%" in uri, "percent signs are not allowed in paths"),
        (
            any(part in ("", ".", "..") for part in uri.split("/")),
            "a path stays in the project: no empty part, no . and no ..",
        ),
        (uri.startswith("-"), "a path does not begin with a hyphen"),
        ("*" in uri.rpartition("/")[0], "* is allowed in the file's name only"),
        (not uri.lower().endswith(_SUFFIXES), "expected a file that ends in .csv or .parquet"),
    )
    return next((sentence for broken, sentence in rules if broken), None)


def frequency(forecast: Forecast) -> Iterator[Problem]:
    """The frequency is one that mlspec can lay a grid by."""
    problem = frequency_problem(forecast.dataset.frequency)
    if problem:
        yield Problem(("dataset", "frequency"), "frequency", *problem)


def columns(forecast: Forecast) -> Iterator[Problem]:
    """A column has one role."""
    dataset, covariates = forecast.dataset, forecast.dataset.covariates
    roles: list[tuple[Path, str]] = [(("dataset", "time"), dataset.time), (("dataset", "target"), dataset.target)]
    roles += [(("dataset", "series", index), name) for index, name in enumerate(dataset.series)]
    for kind in ("known", "past", "static"):
        roles += [
            (("dataset", "covariates", kind, index), name) for index, name in enumerate(getattr(covariates, kind))
        ]
    first: dict[str, Path] = {}
    for path, name in roles:
        if name in first:
            yield Problem(path, "column-twice", f"the column '{name}' has a role already", "a column has one role")
        first.setdefault(name, path)


def ranges(forecast: Forecast) -> Iterator[Problem]:
    """A range is of a column that is read, has a limit, and is not upside down."""
    known = [forecast.dataset.target, *forecast.dataset.covariates.known, *forecast.dataset.covariates.past]
    for name, limits in forecast.dataset.checks.range.items():
        path: Path = ("dataset", "checks", "range", name)
        if name not in known:
            yield Problem(
                path,
                "reference",
                f"'{name}' is no column of numbers that this dataset reads",
                did_you_mean(name, known),
                on_key=True,
            )
        if limits.min is None and limits.max is None:
            yield Problem(path, "range", "expected min, max or both", None, on_key=True)
        elif limits.min is not None and limits.max is not None and limits.min > limits.max:
            yield Problem(path, "range", f"min {limits.min:g} is above max {limits.max:g}", "swap them", on_key=True)
