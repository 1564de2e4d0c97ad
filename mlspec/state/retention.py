"""What a record holds of one forecast, row by row, and what a prune removes from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from mlspec.state.record import FileRef, ForecastRun, Release, Version

Noun = TypeVar("Noun")
Table = Literal["runs", "releases", "versions", "steps"]
AgedTable = Literal["events", "journal", "outbox", "served"]
RowKey = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class RecordRow(Generic[Noun]):
    """One row: `key` identifies it within its table and forecast, `size` is the length of its JSON in characters."""

    key: RowKey
    content: Noun
    size: int


@dataclass(frozen=True, slots=True)
class StepRow:
    """The row of a finished step: when it was recorded, and its files by role."""

    step: str
    at: str
    outputs: Mapping[str, FileRef]


@dataclass(frozen=True, slots=True)
class RecordContents:
    """The rows of one forecast that name files, newest first; steps are in no order."""

    runs: tuple[RecordRow[ForecastRun], ...] = ()
    releases: tuple[RecordRow[Release], ...] = ()
    versions: tuple[RecordRow[Version], ...] = ()
    steps: tuple[RecordRow[StepRow], ...] = ()


@dataclass(frozen=True, slots=True)
class Pruning:
    """What a prune removes from the record of one forecast.

    `rows` are keys by table. `before` has a moment for each table whose rows go by age alone: older ones go. `files` are those
    that nothing needs once the rows are gone; `needed` are the sha256 of all that something needs. `usable` names the versions
    whose files are among them.
    """

    forecast: str
    rows: Mapping[Table, tuple[RowKey, ...]] = field(default_factory=dict)
    before: Mapping[AgedTable, str] = field(default_factory=dict)
    files: tuple[FileRef, ...] = ()
    needed: frozenset[str] = frozenset()
    usable: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether neither a row nor a file goes, age apart."""
        return not any(self.rows.values()) and not self.files


@dataclass(frozen=True, slots=True)
class AgedRows:
    """How many rows of a table go and stay, by age alone; `goes_size` in characters."""

    goes: int
    goes_size: int
    stays: int


@dataclass(frozen=True, slots=True)
class RegisteredCounts:
    """How many versions of a forecast a prune deletes from a model registry, and how many stay there."""

    goes: int
    stays: int
