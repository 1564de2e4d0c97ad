"""What is remembered of a message about an alert."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

NEW_MARK = 0  # the generation of a mark that does not exist, as in Cloud Storage


@dataclass(frozen=True, slots=True)
class StartMark:
    """The loop was started for a message, or a process claimed the start, at `since`. `generation` numbers the mark's writes."""

    started: bool
    since: datetime
    generation: int = NEW_MARK
