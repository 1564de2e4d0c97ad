"""What changes from one forecast to another, as pages show it: the total, and the series that move most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mlspec.render.chart import Value

SHOWN_SERIES = 50  # rows of a table


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """The sums of one series, or of all, in two forecasts; None where a forecast does not have it."""

    name: str
    before: Value
    after: Value
    change: Value
    share: Value


@dataclass(frozen=True, slots=True)
class ChangePart:
    """Two forecasts over their common periods: the total of the series that both have, and the series that moved most.

    `hidden` counts the series that are not listed, `new` and `gone` those that only one forecast has.
    """

    first: str
    last: str
    periods: int
    total: ChangeRow
    rows: Sequence[ChangeRow] = field(default_factory=list)
    hidden: int = 0
    moved: int = 0
    series: int = 0
    new: int = 0
    gone: int = 0
