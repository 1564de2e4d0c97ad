"""What may go: whatever the history, every rollback, evaluation and forecast is as it was, and a second prune finds nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.moments import moment_after
from mlspec.plan.retention import EVALUATED_RUNS, RetentionDecision, RetentionFacts, decide_pruning
from mlspec.plan.rollback import RollBack, RollbackFacts, decide_rollback
from mlspec.plan.serving import good_releases, served_in_full, spec_shape, stable_version
from mlspec.spec.digest import resolved_json
from mlspec.spec.forecast import Forecast
from mlspec.spec.retention import Retention
from mlspec.state.ledger import AlertRecord, Hold, Ledger, Quarantine, RolloutProgress
from mlspec.state.observed import Observed, ObservedResource
from mlspec.state.record import FileRef, ForecastRun, Release, Version
from mlspec.state.resource import Resource, digest
from mlspec.state.retention import RecordContents, RecordRow, StepRow
from tests.examples import forecast_spec

BEGIN = "2024-01-01T00:00:00Z"
ALERT: dict[str, Any] = {"name": "accuracy", "metric": "wape", "above": 0.2}
POLICIES = {
    to: forecast_spec(alerts=[ALERT], rollback={"on": ["accuracy"], "to": to})
    for to in ("last-good", "previous", "fallback")
}
SPEC = POLICIES["last-good"]
DOCUMENTS = [resolved_json(SPEC), resolved_json(forecast_spec(model={"horizon": 3}))]


def day(number: int) -> str:
    return moment_after(BEGIN, timedelta(days=number))


def ref(name: str) -> FileRef:
    return FileRef(digest(name), len(name), name)


def version(name: str, created: str = BEGIN, state: str = "passed") -> Version:
    files = {role: ref(f"{role} of {name}") for role in ("model", "backtest")}
    return Version("demand", name, created, "theta", {}, {"spec_hash": name}, state, files)  # type: ignore[arg-type]


def release(number: int, name: str, shape: int = 0) -> Release:
    return Release("demand", number, name, day(number), "h", DOCUMENTS[shape])


def run(number: int, name: str, role: str = "forecast") -> ForecastRun:
    return ForecastRun("demand", name, "d", day(number)[:10], day(number), {role: ref(f"run {number}")})


def contents_of(
    releases: list[Release], versions: list[Version], runs: list[ForecastRun], steps: list[StepRow]
) -> RecordContents:
    """The rows as a record gives them: newest first."""
    return RecordContents(
        tuple(RecordRow((number,), run, 1) for number, run in reversed(list(enumerate(runs)))),
        tuple(RecordRow((release.release,), release, 1) for release in reversed(releases)),
        tuple(RecordRow((version.version,), version, 1) for version in reversed(versions)),
        tuple(
            RecordRow((step.step, str(number)), step, 1)
            for number, step in sorted(enumerate(steps), key=lambda pair: pair[1].at, reverse=True)
        ),
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[RetentionFacts, Retention, str]:
    """A forecast after some weeks: versions of which some passed, releases back and forth, and a ledger that fits."""
    count = draw(st.integers(1, 12))
    versions = [version(f"v{n}", day(n), draw(st.sampled_from(["passed", "passed", "rejected"]))) for n in range(count)]
    passed = [version.version for version in versions if version.state == "passed"] or ["v0"]
    versions[0] = version("v0", day(0))
    passed = sorted({"v0", *passed})
    served = draw(st.lists(st.tuples(st.sampled_from(passed), st.integers(0, 1)), min_size=1, max_size=25))
    releases = [release(number, name, shape) for number, (name, shape) in enumerate(served, 1)]
    releases[-1] = release(len(served), served[-1][0])
    serves = releases[-1].version
    bad = draw(st.sets(st.sampled_from(passed))) - {serves}
    stable, rollout = serves, None
    before = [past for past in releases[:-1] if past.version not in {serves, *bad}]
    if before and draw(st.booleans()):
        stable = before[-1].version
        rollout = RolloutProgress(serves, len(served), stable, before[-1].release, 0, day(30), day(30))
    firing = AlertRecord("accuracy", "firing", day(1), incident="i", began=day(1))
    ledger = Ledger(
        alerts=(firing,),
        own={"accuracy": {stable: "firing"}},
        quarantined=tuple(Quarantine(name, "bad", day(1)) for name in sorted(bad)),
        rollout=rollout,
        hold=Hold(1, releases[0].version, "ana", "r", day(1), "another") if draw(st.booleans()) else None,
        served_in_part=tuple(sorted(draw(st.sets(st.sampled_from(passed))) - {stable})),
    )
    traffic = {serves: 100} if rollout is None else {serves: 10, stable: 90}
    deployment = {
        "release": len(served),
        "version": serves,
        "traffic": traffic,
        "since": day(1),
        "shape": spec_shape(SPEC),
    }
    judged = draw(st.sampled_from(versions))
    observed = Observed(
        "demand",
        {
            "data": ObservedResource(Resource("data", "demand"), {}, {"panel": ref("panel")}),
            "model": ObservedResource(Resource("model", "demand"), {"version": judged.version}, judged.files),
            "deployment": ObservedResource(Resource("deployment", "demand"), deployment),
        },
        ledger=ledger,
    )
    runs = [
        run(number, draw(st.sampled_from(passed)), draw(st.sampled_from(["forecast", "forecast", "stock"])))
        for number in range(draw(st.integers(0, 70)))
    ]
    steps = [
        StepRow(name, day(draw(st.integers(0, 70))), {"out": ref(f"step {n}")})
        for n, name in enumerate(draw(st.lists(st.sampled_from(["check", "train", "evaluate"]), max_size=12)))
    ]
    contents = contents_of(releases, versions, runs, steps)
    fallbacks = frozenset(draw(st.sets(st.sampled_from(passed), max_size=2)))
    whole = frozenset(passed) - draw(st.sets(st.sampled_from(passed), max_size=2))
    good = good_releases([row.content for row in contents.releases], versions, stable, ledger, SPEC)
    good = served_in_full(good, ledger)
    retention = Retention(releases=draw(st.integers(1, 6)), runs=timedelta(days=draw(st.integers(7, 60))))
    return RetentionFacts(observed, contents, good, fallbacks, whole), retention, day(draw(st.integers(70, 200)))


def pruned(facts: RetentionFacts, decision: RetentionDecision) -> RetentionFacts:
    """The facts after a prune, when the files that nothing needs have gone too."""
    contents, gone = facts.contents, {ref.sha256 for ref in decision.pruning.files}

    def left(table: str) -> Any:
        keys = set(decision.pruning.rows[table])  # type: ignore[index]
        return tuple(row for row in getattr(contents, table) if row.key not in keys)

    after = RecordContents(left("runs"), left("releases"), left("versions"), left("steps"))
    lost = {
        row.content.version for row in after.versions if any(ref.sha256 in gone for ref in row.content.files.values())
    }
    releases = [row.content for row in after.releases]
    good = good_releases(
        releases,
        [row.content for row in after.versions],
        stable_version(facts.observed),
        facts.observed.ledger,
        SPEC,
    )
    good = served_in_full(good, facts.observed.ledger)
    return replace(facts, contents=after, good=good, whole=facts.whole - lost)


def rollback_of(facts: RetentionFacts, spec: Forecast) -> Any:
    contents, observed = facts.contents, facts.observed
    return decide_rollback(
        RollbackFacts(
            spec,
            "h",
            replace(observed.ledger, rollout=None),  # a rollout delays the decision; its targets are the same
            [row.content for row in contents.releases],
            [row.content for row in contents.versions],
            str(stable_version(observed)),
            day(1),
            facts.whole,
            facts.fallbacks,
        ),
        day(300),
    )


@given(histories())
def test_every_rollback_that_was_possible_is_possible(history: tuple[RetentionFacts, Retention, str]) -> None:
    facts, retention, now = history
    after = pruned(facts, decide_pruning(facts, retention, now))
    for spec in POLICIES.values():
        was, is_now = rollback_of(facts, spec), rollback_of(after, spec)
        if not isinstance(was, RollBack):
            assert is_now == was
            continue
        releases = [target for target in was.targets if target is not None][: retention.releases]
        last = [target for target in was.targets if target is None]
        found = [target for target in is_now.targets if target is not None]
        assert found[: len(releases)] == releases
        assert found == [target for target in was.targets if target in found]  # and no other, in the same order
        assert [target for target in is_now.targets if target is None] == last


@given(histories(), st.sampled_from([None, 1, 3]))
def test_what_serves_what_is_held_and_what_an_evaluation_reads_stays(
    history: tuple[RetentionFacts, Retention, str], most: int | None
) -> None:
    facts, retention, now = history
    decision = decide_pruning(facts, retention, now, most)
    after = pruned(facts, decision)
    observed, gone = facts.observed, {ref.sha256 for ref in decision.pruning.files}
    releases = {row.content.release for row in after.contents.releases}
    versions = {row.content.version: row.content for row in after.contents.versions}
    named = {*observed.find_fact("deployment", "traffic"), observed.find_fact("model", "version")}
    named |= {observed.ledger.hold.version} if observed.ledger.hold else set()
    assert named <= versions.keys()
    assert all(ref.sha256 not in gone for name in named for ref in versions[name].files.values())
    assert observed.find_fact("deployment", "release") in releases
    was, is_now = ([row.content for row in each.contents.runs] for each in (facts, after))
    read = [each for each in was if "forecast" in each.files][:EVALUATED_RUNS]
    assert [each for each in is_now if "forecast" in each.files][:EVALUATED_RUNS] == read
    assert was[:1] == is_now[:1]
    kept = [file for each in is_now for file in each.files.values()]
    kept += [file for each in observed.resources.values() for file in each.files.values()]
    assert all(file.sha256 not in gone for file in kept)


@given(histories(), st.sampled_from([None, 1, 3]))
def test_no_row_is_left_that_names_a_version_that_went(
    history: tuple[RetentionFacts, Retention, str], most: int | None
) -> None:
    facts, retention, now = history
    decision = decide_pruning(facts, retention, now, most)
    after = pruned(facts, decision).contents
    named = {row.content.version for row in (*after.releases, *after.runs)}
    assert named <= {row.content.version for row in after.versions}
    if most:
        assert max(len(keys) for keys in decision.pruning.rows.values()) <= most


@given(histories())
def test_a_second_prune_at_the_same_moment_finds_nothing(history: tuple[RetentionFacts, Retention, str]) -> None:
    facts, retention, now = history
    first = decide_pruning(facts, retention, now)
    again = decide_pruning(pruned(facts, first), retention, now)
    assert not any(again.pruning.rows.values())
    assert {ref.sha256 for ref in again.pruning.files} <= {ref.sha256 for ref in first.pruning.files}


@given(histories(), st.sampled_from([1, 3]))
def test_prunes_that_are_bounded_come_to_the_same_end(
    history: tuple[RetentionFacts, Retention, str], most: int
) -> None:
    facts, retention, now = history
    whole = pruned(facts, decide_pruning(facts, retention, now)).contents
    for _ in range(100):
        decision = decide_pruning(facts, retention, now, most)
        facts = pruned(facts, decision)
        if not any(decision.pruning.rows.values()):
            break
    assert {row.key for row in facts.contents.versions} == {row.key for row in whole.versions}
    assert {row.key for row in facts.contents.releases} == {row.key for row in whole.releases}
    assert {row.key for row in facts.contents.runs} == {row.key for row in whole.runs}


# --- the rules, one by one --------------------------------------------------------------------------------------------------------


def served(count: int) -> list[tuple[Release, Version]]:
    return [(release(n, f"v{n}"), version(f"v{n}", day(n))) for n in range(1, count + 1)]


def facts_of(
    history: list[tuple[Release, Version]], runs: list[ForecastRun], steps: list[StepRow], **words: Any
) -> RetentionFacts:
    newest = history[-1][0]
    deployment = {"release": newest.release, "version": newest.version, "traffic": {newest.version: 100}}
    observed = Observed("demand", {"deployment": ObservedResource(Resource("deployment", "demand"), deployment)})
    contents = contents_of([each for each, _ in history], [each for _, each in history], runs, steps)
    whole = frozenset(each.version for _, each in history)
    return replace(RetentionFacts(observed, contents, whole=whole), **words)


def numbers(decision: RetentionDecision) -> list[int]:
    return sorted(int(key[0]) for key in decision.pruning.rows["releases"])


def test_the_newest_releases_stay() -> None:
    facts = facts_of(served(30), [], [])
    assert numbers(decide_pruning(facts, Retention(releases=20), day(400))) == list(range(1, 11))


def test_the_release_before_what_serves_stays_however_often_that_was_released() -> None:
    """`rollback.to: previous` goes to it or to the fallback, and never past it."""
    history = served(8)
    again = [(release(n, "v8"), version("v8", day(8))) for n in range(9, 12)]
    contents = [*history, *again]
    facts = facts_of(contents, [], [])
    facts = replace(facts, contents=replace(facts.contents, versions=facts.contents.versions[3:]))
    bad = Ledger(quarantined=(Quarantine("v7", "bad", day(9)),))
    facts = replace(facts, observed=replace(facts.observed, ledger=bad))
    assert numbers(decide_pruning(facts, Retention(releases=1), day(400))) == [1, 2, 3, 4, 5, 6]


def test_a_release_that_is_held_stays_with_its_files() -> None:
    facts = facts_of(served(8), [], [])
    ledger = Ledger(hold=Hold(2, "v2", "ana", "the new ones are too high", day(9), "h"))
    facts = replace(facts, observed=replace(facts.observed, ledger=ledger))
    decision = decide_pruning(facts, Retention(releases=1), day(400))
    assert numbers(decision) == [1, 3, 4, 5, 6]
    assert "model of v2" not in {ref.name for ref in decision.pruning.files}


def test_a_release_that_a_rollback_can_go_to_stays_where_a_later_one_of_its_version_is_of_another_shape() -> None:
    """v1 was released once more for another horizon. The spec has the first horizon again, so a rollback goes to release 1."""
    versions = [version("v1"), version("v2", day(3)), version("v3", day(4))]
    releases = [release(1, "v1"), release(2, "v1", shape=1), release(3, "v2"), release(4, "v3")]
    facts = facts_of([(releases[3], versions[2])], [], [])
    in_part = Ledger(served_in_part=("v2",))
    good = served_in_full(good_releases(releases, versions, "v3", in_part, SPEC), in_part)
    observed = replace(facts.observed, ledger=in_part)
    contents = contents_of(releases, versions, [], [])
    facts = RetentionFacts(observed, contents, good, whole=frozenset({"v1", "v2", "v3"}))
    assert 1 not in numbers(decide_pruning(facts, Retention(releases=1), day(400)))


def test_a_release_whose_files_are_lost_takes_no_place_of_one_to_go_back_to() -> None:
    history = served(6)
    lost = frozenset({"v5", "v4"})
    facts = facts_of(history, [], [])
    assert 3 in numbers(decide_pruning(facts, Retention(releases=2), day(400)))
    assert numbers(decide_pruning(replace(facts, whole=facts.whole - lost), Retention(releases=2), day(400))) == [
        1,
        2,
        4,
    ]


def test_the_files_of_an_old_version_go_before_its_record_does() -> None:
    """A forecast that it made is still on record, and names it; its model is of no use any more."""
    history = served(30)
    facts = facts_of(history, [run(n, f"v{n}") for n in range(1, 31)], [])
    decision = decide_pruning(facts, Retention(releases=2), day(60))
    assert decision.pruning.rows["versions"] == ()
    assert {ref.name for ref in decision.pruning.files} == {
        f"{role} of v{n}" for n in range(1, 29) for role in ("model", "backtest")
    }


def test_a_file_that_something_else_names_stays() -> None:
    history = served(30)
    shared = [replace(old, files={"model": ref("the same model")}) for _, old in history]
    facts = facts_of(list(zip([each for each, _ in history], shared, strict=True)), [], [])
    assert decide_pruning(facts, Retention(releases=2), day(400)).pruning.files == ()


@pytest.mark.parametrize(("age", "goes"), [(6, 0), (8, 1)])
def test_the_result_of_a_step_stays_for_a_week(age: int, goes: int) -> None:
    steps = [StepRow("check", day(100 - age), {}), StepRow("check", day(100), {})]
    facts = facts_of(served(1), [run(100, "v1")], steps)
    assert len(decide_pruning(facts, Retention(), day(100)).pruning.rows["steps"]) == goes


def test_the_newest_result_of_each_step_stays_however_old() -> None:
    steps = [StepRow("train", day(1), {}), StepRow("train", day(5), {}), StepRow("check", day(9), {})]
    facts = facts_of(served(1), [run(99, "v1")], steps)
    assert decide_pruning(facts, Retention(), day(500)).pruning.rows["steps"] == (("train", "0"),)


@pytest.mark.parametrize(("days", "goes"), [(30, 70), (400, 0)])
def test_forecasts_stay_as_long_as_the_project_says(days: int, goes: int) -> None:
    runs = [run(n, "v1") for n in range(130)]
    facts = facts_of(served(1), runs, [])
    decision = decide_pruning(facts, Retention(runs=timedelta(days=days)), day(130))
    assert len(decision.pruning.rows["runs"]) == goes


def test_a_version_in_quarantine_may_go_its_name_stays_in_the_ledger() -> None:
    """The ledger is no part of what a prune removes: there is nothing in it that names a table of it."""
    history = served(30)
    facts = facts_of(history, [], [])
    ledger = Ledger(quarantined=(Quarantine("v1", "bad", day(1)),))
    decision = decide_pruning(replace(facts, observed=replace(facts.observed, ledger=ledger)), Retention(), day(500))
    assert ("v1",) in decision.pruning.rows["versions"]
    assert set(decision.pruning.rows) | set(decision.pruning.before) == {
        "runs", "releases", "versions", "steps", "events", "journal", "outbox", "served",
    }  # fmt: skip
