"""The connection that a thread keeps open for a while, so that many short looks cost one opening."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Generic, TypeVar

Opened = TypeVar("Opened")


class ConnectionCache(threading.local, Generic[Opened]):
    """At most one connection a thread. None is used by two threads, nor by a process that was forked meanwhile."""

    _connection: Opened | None = None
    _process = 0

    @property
    def connection(self) -> Opened | None:
        """What this thread of this process keeps open, if anything."""
        return self._connection if self._process == os.getpid() else None

    @contextmanager
    def keep_open(self, reading: AbstractContextManager[Opened | None]) -> Iterator[None]:
        """Keep what `reading` opens inside the block; a block inside another shares its connection."""
        if self.connection is not None:
            yield
            return
        with reading as connection:
            self._connection, self._process = connection, os.getpid()
            try:
                yield
            finally:
                self._connection = None
