"""What the redeploy function remembers of messages, in memory: a write goes over the mark that was read, as in Cloud Storage."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mlspec.errors import TargetError
from mlspec.state.start_mark import NEW_MARK, StartMark


@dataclass
class Marks:
    """Marks whose clock is moved by hand, and that can refuse to be read, to be written, or to be removed."""

    now: datetime = datetime(2026, 1, 5, 6, tzinfo=UTC)
    known: dict[tuple[str, str], StartMark] = field(default_factory=dict)
    reads: bool = True
    writes: bool = True
    writes_left: int | None = None
    deletes: bool = True
    crowd: threading.Barrier | None = None
    _generation: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read_mark(self, forecast: str, message: str) -> StartMark | None:
        """Return a mark, or None."""
        if not self.reads:
            raise TargetError("403 denied")
        found = self.known.get((forecast, message))
        if self.crowd is not None:
            self.crowd.wait(30)
        return found

    def write_mark(self, forecast: str, message: str, *, started: bool, over: int) -> int | None:
        """Write a mark over a generation, and no other."""
        with self._lock:
            if not self.writes or self.writes_left == 0:
                raise TargetError("403 denied")
            if self.writes_left is not None:
                self.writes_left -= 1
            current = self.known.get((forecast, message))
            if (current.generation if current else NEW_MARK) != over:
                return None
            self._generation += 1
            self.known[forecast, message] = StartMark(started, self.now, self._generation)
            return self._generation

    def remove_mark(self, forecast: str, message: str, generation: int) -> None:
        """Remove a mark that nobody wrote over."""
        if not self.deletes:
            raise TargetError("403 denied")
        with self._lock:
            current = self.known.get((forecast, message))
            if current and current.generation == generation:
                del self.known[forecast, message]
