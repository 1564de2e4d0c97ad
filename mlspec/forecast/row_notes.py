"""Sentences on rows that are left out of a panel or joined, with their number: those on several parts of a source add up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

COUNT = "{count}"


@dataclass(frozen=True)
class RowNote:
    """A sentence in which COUNT stands for the number of rows. `rank` says in which order sentences follow each other."""

    sentence: str
    count: int
    rank: int = 0

    def __str__(self) -> str:
        return self.sentence.replace(COUNT, f"{self.count:,}")


def join_notes(notes: Iterable[RowNote]) -> tuple[RowNote, ...]:
    """Return each sentence once, of the rows of all parts."""
    joined: dict[str, RowNote] = {}
    for note in notes:
        before = joined.get(note.sentence)
        joined[note.sentence] = replace(note, count=note.count + before.count) if before else note
    return tuple(sorted(joined.values(), key=lambda note: note.rank))
