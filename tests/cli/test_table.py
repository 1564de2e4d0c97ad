"""Tables of text: one line for each row, whatever stands in its cells."""

from __future__ import annotations

from mlspec.cli.table import format_table


def test_a_new_line_in_a_name_breaks_no_table() -> None:
    text = format_table(["store\nname", "units"], [["São\nJoão", 1], ["B", 2]])
    assert len(text.splitlines()) == 3
    assert "São\\nJoão" in text
    assert "store\\nname" in text
