"""Terms of orders by series: read from columns of the history or from tables of the project, judged with the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlspec.errors import DataError
from tests.examples import sales
from tests.jobs.pipeline import Pipeline

TERMS = "shop,days,sd,pack\n001,1,0.5,12\nNA,0,,\n"


def pipeline(root: Path, text: str | None = TERMS, **inventory: Any) -> Pipeline:
    """A pipeline whose history has the columns `pack` and `review`, beside the table data/terms.csv."""
    head, *rows = sales().splitlines()
    wide = [f"{head},pack,review", *(f"{row},{number % 3 or ''},1" for number, row in enumerate(rows, 1))]
    run = Pipeline(root, inventory=inventory).data("\n".join(wide) + "\n")
    return run if text is None else run.data(text, "terms.csv")


def test_a_table_and_columns_of_the_history_give_each_series_its_terms(tmp_path: Path) -> None:
    run = pipeline(
        tmp_path, lead_time={"uri": "data/terms.csv", "column": "days", "sd_column": "sd"}, review_period={"column": "review"},
        pack_size={"column": "pack"},
    ).whole()  # fmt: skip
    stock = pd.read_parquet(run.files["inventory"]).set_index("shop")
    assert stock["lead_time"].to_dict() == {"001": 1.0, "NA": 0.0}
    assert stock["lead_time_sd"].to_dict() == {"001": 0.5, "NA": 0.0}  # an empty cell: it is exact
    assert stock["pack_size"].to_dict() == {"001": 2.0, "NA": 2.0}  # the newest row that has one
    # Each lasts for its own interval: two days of shop 001, one of the other.
    forecast = pd.read_parquet(run.files["forecast"]).groupby("shop")["mean"]
    assert stock["protection_demand"].to_dict() == pytest.approx(
        {"001": forecast.sum()["001"], "NA": forecast.first()["NA"]}
    )
    assert run.facts["inventory"]["protection_periods"] == "1 to 2"
    (check,) = [check for check in run.facts["check"]["checks"] if check["check"] == "inventory"]
    assert check["message"] == "each series has its review_period and pack_size and lead_time and lead_time_sd"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shop,days\n001,1\n", "series 'NA' has no lead_time"),
        ("shop,days\n001,1\nNA,x\n", "terms.csv row 3: days 'x' is not a number"),
        ("shop,days\n001,1\nNA,1\nNA,2\n", "data/terms.csv: series 'NA' has more than one row"),
        ("shop,days\n001,1\nNA,-1\n", "series 'NA': lead_time is -1, and 0 is the least"),
        ("shop,days\n001,1\nNA,3\n", "series 'NA': lead_time and review_period are 4 periods, and model.horizon is 2"),
    ],
)
def test_terms_that_no_order_can_have_break_the_data_contract(tmp_path: Path, text: str, said: str) -> None:
    run = pipeline(tmp_path, text, lead_time={"uri": "data/terms.csv", "column": "days"})
    facts = run.check()
    (check,) = [check for check in facts["checks"] if check["check"] == "inventory"]
    assert (facts["ok"], check["ok"], said in check["examples"]) == (False, False, True), check["examples"]
    assert set(run.files) == {"quality"}


@pytest.mark.parametrize("text", [None, "shop,other\n001,1\n"])
def test_a_table_that_is_missing_or_has_no_such_column_is_named(tmp_path: Path, text: str | None) -> None:
    with pytest.raises(DataError, match=r"^inventory\.lead_time: .*(terms\.csv|days)"):
        pipeline(tmp_path, text, lead_time={"uri": "data/terms.csv", "column": "days"}).check()


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (TERMS.replace(",", ";").encode(), "write it so, or save it as a workbook (xlsx)"),
        ("shop,days\n001,1\nSão João,1\n".encode("cp1252"), "save it in utf-8, or as a workbook (xlsx)"),
    ],
    ids=["semicolons", "encoding"],
)
def test_a_table_that_is_written_in_another_way_is_told_what_can_be_done(
    tmp_path: Path, content: bytes, hint: str
) -> None:
    """A table of orders has no keys of its own for that, and those of dataset.source are of the history, too."""
    run = pipeline(tmp_path, lead_time={"uri": "data/terms.csv", "column": "days"})
    (tmp_path / "data" / "terms.csv").write_bytes(content)
    with pytest.raises(DataError) as error:
        run.check()
    assert error.value.hint is not None
    assert error.value.hint.endswith(hint)


def test_stock_is_not_computed_from_data_that_were_checked_for_other_columns(tmp_path: Path) -> None:
    run = pipeline(tmp_path).whole()
    run.spec["inventory"]["pack_size"] = {"column": "pack"}
    with pytest.raises(DataError, match="lack the columns"):
        run.run("inventory")


def test_a_series_that_ended_needs_no_stock_and_keeps_its_terms(tmp_path: Path) -> None:
    run = pipeline(tmp_path, lead_time={"uri": "data/terms.csv", "column": "days"})
    ended = [f"NA,2024-01-{day:02},5,12,1" for day in range(1, 20)]
    kept = [line for line in (tmp_path / "data/sales.csv").read_text().splitlines() if not line.startswith("NA")]
    run.spec["dataset"]["ended_series"] = "zero"
    run.data("\n".join([*kept, *ended, ""])).data("shop,days\n001,1\nNA,3\n", "terms.csv").whole()
    stock = pd.read_parquet(run.files["inventory"]).set_index("shop").loc["NA"]
    assert stock["lead_time"] == 3.0  # longer than the horizon, which nothing is ordered over
    assert (stock.drop("lead_time") == 0.0).all()
