"""The loop on the command line: what a person reads of a pass, and of how forecasts turned out."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mlspec import clock
from mlspec.cli import notices
from mlspec.cli.commands import reconcile
from mlspec.engine.fleet import inbox_items
from mlspec.engine.pass_result import PassResult
from mlspec.errors import (
    Exit,
    MissingExtra,
    SpecError,
    StateError,
    StateUnreachable,
    StoppedPartWay,
    Superseded,
    TargetUnreachable,
    Terminated,
)
from mlspec.targets.local import database
from mlspec.targets.local.target import LocalTarget
from tests.cli.test_plan_apply import quick
from tests.cli.test_session import Mlspec, Said, mlspec
from tests.engine.steps import Steps
from tests.notify.receiver import Receiver, receiving
from tests.stores import target_at

__all__ = ["mlspec", "quick"]  # fixtures


@pytest.fixture
def watched(mlspec: Mlspec, quick: Steps) -> Mlspec:
    """A project whose forecast has an alert that fires."""
    path = Path("specs/demand.yaml")
    path.write_text(path.read_text() + "alerts: [{name: accuracy, metric: wape, above: 0.05}]\n")
    return mlspec


def test_a_pass_says_that_an_alert_fires_and_says_it_once(watched: Mlspec) -> None:
    said = watched("reconcile", "--once")
    assert said.code == 0, said.err
    assert "demand: alert accuracy is firing: wape is 0.1, above 0.05" in said.out
    (again,) = json.loads(watched("reconcile", "--once", "--output", "json").out)["forecasts"]
    assert (again["status"], again["heard"]) == ("nothing", [])


def test_status_tells_of_an_alert_once(watched: Mlspec) -> None:
    watched("reconcile", "--once")
    assert watched("status").out.count("wape is 0.1, above 0.05") == 1


def test_status_tells_how_forecasts_turned_out_and_how_far_ahead(watched: Mlspec) -> None:
    watched("reconcile", "--once")
    assert "demand: realised WAPE 10.0%; by periods ahead: 10.0% at 1, 20.0% at 2" in watched("status").out
    (found,) = json.loads(watched("status", "--output", "json").out)["forecasts"]
    assert found["realised"]["wape"] == pytest.approx(0.1)
    assert [each["step"] for each in found["realised_by_horizon"]] == [1, 2]


def test_more_jobs_than_a_machine_has_cores_for_are_bounded_with_a_word(
    watched: Mlspec, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    whole = reconcile.reconcile_specs

    def listen(engine: Any, specs: Any, lock_timeout: float, at_once: int, spread: Any) -> Any:
        asked.append(at_once)
        return whole(engine, specs, lock_timeout, 1, spread)

    monkeypatch.setattr(reconcile, "reconcile_specs", listen)
    monkeypatch.setattr(reconcile.os, "cpu_count", lambda: 2)
    said = watched("reconcile", "--once", "--jobs", "10000")
    assert "--jobs 10000: this machine has 2 cores, so 8 forecasts are worked on at once" in said.err
    assert "--jobs" not in watched("reconcile", "--once", "--jobs", "8").err
    assert asked == [8, 8]


# --- a store that is away ---------------------------------------------------------------------------------------------------------

AWAY = StateUnreachable(
    "cannot use the state in postgresql://db/x: connection refused", hint="check that the server runs"
)


def loop_through(
    mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch, *passes: Exception | None
) -> tuple[Said, list[float]]:
    """Run the loop over passes that go well or fail; return what was printed, and the pauses between them."""
    left, pauses = list(passes), list[float]()

    def run_pass(*_words: object) -> int:
        error = left.pop(0)
        if error:
            raise error
        return Exit.DONE

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if not left:
            raise Terminated

    monkeypatch.setattr(reconcile, "_run_pass", run_pass)
    monkeypatch.setattr("time.sleep", sleep)
    return mlspec("reconcile", "--interval", "60s"), pauses


def test_a_loop_whose_store_is_away_waits_and_says_so_once(mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch) -> None:
    outage = (AWAY, AWAY, AWAY, AWAY, AWAY)
    said, pauses = loop_through(mlspec, monkeypatch, *outage, None, None, AWAY, None)
    assert said.code == 0
    assert pauses == [60, 120, 240, 300, 300, 60, 60, 60, 60]
    assert said.err.count("connection refused") == said.err.count("no pass could be made") == 2
    assert said.err.count("passes are made again") == 2
    assert "after 5 that could not be made" in said.err


def test_another_kind_of_trouble_is_said_as_well(mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch) -> None:
    other = TargetUnreachable("cannot list the records: Google cannot be reached", hint="check the network")
    said, _ = loop_through(mlspec, monkeypatch, AWAY, other, other, AWAY, None)
    assert said.err.count("no pass could be made") == 3


def test_what_only_a_person_can_mend_ends_a_loop_that_never_made_a_pass_and_no_other(
    mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = StateError("the state was written by a newer mlspec", hint="install a newer mlspec")
    said, _ = loop_through(mlspec, monkeypatch, broken)
    assert (said.code, "newer mlspec" in said.err) == (1, True)
    said, pauses = loop_through(mlspec, monkeypatch, None, broken, SpecError("mlspec.yaml is not valid"), None)
    assert (said.code, len(pauses)) == (0, 4)
    assert said.err.count("no pass could be made") == 2


def test_a_signal_within_a_pass_ends_the_loop(mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch) -> None:
    said, pauses = loop_through(
        mlspec, monkeypatch, None, StoppedPartWay("stopped by SIGTERM; what was done is recorded")
    )
    assert (said.code, len(pauses)) == (4, 1)


def test_a_single_pass_does_not_wait(mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_words: object) -> int:
        raise AWAY

    monkeypatch.setattr(reconcile, "_run_pass", away)
    said = mlspec("reconcile", "--once")
    assert (said.code, "hint: check that the server runs" in said.err) == (1, True)


def test_a_state_file_that_another_program_has_locked_is_waited_for(
    watched: Mlspec, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched("reconcile", "--once")
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    locker = sqlite3.connect(".mlspec/state.db", isolation_level=None)
    locker.execute("BEGIN EXCLUSIVE")

    def unlock_then_end() -> Iterator[None]:
        yield
        locker.execute("ROLLBACK")
        yield
        raise Terminated

    steps = unlock_then_end()
    next(steps)
    monkeypatch.setattr("time.sleep", lambda _seconds: next(steps))
    assert watched("status").code == 1
    said = watched("reconcile")
    locker.close()
    assert said.code == 0, said.err
    assert "is locked" in said.err
    assert "passes are made again, after 1" in said.err
    assert "demand: nothing to do, and not ready: accuracy: wape is 0.1, above 0.05" in said.out
    assert "up to date" not in said.out


def test_a_state_that_was_lost_within_a_pass_is_one_trouble_and_not_one_a_forecast(
    mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"forecast-{number}" for number in range(50)]
    results = (*(PassResult(name, error=AWAY) for name in names), PassResult("other", error=MissingExtra("ray", "ray")))
    monkeypatch.setattr(reconcile, "reconcile_specs", lambda *_words: results)
    said = mlspec("reconcile", "--once")
    assert said.code == 1
    assert said.err.count("connection refused") == 1
    assert "49 more forecasts have this error" in said.err
    assert "other: this command needs the package 'ray'" in said.err  # an error with words of its own


# --- notices ----------------------------------------------------------------------------------------------------------------------


class Containers:
    """Keeps what the loop's job was started with."""

    def __init__(self) -> None:
        self.started: list[tuple[Sequence[str], int]] = []

    def start_tasks(self, words: Sequence[str], count: int) -> None:
        self.started.append((words, count))


def test_tasks_that_share_the_work_are_asked_for_what_the_call_was_asked_for(
    watched: Mlspec, monkeypatch: pytest.MonkeyPatch
) -> None:
    containers = Containers()
    monkeypatch.setattr(LocalTarget, "containers", containers)
    monkeypatch.setattr(reconcile, "tasks_for", lambda _busy, most: most)
    asked = ("--lock-timeout", "10m", "--follow", "90s", "--output", "json", "--select", "demand")
    said = watched("reconcile", "specs", "--once", *asked, "--tasks", "3")
    assert said.code == 0, said.err
    assert "3 tasks of the job mlspec-reconcile do it" in said.err
    ((words, count),) = containers.started
    assert (words[:2], count) == (["reconcile", "specs"], 3)
    assert {"--once", "--yes", "--target"} < {*words}
    assert list(words[-len(asked) :]) == list(asked)


def test_a_forecast_that_is_left_to_another_image_is_said_in_words_and_fails_nothing(
    watched: Mlspec, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = PassResult(
        "demand", error=Superseded("another image was handed over to the loop", hint="nothing has to be done")
    )
    monkeypatch.setattr(reconcile, "reconcile_specs", lambda *_words: (left,))
    said = watched("reconcile", "--once")
    assert (said.code, said.err) == (Exit.DONE, "")
    assert "demand: another image was handed over to the loop" in said.out


@pytest.fixture
def told(watched: Mlspec, monkeypatch: pytest.MonkeyPatch) -> Callable[[Receiver], Mlspec]:
    """A project that notifies a receiver on this machine."""

    def tell(receiver: Receiver) -> Mlspec:
        monkeypatch.setenv("MLSPEC_SECRET_ONCALL", receiver.url)
        add_receiver("oncall")
        return watched

    return tell


def add_receiver(secret: str) -> None:
    path = Path("specs/demand.yaml")
    line = f"  - {{webhook: {{secret: {secret}}}}}\n"
    path.write_text(path.read_text() + ("" if "notify:" in path.read_text() else "notify:\n") + line)


def allow_loopback() -> None:
    path = Path("mlspec.yaml")
    path.write_text(path.read_text() + "webhooks: {private_networks: [127.0.0.0/8]}\n")


def test_a_webhook_on_this_machine_is_called_only_if_the_project_allows_it(
    told: Callable[[Receiver], Mlspec], monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as receiver:
        mlspec = told(receiver)
        said = mlspec("reconcile", "--once")
        assert "its host is at a loopback address" in said.err
        assert receiver.got == []
        assert "demand: webhook:oncall did not accept the notice" in mlspec("status").out
        allow_loopback()
        monkeypatch.setattr(notices, "timestamp", lambda: "2100-01-01T00:00:00Z")  # when it is tried again
        mlspec("reconcile", "--once")
        assert len(receiver.got) == 1
        assert "did not accept" not in mlspec("status").out


def test_a_notice_that_arrived_is_said_after_the_alert_that_it_tells(told: Callable[[Receiver], Mlspec]) -> None:
    allow_loopback()
    with receiving() as receiver:
        said = told(receiver)("reconcile", "--once")
    lines = [line.partition("  demand: ")[2] for line in said.out.splitlines()]
    (alert,) = [place for place, line in enumerate(lines) if line.startswith("alert accuracy is firing")]
    (notified,) = [place for place, line in enumerate(lines) if line.startswith("notified webhook:oncall")]
    assert alert < notified


def test_with_json_a_notice_that_arrived_is_said_beside_stdout(told: Callable[[Receiver], Mlspec]) -> None:
    allow_loopback()
    with receiving() as receiver:
        said = told(receiver)("reconcile", "--once", "--output", "json")
    assert len(receiver.got) == 1
    assert json.loads(said.out)["forecasts"][0]["heard"]
    assert "demand: notified webhook:oncall" in said.err


def test_a_notice_that_was_given_up_is_shown_until_somebody_sends_it_again(told: Callable[[Receiver], Mlspec]) -> None:
    allow_loopback()
    with receiving((404, {}), (404, {}), (204, {})) as receiver:
        mlspec = told(receiver)
        assert "is given up" in mlspec("reconcile", "--once").err
        for _ in range(2):
            mlspec("reconcile", "--once")
            shown = mlspec("status").out
            assert "webhook:oncall did not accept the notice" in shown
            assert "wape is 0.1, above 0.05): it answered 404; it was given up after attempt 1" in shown
        assert len(receiver.got) == 1
        (found,) = json.loads(mlspec("status", "--output", "json").out)["forecasts"][0]["undelivered"]
        assert (found["receiver"], found["next_at"], found["problem"]) == ("webhook:oncall", None, "it answered 404")
        assert mlspec("history", "demand").out.count("NoticeGivenUp: webhook:oncall did not accept") == 1
        for _ in range(2):  # the first time it is given up once more
            assert "1 notice will be sent again" in mlspec("resume", "demand", "--notices", "send").out
            mlspec("reconcile", "--once")
        assert len(receiver.got) == 3
        assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
        assert "did not accept" not in mlspec("status").out
        refused = mlspec("resume", "demand", "--notices", "send")
        assert (refused.code, "no notice was given up" in refused.err) == (1, True)


def test_a_notice_that_was_given_up_can_be_discarded_and_nothing_else_is_resumed(
    told: Callable[[Receiver], Mlspec],
) -> None:
    allow_loopback()
    with receiving((404, {})) as receiver:
        mlspec = told(receiver)
        mlspec("reconcile", "--once")
        hint = mlspec("resume", "demand").err
        assert "demand is neither held nor stalled" in hint
        assert "mlspec resume demand --notices send" in hint
        wrong = mlspec("resume", "demand", "--notices", "discard", "--forgive", "v1")
        assert wrong.code == 2
        assert "1 notice discarded, by " in mlspec("resume", "demand", "--notices", "discard").out
        mlspec("reconcile", "--once")
        (item,), undelivered = inbox_items(target_at(Path()), ["demand"], clock.utc_now())
        assert (item.alert, item.delivery, undelivered) == ("accuracy", "discarded", [])
        assert "did not accept" not in mlspec("status").out
        assert "NoticesSettled: 1 notice discarded" in mlspec("history", "demand").out
        assert len(receiver.got) == 1


def test_a_receiver_that_is_added_during_an_incident_is_told_of_it_once(
    told: Callable[[Receiver], Mlspec], monkeypatch: pytest.MonkeyPatch
) -> None:
    allow_loopback()
    with receiving() as first, receiving() as second:
        mlspec = told(first)
        mlspec("reconcile", "--once")
        monkeypatch.setenv("MLSPEC_SECRET_DESK", second.url)
        add_receiver("desk")
        for _ in range(3):
            assert mlspec("reconcile", "--once").code == 0
        assert (len(first.got), len(second.got)) == (1, 1)
        assert first.got[0][0]["webhook-id"] == second.got[0][0]["webhook-id"]
        assert b'"state": "firing"' in second.got[0][1]
