"""Rows that somebody edited by hand: a value of another type than its field declares."""

from __future__ import annotations

from typing import Any

import pytest

from mlspec.errors import StateError
from mlspec.targets.record import rows

EVENT = {
    "forecast": "demand", "at": "2024-03-01T00:00:00Z", "type": "Normal", "reason": "DataChecked", "message": "84 rows",
    "version": None,
}  # fmt: skip


def test_a_row_as_it_was_written_is_read() -> None:
    assert rows.event_from_row(EVENT).message == "84 rows"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"message": 84}, "Event.message is 84"),
        ({"type": "Odd"}, "Event.type is 'Odd'"),
        ({"version": 1.5}, "Event.version is 1.5"),
    ],
)
def test_a_row_whose_value_has_another_type_is_refused_with_its_field(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(StateError, match=says):
        rows.event_from_row({**EVENT, **changed})
