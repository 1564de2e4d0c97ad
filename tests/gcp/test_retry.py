"""What is tried again, for how long, and what is said of a no: Google's real clients, and a server that fails as it is told to."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from mlspec.errors import TargetError, TargetUnreachable
from mlspec.targets.gcp import retry
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs import step_io
from mlspec.targets.gcp.record.bucket import NEW, Bucket, WriteConflict
from mlspec.targets.gcp.vertex.model_registry import ModelRegistry
from tests.gcp.standin.harness import Running
from tests.waiting import skip_pauses

INSERT, LIST = r"storage\.objects\.insert", r"storage\.objects\.list"
LIST_MODELS = "ModelService.ListModels"


@pytest.fixture
def clients(standin: Running) -> Iterator[Clients]:
    found = Clients(standin.project, "europe-west1")
    yield found
    found.close()


@pytest.fixture
def bucket(clients: Clients) -> Bucket:
    clients.storage.create_bucket("acme-state")
    return Bucket(clients, "acme-state")


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each pause was to be; none is taken."""
    return skip_pauses(monkeypatch)


@pytest.mark.parametrize("code", [429, 500, 503, 504])
def test_what_may_pass_is_tried_again(standin: Running, bucket: Bucket, slept: list[float], code: int) -> None:
    standin.fault(LIST, code=code, count=3)
    assert bucket.list_objects("") == ()
    assert len(slept) == 3


def test_each_attempt_that_fails_is_logged_with_the_pause_after_it(
    standin: Running, bucket: Bucket, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    standin.fault(LIST, code=429, count=2, retry_after=17, message="slow down")
    with caplog.at_level(logging.DEBUG, "mlspec"):
        bucket.list_objects("")
    said = [(each.levelname, each.getMessage()) for each in caplog.records if each.name == retry.__name__]
    retries = [message for level, message in said if level == "INFO"]
    assert [message.partition(" failed (")[0] for message in retries] == [
        f"list gs://acme-state/: attempt {number}" for number in (1, 2)
    ]
    assert all("slow down" in message and message.endswith("again in 17.0 s") for message in retries)
    assert said[-1][0] == "DEBUG"
    assert said[-1][1].endswith("at attempt 3")


@pytest.mark.parametrize("code", [400, 401, 403])
def test_what_lasts_is_said_at_once_with_the_service_s_own_words(
    standin: Running, bucket: Bucket, slept: list[float], code: int
) -> None:
    standin.fault(LIST, code=code, count=9, message="the service says so")
    with pytest.raises(TargetError, match=rf"cannot list gs://acme-state/: .*the service says so.*\({code}\)") as found:
        bucket.list_objects("")
    assert found.value.hint
    assert not isinstance(found.value, TargetUnreachable)
    assert slept == []


def test_a_service_that_asks_for_time_gets_it(standin: Running, bucket: Bucket, slept: list[float]) -> None:
    standin.fault(LIST, code=429, count=1, retry_after=17)
    bucket.list_objects("")
    assert slept == [17.0]


def test_the_same_holds_over_grpc(standin: Running, clients: Clients, slept: list[float]) -> None:
    standin.fault(LIST_MODELS, code=503, count=2)
    assert ModelRegistry(clients).list_default_aliases() == {}
    assert len(slept) == 2


@pytest.mark.parametrize("api", ["storage", "aiplatform"])
def test_an_api_that_was_just_enabled_is_waited_for(
    standin: Running, bucket: Bucket, clients: Clients, monkeypatch: pytest.MonkeyPatch, api: str
) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            standin.set(disabled_services=[])

    monkeypatch.setattr(time, "sleep", sleep)
    standin.set(disabled_services=[f"{api}.googleapis.com"])
    ask = {"storage": lambda: bucket.list_objects(""), "aiplatform": ModelRegistry(clients).list_default_aliases}[api]
    assert not ask()
    assert len(waits) == 3


def test_an_api_that_stays_off_is_told_so(standin: Running, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "DEADLINE", 0.05)
    monkeypatch.setattr(retry, "FIRST", 0.01)
    standin.set(disabled_services=["storage.googleapis.com"])
    with pytest.raises(TargetUnreachable, match="has not been used in project") as found:
        bucket.list_objects("")
    assert "it enables the APIs" in str(found.value.hint)


def test_a_service_that_never_comes_back_is_given_up(
    standin: Running, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "DEADLINE", 0.05)
    monkeypatch.setattr(retry, "FIRST", 0.01)
    standin.fault(LIST, code=503, count=1000)
    with pytest.raises(TargetUnreachable, match="503"):
        bucket.list_objects("")


def test_results_of_a_step_outlast_an_outage_and_its_error_does_not_wait_for_one(
    standin: Running, bucket: Bucket, clients: Clients, slept: list[float], tmp_path: Path
) -> None:
    """A training may have taken hours, and the container's disk goes with it."""
    (tmp_path / "model.bin").write_bytes(b"model")
    upload = partial(
        step_io.upload_outputs, clients, "gs://acme-state/out", {"model": tmp_path / "model.bin"}, {"facts": {}}
    )
    standin.fault(INSERT, code=503, count=40)
    upload()
    assert sum(slept) > 2 * retry.DEADLINE
    assert {stored.name for stored in bucket.list_objects("")} == {"out/model.bin", "out/result.json"}
    slept.clear()
    standin.fault(INSERT, code=503, count=1000)
    with pytest.raises(TargetUnreachable, match="503"):
        step_io.upload_error(clients, "gs://acme-state/out", {"error": "x"})
    assert sum(slept) <= 2 * retry.DEADLINE
    with pytest.raises(TargetUnreachable, match="503"):
        upload()
    assert sum(slept) > retry.PATIENCE
    standin.calm()


def test_results_that_may_not_be_written_are_told_at_once(
    standin: Running, bucket: Bucket, clients: Clients, slept: list[float]
) -> None:
    standin.fault(INSERT, code=403)
    with pytest.raises(TargetError):
        step_io.upload_outputs(clients, "gs://acme-state/out", {}, {"facts": {}})
    assert slept == []


def test_a_write_whose_answer_was_lost_is_the_same_write(standin: Running, bucket: Bucket, slept: list[float]) -> None:
    standin.fault(INSERT, lost=True, count=1)
    generation = bucket.write_object("a", b"one", NEW)
    assert bucket.read_object("a") == (b"one", bucket.find_object("a"))
    assert bucket.list_objects("")[0].generation == generation
    assert len(slept) == 1


def test_a_write_on_a_generation_that_is_gone_changes_nothing(bucket: Bucket) -> None:
    first = bucket.write_object("a", b"one", NEW)
    bucket.write_object("a", b"two", first)
    with pytest.raises(WriteConflict):
        bucket.write_object("a", b"three", first)
    found = bucket.read_object("a")
    assert found
    assert found[0] == b"two"


def test_somebody_else_s_write_of_the_same_bytes_is_not_ours(bucket: Bucket) -> None:
    bucket.write_object("a", b"same", NEW)
    with pytest.raises(WriteConflict):
        bucket.write_object("a", b"same", NEW)


def test_whoever_was_overtaken_looks_again_after_a_pause(bucket: Bucket, slept: list[float]) -> None:
    """Three others write the object between our look and our write."""
    others = [b"a", b"b", b"c"]

    def overwrite() -> int:
        current = bucket.find_object("a")
        if others:
            bucket.write_object("a", others.pop(), current.generation if current else NEW)
        return bucket.write_object("a", b"ours", current.generation if current else NEW)

    retry.retry_on_conflict(overwrite, WriteConflict, "write a")
    found = bucket.read_object("a")
    assert found
    assert found[0] == b"ours"
    assert len(slept) == 3
    assert all(0 < pause <= retry.LONGEST_AFTER_CONFLICT for pause in slept)


def test_whoever_is_overtaken_for_good_says_so(monkeypatch: pytest.MonkeyPatch, clients: Clients) -> None:
    monkeypatch.setattr(retry, "DEADLINE", 0.01)

    def overtaken() -> None:
        raise WriteConflict("a")

    with pytest.raises(TargetError, match="cannot write a: another process keeps changing it") as found:
        retry.retry_on_conflict(overtaken, WriteConflict, "write a")
    assert found.value.hint


def test_what_runs_is_looked_at_less_and_less_often_until_it_is_over(slept: list[float]) -> None:
    answers = iter(range(30))
    assert retry.poll_until(lambda: next(answers), lambda answer: answer == 20, retry.LONG) == 20
    assert slept == sorted(slept)
    assert (slept[0], slept[-1], len(slept)) == (retry.FIRST_LOOK, retry.LONGEST_LOOK, 20)


def test_what_still_runs_after_the_deadline_has_no_answer(slept: list[float]) -> None:
    assert retry.poll_until(lambda: "runs", lambda answer: answer == "over", 0.0) is None
    assert slept == []
