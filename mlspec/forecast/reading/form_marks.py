"""Which forms of dates a text can have, by its marks, digits and letters: to parse a column in each of a hundred takes seconds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from mlspec.forecast.reading.times import NAMED_FORMS

_MARKS = "/:,-."
_LETTER, _DIGIT = re.compile(r"[^\W\d_]"), re.compile(r"\d")
_WEEKDAY, _MONTH = re.compile("%[aA]"), re.compile("%[bB]")
# Directives whose texts are digits alone, or words without a mark. Nothing is known of a form with any other directive.
_KNOWN = re.compile("(?:%[dmYybBaAHIMSp]|[^%])+")


@dataclass(frozen=True)
class _Shape:
    """What a text is made of: whether it has digits and letters, and how many of each mark."""

    digits: bool
    letters: bool
    marks: tuple[int, ...]


@dataclass(frozen=True)
class _Need:
    """What texts in a form have: letters, none, or either (None); of each mark so many, of those in `more` at least."""

    letters: bool | None
    marks: Mapping[str, int]
    more: str


def possible_forms(texts: Iterable[object], forms: Sequence[str], fewest: float) -> list[str]:
    """Return the forms, in order, that at least `fewest` of the texts can have. None that reads as many is left out."""
    shapes = Counter(_shape_of(text) for text in texts if isinstance(text, str))
    return [form for form in forms if sum(count for shape, count in shapes.items() if _can_have(shape, form)) >= fewest]


def _shape_of(text: str) -> _Shape:
    return _Shape(bool(_DIGIT.search(text)), bool(_LETTER.search(text)), tuple(map(text.count, _MARKS)))


def _can_have(shape: _Shape, form: str) -> bool:
    if not shape.digits:
        return not (form in NAMED_FORMS or _KNOWN.fullmatch(form))
    need = _need_of(form)
    return need is None or (
        need.letters in (None, shape.letters)
        and all(
            count == need.marks[mark] or (count > need.marks[mark] and mark in need.more)
            for mark, count in zip(_MARKS, shape.marks, strict=True)
        )
    )


@cache
def _need_of(form: str) -> _Need | None:
    """Return what texts in a form have; None if that is not known.

    Where months or weekdays have names, the reader drops dots behind words, or the `-feira` of a weekday.
    """
    if form in NAMED_FORMS or not _KNOWN.fullmatch(form):
        return None
    literals = re.sub("%.", "", form)
    letters = any(part.search(text) for part, text in ((_WEEKDAY, form), (_MONTH, form), (_LETTER, literals)))
    either = "%p" in form and not letters  # some languages have no word for it
    more = "-." if _WEEKDAY.search(form) else "." if _MONTH.search(form) else ""
    return _Need(None if either else letters, {mark: literals.count(mark) for mark in _MARKS}, more)
