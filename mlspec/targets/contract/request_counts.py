"""What servers count: it adds up, moves no serial, and is kept for as long as an alert looks back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlspec.state.request_counts import RequestCount
from mlspec.targets.contract.forked import in_children
from mlspec.targets.contract.nouns import T, write
from mlspec.targets.local.target import LocalTarget


def minute(at: str = "2024-03-01T00:00:00Z", name: str = "v1") -> RequestCount:
    return RequestCount("demand", name, at, 2, 1, (1, *[0] * 10, 1))


def test_what_servers_count_adds_up_by_minute_and_version(target: LocalTarget) -> None:
    target.add_request_counts((minute(), minute()))
    target.add_request_counts((minute(), minute("2024-02-29T23:59:00Z"), minute(name="v2")))
    counted = target.load_request_counts("demand", T)
    assert [(each.version, each.requests, each.errors, each.took[0]) for each in counted] == [
        ("v1", 6, 3, 3),
        ("v2", 2, 1, 1),
    ]
    assert len(target.load_request_counts("demand", "2024-02-29")) == 3


def test_counts_leave_a_saved_plan_as_it_is_and_are_kept_as_long_as_an_alert_may_look_back(target: LocalTarget) -> None:
    write(target)
    before = target.serial
    target.add_request_counts((minute(), minute("2024-01-15T04:00:00Z")))
    assert target.serial == before
    assert [each.minute for each in target.load_request_counts("demand", "2023")] == [
        "2024-01-15T04:00:00Z",
        "2024-03-01T00:00:00Z",
    ]
    target.add_request_counts((minute("2024-03-01T00:01:00Z"),))
    assert [each.minute[:10] for each in target.load_request_counts("demand", "2023")] == ["2024-03-01", "2024-03-01"]


def test_counts_of_a_server_whose_clock_was_ahead_go_with_the_next_ones(target: LocalTarget) -> None:
    write(target)
    target.add_request_counts((minute("2033-01-01T00:00:00Z"),))
    near = minute("2024-03-01T05:00:00Z")  # another server's clock
    target.add_request_counts((near,))
    target.add_request_counts((minute(),))
    assert [each.minute for each in target.load_request_counts("demand", "2023")] == [minute().minute, near.minute]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_servers_that_count_at_once_lose_nothing(target: LocalTarget, another: Callable[[], LocalTarget]) -> None:
    write(target)

    def count() -> None:
        for _ in range(5):
            another().add_request_counts((minute(),))

    assert in_children([count] * 4) == [0] * 4
    (found,) = target.load_request_counts("demand", T)
    assert (found.requests, found.errors) == (40, 20)
    assert target.serial == 1  # as `write` left it
