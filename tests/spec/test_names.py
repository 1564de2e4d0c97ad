"""Names that derive from a forecast's: always within a service's limits, and two forecasts never share one."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from mlspec.spec.gcp.resource_names import NAMES, DerivedName, derived_names

LONGEST = 40  # what the language allows
forecasts = st.from_regex(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True)
long_forecasts = st.text("ab-", min_size=1, max_size=8).map(
    lambda end: f"{'sales-in-the-south-east-of-brazil'[: LONGEST - len(end) - 1]}{end}z"
)
ACCOUNTS = [row for row in NAMES if row.kind.startswith("service account")]


@given(forecasts)
def test_every_derived_name_is_within_its_services_limits(name: str) -> None:
    for row in NAMES:
        derived = row.name_for(name)
        assert len(derived) <= row.longest
        assert row.pattern.fullmatch(derived)


@given(st.sets(st.one_of(forecasts, long_forecasts), min_size=2, max_size=8))
def test_two_forecasts_never_share_a_name(names: set[str]) -> None:
    made = [derived_names(name) for name in names]
    for kind in made[0]:
        assert len({each[kind] for each in made}) == len(names)


@given(forecasts)
def test_one_forecast_has_as_many_names_as_kinds_of_accounts(name: str) -> None:
    assert len({row.name_for(name) for row in ACCOUNTS}) == len(ACCOUNTS)


def test_a_long_name_is_cut_before_its_ending_and_closed_by_six_digits_of_the_whole() -> None:
    train, serve = ACCOUNTS
    name = "weekly-sales-per-store-and-department"
    assert re.fullmatch(r"weekly-sales-per-[0-9a-f]{6}-train", train.name_for(name))
    assert train.name_for(name).removesuffix("train") == serve.name_for(name).removesuffix("serve")
    assert train.name_for(name) == train.name_for(name)
    assert train.name_for(name) != train.name_for(f"{name}s")


def test_a_name_is_not_cut_at_a_hyphen() -> None:
    row = DerivedName("thing", "{name}-x", 12, re.compile("[a-z0-9-]+"), "")
    assert "--" not in row.name_for("abc-defghijkl")


def test_the_table_names_each_kind_once_and_says_where_its_limit_is_from() -> None:
    assert len({row.kind for row in NAMES}) == len(NAMES)
    assert all(row.source and row.longest >= 30 and "{name}" in row.template for row in NAMES)
