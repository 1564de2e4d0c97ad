"""Decides what may be removed from the record of a forecast: what no decision, no person and no audit needs any more.

Whatever `retention` says, this stays: what serves and its canary, what is held, the releases that a rollback can go to and the
fallback, the model that was judged last, the forecasts that an evaluation reads, and the newest result of each step. The names of
versions in quarantine are in the ledger, which is never pruned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from mlspec.plan.moments import moment_after, moment_before
from mlspec.plan.serving import observed_traffic, stable_version
from mlspec.spec.duration import format_duration
from mlspec.spec.retention import Retention
from mlspec.state.observed import Observed
from mlspec.state.record import FileRef, ForecastRun, Release, Version
from mlspec.state.request_counts import KEPT_HOURS
from mlspec.state.retention import AgedTable, Pruning, RecordContents, RecordRow, RowKey, StepRow

Noun = TypeVar("Noun")
EVALUATED_RUNS = 60  # the newest forecasts that an evaluation compares with their actuals
# How long the result of a step is kept. It only saves a computation: what was made from it is kept with versions and forecasts.
# Our own choice: a task that runs again, a spec that is set back, or a loop that was stopped over a weekend still finds it.
STEP_LIFE = timedelta(days=7)
# Results of one step that were recorded so soon before its newest one belong to the same work.
_SAME_WORK = timedelta(days=1)
# The loop does not believe a clock that is so long after the last forecast but one. Our own choice: a quarter.
_LONGEST_GAP = timedelta(days=92)
_COUNTED = f"{-(-KEPT_HOURS // 24)} days"


@dataclass(frozen=True, slots=True)
class RetentionFacts:
    """The facts of a decision. `good` are the releases that a rollback can go to now, newest first (`plan.serving.served_in_full`).

    The ledger in `observed` says which versions never served everything (`engine.traffic_history`).

    `fallbacks` are the versions of the fallback model. `whole` names the versions whose files are intact.
    """

    observed: Observed
    contents: RecordContents
    good: Sequence[Release] = ()
    fallbacks: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class KindTally:
    """What goes and what stays of one kind of thing, and why it stays. Sizes in bytes."""

    kind: str
    goes: int
    goes_size: int
    stays: int
    why: str


@dataclass(frozen=True, slots=True)
class RetentionDecision:
    """What goes, and the tally of each table that names files."""

    pruning: Pruning
    tallies: tuple[KindTally, ...]


@dataclass(frozen=True, slots=True)
class _SplitRows(Generic[Noun]):
    """The rows of one table that go and those that stay, each newest first."""

    goes: tuple[RecordRow[Noun], ...]
    stays: tuple[RecordRow[Noun], ...]

    @property
    def keys(self) -> tuple[RowKey, ...]:
        """The keys of what goes."""
        return tuple(row.key for row in self.goes)

    @property
    def kept(self) -> tuple[Noun, ...]:
        """What stays."""
        return tuple(row.content for row in self.stays)

    def tally(self, kind: str, why: str) -> KindTally:
        """Return the tally of this table."""
        return KindTally(kind, len(self.goes), sum(row.size for row in self.goes), len(self.stays), why)


def decide_pruning(facts: RetentionFacts, retention: Retention, now: str, most: int | None = None) -> RetentionDecision:
    """Return what goes at the moment `now`, the oldest first and at most `most` rows of a table."""
    contents = facts.contents
    runs = _split_rows(contents.runs, _run_stays(contents.runs, retention, now), most)
    needed_releases = _needed_releases(facts, retention.releases)
    releases = _split_rows(contents.releases, _release_stays(needed_releases, now), most)
    usable = _usable_versions(facts, needed_releases, _made_in_time(runs.kept), now)
    named = {release.version for release in releases.kept} | {run.version for run in runs.kept}
    versions = _split_rows(contents.versions, _version_stays(usable | named, retention, now), most)
    steps = _split_rows(contents.steps, _step_stays(contents.steps, _made_in_time(runs.kept), now), most)
    kept_versions = [version for version in versions.kept if version.version in usable]
    needed = {ref.sha256 for ref in _files_of(facts.observed, runs.kept, kept_versions, steps.kept)}
    unneeded = {ref.sha256: ref for ref in _named_files(contents) if ref.sha256 not in needed}
    pruning = Pruning(
        facts.observed.forecast,
        rows={"runs": runs.keys, "releases": releases.keys, "versions": versions.keys, "steps": steps.keys},
        before=_age_limits(retention, facts.observed, now),
        files=tuple(unneeded.values()),
        needed=frozenset(needed),
        usable=usable,
    )
    span, most_releases = format_duration(retention.runs), retention.releases
    tallies = (
        releases.tally(
            "releases",
            f"the newest {most_releases}, as many that a rollback can go to, and those of the last {_COUNTED}",
        ),
        versions.tally("versions", f"those of a release or a forecast that stays, and those of the last {span}"),
        runs.tally(
            "forecasts", f"the newest {EVALUATED_RUNS}, which an evaluation reads, and those of the last {span}"
        ),
        steps.tally("steps", f"the newest result of each step, and those of the last {format_duration(STEP_LIFE)}"),
    )
    return RetentionDecision(pruning, tallies)


def trusted_moment(runs: Sequence[RecordRow[ForecastRun]], now: str) -> str:
    """Return the moment that ages are measured at: `now`, but not long after the forecast before the newest one.

    A clock that is far ahead may have made the newest forecast, and would remove everything. `runs` are newest first.
    """
    made = _made_in_time([row.content for row in runs])
    return min([now, *(moment_after(run.created, _LONGEST_GAP) for run in made[1:2])])


def _made_in_time(runs: Sequence[ForecastRun]) -> list[ForecastRun]:
    """Return the forecasts that no backfill made: only these are evaluated, and one of these is the newest."""
    return [run for run in runs if run.backfill_of is None]


def _split_rows(rows: Sequence[RecordRow[Noun]], stays: Callable[[Noun], bool], most: int | None) -> _SplitRows[Noun]:
    """Return rows, which are newest first, in two parts. Of those that may go, at most the last `most` go."""
    may_go = [row for row in rows if not stays(row.content)]
    goes = may_go if most is None else may_go[max(len(may_go) - most, 0) :]
    gone = {row.key for row in goes}
    return _SplitRows(tuple(goes), tuple(row for row in rows if row.key not in gone))


def _age_limits(retention: Retention, observed: Observed, now: str) -> dict[AgedTable, str]:
    """Return the moment for each table whose rows go by age alone.

    The notices of an incident or a loss of data that goes on stay, however old: without them it would be told again, and nobody
    would know who has to be told of the end.
    """
    audit = moment_before(now, retention.events)
    alerts = observed.ledger.alerts
    begun = [alert.began for alert in alerts if alert.incident and alert.began]
    begun += [alert.since for alert in alerts if alert.loss_told]
    return {
        "events": audit,
        "journal": audit,
        "outbox": min([audit, *begun]),
        "served": moment_before(now, timedelta(hours=KEPT_HOURS)),
    }


def _run_stays(rows: Sequence[RecordRow[ForecastRun]], retention: Retention, now: str) -> Callable[[ForecastRun], bool]:
    """A forecast stays if it is young, or if an evaluation reads it. The newest of all is one of them."""
    made = _made_in_time([row.content for row in rows])
    evaluated = [run for run in made if "forecast" in run.files][:EVALUATED_RUNS]
    read = {id(run) for run in [*evaluated, *made[:1]]}
    oldest = moment_before(now, retention.runs)
    return lambda run: run.created >= oldest or id(run) in read


def _release_stays(needed: frozenset[int], now: str) -> Callable[[Release], bool]:
    """A release stays if a decision needs it, or if requests may still be counted that it served."""
    counted = moment_before(now, timedelta(hours=KEPT_HOURS))
    return lambda release: release.release in needed or release.created >= counted


def _needed_releases(facts: RetentionFacts, most: int) -> frozenset[int]:
    """Return the numbers of the newest releases, of those that a decision names, and of those that a rollback can go to."""
    newest_first = sorted((row.content for row in facts.contents.releases), key=lambda release: -release.release)
    numbers = {release.release for release in newest_first[: max(most, _up_to_previous(facts.observed, newest_first))]}
    numbers |= _named_releases(facts.observed)
    numbers |= {release.release for release in _rollback_targets(facts, facts.good)[:most]}
    numbers |= {release.release for release in _rollback_targets(facts, _good_of_any_shape(facts, newest_first))[:most]}
    return frozenset(numbers)


def _up_to_previous(observed: Observed, newest_first: Sequence[Release]) -> int:
    """Return how many of the newest releases reach back to the one before what serves, which `rollback.to: previous` names."""
    serves = stable_version(observed)
    in_part = observed.ledger.served_in_part or ()
    seen = False
    for count, release in enumerate(newest_first, 1):
        seen = seen or release.version == serves
        if seen and release.version != serves and release.version not in in_part:
            return count
    return len(newest_first) if seen else 0


def _named_releases(observed: Observed) -> set[int]:
    """Return the numbers of the releases that the deployment and the ledger name."""
    ledger = observed.ledger
    numbers = [observed.find_fact("deployment", "release")]
    if ledger.rollout:
        numbers += [ledger.rollout.release, ledger.rollout.stable_release]
    if ledger.hold:
        numbers.append(ledger.hold.release)
    return {number for number in numbers if number is not None}


def _good_of_any_shape(facts: RetentionFacts, newest_first: Sequence[Release]) -> tuple[Release, ...]:
    """Return the newest release of each version that a rollback could go to under another shape of the spec, which may be set back.

    Each passed, is not in quarantine, and once served everything.
    """
    bad = facts.observed.ledger.quarantined_versions | {*(facts.observed.ledger.served_in_part or ())}
    passed = {row.content.version for row in facts.contents.versions if row.content.state == "passed"}
    newest: dict[str, Release] = {}
    for release in newest_first:
        if release.version in passed - bad:
            newest.setdefault(release.version, release)
    return tuple(newest.values())


def _rollback_targets(facts: RetentionFacts, releases: Sequence[Release]) -> list[Release]:
    """Return the releases that count as targets: with all their files, and not of the fallback model, which is made anew."""
    return [release for release in releases if release.version in facts.whole - facts.fallbacks]


def _usable_versions(
    facts: RetentionFacts, releases: frozenset[int], runs: Sequence[ForecastRun], now: str
) -> frozenset[str]:
    """Return the versions whose files are needed: of needed releases, of what serves, is tried, held or was judged last.

    The newest fallback is one of them, and every version of the last week: somebody may set the spec back to it.
    """
    observed, ledger = facts.observed, facts.observed.ledger
    versions = [row.content for row in facts.contents.versions]
    names = {row.content.version for row in facts.contents.releases if row.content.release in releases}
    names |= set(observed_traffic(observed))
    names |= {str(observed.find_fact(kind, "version")) for kind in ("model", "deployment")}
    names |= {ledger.rollout.version, ledger.rollout.stable_version} if ledger.rollout else set()
    names |= {run.version for run in runs[:1]}
    names |= {version.version for version in versions if version.created >= moment_before(now, STEP_LIFE)}
    names |= set([version.version for version in versions if version.version in facts.fallbacks][:1])
    return frozenset(names)


def _version_stays(named: frozenset[str], retention: Retention, now: str) -> Callable[[Version], bool]:
    """The record of a version stays if something names it, or if it is young."""
    oldest = moment_before(now, retention.runs)
    return lambda version: version.version in named or version.created >= oldest


def _step_stays(rows: Sequence[RecordRow[StepRow]], runs: Sequence[ForecastRun], now: str) -> Callable[[StepRow], bool]:
    """The result of a step stays if it is young, of the step's newest work, or not older than the newest forecast."""
    newest: dict[str, str] = {}
    for row in rows:
        newest[row.content.step] = max(newest.get(row.content.step, ""), row.content.at)
    since = {step: moment_before(at, _SAME_WORK) for step, at in newest.items()}
    oldest = min([moment_before(now, STEP_LIFE), *(run.created for run in runs[:1])])
    return lambda step: step.at >= min(oldest, since[step.step])


def _files_of(
    observed: Observed, runs: Sequence[ForecastRun], versions: Sequence[Version], steps: Sequence[StepRow]
) -> Iterator[FileRef]:
    """Yield every file that resources, forecasts, versions and results of steps name."""
    for resource in observed.resources.values():
        yield from resource.files.values()
    for run in runs:
        yield from run.files.values()
    for version in versions:
        yield from version.files.values()
    for step in steps:
        yield from step.outputs.values()


def _named_files(contents: RecordContents) -> Iterator[FileRef]:
    """Yield every file that a row names."""
    yield from _files_of(
        Observed(""),
        [row.content for row in contents.runs],
        [row.content for row in contents.versions],
        [row.content for row in contents.steps],
    )
