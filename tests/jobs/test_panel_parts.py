"""The panel in files by time: together they are the frame that was written, and new periods leave earlier files as they are."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.errors import DataError
from mlspec.forecast.frame import ID, OBSERVED, TARGET, TIME
from mlspec.jobs.files import write_table
from mlspec.jobs.panel_parts import read_panel_frame, write_panel
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


def test_the_one_file_of_an_older_mlspec_is_read(tmp_path: Path) -> None:
    frame = frame_of({"a": 0, "b": 0}, 80)
    old = {"panel": write_table(frame, tmp_path / "panel.parquet")}
    pd.testing.assert_frame_equal(read_panel_frame(old), frame)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    parts = write_panel(frame_of({"a": 0}, 80), tmp_path)
    parts["panel-2022"].write_bytes(b"broken")
    with pytest.raises(DataError, match=r"'panel-2022.parquet' cannot be read"):
        read_panel_frame(parts)
