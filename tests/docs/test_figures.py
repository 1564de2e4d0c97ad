"""Which line a page may show for what was printed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.docs.figures import Names, holds, is_alike, is_close
from tests.docs.sessions import Mismatch, compare

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("5.8%", "5.8%"), ("5.8%", "5.9%"), ("0.725", "0.726"), ("117,435", "117,436"), ("117,435", "117,520"),
        ("-0.4%", "-0.3%"),
    ],
)  # fmt: skip
def test_what_was_measured_holds_up_to_its_last_digit(shown: str, printed: str) -> None:
    assert is_close(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("5.8%", "6.0%"), ("0.725", "0.727"), ("38,861", "39,900"), ("119,108", "119,290"), ("56", "57"), ("2012", "2013"),
        ("5.8%", "5.8"), ("0.07", "0.0689"),
    ],
)  # fmt: skip
def test_another_figure_does_not_and_a_count_is_exact(shown: str, printed: str) -> None:
    assert not is_close(shown, printed)


def test_a_version_stands_for_one_version_all_along_a_page() -> None:
    names = Names()
    assert holds("serves v0123456789", "serves vaaaaaaaaa1", names, NOW)
    assert holds("v0123456789 is good", "vaaaaaaaaa1 is good", names, NOW)
    assert not holds("v0123456789 is bad", "vbbbbbbbbb2 is bad", names, NOW)
    assert not holds("v9876543210 is bad", "vaaaaaaaaa1 is bad", names, NOW)


def test_where_pages_are_written_anew_the_last_digit_and_the_version_count() -> None:
    assert not holds("wape 5.8%", "wape 5.9%", Names(exact=True), NOW)
    assert not holds("v0123456789", "vaaaaaaaaa1", Names(exact=True), NOW)
    assert holds("2026-11-24T11:18:51Z  0.5 s", "2026-12-01T08:59:00Z  0.6 s", Names(exact=True), NOW)


def test_a_moment_of_the_run_is_any_and_one_of_the_data_is_that_one() -> None:
    assert holds("2026-11-24T11:18:51Z  made", "2026-12-01T08:59:00Z  made", Names(), NOW)
    assert not holds("2012-08-14T01:00:00Z  made", "2012-08-21T01:00:00Z  made", Names(), NOW)


def test_words_are_equal_and_spaces_do_not_count() -> None:
    assert holds("a  1.0 s b", "a 2.5 s    b", Names(), NOW)
    assert not is_alike("model passes", "model fails")
    assert not holds("horizon 24h", "horizon 48h", Names(), NOW)


def test_a_line_is_left_out_where_dots_say_so_alone() -> None:
    printed = ["one", "two", "three"]
    assert compare(["one", "...", "three"], printed, Names(), NOW) == []
    assert compare(["one", "three"], printed, Names(), NOW) == [Mismatch("three", "three")]
    assert compare(["...", "3 of 4"], ["2 of 4"], Names(), NOW) == [Mismatch("3 of 4", "2 of 4")]
    assert compare(["four"], printed, Names(), NOW) == [Mismatch("four", None)]
