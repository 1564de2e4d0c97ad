"""Which files a path in a spec names: what is digested, what is copied and what is read are the same."""

from __future__ import annotations

from pathlib import Path

from mlspec.source_files import list_source_files


def test_a_star_names_the_files_of_a_folder_in_order_and_no_folder(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "a.parquet"):
        (tmp_path / name).write_text("")
    (tmp_path / "c.csv").mkdir()
    assert list_source_files(tmp_path, "*.csv") == [tmp_path / "a.csv", tmp_path / "b.csv"]
    assert list_source_files(tmp_path, "z*.csv") == []


def test_a_plain_path_is_returned_for_whoever_says_that_it_is_not_there(tmp_path: Path) -> None:
    assert list_source_files(tmp_path, "data/sales.csv") == [tmp_path / "data" / "sales.csv"]
