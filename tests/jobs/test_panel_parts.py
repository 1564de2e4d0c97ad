"""The panel in files by time: together they are the frame that was written, and new periods leave earlier files as they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.errors import DataError
from mlspec.forecast import series_parts as series_parts_module
from mlspec.forecast.frame import ID, OBSERVED, TARGET, TIME
from mlspec.forecast.series_parts import PART_ROWS, count_parts, place_series
from mlspec.jobs.files import write_table
from mlspec.jobs.panel_parts import read_panel_frame, series_parts, write_panel
from mlspec.state.step import panel_parts


def frame_of(starts: dict[str, int], periods: int, frequency: str = "W-FRI") -> pd.DataFrame:
    """A panel: each series from its own first period to the same cutoff, sorted."""
    times = pd.date_range("2022-03-04", periods=periods, freq=frequency)
    rows = [
        (name, time, float(number + len(name)) if number % 5 else None, number % 5 > 0, None if number < 3 else 1.5)
        for name, start in sorted(starts.items())
        for number, time in enumerate(times)
        if number >= min(start, periods - 1)
    ]
    frame = pd.DataFrame(rows, columns=[ID, TIME, TARGET, OBSERVED, "x_price"])
    return frame.astype({TARGET: "float64", "x_price": "float64"})


@contextmanager
def small_parts(most_rows: int) -> Iterator[None]:
    """Let a part have so many rows at most."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(series_parts_module, "PART_ROWS", most_rows)
        yield


FRAMES = st.builds(
    frame_of,
    st.dictionaries(
        st.text(min_size=1, max_size=4).filter(str.isprintable), st.integers(0, 80), min_size=1, max_size=5
    ),
    st.integers(1, 90),
    st.sampled_from(["W-FRI", "D", "MS", "h", "YS"]),
)


@given(FRAMES)
def test_what_was_written_reads_back_the_same(frame: pd.DataFrame) -> None:
    with TemporaryDirectory() as folder:
        pd.testing.assert_frame_equal(read_panel_frame(write_panel(frame, Path(folder))), frame)


@given(FRAMES)
def test_the_newest_file_has_the_newest_periods(frame: pd.DataFrame) -> None:
    with TemporaryDirectory() as folder:
        parts = [pd.read_parquet(path)[TIME] for path in panel_parts(write_panel(frame, Path(folder))).values()]
        assert all(before.max() < after.min() for before, after in pairwise(parts))
        assert parts[-1].max() == frame[TIME].max()


def content_by_role(frame: pd.DataFrame, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    return {role: path.read_bytes() for role, path in write_panel(frame, folder).items()}


def test_a_new_week_makes_one_file_new(tmp_path: Path) -> None:
    starts = {f"i{number:03}": number % 7 for number in range(50)}
    before = content_by_role(frame_of(starts, 80), tmp_path / "before")
    after = content_by_role(frame_of(starts, 81), tmp_path / "after")
    assert set(before) == set(after) > {"panel", "panel-2022", "panel-2023-01"}
    assert [role for role in after if after[role] != before[role]] == ["panel"]


def test_a_new_month_and_a_new_year_close_the_files_before_them(tmp_path: Path) -> None:
    starts = {"a": 0, "b": 3}
    december, january = (content_by_role(frame_of(starts, n), tmp_path / str(n)) for n in (96, 97))
    assert {role for role in december if role.startswith("panel-2023-")} == {f"panel-2023-{n:02}" for n in range(1, 12)}
    assert set(january) == {"panel-2022", "panel-2023", "panel"}
    assert january["panel-2022"] == december["panel-2022"]


def test_a_late_correction_makes_the_file_of_its_time_new(tmp_path: Path) -> None:
    frame = frame_of({"a": 0, "b": 0}, 80)
    before = content_by_role(frame, tmp_path / "before")
    frame.loc[frame[TIME] == pd.Timestamp("2022-05-06"), TARGET] = 99.0
    after = content_by_role(frame, tmp_path / "after")
    assert [role for role in after if after[role] != before[role]] == ["panel-2022"]


@given(FRAMES, st.sampled_from([1, 3, 20]))
def test_parts_by_series_read_back_as_the_same_frame(frame: pd.DataFrame, most_rows: int) -> None:
    with TemporaryDirectory() as folder, small_parts(most_rows):
        files = write_panel(frame, Path(folder))
        parts = [part.read() for part in series_parts(files)]
        pd.testing.assert_frame_equal(read_panel_frame(files), frame)
        assert "panel" in files
        assert [part.count_rows() for part in series_parts(files)] == [len(part) for part in parts]
        assert sum(part[ID].nunique() for part in parts) == frame[ID].nunique()
        for part in parts:
            own = frame[frame[ID].isin(part[ID])].reset_index(drop=True)
            pd.testing.assert_frame_equal(part, own)


def test_a_new_week_makes_one_file_of_each_part_new(tmp_path: Path) -> None:
    starts = {f"i{number:03}": number % 7 for number in range(50)}
    with small_parts(1500):
        before = content_by_role(frame_of(starts, 80), tmp_path / "before")
        after = content_by_role(frame_of(starts, 81), tmp_path / "after")
    newest = {"panel", "panel-s01", "panel-s02", "panel-s03"}
    assert set(before) == set(after) > newest | {"panel-older", "panel-year", "panel-s01-older", "panel-s01-year"}
    assert {role for role in after if after[role] != before[role]} == newest


def test_a_series_stays_in_its_part_as_the_panel_grows() -> None:
    names = pd.Index([f"i{number}" for number in range(500)])
    assert [count_parts(rows) for rows in (0, 1, PART_ROWS, PART_ROWS + 1, 2 * PART_ROWS + 1)] == [1, 1, 1, 2, 4]
    assert (place_series(names, 4) % 2 == place_series(names, 2)).all()
    assert set(place_series(names, 4)) == {0, 1, 2, 3}
    assert list(place_series(pd.Index(["a", "b", "São Paulo/1"]), 1024)) == [85, 849, 819]


def test_the_one_file_of_an_older_mlspec_is_read(tmp_path: Path) -> None:
    frame = frame_of({"a": 0, "b": 0}, 80)
    old = {"panel": write_table(frame, tmp_path / "panel.parquet")}
    pd.testing.assert_frame_equal(read_panel_frame(old), frame)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    parts = write_panel(frame_of({"a": 0}, 80), tmp_path)
    parts["panel-2022"].write_bytes(b"broken")
    with pytest.raises(DataError, match=r"'panel-2022.parquet' cannot be read"):
        read_panel_frame(parts)
