"""Checks of the stock that a forecast is for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import PurePosixPath

from mlspec.spec.faults import Path, Problem
from mlspec.spec.forecast import Forecast
from mlspec.spec.inventory import TERMS, Inventory, LeadTime, ValueBySeries
from mlspec.spec.table_files import NAMES, named_format


def check_inventory(forecast: Forecast) -> Iterator[Problem]:
    """The horizon covers lead_time + review_period, the time that stock has to last (Silver et al. 2017, ch. 6)."""
    stock = forecast.inventory
    if stock is None:
        return
    terms = stock.constant_terms()
    if "lead_time" not in terms or "review_period" not in terms:
        return  # of columns: the step `check` looks at each series
    periods = terms["lead_time"] + terms["review_period"]
    if periods > forecast.model.horizon:
        message = (
            f"stock has to last lead_time + review_period = {periods:g} periods, "
            f"and the forecast reaches {forecast.model.horizon}"
        )
        hint = f"set model.horizon to {math.ceil(periods)} or more"
        yield Problem(("inventory", "lead_time"), "inventory", message, hint)


def check_terms(forecast: Forecast) -> Iterator[Problem]:
    """A term of orders is a number, or names where its values are; its file is one of the project."""
    stock = forecast.inventory
    if stock is None:
        return
    for term in TERMS:
        value, path = getattr(stock, term), ("inventory", term)
        if isinstance(value, LeadTime):
            yield from _check_lead_time(value, path)
        elif isinstance(value, ValueBySeries) and value.column is None and value.uri is None:
            yield Problem(path, "inventory", "expected a number, column or uri", f"such as {{column: {term}}}")
        if isinstance(value, ValueBySeries) and value.uri is not None:
            yield from _check_file(value.uri, (*path, "uri"))
    yield from _check_columns(forecast, stock)


def _check_lead_time(value: LeadTime, path: Path) -> Iterator[Problem]:
    by_series = value.column is not None or value.uri is not None
    if by_series == (value.mean is not None):
        found = "both" if by_series else "neither"
        yield Problem(path, "inventory", f"expected mean or a column, found {found}", "such as {mean: 2, sd: 0.5}")
    elif value.sd_column is not None and not by_series:
        yield Problem((*path, "sd_column"), "inventory", "the mean is in no column", "write sd: 0.5, or name a column")
    if value.sd is not None and value.sd_column is not None:
        yield Problem((*path, "sd"), "inventory", "expected one of sd and sd_column, found both", "keep one of them")


def _check_file(uri: str, path: Path) -> Iterator[Problem]:
    if "://" in uri:
        yield Problem(path, "uri", f"{uri} is no file of the project", "write a path such as data/terms.csv")
    elif PurePosixPath(uri).is_absolute() or ".." in PurePosixPath(uri).parts:
        yield Problem(path, "uri", f"{uri} leads out of the project", "copy the file into the project")
    elif named_format(uri) is None:
        yield Problem(path, "uri", f"the name of {uri} does not say its format", f"write a name that ends in {NAMES}")


def _check_columns(forecast: Forecast, stock: Inventory) -> Iterator[Problem]:
    """Yield a problem where a column has another role, or a series column has the name of a column of the stock levels."""
    dataset = forecast.dataset
    taken = {dataset.time: "time", dataset.target: "target", **dict.fromkeys(dataset.series, "series")}
    for column in stock.term_columns:
        if column.column in taken and (column.uri is None or taken[column.column] == "series"):
            message = f"the column '{column.column}' is the {taken[column.column]} already"
            yield Problem(column.path[:2], "column-twice", message, "a column has one role")
        elif column.name in dataset.series:
            message = f"the stock levels have a column '{column.name}' themselves, and it is a series column"
            yield Problem(column.path[:2], "inventory", message, "rename the series column")
