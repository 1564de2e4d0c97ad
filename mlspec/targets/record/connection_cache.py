"""Keeps one connection open per thread, so that many short reads open it only once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Generic, TypeVar

Opened = TypeVar("Opened")


class ConnectionCache(threading.local, Generic[Opened]):
    """At most one open connection per thread. Another thread or a forked process never uses it."""

    _connection: Opened | None = None
    _process = 0

    @property
    def connection(self) -> Opened | None:
        """The open connection of this thread and process, or None."""
        return self._connection if self._process == os.getpid() else None

    @contextmanager
    def keep_open(self, reading: AbstractContextManager[Opened | None]) -> Iterator[None]:
        """Keep the connection that `reading` opens until the block ends. A nested block shares it."""
        if self.connection is not None:
            yield
            return
        with reading as connection:
            self._connection, self._process = connection, os.getpid()
            try:
                yield
            finally:
                self._connection = None
