"""What a header says about how its file is written, where the spec says it otherwise."""

from __future__ import annotations

import pytest

from mlspec.forecast.reading.header import explain_names


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_names_in_utf_8_that_were_read_as_another_encoding_are_told(encoding: str) -> None:
    header = [name.encode("utf-8").decode(encoding) for name in ("Loja", "Preço", "início")]
    assert explain_names(header[:2], "dataset.future") == (
        "the file is in UTF-8, with a column 'Preço': write encoding: \"utf-8\" in dataset.future"
    )
    said = explain_names(header[:2], "inventory.lead_time")
    assert said is not None
    assert "such a table is written as dataset.source is" in said


def test_names_that_are_read_as_they_are_written_say_nothing() -> None:
    assert explain_names(["Loja", "Preço", "Promoção", "Ãrea", "naïve", "日付"], "dataset.source") is None
