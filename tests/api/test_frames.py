"""Frames say what the command line says, with times as timestamps and numbers as numbers."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest

import mlspec
from mlspec.api.frames import to_frame
from mlspec.cli import main as front
from mlspec.engine.rows import PlainRows
from mlspec.errors import StateError, UsageError
from tests.api.conftest import Shop

pytestmark = pytest.mark.xdist_group("api")  # one project is applied for all of them


@pytest.mark.parametrize(
    "words", ["forecast", "forecast --release 1", "inventory", "errors --by series", "errors --by horizon"]
)
def test_a_frame_is_the_csv_of_the_command_line(
    words: str, shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shop.project.root)
    command, *options = words.split()
    assert front.run([command, "demand", "--output", "csv", *options]) == 0
    times = [] if command != "forecast" else ["day", "cutoff"]
    printed = pd.read_csv(
        io.StringIO(capsys.readouterr().out),
        dtype={"shop": str},
        keep_default_na=False,
        na_values=[""],
        parse_dates=times,
    )
    demand = shop.project["demand"]
    frame = {
        "forecast": demand.forecast, "forecast --release 1": lambda: demand.forecast(release=1), "inventory": demand.inventory,
        "errors --by series": lambda: demand.errors(by="series"), "errors --by horizon": lambda: demand.errors("horizon"),
    }[words]()  # fmt: skip
    assert len(frame)
    pd.testing.assert_frame_equal(frame, printed, check_dtype=False, rtol=1e-12)


def test_periods_are_timestamps_and_values_are_numbers(shop: Shop) -> None:
    frame = shop.project["demand"].forecast()
    kinds = {name: kind.kind for name, kind in frame.dtypes.items()}
    assert kinds == {
        "shop": "O",
        "day": "M",
        "cutoff": "M",
        "mean": "f",
        "q0.1": "f",
        "q0.5": "f",
        "q0.9": "f",
        "version": "O",
    }
    assert list(frame["shop"].unique()) == ["001", "NA"]
    assert frame["cutoff"].max() == pd.Timestamp("2024-02-14")


def test_an_earlier_forecast_is_found_by_its_cutoff(shop: Shop) -> None:
    earlier = shop.project["demand"].forecast(cutoff="2024-02-11")
    assert set(earlier["day"]) == {pd.Timestamp("2024-02-12"), pd.Timestamp("2024-02-13")}
    with pytest.raises(UsageError, match="2023-01-01") as error:
        shop.project["demand"].forecast(cutoff="2023-01-01")
    assert error.value.hint == "there are: 2024-02-14, 2024-02-11"
    with pytest.raises(UsageError, match="each name a forecast"):
        shop.project["demand"].forecast(cutoff="2024-02-11", release=1)


def test_the_backtest_is_that_of_the_champion_with_actual_values(shop: Shop) -> None:
    demand = shop.project["demand"]
    frame = demand.backtest()
    assert list(frame.columns[:7]) == ["shop", "day", "cutoff", "periods_ahead", "candidate", "actual", "mean"]
    wape = (frame["actual"] - frame["mean"]).abs().sum() / frame["actual"].abs().sum()
    assert wape == pytest.approx(demand.errors()["backtest_wape"][0])
    assert (frame["day"] - frame["cutoff"]).dt.days.tolist() == frame["periods_ahead"].tolist()
    assert set(demand.backtest(all_candidates=True)["candidate"]) > set(frame["candidate"])
    first = demand.versions()["version"].iloc[-1]
    assert demand.backtest(first)["cutoff"].max() < frame["cutoff"].max()
    with pytest.raises(UsageError, match="has no version 'v1'"):
        demand.backtest("v1")


def test_realised_rows_are_what_the_realised_errors_are_measured_on(shop: Shop) -> None:
    demand = shop.project["demand"]
    rows, errors = demand.realised(), demand.errors()
    assert len(rows) == errors["realised_values"][0] == 4
    wape = (rows["actual"] - rows["mean"]).abs().sum() / rows["actual"].abs().sum()
    assert wape == pytest.approx(errors["realised_wape"][0])
    assert list(rows.columns) == ["shop", "day", "cutoff", "mean", "q0.1", "q0.5", "q0.9", "version", "actual"]


def test_versions_are_those_of_the_record_newest_first(shop: Shop) -> None:
    versions = shop.project["demand"].versions()
    assert versions["traffic"].tolist() == [100, 0]
    assert set(versions["state"]) == {"passed"}
    assert versions["created"].is_monotonic_decreasing
    assert str(versions["created"].dt.tz) == "UTC"
    assert versions["wape"].iloc[0] == pytest.approx(shop.project["demand"].errors()["backtest_wape"][0])


def test_an_unknown_name_or_grouping_is_refused_with_what_there_is(shop: Shop) -> None:
    with pytest.raises(UsageError, match="no forecast 'x'") as error:
        shop.project["x"]
    assert error.value.hint == "known: demand"
    with pytest.raises(UsageError, match="no grouping") as error:
        shop.project["demand"].errors(by="shop")  # type: ignore[arg-type]
    assert error.value.hint == "known: all, series, horizon, segment"
    with pytest.raises(UsageError, match="no forecast 'gone'"):
        type(shop.project["demand"])("gone", shop.project.root, shop.project._target).forecast()


@pytest.mark.usefixtures("in_this_process")
def test_a_forecast_without_stock_levels_says_so(shop: Shop) -> None:
    spec = shop.project.root / "specs" / "demand.yaml"
    spec.write_text(spec.read_text().partition("inventory:")[0])
    shop.project.apply().raise_for_errors()
    with pytest.raises(StateError, match="has no inventory"):
        shop.project["demand"].inventory()


def test_hours_are_those_of_the_zone_also_where_the_clocks_change() -> None:
    hours = ["2024-10-27T01:00:00+02:00", "2024-10-27T02:00:00+02:00", "2024-10-27T03:00:00+01:00", None]
    frame = to_frame(PlainRows(["at", "mean"], [[hour, None] for hour in hours], frozenset({"at"})), "Europe/Berlin")
    assert [str(at) for at in frame["at"][:2]] == ["2024-10-27 01:00:00+02:00", "2024-10-27 02:00:00+02:00"]
    assert str(frame["at"].dt.tz) == "Europe/Berlin"
    assert frame["at"].isna().tolist() == [False, False, False, True]
    assert frame["mean"].dtype == "float64"


def test_without_pandas_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(mlspec.errors.MissingExtra, match="pandas"):
        to_frame(PlainRows(["a"], [[1]]))


def test_a_folder_without_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no project"):
        mlspec.open(tmp_path)
    (tmp_path / "mlspec.yaml").write_text("apiVersion: mlspec/v1\nkind: Project\nname: shop\n")
    assert list(mlspec.open(tmp_path)) == []
    with pytest.raises(UsageError, match="no target 'prod'"):
        mlspec.open(tmp_path, target="prod")
    (tmp_path / "mlspec.yaml").write_text("apiVersion: mlspec/v1\nkind: Project\nnam: shop\n")
    with pytest.raises(mlspec.errors.SpecError, match=r"mlspec.yaml:3:1: nam"):
        mlspec.open(tmp_path)
