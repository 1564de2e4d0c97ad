"""Writes sentences, numbers, dates and moments in the reader's own form: English, or Brazilian Portuguese.

Sentences of the pages are looked up by their English text in `templates/pages/LANGUAGE.yaml`. What the record says itself (events,
reasons, messages) stays in English.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import yaml

from mlspec.assets import asset_folder

_PLAIN = str.maketrans({",": "\N{BULLET}", ".": ","})
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2}))?")


@dataclass(frozen=True, slots=True)
class Language:
    """A language of the pages: its tag (BCP 47), its name in itself, and whether the comma is its decimal sign."""

    tag: str
    name: str
    decimal_comma: bool


LANGUAGES: dict[str, Language] = {
    row.tag: row
    for row in (
        Language("en", "English", decimal_comma=False),
        Language("pt-BR", "Português (Brasil)", decimal_comma=True),
    )
}


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a page: the language, and the time zone of moments."""

    language: Language = LANGUAGES["en"]
    zone: str = "UTC"

    def say(self, text: str, **values: object) -> str:
        """Return a sentence in the language, with values put in where {name} stands."""
        found = text if self.language.tag == "en" else translations(self.language.tag)[text]
        return found.format(**values) if values else found

    def number(self, value: float | None) -> str:
        """Return a figure: whole from 100 on, four significant digits below; a dash for None."""
        if value is None:
            return "–"
        return self._own_signs(f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.4g}")

    def whole(self, value: int) -> str:
        """Return a count."""
        return self._own_signs(f"{value:,}")

    def percent(self, value: float | None, *, signed: bool = False) -> str:
        """Return a share as a percentage; a dash for None."""
        if value is None:
            return "–"
        return self._own_signs(f"{value:+.1%}" if signed else f"{value:.1%}")

    def signed(self, value: float | None) -> str:
        """Return a difference with its sign; a dash for None."""
        if value is None:
            return "–"
        return f"{'+' if value > 0 else '−' if value < 0 else ''}{self.number(abs(value))}"

    def period(self, text: str | None) -> str:
        """Return a period (ISO text) as a date, with its time of day if it has one. Another text stays as it is."""
        match = _DAY.match(text or "")
        if match is None:
            return text or "–"
        day = self._day(int(match[1]), int(match[2]), int(match[3]))
        return f"{day} {match[4]}" if match[4] else day

    def read_number(self, text: str) -> str:
        """Return a typed number of the language as Python writes it: `1.234,5` in Portuguese is `1234.5`. Other text stays.

        Signs between thousands count only where three digits follow: `7.5` on a Portuguese page is not 75.
        """
        mark, between = (",", ".") if self.language.decimal_comma else (".", ",")
        whole = rf"(?:[0-9]{{1,3}}(?:{re.escape(between)}[0-9]{{3}})+|[0-9]+)"
        if not re.fullmatch(rf"[+-]?{whole}(?:{re.escape(mark)}[0-9]+)?%?", text):
            return text
        return text.replace(between, "").replace(mark, ".")

    def read_period(self, text: str) -> str:
        """Return a typed date in the form of `period` as ISO text. Other text stays as it is."""
        if self.language.tag == "pt-BR":
            found = re.fullmatch(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})(?: ([0-9]{2}:[0-9]{2}))?", text)
        else:
            found = re.fullmatch(
                rf"([0-9]{{1,2}}) ({'|'.join(_MONTHS)}) ([0-9]{{4}})(?: ([0-9]{{2}}:[0-9]{{2}}))?", text
            )
        if found is None:
            return text
        day, month, year, clock = found.groups()
        number = int(month) if month.isdigit() else _MONTHS.index(month) + 1
        return f"{year}-{number:02}-{int(day):02}" + (f"T{clock}:00" if clock else "")

    def moment(self, text: str | None, zone: str = "") -> str:
        """Return a moment (RFC 3339) by the clocks of the reader's time zone, or of another one."""
        if not text:
            return "–"
        try:
            local = datetime.fromisoformat(text).astimezone(ZoneInfo(zone or self.zone))
        except ValueError:
            return text
        return f"{self._day(local.year, local.month, local.day)} {local:%H:%M}"

    def span(self, seconds: float | None) -> str:
        """Return a time span in its largest unit: `3 d`, `5 h`, `20 min`; a dash for None."""
        if seconds is None:
            return "–"
        minutes = max(round(seconds / 60), 0)
        if minutes < 120:
            return f"{minutes} min"
        return f"{minutes // 60} h" if minutes < 48 * 60 else f"{self.whole(minutes // (24 * 60))} d"

    def _day(self, year: int, month: int, day: int) -> str:
        if self.language.tag == "pt-BR":
            return f"{day:02}/{month:02}/{year}"
        return f"{day} {_MONTHS[month - 1]} {year}"

    def _own_signs(self, text: str) -> str:
        return text.translate(_PLAIN).replace("\N{BULLET}", ".") if self.language.decimal_comma else text


@lru_cache(maxsize=4)
def translations(tag: str) -> Mapping[str, str]:
    """Return the sentences of a language by their English text."""
    file = asset_folder("templates") / "pages" / f"{tag}.yaml"
    loaded: dict[str, str] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return loaded


def choose_language(accepted: str, usual: str = "en") -> Language:
    """Return the language that an Accept-Language header prefers (RFC 9110, 12.5.4); `usual` if it names none of ours."""
    wishes: list[tuple[float, str]] = []
    for part in accepted[:200].split(","):
        tag, _, weight = part.strip().partition(";")
        match = re.fullmatch(r"\s*q=([01](?:\.[0-9]{0,3})?)\s*", weight) if weight else None
        if not weight or match:
            wishes.append((float(match[1]) if match else 1.0, tag.lower()))
    for quality, wish in sorted(wishes, key=lambda each: -each[0]):
        found = _find_language(wish) if quality else None
        if found:
            return found
    return LANGUAGES[usual]


def _find_language(wish: str) -> Language | None:
    """Return the language of a tag, or one of the same primary language: a reader of `pt` reads `pt-BR`."""
    primary = wish.split("-", maxsplit=1)[0]
    exact: Sequence[Language] = [each for tag, each in LANGUAGES.items() if tag.lower() == wish]
    alike = [each for tag, each in LANGUAGES.items() if tag.lower().split("-")[0] == primary]
    return next(iter([*exact, *alike]), None)
