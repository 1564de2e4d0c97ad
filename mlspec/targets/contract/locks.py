"""Locks and sessions: one run works on a forecast, and reads see what others have recorded."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from mlspec.errors import LockHeld, StateError
from mlspec.state.observed import Settlement
from mlspec.state.record import Release
from mlspec.targets.contract.fixtures import LOCKED
from mlspec.targets.contract.forked import in_child
from mlspec.targets.contract.nouns import T, write
from mlspec.targets.local.target import LocalTarget


def test_a_lock_is_held_alone_names_its_holder_and_is_free_again_at_once(
    target: LocalTarget, another: Callable[[], LocalTarget]
) -> None:
    other = another()
    for _ in range(2):
        with target.lock_forecast("demand", *LOCKED):
            with (
                pytest.raises(LockHeld, match=rf"apply by .*, pid {os.getpid()} on .*, since {T}"),
                other.lock_forecast("demand", *LOCKED),
            ):
                pass
            with other.lock_forecast("another", *LOCKED):
                write(other, "another")
            write(target)
    with other.lock_forecast("demand", *LOCKED):
        write(other)
    assert len(target.load_events("demand")) == 3


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_lock_is_free_after_its_holder_failed_or_died(
    target: LocalTarget, another: Callable[[], LocalTarget]
) -> None:
    with pytest.raises(StateError, match=r"(?i)foreign key"), target.lock_forecast("demand", *LOCKED):
        target.record_settlement(Settlement("demand", release=Release("demand", 1, "unknown", T, "h", {})), T)

    def die_holding() -> None:
        another().lock_forecast("demand", *LOCKED).__enter__()
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(die_holding) == -signal.SIGKILL
    with target.lock_forecast("demand", "apply", T, 30.0):  # a server needs a moment to see that a process is gone
        write(target)
    assert len(target.load_events("demand")) == 1


def test_what_was_written_under_a_lock_is_seen_by_all_before_it_is_free(
    target: LocalTarget, another: Callable[[], LocalTarget], panel: Path
) -> None:
    with target.lock_forecast("demand", *LOCKED):
        filed = target.file_step("demand", step="check", key="k", outputs={"panel": panel}, facts={}, at=T)
        write(target)
        assert another().find_step("demand", "check", "k") == filed
        assert target.observe_forecast("demand") == another().observe_forecast("demand")


def test_a_session_sees_what_others_record_meanwhile(target: LocalTarget, another: Callable[[], LocalTarget]) -> None:
    write(target)
    with target.read_session():
        assert len(target.load_events("demand")) == 1
        write(another())
        assert len(target.load_events("demand")) == 2
        write(target)
        assert len(target.load_events("demand")) == 3


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_process_that_was_forked_inside_a_session_opens_its_own(target: LocalTarget) -> None:
    write(target)

    def read_and_write() -> None:
        assert len(target.load_events("demand")) == 1
        write(target, message="of the child")

    with target.read_session():
        assert in_child(read_and_write) == 0
        assert [each.message for each in target.load_events("demand")] == ["of the child", "m"]
