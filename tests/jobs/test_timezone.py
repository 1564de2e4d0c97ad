"""Times with an offset are days and hours of the zone that the spec names, also over a change of the clocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlspec.forecast.reading.column import text_column
from mlspec.forecast.zones import guess_zone
from tests.jobs.pipeline import NOW, Pipeline
from tests.jobs.test_row_meaning import panel

BERLIN, PAULO = "Europe/Berlin", "America/Sao_Paulo"


def hours(start: str, count: int, zone: str) -> pd.DatetimeIndex:
    """Moments an hour apart, beginning at a time of a zone."""
    return pd.date_range(pd.Timestamp(start, tz=zone).tz_convert("UTC"), periods=count, freq="h")


def as_table(moments: pd.DatetimeIndex) -> str:
    rows = [f"a,{moment.isoformat()},{place % 24 + 1}" for place, moment in enumerate(moments)]
    return "\n".join(["shop,day,units", *rows, ""])


def run_check(root: Path, text: str, now: str = NOW, **dataset: Any) -> Pipeline:
    run = Pipeline(root).data(text)
    run.spec["dataset"] |= dataset
    run.run("check", now=now)
    return run


@pytest.mark.parametrize(("zone", "written"), [(PAULO, "T03:00"), (BERLIN, "T23:00"), ("Asia/Tokyo", "T15:00")])
def test_days_of_a_zone_that_a_system_writes_in_utc_are_days_again(tmp_path: Path, zone: str, written: str) -> None:
    days = pd.date_range("2024-01-01", periods=40, freq="D", tz=zone)
    text = "\n".join(["shop,day,units", *(f"a,{day.tz_convert('UTC').isoformat()},{day.day}" for day in days), ""])
    assert written in text
    frame = panel(run_check(tmp_path, text, timezone=zone))
    assert list(frame["ds"]) == list(days.tz_localize(None))
    assert list(frame["y"]) == [day.day for day in days]


def test_parquet_has_its_days_in_the_zone_too(tmp_path: Path) -> None:
    run = Pipeline(tmp_path)
    (tmp_path / "data").mkdir()
    days = pd.date_range("2024-01-01", periods=40, freq="D", tz=BERLIN)
    pd.DataFrame({"shop": "a", "day": days, "units": 5.0}).to_parquet(tmp_path / "data/sales.parquet")
    run.spec["dataset"] |= {
        "timezone": BERLIN,
        "source": {**run.spec["dataset"]["source"], "uri": "data/sales.parquet"},
    }
    run.check()
    assert list(panel(run)["ds"]) == list(days.tz_localize(None))


def test_a_clock_that_goes_forward_leaves_no_gap(tmp_path: Path) -> None:
    text = as_table(hours("2024-03-30 00:00", 72, BERLIN))
    run = run_check(tmp_path, text, "2024-04-03T00:00:00Z", frequency="h", timezone=BERLIN)
    frame = panel(run)
    assert list(frame.loc[~frame["observed"], "ds"]) == [pd.Timestamp("2024-03-31 02:00")]


def test_nothing_was_sold_in_an_hour_that_never_was(tmp_path: Path) -> None:
    text = as_table(hours("2024-03-30 00:00", 72, BERLIN))
    run = run_check(tmp_path, text, "2024-04-03T00:00:00Z", frequency="h", timezone=BERLIN, missing="zero")
    frame = panel(run)
    assert (frame["y"] > 0).all()
    assert run.facts["check"]["zeros"] == 0


def test_an_hour_that_a_clock_repeats_is_one_and_is_told(tmp_path: Path) -> None:
    text = as_table(hours("2023-10-28 00:00", 72, BERLIN))
    run = run_check(tmp_path, text, "2023-11-03T00:00:00Z", frequency="h", timezone=BERLIN)
    frame = panel(run).set_index("ds")["y"]
    assert frame[pd.Timestamp("2023-10-29 02:00")] == 3.5  # the mean of 3 and 4
    assert run.facts["check"]["notes"] == [
        "2 rows of an hour that a clock change of Europe/Berlin repeats are joined: each pair by its mean"
    ]


def test_a_day_is_over_when_the_clocks_of_its_zone_say_so(tmp_path: Path) -> None:
    days = "\n".join(["shop,day,units", *(f"a,2024-02-{day:02},5" for day in range(1, 13)), ""])
    fresh = {"checks": {"freshness": {"max_age": "1h"}}, "timezone": PAULO}
    for name, now, ok in (("fresh", "2024-02-13T03:59:00Z", True), ("stale", "2024-02-13T04:01:00Z", False)):
        (tmp_path / name).mkdir()
        facts = run_check(tmp_path / name, days, now, **fresh).facts["check"]
        (check,) = [check for check in facts["checks"] if check["check"] == "freshness"]
        assert check["ok"] is ok


@pytest.mark.parametrize(("texts", "zone"), [
    (["2024-01-01T00:00:00-03:00", "2024-07-01T00:00:00-03:00"], PAULO),
    (["2024-01-01T00:00:00+01:00", "2024-07-01T00:00:00+02:00"], BERLIN),
    (["2024-01-01T03:00:00Z", "2024-07-01T03:00:00Z"], PAULO),
    (["2024-01-01T00:00:00+09:00"], "Asia/Tokyo"),
    (["2024-01-01T00:00:00-11:00"], "Etc/GMT+11"),
    (["2024-01-01T00:00:00Z", "2024-07-01T00:00:00Z"], None),
    (["2024-01-01T05:12:00Z", "2024-07-01T09:43:00Z"], None),
    (["2024-01-01", "2024-07-01"], None),
    (["2024-01-01T00:00:00", "sold out"], None),
])  # fmt: skip
def test_init_finds_the_zone_of_offsets(texts: list[str], zone: str | None) -> None:
    import pyarrow as pa

    found = guess_zone(text_column(pa.chunked_array([pa.array(texts).dictionary_encode()])))
    assert (found and found[0]) == zone


def test_the_zone_of_a_typed_column_is_its_own() -> None:
    times = pd.Series(pd.date_range("2024-01-01", periods=3, tz=BERLIN))
    assert guess_zone(times) == (BERLIN, "the zone of the column")
    assert guess_zone(times.dt.tz_localize(None)) is None
    midnights = guess_zone(pd.Series(pd.date_range("2024-01-01 03:00", periods=3, tz="UTC")))
    assert midnights is not None
    assert midnights[0] == PAULO
