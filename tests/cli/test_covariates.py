"""`mlspec what-if` and `mlspec drivers`: a planner tries another promotion, and asks what promotions are worth."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

import mlspec as package
from mlspec.cli import main as front
from tests.examples import edit
from tests.promotions import make_promotions


class Said(NamedTuple):
    code: int
    out: str
    err: str


class Planner:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> Said:
        code = front.run(list(words))
        return Said(code, *self._capsys.readouterr())


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose two shops sell three times as much on days with a promotion; none is planned ahead."""
    return make_promotions(tmp_path_factory.mktemp("what-if"))


@pytest.fixture
def planner(applied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Planner:
    """Run commands there: none of them changes anything."""
    monkeypatch.chdir(applied)
    return Planner(capsys)


def test_a_promotion_is_tried_and_nothing_is_recorded(planner: Planner) -> None:
    before = planner("history", "demand", "--output", "json").out
    tried = (
        "what-if",
        "demand",
        "--set",
        "promo=1",
        "--from",
        "2024-04-10",
        "--to",
        "2024-04-10",
        "--series",
        "shop=a",
    )
    said = planner(*tried)
    assert said.code == 0, said
    assert said.out.startswith("demand: from 2024-04-07, if promo=1\nsums over 7 periods, 2024-04-08 to 2024-04-14\n")
    rows = list(csv.DictReader(io.StringIO(planner(*tried, "--output", "csv").out)))
    moved = [(row["shop"], row["day"]) for row in rows if row["before"] != row["after"]]
    assert moved == [("a", "2024-04-10")]
    (changed,) = (row for row in rows if (row["shop"], row["day"]) == moved[0])
    assert float(changed["after"]) > 2 * float(changed["before"])
    found = json.loads(planner(*tried, "--output", "json").out)
    assert found["series"][0]["shop"] == "a"
    assert found["total"]["change"] == pytest.approx(float(changed["after"]) - float(changed["before"]))
    frame = package.open(".")["demand"].what_if(
        {"promo": 1}, series={"shop": "a"}, first="2024-04-10", last="2024-04-10"
    )
    assert list(frame.columns) == ["shop", "day", "before", "after"]
    assert [f"{value:.6f}" for value in frame["after"]] == [f"{float(row['after']):.6f}" for row in rows]
    assert planner("history", "demand", "--output", "json").out == before


def test_drivers_say_what_the_promotions_are_worth(planner: Planner) -> None:
    said = planner("drivers", "demand")
    assert said.code == 0, said
    assert said.out.startswith("demand: regression (v")
    rows = list(csv.DictReader(io.StringIO(planner("drivers", "demand", "--output", "csv").out)))
    assert [(row["covariate"], row["kind"]) for row in rows] == [("promo", "known")]
    assert float(rows[0]["without_wape"]) > float(rows[0]["wape"]) + 0.1
    frame = package.open(".")["demand"].drivers()
    assert frame["without_wape"][0] == pytest.approx(float(rows[0]["without_wape"]))


def test_drivers_say_it_for_each_shop(planner: Planner) -> None:
    table = planner("drivers", "demand", "--by", "shop").out.splitlines()
    assert table[1].split()[:3] == ["shop", "covariate", "kind"]
    assert {line.split()[0] for line in table[2:]} == {"a", "b"}
    frame = package.open(".")["demand"].drivers(by="shop")
    assert list(frame.columns[:3]) == ["shop", "covariate", "kind"]
    assert (frame["without_wape"] > frame["wape"] + 0.1).all()
    refused = planner("drivers", "demand", "--by", "shp")
    assert refused.code == 2
    assert "'shp' is no series column and no static covariate of demand\nhint: did you mean 'shop'?" in refused.err


@pytest.mark.parametrize(("words", "message"), [
    ((), "nothing is assumed"),
    (("--set", "price=1"), "'price' is no known covariate of this forecast"),
    (("--set", "promo=1", "--series", "shop=z"), "there is no series shop=z"),
    (("--set", "promo=1", "--series", "store=a"), "'store' names no series"),
    (("--set", "promo=1", "--from", "Christmas"), "'Christmas' is no date"),
    (("--set", "promo=1", "--to", "2024-04-08T00:00:00Z"), "'2024-04-08T00:00:00Z' has an offset"),
])  # fmt: skip
def test_what_cannot_be_is_refused(planner: Planner, words: tuple[str, ...], message: str) -> None:
    said = planner("what-if", "demand", *words)
    assert (said.code, f"error: {message}" in said.err) == (2, True), said
    assert "hint: " in said.err


@pytest.fixture
def kept_out(
    applied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Planner:
    """Run commands in a copy of the project, with a gate that keeps the next version out."""
    monkeypatch.chdir(shutil.copytree(applied, tmp_path / "shop"))
    edit(Path("specs/demand.yaml"), "below: 0.9", "below: 0.0000001")
    return Planner(capsys)


def test_data_of_a_spec_that_the_gate_kept_out_lacks_what_serves_and_is_no_traceback(kept_out: Planner) -> None:
    edit(Path("specs/demand.yaml"), "promo: [", "fair: [")
    kept_out("apply", "--yes")
    for words in (("what-if", "demand", "--set", "promo=1"), ("drivers", "demand")):
        said = kept_out(*words)
        assert (said.code, "Traceback" in said.err) == (1, False), said
        assert "the newest data was checked under another spec, and lacks 'promo'" in said.err


def test_data_that_was_checked_with_other_series_is_no_data_of_the_version_that_serves(kept_out: Planner) -> None:
    """A report of what serves would compare what is not alike."""
    edit(Path("data/sales.csv"), "day,shop,units", "day,region,units")
    edit(Path("specs/demand.yaml"), "series: [shop]", "series: [region]")
    kept_out("apply", "--yes")
    for words in (("what-if", "demand", "--set", "promo=1"), ("drivers", "demand"), ("report", "demand")):
        said = kept_out(*words)
        assert (said.code, "Traceback" in said.err) == (1, False), said
        assert "checked under another spec than that of the version that serves: dataset.series" in said.err


def test_a_plan_that_was_checked_for_a_shorter_horizon_is_no_plan_of_the_rest(kept_out: Planner) -> None:
    """The later periods would be forecast without promotions, and nobody would say so."""
    edit(Path("specs/demand.yaml"), "horizon: 7", "horizon: 4")
    kept_out("apply", "--yes")
    said = kept_out("what-if", "demand", "--set", "promo=1")
    assert said.code == 1, said
    assert "for a shorter horizon: known covariates end at 2024-04-11, and the forecast at 2024-04-14" in said.err
    assert kept_out("drivers", "demand").code == 0  # which forecasts periods of the history


def test_an_assumption_without_effect_is_said(planner: Planner) -> None:
    said = planner("what-if", "demand", "--set", "promo=0")
    assert "the forecast stays as it is: the model that serves finds no effect of this" in said.err
