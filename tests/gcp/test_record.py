"""What the port promises of the record, kept on Cloud Storage too: the contract's tests, and what a lease can get wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlspec.errors import LockHeld, StateError
from mlspec.spec.gcp.location import GcpLocation
from mlspec.state.observed import ObservedResource, Settlement
from mlspec.state.resource import Resource
from mlspec.targets.gcp.record import lease
from mlspec.targets.gcp.target import GcpTarget, sample_forecasts
from tests.gcp.standin.harness import ROOT, Running
from tests.targets.nouns import T, event, write
from tests.targets.test_contract import (  # noqa: F401  (they are collected here, with this module's own target)
    panel,
    test_a_file_reads_back_byte_by_byte,
    test_a_later_settlement_replaces_what_moves_and_forgets_what_is_no_more,
    test_a_lock_is_held_alone_names_its_holder_and_is_free_again_at_once,
    test_a_notice_stands_in_the_outbox_once_until_it_was_taken,
    test_a_purge_leaves_a_file_that_another_forecast_names,
    test_a_settlement_is_whole_or_not_at_all,
    test_a_step_is_found_by_its_key_and_its_file_is_kept_once,
    test_a_version_is_recorded_once_however_often_it_is_settled,
    test_destroy_keeps_history_and_purge_does_not,
    test_records_are_told_newest_first_and_names_in_order,
    test_since_moves_only_when_the_status_does,
    test_the_longest_overdue_is_due_first,
    test_what_was_settled_reads_back,
    test_what_was_written_under_a_lock_is_seen_by_all_before_it_is_free,
)

REGION = "europe-west1"


def opened(standin: Running, folder: Path) -> GcpTarget:
    """The target, as any machine would open it."""
    return GcpTarget(GcpLocation("dev", standin.project, REGION), folder)


@pytest.fixture
def target(standin: Running, tmp_path: Path) -> GcpTarget:
    from google.cloud import storage

    client = storage.Client(project=standin.project)
    for role in ("state", "models"):
        client.create_bucket(f"{standin.project}-mlspec-{role}")
    return opened(standin, tmp_path / "cache")


@pytest.fixture
def another(target: GcpTarget, standin: Running, tmp_path: Path) -> Callable[[], GcpTarget]:
    """Opens the same record as another machine would."""
    return lambda: opened(standin, tmp_path / "another")


def test_two_that_write_at_once_are_not_both_heard(target: GcpTarget, standin: Running, tmp_path: Path) -> None:
    write(target)
    other = opened(standin, tmp_path / "other")
    with target.lock_forecast("demand", "apply", T, 0.0):
        other.record_settlement(Settlement("demand", events=(event("behind the lock"),)), T)
        with pytest.raises(StateError, match="the lock of 'demand' was lost"):
            target.record_settlement(Settlement("demand", events=(event("too late"),)), T)
    assert [each.message for each in other.load_events("demand")] == ["behind the lock", "m"]


def test_a_settlement_returns_what_every_machine_sees_after_it(
    target: GcpTarget, another: Callable[[], GcpTarget], standin: Running, tmp_path: Path
) -> None:
    (tmp_path / "panel").write_text("rows of a panel")
    with target.lock_forecast("demand", "apply", T, 0.0):
        filed = target.file_step("demand", step="check", key="k", outputs={"panel": tmp_path / "panel"}, facts={}, at=T)
        data = ObservedResource(Resource("data", "demand", {"digest": "d1"}), {}, filed.outputs)
        held = target.record_settlement(Settlement("demand", resource=data, events=(event(),)), T)
        before = len(standin.calls())
        assert target.observe_forecast("demand") == held
        assert len(standin.calls()) == before
    assert another().observe_forecast("demand") == held


def test_another_machine_is_told_who_holds_a_forecast_and_others_go_on(
    target: GcpTarget, standin: Running, tmp_path: Path
) -> None:
    other = opened(standin, tmp_path / "other")
    with target.lock_forecast("demand", "apply", T, 0.0):
        with (
            pytest.raises(LockHeld, match=rf"apply by .*, pid {os.getpid()} on .*, since {T}"),
            other.lock_forecast("demand", "step", T, 0.0),
        ):
            pass
        with other.lock_forecast("returns", "apply", T, 0.0):
            write(other, "returns")
    with other.lock_forecast("demand", "step", T, 0.0):
        write(other)
    assert target.forecast_names() == ("demand", "returns")


def test_a_holder_that_was_paused_past_its_lease_writes_nothing_when_it_wakes(
    target: GcpTarget, standin: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import timedelta

    write(target)
    argv = [sys.executable, "-m", "tests.gcp.processes.lease_holder", standin.project, str(tmp_path / "paused")]
    with subprocess.Popen(
        argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdin
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGSTOP)
        monkeypatch.setattr(lease, "LIFE", timedelta(seconds=1))
        monkeypatch.setattr(lease, "SKEW", timedelta(0))
        with target.lock_forecast("demand", "apply", T, 20.0):
            write(target, message="took over")
            holder.send_signal(signal.SIGCONT)
            _, said = holder.communicate("go on\n", timeout=60)
        assert holder.returncode == 1
    assert "the lock of 'demand' was lost" in said
    assert [each.message for each in target.load_events("demand")] == ["took over", "m"]


def test_a_look_at_many_fetches_few(target: GcpTarget, standin: Running, tmp_path: Path) -> None:
    names = [f"f{number:03}" for number in range(30)]
    for name in names:
        write(target, name)
    cold = opened(standin, tmp_path / "cold")
    with cold.read_session():
        seen = [cold.observe_forecast(name).forecast for name in cold.forecast_names()]
    assert seen == names
    before = len(standin.calls())
    colder = opened(standin, tmp_path / "colder")
    with colder.read_session():
        for name in colder.forecast_names():
            assert colder.observe_forecast(name).forecast == name
    assert len(standin.calls()) - before < 20


def test_every_forecast_has_its_turn() -> None:
    names = [f"f{number}" for number in range(29)]
    seen = {name for _ in range(200) for name in sample_forecasts(names)}
    assert seen == set(names)
    assert len(sample_forecasts(names)) == 8
    assert sample_forecasts(names[:3]) == set(names[:3])
    assert sample_forecasts([]) == frozenset()
