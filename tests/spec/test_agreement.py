"""`m of n`, and addresses of objects: written and read back the same."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.spec.agreement import PATTERN, parse_agreement
from mlspec.spec.object_address import ObjectAddress, bucket_address, is_object_address, parse_object_address


@given(st.from_regex(PATTERN, fullmatch=True))
def test_what_the_language_takes_is_read_as_two_numbers(text: str) -> None:
    agree, evaluations = parse_agreement(text.rstrip("\n"))
    assert f"{agree} of {evaluations}" == text.rstrip("\n")


def test_an_alert_that_says_nothing_goes_by_the_newest_evaluation_alone() -> None:
    assert parse_agreement(None) == (1, 1)
    assert re.match(PATTERN, "1 of 1")


@pytest.mark.parametrize(("text", "bucket", "name"), [
    ("gs://acme/sales/2024.csv", "acme", "sales/2024.csv"), ("gs://acme/a", "acme", "a"), ("gs://acme/", "acme", ""),
])  # fmt: skip
def test_an_address_is_a_bucket_and_the_name_of_an_object(text: str, bucket: str, name: str) -> None:
    assert is_object_address(text)
    assert parse_object_address(text) == (bucket, name)
    assert str(parse_object_address(text)) == text


def test_what_a_listing_of_a_bucket_returns_is_written_as_an_address() -> None:
    assert str(ObjectAddress("acme", "sales/2024.csv")) == "gs://acme/sales/2024.csv"
    assert not is_object_address("data/sales.csv")
    assert parse_object_address("gs://acme") == ("acme", "")
    assert bucket_address("acme") == "gs://acme"
    assert not is_object_address("bq://acme.sales.weekly")
