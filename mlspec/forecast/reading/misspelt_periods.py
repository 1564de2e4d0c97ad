"""Finds the columns of a wide table that are meant as periods and misspelt: they would pass for other columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import pandas as pd

from mlspec.forecast.reading.times import MONTH_WORDS, read_times

_LOOKS_LIKE = str.maketrans("OolIiSsB", "00111558")
_BESIDE_DIGIT = re.compile(r"(?<=[0-9])[OolIiSsB]|[OolIiSsB](?=[0-9])")
_WORD = re.compile(r"[^\W\d_]+")
_SIGN = re.compile(r"[^\w]")


def find_misspelt_period(names: Iterable[str], periods: Collection[str], date_format: str) -> str | None:
    """Return the first name that is no period in the form and differs from one by a slip, or None."""
    return next((name for name in names if _is_misspelt(name.strip(), periods, date_format)), None)


def _is_misspelt(name: str, periods: Collection[str], date_format: str) -> bool:
    if not any(char.isdigit() for char in name):
        return False
    words = _WORD.findall(name)
    if not words:
        return any(_is_written_alike(name, period) for period in periods)
    texts = [_with_digits(name), *(name.replace(words[0], word) for word in _near_words(words, periods))]
    times = read_times(pd.Series(texts, dtype=object), date_format)
    return any(time is not pd.NaT and text not in periods for text, time in zip(texts, times, strict=True))


def _is_written_alike(name: str, period: str) -> bool:
    """Return whether a name of digits and signs has the digits of a period, or the same signs and one digit more or less."""
    if _WORD.search(period):
        return False
    difference = abs(sum(map(str.isdigit, name)) - sum(map(str.isdigit, period)))
    signs = _SIGN.findall(name)
    return difference == 0 or (difference == 1 and bool(signs) and signs == _SIGN.findall(period))


def _with_digits(name: str) -> str:
    """Return a name with digits in place of the letters beside digits that look like one: 2024-0l is 2024-01."""
    while mended := _BESIDE_DIGIT.search(name):
        place = mended.start()
        name = name[:place] + name[place].translate(_LOOKS_LIKE) + name[place + 1 :]
    return name


def _near_words(words: list[str], periods: Collection[str]) -> list[str]:
    """Return the words of periods, and the names of months, from which the one word of a name differs by one letter."""
    if len(words) != 1:
        return []
    known = {word for period in periods for word in _WORD.findall(period)} | MONTH_WORDS
    return sorted(word for word in known if _differs_by_one(words[0].lower(), word.lower()))


def _differs_by_one(word: str, other: str) -> bool:
    """Return whether one letter was changed, added or left out, or two neighbours exchanged."""
    short, long = sorted((word, other), key=len)
    begin = next((place for place, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) < len(long):
        return short[begin:] == long[begin + 1 :]
    exchanged = short[begin : begin + 2] == long[begin : begin + 2][::-1] and short[begin + 2 :] == long[begin + 2 :]
    return word != other and (short[begin + 1 :] == long[begin + 1 :] or exchanged)
