"""Where BigQuery's jobs run: in the location of the datasets that they name.

A job that says no location runs where its datasets are. One that says another does not find them, and neither does one whose
datasets lie in several. Source: cloud.google.com/bigquery/docs/locations#specify_locations.
"""

from __future__ import annotations

import sqlglot
from sqlglot import exp

from tests.gcp.standin.refused import Refused
from tests.gcp.standin.rest import Json
from tests.gcp.standin.services.bigquery.warehouse import Warehouse

DEFAULT = "US"  # where a job runs that says no location and names no dataset


def named(warehouse: Warehouse, project: str, configuration: Json) -> dict[str, str]:
    """Return the datasets that a job names and that are there, each with its location."""
    found = set()
    if "load" in configuration:
        target = configuration["load"]["destinationTable"]
        found.add((target["projectId"], target["datasetId"]))
    if "query" in configuration:
        found |= _queried(configuration["query"], project)
    return {
        f"{each[0]}:{each[1]}": warehouse.datasets[each]["location"]
        for each in sorted(found)
        if each in warehouse.datasets
    }


def _queried(how: Json, project: str) -> set[tuple[str, str]]:
    default = how.get("defaultDataset", {}).get("datasetId", "")
    try:
        statement = sqlglot.parse_one(how["query"], read="bigquery")
    except sqlglot.errors.SqlglotError:
        return set()  # the query itself is refused, with its words
    return {(each.catalog or project, each.db or default) for each in statement.find_all(exp.Table)}


def first(asked: dict[str, str]) -> str:
    """Return the location in which a job runs that says none."""
    return next(iter(asked.values()), DEFAULT)


def check(asked: dict[str, str], location: str) -> None:
    """Raise Refused where a dataset lies in another location than the job runs in."""
    for dataset, place in asked.items():
        if place.lower() != location.lower():
            raise Refused("NOT_FOUND", f"Not found: Dataset {dataset} was not found in location {location}")
