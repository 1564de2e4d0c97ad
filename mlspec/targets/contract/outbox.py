"""The outbox: a notice is there once, until a receiver has taken it."""

from __future__ import annotations

from dataclasses import replace

from mlspec.state.notice import PendingNotice
from mlspec.state.observed import Settlement
from mlspec.targets.contract.nouns import T, notice, pending
from mlspec.targets.local.target import LocalTarget


def test_a_notice_stands_in_the_outbox_once_until_it_was_taken(target: LocalTarget) -> None:
    for _ in range(2):
        target.record_settlement(Settlement("demand", notices=(pending(notice()),)), T)
    (found,) = target.load_due_notices(T)
    assert found == pending(notice())
    later = PendingNotice(notice(), found.receiver, 1, "2024-03-01T00:05:00Z", "refused")
    target.mark_delivered(later, None)
    assert target.load_due_notices(T) == ()
    assert target.load_due_notices("2024-03-01T00:05:00Z") == target.load_undelivered_notices("demand") == (later,)
    target.mark_delivered(PendingNotice(notice(), found.receiver, 2, None, ""), T)
    assert target.load_undelivered_notices("demand") == ()


def test_who_accepted_a_notice_is_known_and_a_discarded_one_was_accepted_by_nobody(target: LocalTarget) -> None:
    entries = [PendingNotice(notice(), f"webhook:{name}", 0, T) for name in ("has", "waits", "forgoes")]
    target.record_settlement(Settlement("demand", notices=(*entries, pending(notice("other")))), T)
    accepted = replace(entries[0], attempts=1)
    target.mark_delivered(accepted, T)
    discarded = replace(entries[2], problem="discarded by ann")
    target.record_settlement(Settlement("demand", discarded=(discarded,)), T)
    assert target.load_accepted_notices("demand", notice().id) == (accepted,)


def test_the_longest_overdue_is_due_first(target: LocalTarget) -> None:
    for name, at in (("n1", "2024-03-02T00:00:00Z"), ("n2", "2024-03-01T00:00:00Z"), ("n3", None)):
        target.record_settlement(Settlement("demand", notices=(pending(notice(name), at),)), T)
    assert [each.notice.id for each in target.load_due_notices("2024-03-03T00:00:00Z")] == ["n2", "n1"]
    assert [each.notice.id for each in target.load_undelivered_notices("demand")] == ["n3", "n2", "n1"]


def test_an_attempt_that_only_a_clock_that_was_ahead_can_have_planned_is_due(target: LocalTarget) -> None:
    far = pending(notice("far"), "2033-01-01T00:00:00Z")
    target.record_settlement(Settlement("demand", notices=(far, pending(notice("near"), "2024-03-02T00:00:00Z"))), T)
    assert target.load_due_notices(T) == ()
    assert target.load_due_notices(T, "2024-03-04T00:00:00Z") == (far,)
