"""A series belongs to one version, everywhere and for as long as the version's share does not shrink."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.forecast.load import join_ids
from mlspec.state.split import PARTITIONS, series_key, series_partition, version_for

VERSIONS = st.lists(st.text("0123456789abcdef", min_size=4, max_size=4), min_size=1, max_size=4, unique=True)


@st.composite
def splits(draw: st.DrawFn, versions: st.SearchStrategy[list[str]] = VERSIONS) -> dict[str, int]:
    """Shares of some versions that sum to 100."""
    names = draw(versions)
    cuts = sorted(draw(st.lists(st.integers(0, PARTITIONS), min_size=len(names) - 1, max_size=len(names) - 1)))
    return {name: end - start for name, start, end in zip(names, [0, *cuts], [*cuts, PARTITIONS], strict=True)}


@given(splits())
def test_every_version_has_as_many_partitions_as_its_share_says(traffic: dict[str, int]) -> None:
    found = Counter(version_for(number, traffic) for number in range(PARTITIONS))
    assert found == Counter({name: share for name, share in traffic.items() if share})


@given(splits())
def test_the_order_of_the_mapping_says_nothing(traffic: dict[str, int]) -> None:
    shuffled = dict(reversed(traffic.items()))
    assert [version_for(number, traffic) for number in range(PARTITIONS)] == [
        version_for(number, shuffled) for number in range(PARTITIONS)
    ]


@given(splits(), st.data())
def test_a_version_that_alone_grows_keeps_every_series_it_had(traffic: dict[str, int], data: st.DataObject) -> None:
    grows = data.draw(st.sampled_from(sorted(traffic)))
    later = {name: data.draw(st.integers(0, share), label=name) for name, share in traffic.items() if name != grows}
    later[grows] = PARTITIONS - sum(later.values())
    had = [number for number in range(PARTITIONS) if version_for(number, traffic) == grows]
    assert all(version_for(number, later) == grows for number in had)


@pytest.mark.parametrize("canary", ["v1", "v3"])
def test_a_canary_keeps_its_first_series_as_it_goes_from_10_to_50_to_100(canary: str) -> None:
    had: set[int] = set()
    for share in (10, 50, 100):
        has = {
            number for number in range(PARTITIONS) if version_for(number, {"v2": 100 - share, canary: share}) == canary
        }
        assert len(has) == share
        assert had <= has
        had = has


def test_ten_thousand_series_spread_evenly() -> None:
    found = Counter(series_partition(f"{store}/{dept}") for store in range(100) for dept in range(100))
    # Binomial, n = 10,000 and p = 0.01: six standard deviations, 60 of them, on either side of 100.
    assert set(found) == set(range(PARTITIONS))
    assert all(40 < count < 160 for count in found.values())
    tenth = sum(count for number, count in found.items() if number < 10)
    assert 0.08 < tenth / 10_000 < 0.12


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_another_process_finds_the_same_partitions(seed: str) -> None:
    keys = ["001", "NA", "a/b", "São Paulo", ""]
    script = f"from mlspec.state.split import series_partition; print([series_partition(key) for key in {keys!r}])"
    said = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
    )  # fmt: skip
    assert said.stdout.strip() == str([series_partition(key) for key in keys])


def test_the_partitions_of_a_release_are_those_of_every_later_one() -> None:
    """Golden: a changed digest would move series between versions in the middle of a rollout."""
    assert [series_partition(key) for key in ("001", "NA", "a/b", "all")] == [75, 44, 61, 96]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=4))
def test_a_key_is_the_unique_id_of_the_panel(values: list[str]) -> None:
    columns = [pd.Series([value], dtype=object) for value in values]
    assert (
        series_key({str(place): value for place, value in enumerate(values)}) == join_ids(columns, pd.RangeIndex(1))[0]
    )


@pytest.mark.parametrize("traffic", [{}, {"v1": 99}, {"v1": 101}, {"v1": 120, "v2": -20}])
def test_shares_that_are_no_split_are_refused(traffic: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="sum to 100"):
        version_for(0, traffic)


@pytest.mark.parametrize("number", [-1, 100])
def test_a_bucket_that_is_none_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="partition"):
        version_for(number, {"v1": 100})
