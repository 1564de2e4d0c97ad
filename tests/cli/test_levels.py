"""What a planner reads of levels: sums on the command line, in files, in the report and from Python."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from mlspec.api.project import open_project
from mlspec.errors import MlspecError
from tests.cli.test_session import Mlspec, mlspec
from tests.examples import sales

__all__ = ["mlspec"]  # a fixture


@pytest.fixture
def applied(mlspec: Mlspec) -> Mlspec:
    """The small project with a level, after its first apply."""
    regions = {"001": "north", "NA": "south", "007": "south"}
    header, *lines = sales(42, tuple(regions)).splitlines()
    Path("data/sales.csv").write_text(
        "\n".join([f"{header},region", *(f"{line},{regions[line.split(',')[0]]}" for line in lines), ""])
    )
    spec = Path("specs/demand.yaml")
    spec.write_text(
        spec.read_text().replace(
            "frequency: D\n", "frequency: D\n  covariates: {static: [region]}\n  hierarchy: [region]\n"
        )
    )
    said = mlspec("apply")
    assert said.code == 0, said.err + said.out
    return mlspec


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_planner_reads_sums_by_level_and_by_week(applied: Mlspec) -> None:
    shops = read(applied("forecast", "demand", "--output", "csv").out)
    regions = read(applied("forecast", "demand", "--level", "region", "--output", "csv").out)
    assert list(regions[0]) == ["region", "day", "cutoff", "mean", "q0.1", "q0.5", "q0.9"]
    first = regions[0]["day"]
    south = sum(float(row["mean"]) for row in shops if row["shop"] != "001" and row["day"] == first)
    assert float(next(row for row in regions if row["region"] == "south")["mean"]) == pytest.approx(south)
    (total, *_) = json.loads(applied("forecast", "demand", "--level", "total", "--output", "json").out)["rows"]
    assert total["mean"] == pytest.approx(sum(float(row["mean"]) for row in shops if row["day"] == first))
    everything = read(applied("forecast", "demand", "--level", "all", "--output", "csv").out)
    assert {row["level"] for row in everything} == {"total", "region"}
    assert applied("forecast", "demand", "--level", "series", "--output", "csv").out == applied(
        "forecast", "demand", "--output", "csv"
    ).out  # fmt: skip
    weeks = read(applied("forecast", "demand", "--by", "week", "--series", "shop=NA", "--output", "csv").out)
    assert [(row["shop"], row["region"], row["days"]) for row in weeks] == [("NA", "south", "2")]
    north = applied("forecast", "demand", "--level", "region", "--by", "week", "--series", "region=north")
    assert north.out.split()[:3] == ["region", "day", "days"]
    applied("report", "demand")
    report = Path("demand-report.html").read_text()
    assert "Sums of series in the backtest, by level" in report
    assert "Its interval comes from the errors of such sums" in report
    frame = open_project(Path(), target="local")["demand"].levels("region")
    assert list(frame.columns) == list(regions[0])
    with pytest.raises(MlspecError, match="no level 'regions'"):
        open_project(Path(), target="local")["demand"].levels("regions")


def test_what_is_not_there_is_said_with_what_is(applied: Mlspec) -> None:
    wrong = applied("forecast", "demand", "--level", "regio")
    assert (wrong.code, wrong.out) == (2, "")
    assert "there is no level 'regio'" in wrong.err
    assert "region" in wrong.err
    both = applied("forecast", "demand", "--level", "region", "--compare", "previous")
    assert both.code == 2
    assert "--compare is by series" in both.err


def test_without_a_hierarchy_it_is_said_which_key_makes_one(mlspec: Mlspec) -> None:
    mlspec("apply")
    for words in (("--level", "total"), ("--by", "week")):
        said = mlspec("forecast", "demand", *words)
        assert (said.code, said.out) == (2, "")
        assert "dataset.hierarchy" in said.err


@pytest.mark.parametrize(
    ("hierarchy", "message"),
    [
        ("[region]", "'region' is not a series or static column"),
        ("[shop, shop]", "shop is a level already"),
        ("{levels: [shop], reconcile: mint}", "expected one of bottom-up, ols"),
        ("shop", "expected a list"),
    ],
)
def test_a_hierarchy_that_cannot_be_is_refused_before_anything_runs(
    mlspec: Mlspec, hierarchy: str, message: str
) -> None:
    spec = Path("specs/demand.yaml")
    spec.write_text(spec.read_text().replace("frequency: D\n", f"frequency: D\n  hierarchy: {hierarchy}\n"))
    said = mlspec("validate")
    assert said.code == 1
    assert message in said.out
