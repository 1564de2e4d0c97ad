"""What a step on Google Cloud has made so far: objects of its own key, whole or not there, and gone when the step is done."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress

import pandas as pd
import pytest

from mlspec.jobs import kept_results
from mlspec.jobs.kept_results import Frames, KeptResults
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs import kept_objects
from mlspec.targets.gcp.jobs.kept_objects import keep_objects
from mlspec.targets.gcp.record.bucket import Bucket
from tests.gcp import platform
from tests.gcp.standin.harness import Running
from tests.waiting import skip_pauses

ONE = {"one": pd.DataFrame({"a": [1, 2]})}
OTHER = {"other": pd.DataFrame({"a": [3]})}
ACCOUNT = "demand-train@acme-test.iam.gserviceaccount.com"
WRITES = "storage.objects.(insert|create)"


@pytest.fixture(autouse=True)
def keep_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep also what takes less than two seconds."""
    monkeypatch.setattr(kept_results, "WORTH_KEEPING", 0.0)


@pytest.fixture
def bucket(standin: Running) -> Iterator[Bucket]:
    """The state bucket, which keeps the earlier versions of its objects."""
    clients = Clients(standin.project, platform.REGION)
    made = clients.storage.bucket(platform.bucket(standin.project, "state"))
    made.versioning_enabled = True
    made.create(location=platform.REGION)
    yield Bucket(clients, made.name)
    clients.close()


def kept(bucket: Bucket, *, versions: bool = False) -> list[str]:
    """The names of all objects, also of earlier versions."""
    blobs = platform.storage("acme-test").list_blobs(bucket.name, versions=versions)
    return sorted(blob.name for blob in blobs)


def stop(bucket: Bucket, key: str, frames: Frames = ONE, *, forecast: str = "demand") -> None:
    """Leave what a step with this key has when it is stopped after its first result."""
    with suppress(KeyboardInterrupt), keep_objects(bucket, forecast, "backtest", key) as store:
        KeptResults(store).make("part 1", lambda: frames)
        raise KeyboardInterrupt


def run(bucket: Bucket, key: str) -> Frames:
    """Run a step to its end, and return the frames of its only part: OTHER if it had to be made."""
    with keep_objects(bucket, "demand", "backtest", key) as store:
        return KeptResults(store).make("part 1", lambda: OTHER)


def test_the_next_run_with_the_same_key_takes_over_and_nothing_is_left(
    bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    stop(bucket, "k1")
    (name,) = kept(bucket)
    assert name.startswith("forecasts/demand/unfinished/backtest/k1/")
    assert name.endswith(".kept")  # what the lifecycle rule goes by
    with caplog.at_level(logging.INFO):
        assert run(bucket, "k1")["one"].equals(ONE["one"])
    assert "took over a result of an earlier run" in caplog.text
    assert kept(bucket, versions=True) == []


def test_another_key_begins_anew_and_other_forecasts_and_steps_are_left_alone(bucket: Bucket) -> None:
    stop(bucket, "k1")
    stop(bucket, "k1", forecast="bikes")
    with suppress(KeyboardInterrupt), keep_objects(bucket, "demand", "check", "k1") as store:
        KeptResults(store).make("part 1", lambda: ONE)
        raise KeyboardInterrupt
    assert run(bucket, "k12") == OTHER
    assert [name.rpartition("/")[0] for name in kept(bucket, versions=True)] == [
        "forecasts/bikes/unfinished/backtest/k1",
        "forecasts/demand/unfinished/check/k1",
    ]


def test_a_damaged_result_is_made_again_and_written_anew(bucket: Bucket, caplog: pytest.LogCaptureFixture) -> None:
    stop(bucket, "k1")
    (name,) = kept(bucket)
    data, stored = bucket.read_object(name) or (b"", None)
    assert stored is not None
    bucket.write_object(name, data[:-1], stored.generation)
    with caplog.at_level(logging.INFO):
        stop(bucket, "k1", OTHER)
    assert "a result of an earlier run cannot be read, and is made again" in caplog.text
    assert run(bucket, "k1")["other"].equals(OTHER["other"])


def test_a_write_that_is_cut_off_leaves_nothing_that_counts(bucket: Bucket, standin: Running) -> None:
    standin.fault(WRITES, code=400)
    stop(bucket, "k1")
    standin.calm()
    assert kept(bucket, versions=True) == []
    assert run(bucket, "k1") == OTHER


def test_of_two_runs_with_one_key_the_first_writes_and_both_go_on(bucket: Bucket) -> None:
    with keep_objects(bucket, "demand", "backtest", "k1") as late:
        stop(bucket, "k1")
        (name,) = kept(bucket)
        before = bucket.read_object(name)
        assert KeptResults(late).make("part 1", lambda: ONE) == ONE
        assert bucket.read_object(name) == before
    assert kept(bucket) == []  # also what the other run wrote


def test_a_result_that_another_run_removes_before_it_is_read_is_made_again(
    bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    stop(bucket, "k1")
    with keep_objects(bucket, "demand", "backtest", "k1") as late, caplog.at_level(logging.INFO):
        run(bucket, "k1")
        assert KeptResults(late).make("part 1", lambda: OTHER) is OTHER
    assert "cannot be read, and is made again" in caplog.text


def test_an_account_without_a_right_keeps_nothing_and_its_step_goes_on(
    bucket: Bucket, standin: Running, caplog: pytest.LogCaptureFixture
) -> None:
    stop(bucket, "k1")
    clients = Clients(standin.project, platform.REGION)
    with standin.acting_as(ACCOUNT), caplog.at_level(logging.INFO):
        assert run(Bucket(clients, bucket.name), "k1") == OTHER
    clients.close()
    assert "what an earlier run had kept is not found" in caplog.text
    assert "a result is not kept for a run after this one" in caplog.text
    assert "what the step had kept is left to the next run" in caplog.text
    assert len(kept(bucket)) == 1


def test_the_account_of_the_steps_may_keep_and_remove_in_its_own_forecast_alone(
    bucket: Bucket, standin: Running
) -> None:
    folder = f"buckets/{bucket.name}/managedFolders/forecasts/demand/"
    standin.grant(folder, "roles/storage.objectUser", f"serviceAccount:{ACCOUNT}")
    clients = Clients(standin.project, platform.REGION)
    own = Bucket(clients, bucket.name)
    with standin.acting_as(ACCOUNT):
        stop(own, "k0")
        stop(own, "k1")
        assert run(own, "k1")["one"].equals(ONE["one"])
        assert standin.denied() == []
        stop(own, "k1", forecast="bikes")
    clients.close()
    assert standin.denied()
    assert kept(bucket, versions=True) == []


def test_an_outage_costs_a_step_one_wait_and_it_keeps_again_later(
    bucket: Bucket, standin: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pauses = skip_pauses(monkeypatch)
    with keep_objects(bucket, "demand", "backtest", "k1") as store, caplog.at_level(logging.INFO):
        results = KeptResults(store)
        standin.fault(WRITES, code=503, count=10**9)
        assert results.make("part 1", lambda: ONE) is ONE
        waited, calls = sum(pauses), len(standin.calls())
        assert results.make("part 2", lambda: ONE) is ONE
        assert (sum(pauses), len(standin.calls())) == (waited, calls)
        assert caplog.text.count("a result is not kept for a run after this one") == 2  # each is said
        standin.calm()
        pauses.append(kept_objects.PAUSE)
        results.make("part 3", lambda: ONE)
        assert len(kept(bucket)) == 1
