"""Prunes the record: `plan.retention` decides what goes, the target removes it.

The loop prunes a forecast at the end of a pass that had work to do, a bounded number of rows at a time. `mlspec prune` removes all
that may go, after approval. Rows go first, in one transaction; files follow a day later, because a server or a step may still read
them. A prune that is killed is finished by the next one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from mlspec.engine import traffic
from mlspec.engine.context import Engine
from mlspec.engine.effects import ForecastWork, intact_versions
from mlspec.engine.outcome import removal_exit_code
from mlspec.engine.part_way import stops_part_way
from mlspec.engine.traffic_history import complete_ledger
from mlspec.errors import Exit, MlspecError, TargetError
from mlspec.plan.desired import DesiredForecast
from mlspec.plan.releases import release_spec
from mlspec.plan.retention import KindTally, RetentionDecision, RetentionFacts, decide_pruning, trusted_moment
from mlspec.plan.serving import good_releases, served_in_full, stable_version
from mlspec.spec.forecast import Forecast
from mlspec.spec.retention import Retention
from mlspec.state.observed import Observed, Settlement, SourceFacts
from mlspec.state.record import Event, FileRef, Release, Version
from mlspec.state.retention import AgedTable, Pruning, RecordContents

logger = logging.getLogger(__name__)
_MOST = (
    200  # rows of a table that one pass of the loop deletes: a first prune of an old record is spread over some passes
)
_AGED: Mapping[AgedTable, str] = {
    "events": "events", "journal": "lines of the journal", "outbox": "delivered notices", "served": "minutes of request counts",
}  # fmt: skip

_WHY_REGISTERED = "deployed, or the newest of a version that is needed"


def prune_after_pass(work: ForecastWork) -> None:
    """Remove what may go of a forecast, a bounded number of rows and files, if the project says `retention`."""
    retention, at = work.engine.retention, work.engine.clock()
    if retention is None or work.desired.spec.reconcile.mode != "enforce":
        return
    decision = decide_prune(work.engine, work.observed, work.desired.spec, retention, _MOST)
    removed: Sequence[FileRef] = ()
    try:
        work.engine.target.prune_records(decision.pruning, at)
        removed = work.engine.target.remove_unneeded_files(work.name, at)
    except (
        TargetError
    ) as error:  # the account may lack the right to delete files: they stay, and the pass has done its work
        logger.warning("not everything could be pruned: %s", error.message)
    _log_prune(decision, removed)


def _log_prune(decision: RetentionDecision, removed: Sequence[FileRef]) -> None:
    rows = sum(tally.goes for tally in decision.tallies)
    if rows or removed:
        logger.info("pruned %d rows and %d files (%d bytes)", rows, len(removed), sum(ref.size for ref in removed))


def decide_prune(
    engine: Engine, observed: Observed, spec: Forecast | None, retention: Retention, most: int | None = None
) -> RetentionDecision:
    """Return what may go of a forecast now. `spec` is the forecast's, or that of its newest release; None without either.

    With `most`, no person has looked at what goes: then a clock that is far ahead is not believed.
    """
    contents = engine.target.load_contents(observed.forecast)
    observed = replace(observed, ledger=complete_ledger(engine.target, observed.forecast, observed.ledger))
    now = engine.clock() if most is None else trusted_moment(contents.runs, engine.clock())
    versions = [row.content for row in contents.versions]
    facts = RetentionFacts(observed, contents, whole=frozenset(version.version for version in versions))
    if spec is None:
        return decide_pruning(facts, retention, now, most)
    work = _work_of(engine, observed, spec)
    facts = replace(
        facts,
        good=_good_releases(observed, contents, versions, spec),
        fallbacks=traffic.fallback_versions(work, versions),
    )
    decision = decide_pruning(facts, retention, now, most)
    if not decision.pruning.rows["releases"]:
        return decision
    # Before a release goes, the files of all are looked at: one that has lost its files is no release to go back to.
    whole = intact_versions(work, [version for version in versions if version.state == "passed"])
    return decide_pruning(replace(facts, whole=whole), retention, now, most)


def _work_of(engine: Engine, observed: Observed, spec: Forecast) -> ForecastWork:
    source = SourceFacts("", (), 0)  # what goes does not depend on the source
    return ForecastWork(engine, DesiredForecast(observed.forecast, spec, "", source, engine.code), observed)


def _good_releases(
    observed: Observed, contents: RecordContents, versions: Sequence[Version], spec: Forecast
) -> tuple[Release, ...]:
    releases = [row.content for row in contents.releases]
    good = good_releases(releases, versions, stable_version(observed), observed.ledger, spec)
    return served_in_full(good, observed.ledger)


@dataclass(frozen=True)
class ForecastPrune:
    """What may go of one forecast, and what stays. `unneeded` are the stored files that nothing needs any more.

    Those that an earlier prune has let go are among them.

    `registered` are the versions in a model registry; None where there is none.
    """

    name: str
    rows: tuple[KindTally, ...]
    files: KindTally
    unneeded: tuple[FileRef, ...]
    registered: KindTally | None = None

    @property
    def tallies(self) -> tuple[KindTally, ...]:
        """What goes and stays of each kind."""
        return (*self.rows, self.files, *((self.registered,) if self.registered else ()))

    @property
    def row_count(self) -> int:
        """How many rows go."""
        return sum(tally.goes for tally in self.rows)


@dataclass(frozen=True)
class PrunedForecast:
    """What was removed of one forecast: rows, and files that were due. `waiting` files go within a day."""

    name: str
    rows: int
    removed: tuple[FileRef, ...]
    waiting: tuple[FileRef, ...]


@dataclass
class PrunePlan:
    """What may go of some forecasts. `specs` are the project's by name; `by` is who prunes.

    `done` says what was removed, `errors` why some forecasts were not pruned.
    """

    engine: Engine
    retention: Retention
    specs: Mapping[str, Forecast]
    names: tuple[str, ...]
    by: str
    lock_timeout: float = 0.0
    done: list[PrunedForecast] = field(default_factory=list)
    errors: list[MlspecError] = field(default_factory=list)
    # The files in the list of each forecast before the run, and all files that it removed, whosever list they were in, by sha256.
    _listed: dict[str, frozenset[str]] = field(default_factory=dict)
    _removed: dict[str, FileRef] = field(default_factory=dict)

    def measure(self, name: str) -> ForecastPrune:
        """Return what may go of one forecast. Writes nothing."""
        decision = self._decide(name)
        files = self._unneeded_files(name, decision.pruning)
        aged = self.engine.target.measure_old_rows(name, decision.pruning.before)
        by_age = [
            KindTally(_AGED[table], rows.goes, rows.goes_size, rows.stays, _age_reason(table, decision.pruning))
            for table, rows in aged.items()
        ]
        size, needed = sum(ref.size for ref in files), len(decision.pruning.needed)
        by_file = KindTally("files", len(files), size, needed, "needed by what stays")
        counts = self.engine.target.measure_registered(name, decision.pruning)
        registered = KindTally("registered versions", counts.goes, 0, counts.stays, _WHY_REGISTERED) if counts else None
        return ForecastPrune(name, (*decision.tallies, *by_age), by_file, files, registered)

    def _unneeded_files(self, name: str, pruning: Pruning) -> tuple[FileRef, ...]:
        """Return the stored files of a forecast that nothing needs after a prune: those let go by it, and by earlier ones."""
        target = self.engine.target
        let_go = {ref.sha256: ref for ref in (*target.load_unneeded_files(name), *pruning.files)}
        refs = [
            ref
            for sha256, ref in let_go.items()
            if sha256 not in pruning.needed and self._file_users.get(sha256, frozenset()) <= {name}
        ]
        return tuple(sorted(target.find_stored_files(name, refs), key=lambda ref: ref.name))

    @cached_property
    def _file_users(self) -> Mapping[str, frozenset[str]]:
        """The forecasts that name each file. It is read once, as this reads the whole record; it only says what will go."""
        return self.engine.target.load_file_users()

    @cached_property
    def _only(self) -> tuple[str, ...] | None:
        """The forecasts whose files may be removed; None if these are all."""
        return None if set(self.names) >= set(self.engine.target.forecast_names()) else self.names

    def prune_all(self, approve: Callable[[str], None]) -> None:
        """Remove what may go. A forecast that fails stops no other. If `approve` raises, nothing was changed."""
        approve(f"the rows and files listed above, of {', '.join(self.names)}")
        hint = "run the same command again for the rest"
        with stops_part_way(lambda: True, done="a part may be removed already", hint=hint):
            self._listed = {name: self._listed_files(name) for name in self.names}
            for name in self.names:
                try:
                    self.done.append(self._prune_forecast(name))
                except MlspecError as error:
                    logger.debug("the prune failed", exc_info=error)
                    self.errors.append(error)

    def _listed_files(self, name: str) -> frozenset[str]:
        try:
            return frozenset(ref.sha256 for ref in self.engine.target.load_unneeded_files(name))
        except MlspecError as error:  # the prune of this forecast says why, and stops no other
            logger.debug("the list of unneeded files cannot be read", exc_info=error)
            return frozenset()

    @property
    def exit_code(self) -> Exit:
        """The exit code of the run: PARTIAL if some forecasts were pruned and others were not."""
        return removal_exit_code(self.done, self.errors)

    def _prune_forecast(self, name: str) -> PrunedForecast:
        engine, target = self.engine, self.engine.target
        with target.lock_forecast(name, "prune", engine.clock(), self.lock_timeout):
            found, decision, at = self.measure(name), self._decide(name), engine.clock()
            if found.row_count:
                message = f"{found.row_count} rows are removed, by {self.by}"
                target.record_settlement(Settlement(name, events=(Event(name, at, "Normal", "Pruned", message),)), at)
            target.prune_records(decision.pruning, at, whole=True)
            while more := target.remove_unneeded_files(name, at, self._only):
                self._removed |= {ref.sha256: ref for ref in more}
            waiting = target.find_stored_files(name, found.unneeded)
        own = self._listed.get(name, frozenset()) | {ref.sha256 for ref in found.unneeded}
        removed = tuple(ref for sha256, ref in self._removed.items() if sha256 in own)
        return PrunedForecast(name, found.row_count, removed, tuple(waiting))

    def _decide(self, name: str) -> RetentionDecision:
        target = self.engine.target
        releases = target.load_releases(name)
        spec = self.specs.get(name) or (release_spec(releases[0]) if releases else None)
        return decide_prune(self.engine, target.observe_forecast(name), spec, self.retention)


def _age_reason(table: AgedTable, pruning: Pruning) -> str:
    newer = f"newer than {pruning.before[table][:10]}"
    return f"{newer}, or not delivered" if table == "outbox" else newer
