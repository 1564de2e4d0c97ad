"""What the port promises of the record, kept on Cloud Storage too: the contract's tests, and what a lease can get wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlspec.errors import LockHeld, StateError
from mlspec.spec.gcp.location import GcpLocation
from mlspec.state.observed import ObservedResource, Settlement
from mlspec.state.resource import Resource
from mlspec.state.retention import Pruning
from mlspec.targets.contract.files import (  # noqa: F401
    test_a_file_reads_back_byte_by_byte,
    test_a_step_is_found_by_its_key_and_its_file_is_kept_once,
)
from mlspec.targets.contract.fixtures import panel  # noqa: F401  (the contract's tests are collected here, with the target below)
from mlspec.targets.contract.locks import (  # noqa: F401
    test_a_lock_is_held_alone_names_its_holder_and_is_free_again_at_once,
    test_what_was_written_under_a_lock_is_seen_by_all_before_it_is_free,
)
from mlspec.targets.contract.nouns import T, event, write
from mlspec.targets.contract.outbox import (  # noqa: F401
    test_a_notice_stands_in_the_outbox_once_until_it_was_taken,
    test_an_attempt_that_only_a_clock_that_was_ahead_can_have_planned_is_due,
    test_the_longest_overdue_is_due_first,
)
from mlspec.targets.contract.removal import (  # noqa: F401
    test_a_clock_that_was_ahead_keeps_no_file_for_ever,
    test_a_file_goes_a_day_after_nothing_needs_it,
    test_a_file_that_another_forecast_names_or_has_just_let_go_stays,
    test_a_file_that_is_named_again_within_the_day_stays,
    test_a_prune_deletes_what_it_names_and_nothing_else,
    test_a_prune_that_names_a_version_in_use_changes_nothing,
    test_a_prune_without_anything_to_remove_writes_nothing,
    test_a_purge_leaves_a_file_that_another_forecast_names,
    test_a_version_that_is_needed_again_within_the_day_keeps_its_files,
    test_destroy_keeps_history_and_purge_does_not,
    test_events_the_journal_and_delivered_notices_go_by_age,
    test_the_record_of_a_version_stays_without_its_files,
)
from mlspec.targets.contract.settlements import (  # noqa: F401
    test_a_later_settlement_replaces_what_moves_and_forgets_what_is_no_more,
    test_a_settlement_is_whole_or_not_at_all,
    test_a_version_is_recorded_once_however_often_it_is_settled,
    test_records_are_told_newest_first_and_names_in_order,
    test_since_moves_when_the_status_does_and_never_ahead_of_a_clock_that_is_right_again,
    test_what_was_settled_reads_back,
)
from mlspec.targets.gcp.record import lease
from mlspec.targets.gcp.target import GcpTarget, sample_forecasts
from tests.gcp.standin.harness import ROOT, Running

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


@pytest.mark.parametrize("is_held", [True, False])
def test_a_machine_whose_clock_is_a_year_behind_waits_for_a_living_holder_alone(
    target: GcpTarget, standin: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_held: bool
) -> None:
    """By its own clock, no lease of the others would ever expire: the service's clock decides."""
    from google.cloud import storage

    write(target)
    other = opened(standin, tmp_path / "other")
    with target.lock_forecast("demand", "apply", T, 0.0):
        monkeypatch.setattr(lease, "_now", lambda: datetime.now(UTC) - timedelta(days=365))  # noqa: TID251
        if not is_held:  # its holder died two minutes ago, as the service counts
            service_time = lease._service_time
            later = timedelta(minutes=2)
            monkeypatch.setattr(lease, "_service_time", lambda bucket, name: service_time(bucket, name) + later)
        taking = other.lock_forecast("demand", "step", T, 0.0)
        if is_held:
            with pytest.raises(LockHeld), taking:
                pass
        else:
            with taking:
                write(other, message="took over")
    left = storage.Client(project=standin.project).list_blobs(f"{standin.project}-mlspec-state", prefix="forecasts/")
    assert [blob.name for blob in left] == ["forecasts/demand/state.db"]


def test_a_renewal_that_fails_by_a_defect_is_logged_and_tried_again(
    target: GcpTarget, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    renewed = threading.Event()
    renew, failures = lease.Lease.renew, iter([KeyError("nobody expects this")])

    def fail_once(held: lease.Lease) -> None:
        if failure := next(failures, None):
            raise failure
        renew(held)
        renewed.set()

    monkeypatch.setattr(lease, "LIFE", timedelta(seconds=0.2))
    monkeypatch.setattr(lease.Lease, "renew", fail_once)
    with target.lock_forecast("demand", "apply", T, 0.0):
        assert renewed.wait(30)
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert "could not be renewed" in record.message
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], KeyError)


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


def test_a_prune_takes_what_jobs_uploaded_for_its_steps_and_the_copies_of_versions_that_nothing_needs(
    target: GcpTarget, standin: Running
) -> None:
    from google.cloud import storage

    write(target)
    client = storage.Client(project=standin.project)
    state, models = (client.bucket(f"{standin.project}-mlspec-{role}") for role in ("state", "models"))
    for name in ("old/result.json", "old/instances/instances.jsonl", "new/result.json"):
        state.blob(f"forecasts/demand/steps/{name}").upload_from_string("{}")
    for name in ("v1", "v2"):
        models.blob(f"demand/versions/{name}/model.txt").upload_from_string("m")
    pruning = Pruning("demand", rows={"steps": (("check", "old"),)}, usable=frozenset({"v2"}))
    with target.lock_forecast("demand", "prune", T, 0.0):
        target.prune_records(pruning, T)
    left = {blob.name for bucket in (state, models) for blob in bucket.list_blobs()}
    assert left >= {
        "forecasts/demand/state.db",
        "forecasts/demand/steps/new/result.json",
        "demand/versions/v2/model.txt",
    }
    assert not any("/steps/old/" in name or "/versions/v1/" in name for name in left)


def test_a_record_is_packed_when_most_of_it_is_free(target: GcpTarget, another: Callable[[], GcpTarget]) -> None:
    with target.lock_forecast("demand", "apply", T, 0.0):
        events = tuple(event("x" * 1000) for _ in range(200))
        target.record_settlement(Settlement("demand", events=events), T)
        full = len(target._store_of("demand").database._current_snapshot().data)
        target.prune_records(Pruning("demand", before={"events": "2030-01-01"}), T, whole=True)
    assert len(another()._snapshots.read_snapshot("demand").data) < full / 2  # type: ignore[union-attr]
    assert another().load_events("demand") == ()
