"""What all entrants forecast is written and read in pieces: the same table as at once, whatever the pieces are."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.errors import DataError
from mlspec.forecast import entrant_forecasts
from mlspec.forecast.entrant_forecasts import CHAMPION, EntrantForecasts
from mlspec.forecast.frame import CANDIDATE, CUTOFF, ID, MEAN, STEP, TARGET
from mlspec.jobs import files
from mlspec.jobs.files import read_chosen_rows, write_pieces, write_table

OWN = "own_q0.5"
CUT = pd.Timestamp("2025-01-01").as_unit("ns")


def forecasts(rows: int) -> EntrantForecasts:
    """Two entrants, of which one has own quantiles, and rows of a level."""
    periods = pd.DataFrame({
        ID: [f"loja {place % 3}" for place in range(rows)], CUTOFF: CUT, STEP: range(rows),
        TARGET: np.where(np.arange(rows) % 4 == 0, np.nan, np.arange(rows)),
    })  # fmt: skip
    theta = pd.DataFrame({MEAN: np.arange(rows) / 7})
    model = pd.DataFrame({MEAN: np.arange(rows) / 3, OWN: np.arange(rows) * 2.0})
    level = pd.DataFrame({ID: ["total"], CUTOFF: CUT, STEP: 1, TARGET: 5.0, CANDIDATE: "(levels)"})
    return EntrantForecasts(periods, {"theta": theta, "promo": model}, level)


def at_once(made: EntrantForecasts, champion: str) -> pd.DataFrame:
    frames = [made.rows_of(label).assign(**{CHAMPION: label == champion}) for label in made.own]
    return pd.concat([*frames, made.level_rows.assign(**{CHAMPION: False})], ignore_index=True)  # type: ignore[union-attr]


@given(rows=st.integers(1, 30), most=st.integers(1, 12), group=st.integers(1, 40))
def test_pieces_of_any_size_are_the_same_table(rows: int, most: int, group: int) -> None:
    made, before = forecasts(rows), (entrant_forecasts.MOST_ROWS, files.ROW_GROUP)
    entrant_forecasts.MOST_ROWS, files.ROW_GROUP = most, group
    try:
        with TemporaryDirectory() as folder:
            path = write_pieces(made.divide_rows("promo"), Path(folder) / "backtest.parquet")
            stored = pd.read_parquet(path)
            marked = read_chosen_rows(path, lambda table: table[CHAMPION], (ID, MEAN, CHAMPION, "no_such_column"))
    finally:
        entrant_forecasts.MOST_ROWS, files.ROW_GROUP = before
    expected = at_once(made, "promo")
    pd.testing.assert_frame_equal(stored, expected)
    chosen = expected.loc[expected[CHAMPION], [ID, MEAN, CHAMPION]].reset_index(drop=True)
    pd.testing.assert_frame_equal(marked, chosen)


def test_what_fits_into_one_group_has_the_bytes_of_one_table(tmp_path: Path) -> None:
    made = forecasts(50)
    pieces = write_pieces(made.divide_rows("theta"), tmp_path / "pieces.parquet")
    assert pieces.read_bytes() == write_table(at_once(made, "theta"), tmp_path / "table.parquet").read_bytes()


def test_pieces_that_fill_row_groups_have_the_bytes_of_one_table_of_any_size(tmp_path: Path) -> None:
    count, piece = files.ROW_GROUP + 5, entrant_forecasts.MOST_ROWS
    assert files.ROW_GROUP % piece == 0
    places = np.arange(count)
    frame = pd.DataFrame({ID: pd.Index(["a", "b/ç", "c"]).take(places % 3), MEAN: places / 7.0})
    pieces = write_pieces(
        (frame[first : first + piece] for first in range(0, count, piece)), tmp_path / "pieces.parquet"
    )
    assert pyarrow.parquet.ParquetFile(pieces).metadata.num_row_groups == 2
    assert pieces.read_bytes() == write_table(frame, tmp_path / "table.parquet").read_bytes()


def test_memory_holds_a_group_of_rows_and_not_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrant_forecasts, "MOST_ROWS", 10)
    monkeypatch.setattr(files, "ROW_GROUP", 25)
    path = write_pieces(forecasts(50).divide_rows("theta"), tmp_path / "pieces.parquet")
    groups = pyarrow.parquet.ParquetFile(path).metadata
    assert [groups.row_group(place).num_rows for place in range(groups.num_row_groups)] == [20, 20, 20, 20, 21]


def test_rows_that_nothing_marks_are_an_empty_table_with_the_same_columns(tmp_path: Path) -> None:
    path = write_pieces(forecasts(5).divide_rows("theta"), tmp_path / "backtest.parquet")
    read = read_chosen_rows(path, lambda table: table[MEAN].is_null())
    assert list(read.columns) == list(pd.read_parquet(path).columns)
    assert len(read) == 1  # the level has no mean here
    assert read_chosen_rows(path, lambda table: table[ID].is_null()).empty


def test_texts_are_read_as_categories_in_the_order_in_which_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_pieces(forecasts(50).divide_rows("promo"), tmp_path / "backtest.parquet")
    plain = read_chosen_rows(path, lambda table: table[CHAMPION])
    monkeypatch.setattr(files, "ROW_GROUP", 7)
    coded = read_chosen_rows(path, lambda table: table[CHAMPION], coded=[ID, "no_such_column"])
    assert list(coded[ID].cat.categories) == list(plain[ID].unique())
    pd.testing.assert_frame_equal(coded.astype({ID: object}), plain)


def test_a_file_that_is_no_table_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "backtest.parquet").write_text("no table")
    with pytest.raises(DataError, match=r"'backtest\.parquet' cannot be read"):
        read_chosen_rows(tmp_path / "backtest.parquet", lambda table: table[MEAN].is_null())
