"""`mlspec init`: a project that works at once, and a spec that says why."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from mlspec.cli import main as front
from tests.examples import sales

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def spec_of(file: Path, *words: str, name: str = "x") -> dict[str, object]:
    assert front.run(["init", "--from", str(file), "--name", name, *words]) == 0
    assert front.run(["validate", "--data"]) == 0
    value: dict[str, object] = yaml.safe_load(Path(f"specs/{name}.yaml").read_text())
    return value


def test_a_new_project_validates_and_overwrites_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["init", "new"]) == 0
    Path("new/README.md").write_text("mine")
    assert front.run(["init", "new"]) == 0
    assert "kept   README.md" in capsys.readouterr().out
    assert Path("new/README.md").read_text() == "mine"
    assert front.run(["validate", "new/specs"]) == 0


def test_a_weekly_panel_is_understood() -> None:
    dataset = spec_of(ROOT / "data/walmart_sales_weekly.csv")["dataset"]
    assert isinstance(dataset, dict)
    assert (dataset["time"], dataset["series"], dataset["target"], dataset["frequency"]) == (
        "Date",
        ["Store", "Dept"],
        "Weekly_Sales",
        "W-FRI",
    )
    assert dataset["source"] == {"uri": "data/walmart_sales_weekly.csv"}
    text = Path("specs/x.yaml").read_text()
    assert "994 of 994 steps are 7 days" in text
    assert "left out: MarkDown1 64% of it is missing" in text


def test_a_single_daily_series_is_understood_and_parts_of_the_target_are_left_out() -> None:
    dataset = spec_of(ROOT / "data/bike_sharing_daily.csv")["dataset"]
    assert isinstance(dataset, dict)
    assert (dataset["time"], dataset["series"], dataset["target"], dataset["frequency"]) == ("dteday", [], "cnt", "D")
    assert "casual is a part of the target: it would leak the answer" in Path("specs/x.yaml").read_text()


def test_parquet_is_understood_and_the_spec_applies() -> None:
    frame = pd.read_csv(ROOT / "data/bike_sharing_daily.csv", nrows=200)[["dteday", "cnt"]]
    frame["dteday"] = pd.to_datetime(frame["dteday"])
    frame.to_parquet("rides.parquet")
    spec_of(Path("rides.parquet"), name="rides")
    text = Path("specs/rides.yaml").read_text().replace("candidates: auto", "candidates: [{kind: seasonal-naive}]")
    Path("specs/rides.yaml").write_text(text)
    assert front.run(["apply"]) == 0


def test_what_the_user_says_is_taken() -> None:
    Path("odd.csv").write_text(sales().replace("shop,day,units", "filiale,tag,stueck"))
    dataset = spec_of(
        Path("odd.csv"),
        "--time",
        "tag",
        "--series",
        "filiale",
        "--target",
        "stueck",
        "--frequency",
        "D",
        "--horizon",
        "3",
    )["dataset"]
    assert isinstance(dataset, dict)
    assert (dataset["series"], dataset["target"]) == (["filiale"], "stueck")


@pytest.mark.parametrize("alias", ["MS", "ME", "QS", "YE", "h"])
def test_other_periods_are_understood(alias: str) -> None:
    dates = pd.date_range("2010-01-31" if alias.endswith("E") else "2010-01-01", periods=24, freq=alias)
    form = "%Y-%m-%dT%H:%M:%S" if alias == "h" else "%Y-%m-%d"
    Path("s.csv").write_text("date,units\n" + "\n".join(f"{day:{form}},{i % 7}" for i, day in enumerate(dates)) + "\n")
    dataset = spec_of(Path("s.csv"))["dataset"]
    assert isinstance(dataset, dict)
    assert dataset["frequency"] == alias


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no header"),
        (b"date,units\n", "0 row(s)"),
        (b"date,units\n2024-01-01,1\n", "1 row(s)"),
        (b"a;b\n2024-01-01;1\n", "separated by ; or tabs"),
        (b"a,a\n1,2\n1,2\n", "is there twice"),
        (b"date,units\n01/02/2024,1\n02/02/2024,2\n", "no column holds dates: looked at date ('01/02/2024')"),
        (b"name,units\nx,1\ny,2\n", "no column holds dates"),
        (b"date,name\n2024-01-01,x\n2024-01-02,y\n", "which column is to be forecast?"),
        (b"date,units\n2024-01-01,1\n2024-01-01,2\n", "no columns tell the series apart"),
        (b"date,units\n2024-01-01,1\n2024-01-04,2\n2024-01-05,3\n2024-02-01,3\n", "no common length"),
        (b"date,units\n2024-01-01,\xff\n", "not UTF-8"),
        (b"date,units\n2024-01-01,1,2,3\n2024-01-02,1\n", "cannot read"),
    ],
)
def test_a_file_that_does_not_tell_is_answered_in_words(
    content: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("odd.csv").write_bytes(content)
    assert front.run(["init", "--from", "odd.csv"]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert "hint:" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "words",
    [
        ["--from", "none.csv"],
        ["--from", "x.txt"],
        ["--time", "day"],
        ["--from", "s.csv", "--time", "no"],
        ["--from", "s.csv", "--target", "shop"],
    ],
)
def test_a_wrong_call_is_answered(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.txt").write_text("x")
    Path("s.csv").write_text(sales(shops=("a", "b")))
    assert front.run(["init", *words]) in (1, 2)
    assert "error:" in capsys.readouterr().err
