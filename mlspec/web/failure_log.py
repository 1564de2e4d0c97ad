"""Says which versions fail requests: once a minute at most for the same reason, however many requests fail."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

PAUSE = 60.0  # seconds between two sentences on the same failure


class FailureLog:
    """Says the failures of each version; safe for many threads. `timer` returns seconds."""

    def __init__(self, timer: Callable[[], float], say: Callable[[str], None]) -> None:
        self._timer, self._say, self._lock = timer, say, Lock()
        self._said: dict[tuple[str, str], tuple[str, float, int]] = {}  # reason, moment, requests since then

    def report_failure(self, forecast: str, version: str, reason: str) -> None:
        """Say that a version failed a request, with the number of those that were not said."""
        now = self._timer()
        with self._lock:
            last_reason, said_at, unsaid = self._said.get((forecast, version), ("", 0.0, 0))
            is_repeated = last_reason == reason and now - said_at < PAUSE
            self._said[forecast, version] = (reason, said_at, unsaid + 1) if is_repeated else (reason, now, 0)
        if not is_repeated:
            more = f"; {unsaid:,} more since this was said last" if unsaid else ""
            self._say(f"{forecast}: {version} failed a request: {reason}{more}")
