"""One file of the spec language: its text, its plain value, and the position of each part.

Positions are computed by reading the text a second time, and only on demand: a valid file does not need them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path as File
from typing import Any

from mlspec.spec.decode import MAX_BYTES, Mark, Trouble, decode_text
from mlspec.spec.faults import Fault, Path, Problem, dotted_path, has_key
from mlspec.spec.reader import Reading, read_yaml
from mlspec.spec.secrecy import redact_line, redact_secrets

_LONGEST = 1000  # characters of a path, a message or a hint


@dataclass
class Document:
    """A file that was read. `name` is its path as shown to the user; `value` is empty if the file has `faults`."""

    file: File
    name: str
    text: str = ""
    value: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @cached_property
    def _positions(self) -> Reading:
        return read_yaml(self.text, positions=True)

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.split("\n")

    def find_mark(self, path: Path, *, on_key: bool = False) -> Mark:
        """Return the position of a path; if it is not in this file, the position of its nearest parent in the file."""
        places = self._positions
        first, second = (places.keys, places.values) if on_key else (places.values, places.keys)
        for depth in range(len(path), 0, -1):
            position = first.get(path[:depth]) or second.get(path[:depth])
            if position:
                return position
        return Mark(1, 1)

    def has_path(self, path: Path) -> bool:
        """Return whether a path is in this file."""
        value: Any = self.value
        for key in path:
            if not has_key(value, key):
                return False
            value = value[key]
        return True

    def make_fault(self, problem: Problem, place: Path | None = None) -> Fault:
        """Return a problem with its position. `place` is the path in this file, if it differs from the problem's path."""
        path = problem.path if place is None else place
        fault = self._build_fault(
            self.find_mark(path, on_key=problem.on_key),
            path=dotted_path(problem.path),
            code=problem.code,
            message=problem.message,
            hint=problem.hint,
        )
        return replace(fault, warning=problem.warning)

    def add_troubles(self, troubles: Iterable[Trouble]) -> None:
        """Add what the reader refused to the faults of this file."""
        self.faults += [
            self._build_fault(
                trouble.mark,
                path=dotted_path(trouble.path),
                code=trouble.code,
                message=trouble.message,
                hint=trouble.hint,
            )
            for trouble in troubles
        ]

    def _build_fault(self, mark: Mark, *, path: str, code: str, message: str, hint: str | None) -> Fault:
        line = self._lines[mark.line - 1] if mark.line <= len(self._lines) else ""
        # A fault is printed, logged and sent to a code host, so it must not contain a secret from the file.
        path, message, line = _shorten(redact_secrets(path)), _shorten(redact_secrets(message)), redact_line(line)
        return Fault(
            self.name, mark.line, mark.column, path, code, message, hint and _shorten(redact_secrets(hint)), line
        )


def _shorten(text: str) -> str:
    """Return a text that may quote a key or a value of the user's, which can be as long as the file."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def open_document(file: File, name: str) -> Document:
    """Read one file. Never raises: a file that cannot be read has a fault."""
    document = Document(file, name)
    try:
        if not file.is_file():
            raise OSError(0, "is not a file")  # noqa: TRY301  (a device or a folder cannot be read either)
        with file.open("rb") as opened:
            # One byte more than allowed shows that the file is too large.
            raw = opened.read(MAX_BYTES + 1)
    except OSError as error:
        document.faults.append(Fault(name, 1, 1, "", "unreadable", f"cannot read the file: {error.strerror}"))
        return document
    text = decode_text(raw)
    if isinstance(text, Trouble):
        document.text = raw.decode("utf-8", "replace") if len(raw) <= MAX_BYTES else ""
        document.add_troubles([text])
        return document
    return parse_document(file, name, text)


def parse_document(file: File, name: str, text: str) -> Document:
    """Return the document that the text of a file is. Never raises: what cannot be read is a fault."""
    document = Document(file, name, text)
    reading = read_yaml(text)
    document.add_troubles(reading.troubles)
    document.value = reading.value or {}
    return document
