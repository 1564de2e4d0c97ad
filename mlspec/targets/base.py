"""The interface that every kind of target implements.

The interface is small on purpose. It covers facts about sources, a lock, a store of files by content, finished steps by key, and
settlements. A settlement is recorded completely or not at all. `tests/targets/` tests every target against this interface.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from mlspec.errors import MlspecError
from mlspec.spec.forecast import Forecast
from mlspec.state.ledger import StartedWork
from mlspec.state.notice import NEVER, PendingNotice
from mlspec.state.observed import Observed, RecordedCheck, Settlement, SourceFacts, StoredStep
from mlspec.state.point import MetricPoint
from mlspec.state.record import Condition, Event, FileRef, ForecastRun, Release, Version
from mlspec.state.request_counts import RequestCount
from mlspec.state.resource import Json, Kind
from mlspec.state.retention import AgedRows, AgedTable, Pruning, RecordContents, RegisteredCounts
from mlspec.state.revision import Revision
from mlspec.state.step import RemoteStep, ResultStore, StepName, StepResult


class TargetView(Protocol):
    """The read-only part of a target. A plan needs no more than this."""

    @property
    def name(self) -> str:
        """The target's name in mlspec.yaml."""
        ...

    @property
    def protect(self) -> bool:
        """Whether a person must approve before anything is applied."""
        ...

    @property
    def lineage(self) -> str:
        """The state's unique id, created at the first write; empty if nothing was ever applied."""
        ...

    @property
    def serial(self) -> int:
        """Number of writes to the state so far."""
        ...

    def inspect_source(self, spec: Forecast, root: Path) -> SourceFacts:
        """Return the digest, names and size of a forecast's source and future files. Raises DataError if one cannot be read."""
        ...

    def observe_forecast(self, forecast: str) -> Observed:
        """Return the recorded state of one forecast. Never writes."""
        ...


class ServedRecord(Protocol):
    """What a server of predictions needs of a target."""

    @property
    def serial(self) -> int:
        """Number of writes to the state so far."""
        ...

    def forecast_names(self) -> tuple[str, ...]:
        """Return the names of all forecasts, sorted."""
        ...

    def observe_forecast(self, forecast: str) -> Observed:
        """Return the recorded state of one forecast."""
        ...

    def load_releases(self, forecast: str) -> tuple[Release, ...]:
        """Return all releases, newest first."""
        ...

    def load_versions(self, forecast: str) -> tuple[Version, ...]:
        """Return all versions, newest first."""
        ...

    def fetch_file(self, forecast: str, ref: FileRef) -> Path:
        """Return a local path of a stored file, after a check of its sha256. Raises StateError if the file is damaged."""
        ...

    def load_undelivered_notices(self, forecast: str) -> tuple[PendingNotice, ...]:
        """Return the notices of a forecast that are not delivered, newest first."""
        ...

    def add_request_counts(self, minutes: Sequence[RequestCount]) -> None:
        """Add a server's request counts to the recorded counts of the same minute and version."""
        ...


class Target(TargetView, Protocol):
    """A place that keeps forecasts, for reading and writing."""

    def read_session(self) -> AbstractContextManager[None]:
        """Reuse one connection for all reads inside a block. Each read still sees every write that was recorded before it.

        The process must not fork inside the block.
        """
        ...

    def hash_files_once(self) -> AbstractContextManager[None]:
        """Compute the sha256 of each file on this machine only once inside a block.

        A file that changes inside the block is read again, and the next block reads every file again. A forecast's lock is such a
        block too.
        """
        ...

    def forecast_names(self) -> tuple[str, ...]:
        """Return the names of all forecasts with a record, sorted."""
        ...

    def lock_forecast(self, forecast: str, operation: str, since: str, timeout: float) -> AbstractContextManager[None]:
        """Lock one forecast for this process. Raises LockHeld with the holder's name after `timeout` seconds."""
        ...

    def write_journal(self, forecast: str, *, resource: str, phase: str, detail: str, at: str) -> None:
        """Write one journal line. `phase` is `started`, `done` or `failed`."""
        ...

    def find_step(self, forecast: str, step: str, key: str) -> StoredStep | None:
        """Return the finished step of this key; None if it is not recorded or one of its files is damaged."""
        ...

    def file_step(
        self, forecast: str, *, step: str, key: str, outputs: Mapping[str, Path], facts: Mapping[str, Json], at: str
    ) -> StoredStep:
        """Copy a step's files into the store and record the step. A second call for the same step changes nothing.

        The caller must hold the forecast's lock.
        """
        ...

    def record_settlement(self, settlement: Settlement, at: str) -> Observed:
        """Record one effect in one transaction, with the journal's `done` line for its resource.

        Return the forecast's recorded state after it, as `observe_forecast` does.
        """
        ...

    def fetch_source(self, spec: Forecast, root: Path, folder: Path) -> tuple[Forecast, Path]:
        """Download the data that a spec reads. Return a spec that names local files, and the folder that its paths start at.

        `folder` is an empty folder for the downloaded files. Raises DataError if data is missing or cannot be read.
        """
        ...

    def route_traffic(
        self,
        forecast: str,
        spec: Forecast,
        traffic: Mapping[str, int],
        main: str,
        versions: Mapping[str, Version],
    ) -> None:
        """Deploy the versions on an external serving platform and split its traffic, before the change is recorded.

        `traffic` is in percent by version. `main` is the version that carries the forecast. A target whose servers read the record
        itself does nothing. A second call with the same arguments changes nothing. Raises WorkUnderWay while a deployment takes
        long; the same call goes on with it later.
        """
        ...

    def is_work_over(self, started: StartedWork) -> bool:
        """Return whether long work has ended, well or not. In a read session all work of a kind is asked for by one list call."""
        ...

    def wait_for_work(self, started: Sequence[StartedWork], seconds: float) -> tuple[StartedWork, ...]:
        """Wait until some of the work has ended, and return that; nothing if none has ended after `seconds`."""
        ...

    def cancel_work(self, started: StartedWork) -> None:
        """Ask the service to end long work. Work that has ended stays as it is."""
        ...

    def publish_forecast(self, forecast: str, spec: Forecast, run: ForecastRun) -> None:
        """Write a forecast to the table that users read, before it is recorded. A second call for the same run changes nothing."""
        ...

    @property
    def publishes_actuals(self) -> bool:
        """Return whether users read actual values beside the forecasts from a table of this target."""
        ...

    def publish_actuals(self, forecast: str, year: str, file: FileRef) -> None:
        """Write a year's actual values to the table that users read. A second call changes nothing. Raises TargetError."""
        ...

    def record_metrics(self, forecast: str, points: Sequence[MetricPoint], at: str) -> None:
        """Send metrics that were measured at `at` to an external monitoring service. Raises TargetError if that fails."""
        ...

    def fetch_file(self, forecast: str, ref: FileRef) -> Path:
        """Return a local path of a stored file, after a check of its sha256. Raises StateError if the file is damaged."""
        ...

    def find_damaged_files(self, forecast: str, refs: Collection[FileRef]) -> frozenset[FileRef]:
        """Return the stored files that are missing or changed. Remote files are compared by name and size only."""
        ...

    def load_versions(self, forecast: str) -> tuple[Version, ...]:
        """Return all versions, newest first."""
        ...

    def load_releases(self, forecast: str) -> tuple[Release, ...]:
        """Return all releases, newest first."""
        ...

    def load_runs(self, forecast: str) -> tuple[ForecastRun, ...]:
        """Return all forecast runs that were made in time, newest first. What backfills made is not among them."""
        ...

    def find_newest_run(self, forecast: str) -> ForecastRun | None:
        """Return the newest run of `load_runs`, None if there is none. Only its own row is read."""
        ...

    def load_backfills(self, forecast: str) -> tuple[ForecastRun, ...]:
        """Return the forecast runs that backfills made after their moments, the last made first."""
        ...

    def load_events(self, forecast: str) -> tuple[Event, ...]:
        """Return all events, newest first."""
        ...

    def load_checks(self, forecast: str) -> tuple[RecordedCheck, ...]:
        """Return the last 400 recorded checks of the data, newest first. What was pruned is not among them."""
        ...

    def load_conditions(self, forecast: str) -> tuple[Condition, ...]:
        """Return the current conditions."""
        ...

    def load_due_notices(self, at: str, latest: str = NEVER) -> tuple[PendingNotice, ...]:
        """Return the notices whose next delivery attempt is due at `at`, the longest overdue first.

        No attempt is planned for later than `latest`: one that is recorded for later comes from a clock that was ahead, and is due.
        """
        ...

    def load_undelivered_notices(self, forecast: str) -> tuple[PendingNotice, ...]:
        """Return the notices of a forecast that are not delivered, newest first."""
        ...

    def load_accepted_notices(self, forecast: str, notice: str) -> tuple[PendingNotice, ...]:
        """Return the entries of one notice, by its id, at receivers that accepted it. What was discarded is not among them."""
        ...

    def mark_delivered(self, pending: PendingNotice, delivered_at: str | None, event: Event | None = None) -> None:
        """Record one delivery attempt, with an event if there is one; `delivered_at` is None if the notice was not delivered.

        `pending` holds the attempts and the next attempt's time.
        """
        ...

    def add_request_counts(self, minutes: Sequence[RequestCount]) -> None:
        """Add a server's request counts to the recorded counts of the same minute and version."""
        ...

    def load_request_counts(self, forecast: str, since: str) -> tuple[RequestCount, ...]:
        """Return the request counts from the minute `since` (RFC 3339) on, oldest first."""
        ...

    def load_contents(self, forecast: str) -> RecordContents:
        """Return the rows of a forecast that name files: forecasts, releases, versions and results of steps."""
        ...

    def measure_old_rows(self, forecast: str, before: Mapping[AgedTable, str]) -> Mapping[AgedTable, AgedRows]:
        """Return how many rows of a forecast go and stay by age alone, by table. `before` has a moment for each table."""
        ...

    def find_stored_files(self, forecast: str, refs: Collection[FileRef]) -> frozenset[FileRef]:
        """Return those of the files that are stored, by their names alone."""
        ...

    def measure_registered(self, forecast: str, pruning: Pruning) -> RegisteredCounts | None:
        """Return how many versions a prune deletes from the target's model registry; None if the target has none."""
        ...

    def prune_records(self, pruning: Pruning, at: str, *, whole: bool = False) -> None:
        """Delete rows of a forecast in one transaction. A file that nothing needs after it is removed a day later.

        Without anything to delete nothing is written. With `whole`, all rows that are old enough go; without it, a bounded number.
        The caller must hold the forecast's lock.
        """
        ...

    def load_unneeded_files(self, forecast: str) -> tuple[FileRef, ...]:
        """Return the files of a forecast that an earlier prune has let go, and that are not removed yet."""
        ...

    def load_file_users(self) -> Mapping[str, frozenset[str]]:
        """Return the names of the forecasts that name a file, by sha256; nothing where no two forecasts share a place for files."""
        ...

    def remove_unneeded_files(
        self, forecast: str, at: str, only: Collection[str] | None = None, /
    ) -> tuple[FileRef, ...]:
        """Remove files that nothing has needed for a day, and return them: a bounded number. The caller holds the forecast's lock.

        Where forecasts share a place for files, those of other forecasts are among them; with `only`, those of these alone.
        """
        ...

    def remove_forecast(self, forecast: str, kinds: tuple[Kind, ...], *, purge: bool, at: str) -> None:
        """Remove what apply made. With `purge`, remove the records and files too; without it, keep the history."""
        ...


# Gives the step of a forecast with a key the place for what it has made so far. See `ContainerRuntime.keep_unfinished`.
KeepUnfinished = Callable[[str, StepName, str], AbstractContextManager[ResultStore | None]]


class ContainerRuntime(Protocol):
    """Runs steps and the loop in containers, for a target that supports this."""

    def run_remote_step(self, step: RemoteStep) -> StepResult:
        """Return the result of a step in a container of the forecast's job. Raises WorkUnderWay while it runs."""
        ...

    def download_input(self, address: str, folder: Path) -> Path:
        """Download a stored object into `folder`, for a step that received its address."""
        ...

    def upload_outputs(self, address: str, files: Mapping[str, Path], value: Mapping[str, Json]) -> None:
        """Upload a step's files and its result below an address."""
        ...

    def upload_error(self, address: str, error: MlspecError) -> None:
        """Upload a failed step's error below an address, for the process that waits for it."""
        ...

    def find_step_key(self, address: str, forecast: str) -> str | None:
        """Return the key of the step whose result belongs at an address; None for any other address."""
        ...

    def keep_unfinished(self, forecast: str, step: StepName, key: str) -> AbstractContextManager[ResultStore | None]:
        """Return the place for what a step with this key has made so far. It outlives the container of the step, and is emptied if
        the block ends well. None: nothing can be kept.
        """
        ...

    def undeploy_endpoint(self, forecast: str) -> None:
        """Undeploy every version from a forecast's endpoint, which is about to be removed."""
        ...

    @property
    def hand_over(self) -> HandOver:
        """How specs get to the loop."""
        ...

    def start_tasks(self, words: Sequence[str], count: int) -> None:
        """Start the loop's job with these words and as many tasks, each with its share of the forecasts. Does not wait for it."""
        ...


class HandOver(Protocol):
    """Gives the specs of a commit to the loop, which works with those that its image holds."""

    def hold_lock(self, since: str, timeout: float) -> AbstractContextManager[None]:
        """Lock hand-overs for this process. Raises LockHeld with the holder's name after `timeout` seconds."""
        ...

    def load_newest(self) -> Revision | None:
        """Return the commit whose hand-over began last; None before the first."""
        ...

    def load_image_specs(self) -> Mapping[str, str]:
        """Return the digests, by forecast, of specs that were handed over with this build's image; none for another image."""
        ...

    def record_newest(self, revision: Revision, specs: Mapping[str, str]) -> None:
        """Record the commit whose hand-over begins, and the digests of the specs that its image holds."""
        ...

    def start_loop(self, names: Sequence[str]) -> None:
        """Let the loop run this build's image from now on, and start it for these forecasts. Does not wait for it."""
        ...


class OpenedTarget(Target, Protocol):
    """A target that the table of kinds opens (`engine.target_kinds`), with the methods that commands need in addition."""

    @property
    def supports_fork(self) -> bool:
        """Whether several forecasts may be processed at once, in forked processes."""
        ...

    @property
    def project(self) -> str | None:
        """The Google Cloud project of the target's Pub/Sub topics; None if it has none."""
        ...

    @property
    def containers(self) -> ContainerRuntime | None:
        """Runs steps in containers; None if steps run only in this process."""
        ...

    def read_secret(self, name: str) -> str:
        """Return a secret's value. Raises StateError or TargetError if it cannot be read."""
        ...

    def migrate_schema(self) -> str | None:
        """Upgrade the state to this mlspec's schema, and return where its backup is; None if it is up to date."""
        ...
