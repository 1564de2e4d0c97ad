"""Sentences, numbers, dates and moments in the form of a page's reader."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.assets import asset_folder
from mlspec.plan.alert_delivery import AlertDelivery
from mlspec.render import action_page, fleet_page, forecast_page, plan_page, quality_page, reader, series_listing
from mlspec.render.reader import LANGUAGES, Reader, choose_language, translations
from mlspec.spec.metrics import METRICS
from mlspec.web.forecast_parts import PART_TITLES

ENGLISH, PORTUGUESE = Reader(), Reader(LANGUAGES["pt-BR"], "America/Sao_Paulo")


def test_numbers_dates_and_moments_have_the_reader_s_form() -> None:
    assert [ENGLISH.number(1234567.8), ENGLISH.percent(0.1234), ENGLISH.number(None)] == ["1,234,568", "12.3%", "–"]
    assert [PORTUGUESE.number(1234567.8), PORTUGUESE.percent(0.1234, signed=True)] == ["1.234.568", "+12,3%"]
    assert [ENGLISH.signed(-3.5), ENGLISH.signed(3.5), PORTUGUESE.number(0.00123)] == ["−3.5", "+3.5", "0,00123"]
    assert [ENGLISH.period("2024-02-03"), PORTUGUESE.period("2024-02-03")] == ["3 Feb 2024", "03/02/2024"]
    assert PORTUGUESE.period("2024-02-03T08:00:00-03:00") == "03/02/2024 08:00"
    assert [ENGLISH.moment("2024-02-03T01:30:00Z"), PORTUGUESE.moment("2024-02-03T01:30:00Z")] == [
        "3 Feb 2024 01:30",
        "02/02/2024 22:30",
    ]
    assert [ENGLISH.span(None), ENGLISH.span(60), ENGLISH.span(7 * 3600), PORTUGUESE.span(2000 * 86400)] == [
        "–", "1 min", "7 h", "2.000 d",
    ]  # fmt: skip


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_both_languages_write_the_same_number(value: float) -> None:
    swap = str.maketrans(",.", ".,")
    assert PORTUGUESE.number(value) == ENGLISH.number(value).translate(swap)


@given(st.text(max_size=30))
def test_text_that_is_no_date_stays_as_it_is(text: str) -> None:
    assert ENGLISH.moment(text) in (text, "–") or re.match("[0-9]", text)
    assert ENGLISH.period(text) in (text, "–") or re.match("[0-9]", text)


@pytest.mark.parametrize(
    ("accepted", "tag"),
    [
        ("", "en"), ("pt-BR", "pt-BR"), ("pt", "pt-BR"), ("de, pt-PT;q=0.8, en;q=0.7", "pt-BR"), ("en-GB,pt;q=0.9", "en"),
        ("pt;q=0, en;q=0.1", "en"), ("de", "en"), ("*;q=0.5", "en"), ("pt;q=x", "en"), (";;,,q=", "en"),
    ],
)  # fmt: skip
def test_a_browser_s_languages_choose_that_of_a_page(accepted: str, tag: str) -> None:
    assert choose_language(accepted).tag == tag
    assert choose_language("de", "pt-BR").tag == "pt-BR"


@given(st.text(max_size=60))
def test_any_header_chooses_some_language(accepted: str) -> None:
    assert choose_language(accepted).tag in LANGUAGES


def test_every_sentence_of_the_pages_is_translated_and_no_other() -> None:
    """What a page says by a variable stands in tables, which are named here."""
    package = Path(reader.__file__).parents[1]
    files = [
        *(asset_folder("templates") / "pages").glob("*.j2"),
        *package.glob("render/*.py"),
        *package.glob("web/*.py"),
    ]
    code = "\n".join(file.read_text(encoding="utf-8") for file in files)
    said = {first or second for first, second in re.findall(r"""\bsay\(\s*(?:"([^"]+)"|'([^']+)')""", code)}
    said |= {
        *series_listing.ORDERS.values(),
        *fleet_page.STATES,
        *forecast_page.SENTENCES,
        *action_page.SENTENCES,
        *quality_page.SENTENCES,
        *plan_page.SENTENCES,
        *PART_TITLES.values(),
    }
    said |= {text for texts in action_page.ACTION_TEXTS.values() for text in texts}
    said |= {metric.tile for metric in METRICS.values() if metric.tile}
    said |= {*get_args(AlertDelivery), "pending", "silenced", "inhibited", "no-data"}  # of an alert in the inbox
    said |= set(re.findall(r'AttentionItem\(\s*"([^"]+)"', (package / "engine/report.py").read_text(encoding="utf-8")))
    said |= {f"alert {state}" for state in ("firing", "pending", "silenced", "inhibited")}
    assert said - {*translations("pt-BR")} == set()
    assert {*translations("pt-BR")} - said == set()


def test_a_translation_has_the_values_of_its_sentence() -> None:
    for english, own in translations("pt-BR").items():
        assert sorted(re.findall(r"\{\w+\}", own)) == sorted(re.findall(r"\{\w+\}", english))


@given(st.floats(0.01, 1e9), st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.sampled_from([ENGLISH, PORTUGUESE]))
def test_what_a_page_shows_can_be_typed_into_it(value: float, day: date, own: Reader) -> None:
    assert own.read_period(own.period(day.isoformat())) == day.isoformat()
    assert own.read_number(own.number(value)) == ENGLISH.number(value).replace(",", "")


@pytest.mark.parametrize(
    ("text", "english", "portuguese"),
    [
        ("1.234,5", "1.234,5", "1234.5"), ("1,234.5", "1234.5", "1,234.5"), ("7,5", "7,5", "7.5"), ("7.5", "7.5", "7.5"),
        ("-10%", "-10%", "-10%"), ("-2,5%", "-2,5%", "-2.5%"), ("sim", "sim", "sim"), ("1.23", "1.23", "1.23"),
    ],
)  # fmt: skip
def test_a_sign_between_thousands_has_three_digits_behind_it(text: str, english: str, portuguese: str) -> None:
    assert (ENGLISH.read_number(text), PORTUGUESE.read_number(text)) == (english, portuguese)


def test_dates_are_read_in_the_form_of_the_language_or_in_iso_8601() -> None:
    assert PORTUGUESE.read_period("05/02/2024 14:30") == "2024-02-05T14:30:00"
    assert ENGLISH.read_period("05/02/2024") == "05/02/2024"  # day or month first: not guessed
    assert ENGLISH.read_period("5 Feb 2024") == "2024-02-05"
    assert PORTUGUESE.read_period("2024-02-05") == "2024-02-05"
