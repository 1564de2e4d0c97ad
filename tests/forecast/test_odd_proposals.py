"""`mlspec init` proposes what becomes of periods without stock and of outliers where the file plainly says it, with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from mlspec.cli import main as front
from mlspec.forecast.profile import Profile
from mlspec.jobs.profile import profile_file

DAYS = pd.date_range("2023-01-01", periods=120)
UNITS = 20 + np.arange(120) % 7 + np.random.default_rng(3).integers(-2, 3, 120)
OUT = slice(50, 60)


def profile_of(folder: Path, columns: Mapping[str, Sequence[object] | np.ndarray]) -> Profile:
    """The profile of a shop's days with these columns."""
    path = folder / "sales.csv"
    pd.DataFrame({"day": DAYS, **columns}).to_csv(path, index=False)
    return profile_file(path, {"target": "units"}, None, {})


def proposed(profile: Profile, key: str) -> tuple[object, str] | None:
    return next(((row.value, row.reason) for row in profile.rows if row.key == key), None)


def flags(out: object = 0, beside: object = 1) -> list[object]:
    return [out if OUT.start <= place < OUT.stop else beside for place in range(len(DAYS))]


def units(out: float = 0.0, **odd: float) -> np.ndarray:
    values = UNITS.astype(float)
    values[OUT] = out
    for place, value in odd.items():
        values[int(place.removeprefix("at"))] = value
    return values


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("in_stock", (0, 1)),
        ("is_available", ("false", "true")),
        ("em_estoque", (0.2, 0.9)),
        ("disponível", (0, 1)),
        ("tem estoque", ("Não", "Sim")),
    ],
)
def test_a_column_of_stock_is_proposed_with_what_it_changes(
    tmp_path: Path, name: str, words: tuple[object, object]
) -> None:
    profile = profile_of(tmp_path, {"units": units(), name: flags(*words)})
    value, reason = proposed(profile, "available") or (None, "")
    assert value == name
    assert reason.startswith("10 of 120 rows were not for sale: they have 0 in the mean, and the others 2")
    assert name not in profile.past


def test_a_column_that_says_something_else_is_not_proposed(tmp_path: Path) -> None:
    as_many_without = profile_of(tmp_path, {"units": units(out=30.0), "in_stock": flags()})
    pieces = profile_of(tmp_path, {"units": units(), "available": np.arange(120) % 40})
    always = profile_of(tmp_path, {"units": units(), "in_stock": flags(1, 1)})
    assert [proposed(profile, "available") for profile in (as_many_without, pieces, always)] == [None] * 3
    assert as_many_without.past == ("in_stock",)


@pytest.mark.parametrize("name", ["ruptura", "out_of_stock"])
def test_a_column_of_stock_outs_is_left_out_and_says_what_to_do(tmp_path: Path, name: str) -> None:
    profile = profile_of(tmp_path, {"units": units(), name: flags(1, 0)})
    assert proposed(profile, "available") is None
    assert "needs the opposite: add a column that is 1 where there was stock" in profile.left_out[name]


def test_values_without_stock_are_no_outliers(tmp_path: Path) -> None:
    assert proposed(profile_of(tmp_path, {"units": units(at52=90.0), "in_stock": flags()}), "outliers") is None


def test_an_outlier_is_named_and_kept_unless_it_is_plainly_no_demand(tmp_path: Path) -> None:
    usual = profile_of(tmp_path, {"units": UNITS})
    large = profile_of(tmp_path, {"units": UNITS + 200.0 * (DAYS == "2023-03-01")})
    slipped = profile_of(tmp_path, {"units": UNITS * np.where(DAYS == "2023-03-01", 100.0, 1.0)})
    assert proposed(usual, "outliers") is None
    kept, why_kept = proposed(large, "outliers") or (None, "")
    assert kept == "keep"
    assert "2023-03-01 22" in why_kept
    assert "dataset.outliers: replace leaves it out" in why_kept
    replaced, why_replaced = proposed(slipped, "outliers") or (None, "")
    assert replaced == "replace"
    assert "20 times as large as every other value of its series" in why_replaced


def test_the_spec_has_both_with_their_reasons_and_is_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    profile_of(tmp_path, {"shop": ["a/b"] * 120, "units": units(at90=9000.0), "in_stock": flags()})
    monkeypatch.chdir(tmp_path)
    assert front.run(["init", "--from", "sales.csv", "--name", "x", "--target", "units"]) == 0
    assert front.run(["validate", "--data"]) == 0
    text = Path("specs/x.yaml").read_text()
    dataset = yaml.safe_load(text)["dataset"]
    assert (dataset["available"], dataset["outliers"]) == ("in_stock", "replace")
    assert "# 10 of 120 rows were not for sale" in text
    assert "9,000 (usual" in capsys.readouterr().out
