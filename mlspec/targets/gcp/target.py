"""The target on Google Cloud: record and files in buckets, versions in Vertex AI's registry and at its endpoints.

Each forecast has its own record and files, so that an account can be limited to one forecast. The record decides which versions
serve: `route_traffic` changes Vertex AI accordingly, and `observe_forecast` reports where Vertex AI differs.
"""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

from mlspec.errors import LockHeld, MlspecError, StateError, TargetError
from mlspec.spec.forecast import Forecast
from mlspec.spec.gcp.location import GcpLocation
from mlspec.spec.gcp.resource_names import derived_names
from mlspec.spec.stored import read_stored_spec
from mlspec.state.notice import PendingNotice
from mlspec.state.observed import Observed, ObservedResource, Settlement, SourceFacts, StoredStep
from mlspec.state.point import MetricPoint
from mlspec.state.record import Condition, Event, FileRef, ForecastRun, Release, Version
from mlspec.state.request_counts import RequestCount
from mlspec.state.resource import Json, Kind
from mlspec.state.step import RemoteStep, StepResult
from mlspec.targets.gcp import monitoring
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.data.bigquery import Warehouse
from mlspec.targets.gcp.data.sources import Sources
from mlspec.targets.gcp.jobs import step_io
from mlspec.targets.gcp.jobs.cloud_run import JobExecutions
from mlspec.targets.gcp.jobs.remote_steps import RemoteSteps, error_to_json
from mlspec.targets.gcp.record import lease
from mlspec.targets.gcp.record.artifacts import BucketFiles
from mlspec.targets.gcp.record.bucket import NEW, Bucket, WriteConflict
from mlspec.targets.gcp.record.database import BucketDatabase
from mlspec.targets.gcp.record.lease import Lease, hold_lease
from mlspec.targets.gcp.record.snapshots import FOLDER, SnapshotStore
from mlspec.targets.gcp.retry import explain_disappearance
from mlspec.targets.gcp.secrets import secret_value
from mlspec.targets.gcp.vertex.deployments import deployment_id
from mlspec.targets.gcp.vertex.request_metrics import RequestMetricsReader
from mlspec.targets.gcp.vertex.routing import LOOP_JOB, VertexServing
from mlspec.targets.local.artifacts import FolderFiles
from mlspec.targets.local.digest_cache import DigestCache
from mlspec.targets.record.record import Record

_LINEAGE = "lineage"
_PATIENCE = 20.0  # seconds to wait for a forecast's lock before a delivery is recorded
# Number of forecasts whose files and deployments one pass checks. Each pass draws another random sample.
SAMPLE_SIZE = 8


class GcpTarget:
    """One project and region. `cache` is a local folder for copies of files; it can be deleted at any time."""

    supports_fork = False  # gRPC's threads do not survive a fork; heavy steps run in jobs

    def __init__(self, place: GcpLocation, cache: Path, *, protect: bool = False) -> None:
        self.name, self.protect, self.folder = place.target, protect, cache
        self._place = place
        self._clients = Clients(place.project, place.region)
        self._state = Bucket(self._clients, place.bucket("state"))
        self._models = Bucket(self._clients, place.bucket("models"))
        self._snapshots = SnapshotStore(self._state)
        self._digests = DigestCache()
        self._sources = Sources(self._clients, self._digests)
        self._serving = VertexServing(self._clients, place, self._models)
        self._warehouse = Warehouse(self._clients)
        self._request_metrics = RequestMetricsReader(self._clients)
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
        with self._snapshots.read_session():
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
            store.mismatch, store.mismatch_known = self._find_mismatch(observed.forecast, deployment), True
        return replace(
            observed, resources={**observed.resources, "deployment": replace(deployment, damage=store.mismatch)}
        )

    def _find_mismatch(self, forecast: str, deployment: ObservedResource) -> str | None:
        """Return how Vertex AI differs from the record, or None.

        None too if this account may not read Vertex AI, such as the account of a forecast's steps. The loop's account checks it.
        """
        try:
            return self._serving.find_mismatch(forecast, deployment)
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
        store = self._store_of(settlement.forecast)
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
            for version in versions.values():
                store.files.copy_to_folder(version.files, f"{forecast}/versions/{version.version}")
            self._serving.route_traffic(
                forecast, spec, traffic, main, versions, lambda: _confirm_lease(store.lease, forecast)
            )
        store.mismatch, store.mismatch_known = None, True

    def run_remote_step(self, step: RemoteStep) -> StepResult:
        """Run a step in a container of the forecast's job."""
        return RemoteSteps(self._clients, self._state, self._models, self._place, self._serving.find_image).run_step(
            step
        )

    def download_input(self, address: str, folder: Path) -> Path:
        """Download an object into `folder`, for a step that received its address."""
        return step_io.download_input(self._clients, address, folder)

    def upload_outputs(self, address: str, files: Mapping[str, Path], value: Mapping[str, Json]) -> None:
        """Upload a step's files and its result below an address."""
        step_io.upload_outputs(self._clients, address, files, value)

    def upload_error(self, address: str, error: MlspecError) -> None:
        """Upload a failed step's error below an address."""
        self.upload_outputs(address, {}, error_to_json(error))

    def publish_forecast(self, forecast: str, spec: Forecast, run: ForecastRun) -> None:
        """Write a forecast into its table, before it is recorded."""
        with explain_disappearance(f"work on {forecast}"):
            self._warehouse.publish_forecast(forecast, spec, run, self.fetch_file(forecast, run.files["forecast"]))

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

    def load_events(self, forecast: str) -> tuple[Event, ...]:
        """Return all events, newest first."""
        return self._store_of(forecast).record.load_events(forecast)

    def load_conditions(self, forecast: str) -> tuple[Condition, ...]:
        """Return the current conditions."""
        return self._store_of(forecast).record.load_conditions(forecast)

    def load_due_notices(self, at: str) -> tuple[PendingNotice, ...]:
        """Return the notices of all forecasts whose next delivery attempt is due, the longest overdue first."""
        # The delivery for a locked forecast could not be recorded and would be repeated at every pass, so it waits.
        busy = lease.locked_forecasts(self._state)
        with self._snapshots.read_session():
            due_notices = [
                pending
                for name in self.forecast_names()
                if name not in busy
                for pending in self._load_due_notices(name, at)
            ]
        return tuple(sorted(due_notices, key=lambda pending: pending.next_at or ""))

    def _load_due_notices(self, forecast: str, at: str) -> tuple[PendingNotice, ...]:
        """Return one forecast's due notices; none if its record cannot be read, which that forecast's pass reports."""
        with suppress(StateError, TargetError):
            return self._store_of(forecast).record.load_due_notices(at)
        return ()

    def load_undelivered_notices(self, forecast: str) -> tuple[PendingNotice, ...]:
        """Return the notices of a forecast that are not delivered, newest first."""
        return self._store_of(forecast).record.load_undelivered_notices(forecast)

    def mark_delivered(self, pending: PendingNotice, delivered_at: str | None) -> None:
        """Record one delivery attempt. If the forecast stays locked, nothing is recorded and a later pass sends it again."""
        forecast = pending.notice.forecast
        with suppress(LockHeld), self.lock_forecast(forecast, "record a delivery", pending.notice.at, _PATIENCE):
            self._store_of(forecast).record.mark_delivered(pending, delivered_at)

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
        versions = {deployment_id(version, machine): version for version in names for machine in machines}
        endpoint = derived_names(forecast)["Vertex AI endpoint"]
        with suppress(TargetError):
            return self._request_metrics.read_request_counts(forecast, endpoint, versions, since)
        return ()

    def remove_forecast(self, forecast: str, kinds: tuple[Kind, ...], *, purge: bool, at: str) -> None:
        """Remove what apply made. With `purge`, remove the record and the files too; without it, keep the history."""
        store = self._store_of(forecast)
        _confirm_lease(store.lease, forecast)
        self._serving.take_down(forecast, purge=purge)
        store.record.remove_forecast(forecast, kinds, purge=purge, at=at)
        if purge:
            for stored in self._models.list_objects(f"{forecast}/"):
                self._models.delete_object(stored.name)
            for stored in self._state.list_objects(f"{FOLDER}{forecast}/steps/"):
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

    def hand_over(self, names: Sequence[str]) -> None:
        """Start the loop's job for these forecasts, under its own account. Does not wait for the job."""
        self._serving.expect_image(os.environ.get("TF_VAR_image"))  # noqa: SIM112  (terraform requires this name)
        chosen = [word for name in names for word in ("--select", name)]
        JobExecutions(self._clients, LOOP_JOB).start_job(
            ["reconcile", "--once", "--yes", "--target", self.name, *chosen]
        )


@dataclass
class _ForecastStore:
    """One forecast's record and files. Under the lease, `mismatch_known` says whether Vertex AI was checked."""

    record: Record
    database: BucketDatabase
    files: BucketFiles
    lease: Lease | None = None
    mismatch_known: bool = False
    mismatch: str | None = None


def sample_forecasts(names: Sequence[str]) -> frozenset[str]:
    """Return the forecasts whose files and deployments one pass checks: a random sample of at most SAMPLE_SIZE.

    A pass does not know the previous sample. A choice by the clock could repeat with the schedule of the passes.
    """
    return frozenset(random.sample(list(names), min(SAMPLE_SIZE, len(names))))


def _confirm_lease(held_lease: Lease | None, forecast: str) -> None:
    if held_lease is not None:
        held_lease.confirm(forecast)
