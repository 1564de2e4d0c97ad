"""Compares a line that a page shows with one that was printed: words are equal, figures are close, names of versions agree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

# What an elapsed time looks like: it differs in every run. `24h` and `2 d` of a spec do not.
_ELAPSED = re.compile(r"\(?\b[0-9]+\.[0-9] s\b\)?|\bin [0-9]+ (?:s|min|h|d)\b|\b[0-9]+\.[0-9] days\b")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z")
# Names made of a digest: what they are made of changes with the data, the spec and CODE_VERSION.
_DIGEST = re.compile(r"\bv[0-9a-f]{10}\b|\b(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{10}\b")
_FIGURE = re.compile(r"-?[0-9][0-9,]*(?:\.[0-9]+)?%?")
_SPLIT = re.compile("|".join(f"(?:{part.pattern})" for part in (_ELAPSED, _MOMENT, _DIGEST, _FIGURE)))
# Another release of a library moves last digits. What moves by more is another figure, and the page has to say so.
_TOLERANCE = 0.001


@dataclass
class Names:
    """Which version of the page is which of the run. One name of the page stands for one of the run, all along the page.

    `exact`: names and figures have to be the same to the last digit, so that a page is written anew where they are not.
    """

    exact: bool = False
    ours: dict[str, str] = field(default_factory=dict)
    theirs: dict[str, str] = field(default_factory=dict)

    def agree(self, shown: str, printed: str) -> bool:
        """Return whether both have stood for each other so far."""
        if self.exact:
            return shown == printed
        return self.ours.get(shown, printed) == printed and self.theirs.get(printed, shown) == shown

    def keep(self, shown: str, printed: str) -> None:
        """Hold that they stand for each other from now on."""
        self.ours[shown], self.theirs[printed] = printed, shown


def is_alike(shown: str, printed: str) -> bool:
    """Return whether two lines differ in figures, moments and names alone."""
    return [word for word, _ in _tokens(shown)] == [word for word, _ in _tokens(printed)]


def holds(shown: str, printed: str, names: Names, now: datetime) -> bool:
    """Return whether a page may show this line for what was printed, and if so keep the names in it."""
    left, right = _tokens(shown), _tokens(printed)
    if [word for word, _ in left] != [word for word, _ in right]:
        return False
    digests = []
    for (kind, ours), (_, theirs) in zip(left, right, strict=True):
        if kind == "<digest>":
            if not names.agree(ours, theirs):
                return False
            digests.append((ours, theirs))
        elif (kind == "<figure>" and ours != theirs and (names.exact or not is_close(ours, theirs))) or (
            kind == "<moment>" and not _may_stand_for(ours, theirs, now)
        ):
            return False
    for ours, theirs in digests:
        names.keep(ours, theirs)
    return True


def is_close(shown: str, printed: str) -> bool:
    """Return whether a page may show this figure for that one: a count exactly, what was measured up to its last digit."""
    if shown == printed:
        return True
    if shown.endswith("%") != printed.endswith("%") or not {",", ".", "%"} & {*shown, *printed}:
        return False
    ours, theirs = (float(text.replace(",", "").rstrip("%")) for text in (shown, printed))
    last_digit = 10.0 ** -max(len(text.rstrip("%").partition(".")[2]) for text in (shown, printed))
    return abs(ours - theirs) <= max(last_digit, abs(theirs) * _TOLERANCE) * (1 + 1e-9)


def _tokens(line: str) -> list[tuple[str, str]]:
    """Split a line into words, which stand for themselves, and what may differ: ("<figure>", "1,234")."""
    return list(_iter_tokens(" ".join(line.split())))


def _iter_tokens(line: str) -> Iterator[tuple[str, str]]:
    end = 0
    for found in _SPLIT.finditer(line):
        if text := line[end : found.start()].strip():
            yield text, text
        yield _kind(found[0]), found[0]
        end = found.end()
    if text := line[end:].strip():
        yield text, text


def _kind(text: str) -> str:
    for kind, pattern in (("<elapsed>", _ELAPSED), ("<moment>", _MOMENT), ("<digest>", _DIGEST)):
        if pattern.fullmatch(text):
            return kind
    return "<figure>"


def _may_stand_for(shown: str, printed: str, now: datetime) -> bool:
    """A moment of the run stands for any; one that the data gives, as in a rehearsal, is the same in every run."""
    moment = datetime.fromisoformat(printed).astimezone(UTC)
    return shown == printed or abs(moment - now) < timedelta(days=1)
