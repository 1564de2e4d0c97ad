"""Sentences on rows that are left out of a panel or joined, with their number: those on several parts of a source add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

COUNT = "{count}"
_SHOWN = 3  # series that a sentence names


@dataclass(frozen=True)
class RowNote:
    """A sentence in which COUNT stands for the number of rows. `rank` says in which order sentences follow each other.

    `series` has the number of rows of each series, if the sentence names those with the most.
    """

    sentence: str
    count: int
    rank: int = 0
    series: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        named = sorted(self.series.items(), key=lambda item: (-item[1], item[0]))
        shown = ", ".join(f"'{name}' ({count:,})" for name, count in named[:_SHOWN])
        more = f" and {len(named) - _SHOWN:,} more" if len(named) > _SHOWN else ""
        return self.sentence.replace(COUNT, f"{self.count:,}") + (f": {shown}{more}" if named else "")


def join_notes(notes: Iterable[RowNote]) -> tuple[RowNote, ...]:
    """Return each sentence once, of the rows of all parts."""
    joined: dict[str, RowNote] = {}
    for note in notes:
        before = joined.get(note.sentence)
        joined[note.sentence] = _add(before, note) if before else note
    return tuple(sorted(joined.values(), key=lambda note: note.rank))


def _add(before: RowNote, note: RowNote) -> RowNote:
    """Return a note on the rows of two parts. No series is in both."""
    return replace(note, count=note.count + before.count, series={**before.series, **note.series})
