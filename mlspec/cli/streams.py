"""The standard streams of a command: one that cannot be written any more ends no work.

A reader may close the output early (`mlspec forecast demand | head`), and the disk that a log is on may be full. What is written
after that is dropped; the command goes on and ends with its own exit code. If the result was lost for another reason than a reader
that wanted no more of it, the command says so and has failed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from mlspec.errors import StateError


class StandardStream:
    """A stream of text that takes everything: once a write has failed, the rest is dropped. `failure` is that of the write."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text, or drop it."""
        try:
            if self.failure is None:
                self._stream.write(text)
        except OSError as error:
            self._drop_rest(error)
        return len(text)

    def flush(self) -> None:
        """Flush what was written, or drop it."""
        try:
            if self.failure is None:
                self._stream.flush()
        except OSError as error:
            self._drop_rest(error)

    def _drop_rest(self, error: OSError) -> None:
        """Let what is still in buffers, of this process and of those that it starts, go nowhere."""
        self.failure = error
        with suppress(OSError):  # a stream without a descriptor has no such buffers
            null = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(null, self._stream.fileno())
            finally:
                os.close(null)


@contextmanager
def open_standard_streams() -> Iterator[StandardStream]:
    """Put such streams in place of `sys.stdout` and `sys.stderr` for a block; yield the first.

    A character that the encoding of stdout lacks is written as a backslash and its number, as Python does on stderr.
    """
    before = sys.stdout, sys.stderr
    if getattr(sys.stdout, "errors", None) == "strict" and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    output = StandardStream(sys.stdout)
    sys.stdout, sys.stderr = output, StandardStream(sys.stderr)
    try:
        yield output
    finally:
        sys.stdout, sys.stderr = before


def is_reader_gone() -> bool:
    """Return whether the standard output can no longer be written."""
    return getattr(sys.stdout, "failure", None) is not None


def find_lost_output(output: StandardStream) -> StateError | None:
    """Return the error for a result that could not be written. A reader that closed the output is none: it had what it wanted."""
    if output.failure is None or isinstance(output.failure, BrokenPipeError):
        return None
    return StateError(
        f"the output could not be written: {output.failure.strerror}",
        hint="make room, or write to another place; what the command did is recorded",
    )
