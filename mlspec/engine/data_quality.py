"""What the recorded checks of a forecast's data found, over time, as rows of plain values."""

from __future__ import annotations

from collections.abc import Mapping

from mlspec.engine.rows import PlainRows
from mlspec.render.quality_page import QualityRow
from mlspec.state.observed import RecordedCheck
from mlspec.state.resource import Json
from mlspec.targets.base import Target

_COLUMNS = (
    "checked", "contract", "data_up_to", "rows", "refused_rows", "series", "filled_periods", "zeros", "missing_periods",
    "ended_series", "broken_checks",
)  # fmt: skip


def load_quality(target: Target, name: str) -> list[QualityRow]:
    """Return a row for each check that the record keeps, newest first."""
    return [_quality_row(check) for check in target.load_checks(name)]


def _quality_row(check: RecordedCheck) -> QualityRow:
    """Return what a check found. An older mlspec recorded less: what it did not say is None."""
    facts = check.facts
    broken = [each for each in facts.get("checks") or () if not each.get("ok")]
    return QualityRow(
        at=check.at,
        ok=bool(facts.get("ok")),
        cutoff=facts.get("cutoff"),
        rows=facts.get("rows"),
        refused=_count(facts.get("bad_rows")),
        series=facts.get("series"),
        filled=facts.get("filled"),
        zeros=facts.get("zeros"),
        missing=facts.get("missing_periods"),
        ended=_count(facts.get("ended")),
        broken=tuple(f"{each['check']}: {each['message']}" for each in broken),
    )


def _count(found: Mapping[str, Json] | None) -> int | None:
    return None if found is None else found.get("count")


def quality_rows(rows: list[QualityRow]) -> PlainRows:
    """Return the same for a file, the oldest first."""
    values = [
        [
            row.at, "holds" if row.ok else "broken", row.cutoff, row.rows, row.refused, row.series, row.filled, row.zeros,
            row.missing, row.ended, "; ".join(row.broken),
        ]
        for row in reversed(rows)
    ]  # fmt: skip
    return PlainRows(list(_COLUMNS), values)
