"""Which versions never served everything: by each move of traffic, and by the events of a record that does not say it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.rollout import traffic_split
from mlspec.plan.served_in_part import next_served_in_part, served_in_part_by_events
from mlspec.state.ledger import RolloutProgress
from mlspec.state.record import Event, Release

AT = "2024-03-01T00:00:00Z"
MOVES = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from((0, 10, 50, 100))), min_size=1, max_size=12)


def release(number: int, version: str) -> Release:
    return Release("demand", number, version, AT, "hash", {})


def deployed(number: int, version: str, traffic: dict[str, int]) -> Event:
    """The event of a release, as `engine.effects.serving_condition` words it."""
    shares = " and ".join(f"{name} (croston) serves {share} % of series" for name, share in traffic.items() if share)
    return Event("demand", AT, "Normal", "Deployed", f"release {number}: {shares}", version)


@given(MOVES)
def test_a_version_served_in_part_until_it_has_all_traffic_once_whichever_way_it_is_told(
    moves: list[tuple[str, int]],
) -> None:
    releases: list[Release] = []
    events: list[Event] = []
    known: tuple[str, ...] = ()
    full: set[str] = set()
    stable = ""
    for number, (version, first_share) in enumerate(moves, 1):
        share = first_share if stable not in ("", version) else 100
        traffic = traffic_split(version, stable, share)
        releases.append(release(number, version))
        rollout = None if share == 100 else RolloutProgress(version, number, stable, 1, 0, AT, AT)
        known = next_served_in_part(known, releases, rollout, traffic)
        events.append(deployed(number, version, traffic))
        stable = version if share == 100 else stable
        full.add(stable)
    expected = tuple(sorted({past.version for past in releases} - full))
    assert known == expected
    assert served_in_part_by_events(releases, events) == expected


def test_a_rollout_that_is_over_has_an_event_of_its_own() -> None:
    releases = [release(1, "a"), release(2, "b")]
    events = [deployed(1, "a", {"a": 100}), deployed(2, "b", {"a": 90, "b": 10})]
    assert served_in_part_by_events(releases, events) == ("b",)
    over = Event("demand", AT, "Normal", "RolledOut", "b serves everything: no alert judges it", "b")
    assert served_in_part_by_events(releases, [*events, over]) == ()


def test_a_version_whose_first_event_was_removed_counts_as_one_that_served_everything() -> None:
    releases = [release(1, "a"), release(2, "b"), release(3, "b")]
    assert served_in_part_by_events(releases, [deployed(3, "b", {"a": 90, "b": 10})]) == ()
