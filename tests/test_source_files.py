"""Which files a path in a spec names: what is digested, what is copied and what is read are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlspec.errors import DataError
from mlspec.source_files import list_source_files


@pytest.mark.parametrize("uri", ["data/sales.csv", "data/*.csv", "data/parts"])
def test_a_folder_that_may_not_be_looked_into_is_said(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_words: object, **_named: object) -> None:  # root may look anywhere, so that a mode would show nothing
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.is_dir", refuse)
    with pytest.raises(DataError, match="Permission denied") as caught:
        list_source_files(tmp_path, uri)
    assert "permission to read" in (caught.value.hint or "")


def test_a_star_names_the_files_of_a_folder_in_order_and_no_folder(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "a.parquet"):
        (tmp_path / name).write_text("")
    (tmp_path / "c.csv").mkdir()
    assert list_source_files(tmp_path, "*.csv") == [tmp_path / "a.csv", tmp_path / "b.csv"]
    assert list_source_files(tmp_path, "z*.csv") == []


def test_a_plain_path_is_returned_for_whoever_says_that_it_is_not_there(tmp_path: Path) -> None:
    assert list_source_files(tmp_path, "data/sales.csv") == [tmp_path / "data" / "sales.csv"]
