"""A commit of a project, and which of two is newer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit: its hash, and when it was committed (RFC 3339 in UTC)."""

    commit: str
    committed_at: str
