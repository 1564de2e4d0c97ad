"""The target on Google Cloud: record and files in buckets, versions in Vertex AI's registry and at its endpoints.

Each forecast has its own record and files, so that an account can be limited to one forecast. The record decides which versions
serve: `route_traffic` changes Vertex AI accordingly, and `observe_forecast` reports where Vertex AI differs.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Self

from mlspec.errors import LockHeld, MlspecError, StateError, TargetError
from mlspec.spec.digest import resolved_json
from mlspec.spec.forecast import Forecast
from mlspec.spec.gcp.location import GcpLocation
from mlspec.spec.object_address import parse_object_address
from mlspec.spec.stored import read_stored_spec
from mlspec.state.ledger import StartedWork
from mlspec.state.notice import NEVER, PendingNotice
from mlspec.state.observed import Observed, ObservedResource, RecordedCheck, Settlement, SourceFacts, StoredStep
from mlspec.state.point import MetricPoint
from mlspec.state.record import Condition, Event, FileRef, ForecastRun, Release, Version
from mlspec.state.request_counts import RequestCount
from mlspec.state.resource import Json, Kind
from mlspec.state.retention import AgedRows, AgedTable, Pruning, RecordContents, RegisteredCounts
from mlspec.state.step import RemoteStep, ResultStore, StepName, StepResult
from mlspec.targets.gcp import monitoring
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.data.bigquery import Warehouse
from mlspec.targets.gcp.data.sources import Sources
from mlspec.targets.gcp.hand_over import GcpHandOver
from mlspec.targets.gcp.jobs import step_io
from mlspec.targets.gcp.jobs.cloud_run import JobExecutions
from mlspec.targets.gcp.jobs.kept_objects import keep_objects, unfinished_folder
from mlspec.targets.gcp.jobs.loop_job import LOOP_JOB, LoopJob
from mlspec.targets.gcp.jobs.remote_steps import RemoteSteps, error_to_json, find_step_key, steps_folder
from mlspec.targets.gcp.record import lease
from mlspec.targets.gcp.record.artifacts import BucketFiles
from mlspec.targets.gcp.record.bucket import NEW, Bucket, WriteConflict
from mlspec.targets.gcp.record.database import BucketDatabase
from mlspec.targets.gcp.record.lease import Lease, hold_lease
from mlspec.targets.gcp.record.snapshots import FOLDER, SnapshotStore
from mlspec.targets.gcp.retry import explain_disappearance, poll_until
from mlspec.targets.gcp.secrets import secret_value
from mlspec.targets.gcp.start_marks import BucketStartMarks, starts_folder
from mlspec.targets.gcp.vertex.artifact import (
    MODEL_ROLES,
    VersionArtifact,
    brought_data,
    choose_data,
    select_data,
    split_copy,
    write_artifact,
)
from mlspec.targets.gcp.vertex.deployments import DeploymentContent, Mismatch
from mlspec.targets.gcp.vertex.model_registry import FROM_RECORD
from mlspec.targets.gcp.vertex.request_metrics import RequestMetricsReader
from mlspec.targets.gcp.vertex.routing import VertexServing
from mlspec.targets.gcp.work_watch import WorkWatch
from mlspec.targets.local.artifacts import FolderFiles
from mlspec.targets.local.digest_cache import DigestCache
from mlspec.targets.record.record import Record

_LINEAGE = "lineage"
_PATIENCE = 20.0  # seconds to wait for a forecast's lock before a delivery is recorded
# Number of forecasts whose files and deployments one pass checks. Each pass draws another random sample.
SAMPLE_SIZE = 8


class GcpTarget:
    """One project and region. `cache` is a local folder for copies of files; it can be deleted at any time.

    With `registers` False traffic moves only to versions that are registered, with the data that they were registered with.
    """

    publishes_actuals = True  # dashboards read them in BigQuery, beside the forecasts
    supports_fork = False  # gRPC's threads do not survive a fork; heavy steps run in jobs

    def __init__(self, place: GcpLocation, cache: Path, *, protect: bool = False, registers: bool = True) -> None:
        self.name, self.protect, self.folder = place.target, protect, cache
        self._place = place
        self._clients = Clients(place.project, place.region)
        self._state = Bucket(self._clients, place.bucket("state"))
        self._models = Bucket(self._clients, place.bucket("models"))
        self._snapshots = SnapshotStore(self._state)
        self._digests = DigestCache()
        self._sources = Sources(self._clients, self._digests)
        self._loop_job = LoopJob(self._clients)
        self._serving = VertexServing(self._clients, place, self._models, self._loop_job, registers=registers)
        self._warehouse = Warehouse(self._clients)
        self._request_metrics = RequestMetricsReader(self._clients)
        self._watch = WorkWatch(self._clients)
        self._stores: dict[str, _ForecastStore] = {}
        self._sampled: frozenset[str] | None = None

    @cached_property
    def lineage(self) -> str:
        """The state's unique id; empty if nothing was ever applied."""
        content = self._state.read_object(_LINEAGE)
        return content[0].decode() if content else ""

    @property
    def serial(self) -> int:
        """The newest generation of all records. It grows with every write."""
        return max((stored.generation for stored in self._snapshots.list_records().values()), default=0)

    @contextmanager
    def read_session(self) -> Iterator[None]:
        """Read the target once per block. Of many forecasts, check the files and endpoints of a random sample."""
        with self._snapshots.read_session(), self._watch.session():
            self._sources.begin_session()
            self._serving.begin_session()
            self._request_metrics.begin_session()
            self._sampled = sample_forecasts(self._snapshots.forecast_names())
            try:
                yield
            finally:
                self._sources.end_session()
                self._serving.end_session()
                self._request_metrics.end_session()
                self._sampled = None
                self._clients.close()

    def hash_files_once(self) -> AbstractContextManager[None]:
        """Compute the sha256 of each copy of a file once per block."""
        return self._digests.keep()

    def migrate_schema(self) -> str | None:
        """Upgrade every record to this mlspec's schema."""
        reports = [
            report for name in self.forecast_names() if (report := self._store_of(name).database.migrate_schema())
        ]
        return "; ".join(reports) or None

    def forecast_names(self) -> tuple[str, ...]:
        """Return the names of all forecasts with a record, sorted."""
        return self._snapshots.forecast_names()

    def inspect_source(self, spec: Forecast, root: Path) -> SourceFacts:
        """Return the facts of a forecast's source and future data."""
        with explain_disappearance(f"work on {spec.metadata.name}"):
            return self._sources.inspect_source(spec, root)

    @property
    def containers(self) -> Self:
        """Jobs on Cloud Run and Vertex AI."""
        return self

    def read_secret(self, name: str) -> str:
        """Return a secret's value."""
        return secret_value(self._clients, name)

    @property
    def project(self) -> str:
        """The Google Cloud project's id."""
        return self._clients.project

    def fetch_source(self, spec: Forecast, root: Path, folder: Path) -> tuple[Forecast, Path]:
        """Download a spec's data into `folder`. Return the spec that reads it there, and its root."""
        with explain_disappearance(f"work on {spec.metadata.name}"):
            return self._sources.fetch_source(spec, root, folder)

    def observe_forecast(self, forecast: str) -> Observed:
        """Return the recorded state of one forecast, with damaged files and differences on Vertex AI."""
        store = self._store_of(forecast)
        if store.lease is not None:
            return self._with_mismatch(store, store.record.observe_forecast(forecast))
        trusted = self._sampled is not None and forecast not in self._sampled
        with store.files.list_once(trusted=trusted):
            observed = store.record.observe_forecast(forecast)
        return observed if trusted else self._with_mismatch(store, observed)

    def _with_mismatch(self, store: _ForecastStore, observed: Observed) -> Observed:
        """Return a forecast's recorded state with differences on Vertex AI."""
        deployment = observed.resources.get("deployment")
        if deployment is None or deployment.damage:
            return observed
        if (
            store.lease is None or not store.mismatch_known
        ):  # under the lease no other run changes it, so one check is enough
            store.mismatch, store.mismatch_known = self._find_mismatch(store, observed, deployment), True
        if (mismatch := store.mismatch) is not None:
            damage = None if mismatch.only_data else mismatch.sentence
            outdated = mismatch.sentence if mismatch.only_data else None
            deployment = replace(deployment, damage=damage, outdated=outdated)
        return replace(observed, resources={**observed.resources, "deployment": deployment})

    def _find_mismatch(
        self, store: _ForecastStore, observed: Observed, deployment: ObservedResource
    ) -> Mismatch | None:
        """Return how Vertex AI differs from the record, or None.

        None too if this account may not read Vertex AI, such as the account of a forecast's steps. The loop's account checks it.
        """
        data, fresh = brought_data(observed), store.lease is not None
        try:
            return self._serving.find_mismatch(observed.forecast, deployment, data, fresh=fresh)
        except TargetError:
            return None

    @contextmanager
    def lock_forecast(self, forecast: str, operation: str, since: str, timeout: float) -> Iterator[None]:
        """Lock one forecast over all machines."""
        store, name = self._store_of(forecast), f"{FOLDER}{forecast}/lease"
        with ExitStack() as stack:
            held_lease = stack.enter_context(
                hold_lease(
                    self._state,
                    name=name,
                    forecast=forecast,
                    operation=operation,
                    since=since,
                    timeout=timeout,
                    fence=lambda: self._snapshots.rewrite_record(forecast),
                )
            )
            stack.enter_context(store.database.under_lease(held_lease))
            stack.enter_context(store.files.list_once())
            stack.enter_context(self.hash_files_once())
            self._loop_job.confirm_own_image(forecast)
            store.lease, store.mismatch_known = held_lease, False
            try:
                with explain_disappearance(f"work on {forecast}"):
                    yield
            finally:
                store.lease = None

    def write_journal(self, forecast: str, *, resource: str, phase: str, detail: str, at: str) -> None:
        """Write a line of the journal."""
        self._store_of(forecast).record.write_journal(forecast, resource=resource, phase=phase, detail=detail, at=at)

    def find_step(self, forecast: str, step: str, key: str) -> StoredStep | None:
        """Return the finished step of this key; None if it is not recorded or one of its files is damaged."""
        return self._store_of(forecast).record.find_step(forecast, step, key)

    def file_step(
        self, forecast: str, *, step: str, key: str, outputs: Mapping[str, Path], facts: Mapping[str, Json], at: str
    ) -> StoredStep:
        """Copy a step's files into the store and record the step."""
        with explain_disappearance(f"work on {forecast}"):
            return self._store_of(forecast).record.file_step(
                forecast, step=step, key=key, outputs=outputs, facts=facts, at=at
            )

    def record_settlement(self, settlement: Settlement, at: str) -> Observed:
        """Record one effect in one transaction, and return the forecast's recorded state after it."""
        store, made = self._store_of(settlement.forecast), settlement.resource
        if made is not None and made.resource.kind == "forecast" and select_data(made.files):
            store.mismatch_known = False  # what serves now answers from the data of an earlier forecast
        with store.files.list_once() if store.lease is None else nullcontext():
            return self._with_mismatch(store, store.record.record_settlement(settlement, at))

    def route_traffic(
        self,
        forecast: str,
        spec: Forecast,
        traffic: Mapping[str, int],
        main: str,
        versions: Mapping[str, Version],
    ) -> None:
        """Deploy these versions on Vertex AI with the shares in `traffic`, before the change is recorded."""
        store = self._store_of(forecast)
        with explain_disappearance(f"work on {forecast}"):
            private = spec.deployment.is_private
            data = choose_data(store.record.observe_forecast(forecast), traffic, main) if private else {}
            artifacts = {name: _make_artifact(spec, version, data) for name, version in versions.items()}
            write = partial(write_artifact, self._models, store.files)
            confirm, started = (
                lambda: _confirm_lease(store.lease, forecast),
                store.record.load_ledger(forecast).under_way,
            )
            find_started = {known.mark: known for known in started}.get
            self._serving.route_traffic(forecast, spec, traffic, main, artifacts, write, confirm, find_started)
            for known in started:  # what still deploys is another version, which is not wanted any more
                if known.kind == "deployment" and not self.is_work_over(known):
                    self.cancel_work(known)
        store.mismatch, store.mismatch_known = None, True

    def undeploy_endpoint(self, forecast: str) -> None:
        """Undeploy every version from a forecast's endpoint, which terraform is about to remove."""
        with explain_disappearance(f"work on {forecast}"):
            self._serving.undeploy_all(forecast)

    def is_work_over(self, started: StartedWork) -> bool:
        """Return whether long work has ended."""
        return self._watch.is_over(started)

    def wait_for_work(self, started: Sequence[StartedWork], seconds: float) -> tuple[StartedWork, ...]:
        """Wait until some of the work has ended, and return that."""

        def find_over() -> tuple[StartedWork, ...]:
            with self._watch.session():
                return tuple(known for known in started if self._watch.is_over(known))

        return (poll_until(find_over, bool, seconds) or ()) if started else ()

    def cancel_work(self, started: StartedWork) -> None:
        """Ask the service to end long work. Where that is refused, the service's own time limit ends it."""
        from google.api_core.exceptions import NotFound

        with suppress(TargetError, NotFound):  # what it forgot has ended
            self._watch.cancel(started)

    def run_remote_step(self, step: RemoteStep) -> StepResult:
        """Return the result of a step in a container of the forecast's job."""
        started = self._store_of(step.forecast).record.load_ledger(step.forecast).under_way
        find_started = {known.mark: known for known in started}.get
        steps = RemoteSteps(
            self._clients, self._state, self._models, self._place, self._serving.find_image, find_started
        )
        return steps.run_step(step)

    def download_input(self, address: str, folder: Path) -> Path:
        """Download an object into `folder`, for a step that received its address."""
        return step_io.download_input(self._clients, address, folder)

    def upload_outputs(self, address: str, files: Mapping[str, Path], value: Mapping[str, Json]) -> None:
        """Upload a step's files and its result below an address."""
        step_io.upload_outputs(self._clients, address, files, value)

    def upload_error(self, address: str, error: MlspecError) -> None:
        """Upload a failed step's error below an address."""
        step_io.upload_error(self._clients, address, error_to_json(error))

    def find_step_key(self, address: str, forecast: str) -> str | None:
        """Return the key of the step whose result belongs at an address; None for any other address."""
        bucket, name = parse_object_address(address)
        return find_step_key(name, forecast) if bucket == self._state.name else None

    def keep_unfinished(self, forecast: str, step: StepName, key: str) -> AbstractContextManager[ResultStore | None]:
        """Return the place for what a step with this key has made so far, in the forecast's folder."""
        return keep_objects(self._state, forecast, step, key)

    def publish_forecast(self, forecast: str, spec: Forecast, run: ForecastRun) -> None:
        """Write a forecast into its table, before it is recorded."""
        with explain_disappearance(f"work on {forecast}"):
            self._warehouse.publish_forecast(forecast, spec, run, self.fetch_file(forecast, run.files["forecast"]))

    def publish_actuals(self, forecast: str, year: str, file: FileRef) -> None:
        """Write a year's actual values into their table."""
        self._warehouse.publish_actuals(forecast, year, self.fetch_file(forecast, file))

    def record_metrics(self, forecast: str, points: Sequence[MetricPoint], at: str) -> None:
        """Write metrics to Cloud Monitoring."""
        monitoring.write_metrics(self._clients, forecast, points, at)

    def fetch_file(self, forecast: str, ref: FileRef) -> Path:
        """Return the path of a stored file's local copy, after a check of its sha256."""
        return self._store_of(forecast).files.fetch_file(ref)

    def find_damaged_files(self, forecast: str, refs: Collection[FileRef]) -> frozenset[FileRef]:
        """Return the stored files that are missing or changed, by name and size. Makes one list call."""
        return self._store_of(forecast).files.find_damaged_files(refs)

    def load_versions(self, forecast: str) -> tuple[Version, ...]:
        """Return all versions, newest first."""
        return self._store_of(forecast).record.load_versions(forecast)

    def load_releases(self, forecast: str) -> tuple[Release, ...]:
        """Return all releases, newest first."""
        return self._store_of(forecast).record.load_releases(forecast)

    def load_runs(self, forecast: str) -> tuple[ForecastRun, ...]:
        """Return all forecast runs, newest first."""
        return self._store_of(forecast).record.load_runs(forecast)

    def find_newest_run(self, forecast: str) -> ForecastRun | None:
        """Return the newest forecast run that was made in time, None if there is none."""
        return self._store_of(forecast).record.find_newest_run(forecast)

    def load_backfills(self, forecast: str) -> tuple[ForecastRun, ...]:
        """Return the forecast runs that backfills made, the last made first."""
        return self._store_of(forecast).record.load_backfills(forecast)

    def load_events(self, forecast: str) -> tuple[Event, ...]:
        """Return all events, newest first."""
        return self._store_of(forecast).record.load_events(forecast)

    def load_checks(self, forecast: str) -> tuple[RecordedCheck, ...]:
        """Return the last recorded checks of the data, newest first."""
        return self._store_of(forecast).record.load_checks(forecast)

    def load_conditions(self, forecast: str) -> tuple[Condition, ...]:
        """Return the current conditions."""
        return self._store_of(forecast).record.load_conditions(forecast)

    def load_due_notices(self, at: str, latest: str = NEVER) -> tuple[PendingNotice, ...]:
        """Return the notices of all forecasts whose next delivery attempt is due, the longest overdue first."""
        # The delivery for a locked forecast could not be recorded and would be repeated at every pass, so it waits.
        busy = lease.locked_forecasts(self._state)
        with self._snapshots.read_session():
            due_notices = [
                pending
                for name in self.forecast_names()
                if name not in busy
                for pending in self._load_due_notices(name, at, latest)
            ]
        return tuple(sorted(due_notices, key=lambda pending: pending.next_at or ""))

    def _load_due_notices(self, forecast: str, at: str, latest: str) -> tuple[PendingNotice, ...]:
        """Return one forecast's due notices; none if its record cannot be read, which that forecast's pass reports."""
        with suppress(StateError, TargetError):
            return self._store_of(forecast).record.load_due_notices(at, latest)
        return ()

    def load_undelivered_notices(self, forecast: str) -> tuple[PendingNotice, ...]:
        """Return the notices of a forecast that are not delivered, newest first."""
        return self._store_of(forecast).record.load_undelivered_notices(forecast)

    def load_accepted_notices(self, forecast: str, notice: str) -> tuple[PendingNotice, ...]:
        """Return the entries of one notice at receivers that accepted it."""
        return self._store_of(forecast).record.load_accepted_notices(forecast, notice)

    def mark_delivered(self, pending: PendingNotice, delivered_at: str | None, event: Event | None = None) -> None:
        """Record one delivery attempt. If the forecast stays locked, nothing is recorded and a later pass sends it again."""
        forecast = pending.notice.forecast
        with suppress(LockHeld), self.lock_forecast(forecast, "record a delivery", pending.notice.at, _PATIENCE):
            self._store_of(forecast).record.mark_delivered(pending, delivered_at, event)

    def add_request_counts(self, _minutes: Sequence[RequestCount]) -> None:
        """Raise TargetError: Vertex AI itself counts an endpoint's requests."""
        raise TargetError(
            f"target '{self.name}': Vertex AI counts an endpoint's requests, a server does not",
            hint="look at the metrics aiplatform.googleapis.com/prediction/online",
        )

    def load_request_counts(self, forecast: str, since: str) -> tuple[RequestCount, ...]:
        """Return the request counts of the forecast's endpoint from Vertex AI, one row per hour.

        Empty if this account may not read them: an alert without a value changes nothing and does not stop a pass.
        """
        releases = self.load_releases(forecast)
        deployments = [
            read_stored_spec(release.spec, f"{forecast}: the spec of release {release.release}").deployment
            for release in releases
        ]
        if not deployments or deployments[0].serve == "batch":
            return ()
        machines = {deployment.machine.type for deployment in deployments}
        names = {release.version for release in releases}
        versions = {
            DeploymentContent(version).deployment_id(machine): version for version in names for machine in machines
        }
        with suppress(TargetError):
            endpoint = self._serving.find_endpoint_id(forecast)
            return self._request_metrics.read_request_counts(forecast, endpoint, versions, since) if endpoint else ()
        return ()

    def load_contents(self, forecast: str) -> RecordContents:
        """Return the rows of a forecast that name files."""
        return self._store_of(forecast).record.load_contents(forecast)

    def measure_old_rows(self, forecast: str, before: Mapping[AgedTable, str]) -> Mapping[AgedTable, AgedRows]:
        """Return how many rows of a forecast go and stay by age alone, by table."""
        return self._store_of(forecast).record.measure_old_rows(forecast, before)

    def find_stored_files(self, forecast: str, refs: Collection[FileRef]) -> frozenset[FileRef]:
        """Return those of the files that are in the bucket."""
        return self._store_of(forecast).files.find_stored(refs)

    def measure_registered(self, forecast: str, pruning: Pruning) -> RegisteredCounts | None:
        """Return how many registered versions a prune deletes, and how many stay. Only those with data of their own count."""
        kept, gone = self._serving.find_unneeded(forecast, pruning.usable)
        works = bool(self._store_of(forecast).record.load_ledger(forecast).under_way)
        spares = works or pruning.is_empty  # as `_remove_version_copies` does
        return RegisteredCounts(0, kept + gone) if spares else RegisteredCounts(gone, kept)

    def prune_records(self, pruning: Pruning, at: str, *, whole: bool = False) -> None:
        """Delete rows of a forecast, what its jobs uploaded for the steps whose results go, and the copies of unused versions."""
        store, name = self._store_of(pruning.forecast), pruning.forecast
        _confirm_lease(store.lease, name)
        # Before the rows, so that a prune that is killed finds the same steps again.
        if steps := frozenset(key for _, key in pruning.rows.get("steps", ())):
            _remove_folders(self._state, steps_folder(name), lambda key: key in steps)
        store.record.prune_records(pruning, at, whole=whole)
        if not pruning.is_empty:  # what a killed prune leaves here is found by the next one that removes something
            self._remove_version_copies(store, name, pruning.usable)

    def _remove_version_copies(self, store: _ForecastStore, forecast: str, usable: Collection[str]) -> None:
        """Remove the copies of versions that are not usable, and of data that no registered version needs any more."""
        parent = f"{forecast}/versions/"
        copies = [
            (stored.name, *split_copy(stored.name.removeprefix(parent))) for stored in self._models.list_objects(parent)
        ]
        kept: frozenset[tuple[str, str]] | None = None
        # Work that runs may be the upload of a copy.
        if any(data != FROM_RECORD for _, _, data in copies) and not store.record.load_ledger(forecast).under_way:
            kept = self._serving.prune_registered(forecast, usable)
        for name, version, data in copies:
            if version not in usable or (kept is not None and data != FROM_RECORD and (version, data) not in kept):
                self._models.delete_object(name)

    def load_unneeded_files(self, forecast: str) -> tuple[FileRef, ...]:
        """Return the files of a forecast that an earlier prune has let go."""
        return self._store_of(forecast).record.load_unneeded_files(forecast)

    def load_file_users(self) -> Mapping[str, frozenset[str]]:
        """Return nothing: each forecast has a place for files of its own."""
        return {}

    def remove_unneeded_files(
        self, forecast: str, at: str, _only: Collection[str] | None = None
    ) -> tuple[FileRef, ...]:
        """Remove files of this forecast that nothing has needed for a day, and return them."""
        store = self._store_of(forecast)
        _confirm_lease(store.lease, forecast)
        return store.record.remove_unneeded_files(forecast, at)

    def remove_forecast(self, forecast: str, kinds: tuple[Kind, ...], *, purge: bool, at: str) -> None:
        """Remove what apply made. With `purge`, remove the record and the files too; without it, keep the history."""
        store = self._store_of(forecast)
        _confirm_lease(store.lease, forecast)
        self._serving.take_down(forecast, purge=purge)
        store.record.remove_forecast(forecast, kinds, purge=purge, at=at)
        if purge:
            for stored in self._models.list_objects(f"{forecast}/"):
                self._models.delete_object(stored.name)
            for folder in (steps_folder(forecast), unfinished_folder(forecast), starts_folder(forecast)):
                for stored in self._state.list_objects(folder):
                    self._state.delete_object(stored.name)
            store.database.remove_record()

    def _store_of(self, forecast: str) -> _ForecastStore:
        if forecast not in self._stores:
            files = BucketFiles(self._models, forecast, FolderFiles(self.folder / "artifacts", self._digests))
            database = BucketDatabase(self._snapshots, forecast, self._make_lineage)
            self._stores[forecast] = _ForecastStore(Record(database, files), database, files)
        return self._stores[forecast]

    def _make_lineage(self) -> str:
        """Return the state's unique id. Create it if there is none; of two concurrent writers, the first one wins.

        An account that can read only one forecast, such as that of its steps, gives that record a separate id.
        """
        with suppress(TargetError):
            if not self.lineage:
                with suppress(WriteConflict):
                    self._state.write_object(_LINEAGE, str(uuid.uuid4()).encode(), NEW)
                del self.lineage
            return self.lineage
        return str(uuid.uuid4())

    @property
    def start_marks(self) -> BucketStartMarks:
        """What is remembered of messages about alerts."""
        return BucketStartMarks(self._state)

    @cached_property
    def hand_over(self) -> GcpHandOver:
        """How specs get to the loop's job."""
        return GcpHandOver(self._clients, self._state, self.name)

    def start_tasks(self, words: Sequence[str], count: int) -> None:
        """Start the loop's job with these words and as many tasks, each with its share of the forecasts."""
        JobExecutions(self._clients, LOOP_JOB).start_job(words, count)


@dataclass
class _ForecastStore:
    """One forecast's record and files. Under the lease, `mismatch_known` says whether Vertex AI was checked."""

    record: Record
    database: BucketDatabase
    files: BucketFiles
    lease: Lease | None = None
    mismatch_known: bool = False
    mismatch: Mismatch | None = None


def _make_artifact(spec: Forecast, version: Version, data: Mapping[str, FileRef]) -> VersionArtifact:
    """Return what the container of a version needs. `data` is what it brings along."""
    model = {role: version.files[role] for role in MODEL_ROLES}
    return VersionArtifact(version.forecast, version.version, resolved_json(spec), model, data)


def sample_forecasts(names: Sequence[str]) -> frozenset[str]:
    """Return the forecasts whose files and deployments one pass checks: a random sample of at most SAMPLE_SIZE.

    A pass does not know the previous sample. A choice by the clock could repeat with the schedule of the passes.
    """
    return frozenset(random.sample(list(names), min(SAMPLE_SIZE, len(names))))


def _confirm_lease(held_lease: Lease | None, forecast: str) -> None:
    if held_lease is not None:
        held_lease.confirm(forecast)


def _remove_folders(bucket: Bucket, parent: str, goes: Callable[[str], bool]) -> None:
    """Remove the objects below those folders of `parent` whose name `goes` accepts. The record has its own copy of every file."""
    for stored in bucket.list_objects(parent):
        if goes(stored.name.removeprefix(parent).partition("/")[0]):
            bucket.delete_object(stored.name)
