"""The outbox is emptied at least once: what was settled is sent, whatever happened in between, and told apart by its id."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.engine.deliver import deliver_notices
from mlspec.errors import StateError
from mlspec.plan.delivery import GIVE_UP, MOST_DELIVERIES, notice_receivers, reschedule_delivery
from mlspec.plan.moments import moment_after, parse_moment
from mlspec.spec.receivers import Notify
from mlspec.state.notice import Notice, PendingNotice
from mlspec.state.observed import Settlement
from mlspec.targets.local.secrets import secret_value, secret_variable
from mlspec.targets.local.target import LocalTarget
from mlspec.targets.notify.base import DeliveryError, NoticeSender
from tests.engine.world import World
from tests.notify.receiver import LOOPBACK, receiving

T = "2024-03-01T00:00:00Z"


def notice(name: str = "n1", severity: str = "critical") -> Notice:
    return Notice(name, "demand", "accuracy", "alert", "firing", severity, T, T, "wape is high")  # type: ignore[arg-type]


class Mail:
    """A receiver that takes notices, or says why not."""

    def __init__(self, refuses: DeliveryError | None = None) -> None:
        self.refuses, self.got = refuses, list[str]()

    def send_notice(self, notice: Notice) -> None:
        self.got.append(notice.id)
        if self.refuses:
            raise self.refuses


def target_with(folder: Path, *pending: PendingNotice) -> LocalTarget:
    target = LocalTarget(folder / ".mlspec")
    target.record_settlement(Settlement("demand", notices=pending), T)
    return target


def to(mail: NoticeSender) -> Callable[[str], NoticeSender]:
    return lambda _receiver: mail


def test_a_notice_is_sent_once_and_then_no_more(tmp_path: Path) -> None:
    target, mail = target_with(tmp_path, PendingNotice(notice(), "webhook:x", 0, T)), Mail()
    assert [each.problem for each in deliver_notices(target, to(mail), lambda: T)] == [""]
    assert deliver_notices(target, to(mail), lambda: T) == ()
    assert mail.got == ["n1"]
    assert target.load_undelivered_notices("demand") == ()


def test_settling_the_same_notice_again_sends_it_once(tmp_path: Path) -> None:
    target = target_with(tmp_path, PendingNotice(notice(), "webhook:x", 0, T))
    target.record_settlement(Settlement("demand", notices=(PendingNotice(notice(), "webhook:x", 0, T),)), T)
    mail = Mail()
    deliver_notices(target, to(mail), lambda: T)
    assert mail.got == ["n1"]


def test_what_was_not_taken_is_tried_again_when_it_is_due_with_the_same_id(tmp_path: Path) -> None:
    target, mail = (
        target_with(tmp_path, PendingNotice(notice(), "webhook:x", 0, T)),
        Mail(DeliveryError("it answered 500")),
    )
    (first,) = deliver_notices(target, to(mail), lambda: T)
    assert first.problem == "it answered 500"
    assert deliver_notices(target, to(mail), lambda: T) == ()
    mail.refuses = None
    due = first.pending.next_at
    assert due is not None
    (second,) = deliver_notices(target, to(mail), lambda: due)
    assert second.problem == ""
    assert mail.got == ["n1", "n1"]


def test_a_receiver_that_asks_for_time_gets_it(tmp_path: Path) -> None:
    busy = Mail(DeliveryError("it answered 429", retry_after=7200.0))
    target = target_with(tmp_path, PendingNotice(notice(), "webhook:x", 0, T))
    (first,) = deliver_notices(target, to(busy), lambda: T)
    assert first.pending.next_at == moment_after(T, timedelta(hours=2))
    assert deliver_notices(target, to(busy), lambda: moment_after(T, timedelta(hours=1))) == ()


def test_a_receiver_that_is_silent_holds_up_no_other_and_is_asked_once_a_pass(tmp_path: Path) -> None:
    bad, good = Mail(DeliveryError("no answer")), Mail()
    pending = [PendingNotice(notice(f"n{number}"), receiver, 0, T) for number in range(3) for receiver in ("a", "b")]
    target = target_with(tmp_path, *pending)
    deliver_notices(target, lambda receiver: bad if receiver == "a" else good, lambda: T)
    assert (len(bad.got), good.got) == (1, ["n0", "n1", "n2"])


def test_what_lasts_is_given_up_and_stays_to_be_seen(tmp_path: Path) -> None:
    target = target_with(tmp_path, PendingNotice(notice(), "webhook:x", 0, T))
    mail = Mail(DeliveryError("it answered 404", permanent=True))
    deliver_notices(target, to(mail), lambda: T)
    (left,) = target.load_undelivered_notices("demand")
    assert (left.next_at, left.problem, left.is_given_up) == (None, "it answered 404", True)
    assert deliver_notices(target, to(mail), lambda: T) == ()
    (event,) = target.load_events("demand")
    assert (event.type, event.reason) == ("Warning", "NoticeGivenUp")
    assert "webhook:x did not accept the notice" in event.message


def test_the_history_says_nothing_of_a_notice_that_is_tried_again(tmp_path: Path) -> None:
    target = target_with(tmp_path, PendingNotice(notice(), "webhook:x", 0, T))
    deliver_notices(target, to(Mail(DeliveryError("it answered 500"))), lambda: T)
    assert target.load_events("demand") == ()


def test_a_secret_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    target = target_with(tmp_path, PendingNotice(notice(), "webhook:oncall", 0, T))

    def sender(_receiver: str) -> NoticeSender:
        secret_value(target.folder, "oncall")
        return Mail()

    (found,) = deliver_notices(target, sender, lambda: T)
    assert "MLSPEC_SECRET_ONCALL" not in found.problem
    assert "no secret 'oncall'" in found.problem
    assert found.pending.next_at is not None


@given(st.integers(0, 200), st.text(max_size=5), st.none() | st.floats(0, 1e9))
def test_pauses_grow_to_an_hour_and_end_after_three_days(attempts: int, name: str, wait: float | None) -> None:
    pending = PendingNotice(notice(name), "webhook:x", attempts, T)
    after = reschedule_delivery(pending, T, "no answer", permanent=False, wait=wait)
    assert after.attempts == attempts + 1
    assert after == reschedule_delivery(
        pending, T, "no answer", permanent=False, wait=wait
    )  # a restart changes nothing
    if after.next_at is not None:
        pause = (parse_moment(after.next_at) - parse_moment(T)).total_seconds()
        assert max(30, min(wait or 0, 3600)) - 1 <= pause <= GIVE_UP.total_seconds()


@pytest.mark.parametrize(("severity", "found"), [
    ("info", ("pubsub:all",)), ("warning", ("pubsub:all", "webhook:desk")),
    ("critical", ("pubsub:all", "webhook:desk", "webhook:oncall")),
])  # fmt: skip
def test_a_receiver_hears_what_is_severe_enough_for_it(severity: str, found: tuple[str, ...]) -> None:
    notify = [
        {"pubsub": "all", "webhook": None, "severity": "info"},
        {"pubsub": None, "webhook": {"secret": "desk"}, "severity": "warning"},
        {"pubsub": None, "webhook": {"secret": "oncall"}, "severity": "critical"},
    ]
    receivers = [Notify.model_validate(receiver) for receiver in notify]
    assert notice_receivers(receivers, notice(severity=severity)) == found


def test_a_secret_comes_from_its_variable_or_a_file_that_nobody_else_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secrets").mkdir()
    path = tmp_path / "secrets" / "demand-url"
    path.write_text("https://example.com/a\n")
    path.chmod(0o644)
    with pytest.raises(StateError, match="others can read"):
        secret_value(tmp_path, "demand-url")
    path.chmod(0o600)
    assert secret_value(tmp_path, "demand-url") == "https://example.com/a"
    monkeypatch.setenv(secret_variable("demand-url"), "https://example.com/b")
    assert secret_value(tmp_path, "demand-url") == "https://example.com/b"


def test_a_rollback_is_told_to_a_real_webhook_and_no_secret_stands_in_the_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlspec.cli.senders import NoticeSettings, sender_factory

    world = World(tmp_path)
    world.write(notify=[{"pubsub": None, "webhook": {"secret": "oncall"}, "severity": "critical"}])
    world.look()
    world.bad(world.serves)
    world.look()
    with receiving((500, {}), (204, {})) as receiver:
        monkeypatch.setenv("MLSPEC_SECRET_ONCALL", receiver.url)
        for _ in range(4):
            world.pass_time(minutes=10)
            engine = world.engine()
            deliver_notices(
                engine.target,
                sender_factory(world.target.read_secret, engine.clock, None, NoticeSettings(LOOPBACK)),
                engine.clock,
            )
    ids = [headers["webhook-id"] for headers, _body in receiver.got]
    assert len(set(ids)) == 2  # that it fires, and that it was rolled back
    assert len(ids) == 3  # the first attempt of one was answered with 500
    assert b"cafe-secret" not in b"".join(world.state().values())


def test_a_receiver_of_another_kind_is_not_taken_for_a_topic() -> None:
    from mlspec.cli.senders import sender_factory

    with pytest.raises(DeliveryError, match="pager:oncall: nothing sends to a receiver of this kind"):
        sender_factory(str, lambda: T, "acme-prod")("pager:oncall")


def test_a_notice_that_a_wrong_clock_put_off_for_a_year_is_sent_now(tmp_path: Path) -> None:
    ahead = "2025-03-01T00:00:00Z"
    made_ahead = PendingNotice(replace(notice("n2"), at=ahead), "webhook:x", 0, ahead)
    target, mail = target_with(tmp_path, PendingNotice(notice(), "webhook:x", 1, ahead, "refused"), made_ahead), Mail()
    deliver_notices(target, to(mail), lambda: T)
    assert mail.got == ["n1", "n2"]


def test_a_notice_that_a_wrong_clock_made_is_given_up_some_day_too() -> None:
    pending = PendingNotice(replace(notice(), at="2033-01-01T00:00:00Z"), "webhook:x", 0, T)
    moments = []
    while pending.next_at:
        moments.append(pending.next_at)
        pending = reschedule_delivery(pending, pending.next_at, "it answered 500", permanent=False, wait=None)
    assert len(moments) == MOST_DELIVERIES
    assert parse_moment(moments[-1]) - parse_moment(moments[0]) > GIVE_UP  # an honest one is given up by its age before


def test_a_notice_that_somebody_edited_by_hand_keeps_no_other_back(tmp_path: Path) -> None:
    target, mail = (
        target_with(tmp_path, *(PendingNotice(notice(name), "webhook:x", 0, T) for name in ("n1", "n2"))),
        Mail(),
    )
    connection = sqlite3.connect(target.folder / "state.db")
    connection.execute("UPDATE outbox SET record = '{}' WHERE notice = 'n1'")
    connection.commit()
    connection.close()
    deliver_notices(target, to(mail), lambda: T)
    assert mail.got == ["n2"]
