"""A statement that two databases understand: `?` is where a value goes, and nothing else looks like one."""

from __future__ import annotations

import pytest

from mlspec.targets.postgres.schema import to_psycopg_sql


def test_places_of_values_are_written_as_psycopg_has_them() -> None:
    statement = "SELECT value FROM meta WHERE key = ? AND forecast = 'it''s' AND serial > ?"
    assert to_psycopg_sql(statement) == "SELECT value FROM meta WHERE key = %s AND forecast = 'it''s' AND serial > %s"


@pytest.mark.parametrize("statement", [
    "SELECT 1 FROM meta WHERE key = 'what?'", "SELECT 1 FROM meta WHERE key LIKE '%a'", "SELECT 7 % 2", "SELECT %s",
    "SELECT 'it''s ?' WHERE key = ?",
])  # fmt: skip
def test_what_would_be_taken_for_a_place_of_a_value_is_refused(statement: str) -> None:
    with pytest.raises(ValueError, match="pass it as a value"):
        to_psycopg_sql(statement)
