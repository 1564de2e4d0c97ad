"""Says that a run was stopped part-way, where a signal ends one that has begun to change something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mlspec.errors import StoppedPartWay, Terminated
from mlspec.stop_signals import stop_signal_name

RECORDED = "what was done is recorded"


@contextmanager
def stops_part_way(has_begun: Callable[[], bool], *, done: str, hint: str) -> Iterator[None]:
    """Raise StoppedPartWay in place of a signal's own exception, once `has_begun` says so.

    `done` says what became of the work so far, and `hint` how it goes on. Whoever gets the signal's own exception may say that
    nothing was changed.
    """
    try:
        yield
    except (KeyboardInterrupt, Terminated) as stopped:
        if not has_begun():
            raise
        raise StoppedPartWay(f"stopped by {stop_signal_name(stopped)}; {done}", hint=hint) from stopped
