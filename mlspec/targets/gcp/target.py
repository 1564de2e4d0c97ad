"""Google Cloud as a target: the record and the files in buckets, versions in Vertex AI's registry and at its endpoints.

Each forecast has a record and files of its own, so that one account sees one forecast. What serves is what the record says: `route`
makes Vertex AI follow it, and a look says where it does not.
"""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from mlspec.errors import LockHeld, StateError, TargetError
from mlspec.spec.gcp.location import Place
from mlspec.spec.gcp.resource_names import derived_names
from mlspec.state.notice import Pending
from mlspec.state.observed import FiledStep, Observed, Seen, Settlement, SourceFacts
from mlspec.state.point import Point
from mlspec.state.record import Condition, Event, FileRef, ForecastRun, Release, Version
from mlspec.state.request_counts import Served
from mlspec.state.resource import Json, Kind
from mlspec.state.step import FarStep, StepResult
from mlspec.targets.gcp import monitoring
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.data.bigquery import Warehouse
from mlspec.targets.gcp.data.sources import Sources
from mlspec.targets.gcp.jobs import step_io
from mlspec.targets.gcp.jobs.cloud_run import Executions
from mlspec.targets.gcp.jobs.remote_steps import Elsewhere
from mlspec.targets.gcp.record import lease
from mlspec.targets.gcp.record.artifacts import Files
from mlspec.targets.gcp.record.bucket import NEW, Bucket, Moved
from mlspec.targets.gcp.record.database import Database
from mlspec.targets.gcp.record.lease import Lease, hold
from mlspec.targets.gcp.record.snapshots import FOLDER, Images
from mlspec.targets.gcp.retry import still_there
from mlspec.targets.gcp.secrets import secret
from mlspec.targets.gcp.vertex.deployments import deployment_id
from mlspec.targets.gcp.vertex.request_metrics import Counts
from mlspec.targets.gcp.vertex.routing import LOOP_JOB, Serving
from mlspec.targets.local.artifacts import Artifacts
from mlspec.targets.record.record import Record

_LINEAGE = "lineage"
_PATIENCE = 20.0  # seconds that the record of a delivery waits for a forecast's lock
# Forecasts whose files and deployments are looked at in one pass over many: every forecast has its turn.
TURN = 8


class GcpTarget:
    """One project and region. `cache` is a folder on this machine for copies of files; losing it costs only time."""

    forks = False  # gRPC's threads do not survive a fork; what is heavy runs elsewhere

    def __init__(self, place: Place, cache: Path, *, protect: bool = False) -> None:
        self.name, self.protect, self.folder = place.target, protect, cache
        self._place = place
        self._clients = Clients(place.project, place.region)
        self._state = Bucket(self._clients, place.bucket("state"))
        self._models = Bucket(self._clients, place.bucket("models"))
        self._images = Images(self._state)
        self._sources = Sources(self._clients)
        self._serving = Serving(self._clients, place, self._models)
        self._warehouse = Warehouse(self._clients)
        self._counts = Counts(self._clients)
        self._kept: dict[str, _One] = {}
        self._turn: frozenset[str] | None = None

    @cached_property
    def lineage(self) -> str:
        """Identity of the state; empty where nothing was ever applied."""
        found = self._state.read(_LINEAGE)
        return found[0].decode() if found else ""

    @property
    def serial(self) -> int:
        """The newest generation of any record: it moves with every write."""
        return max((each.generation for each in self._images.listed().values()), default=0)

    @contextmanager
    def session(self) -> Iterator[None]:
        """Look at the whole target once for the length of a block; of many forecasts, at files and endpoints of some in turn."""
        with self._images.session():
            self._sources.begin()
            self._serving.begin()
            self._counts.begin()
            self._turn = whose_turn(self._images.names())
            try:
                yield
            finally:
                self._sources.end()
                self._serving.end()
                self._counts.end()
                self._turn = None
                self._clients.close()

    def migrate(self) -> str | None:
        """Bring every record of an older schema to this one."""
        said = [found for name in self.names() if (found := self._of(name).database.migrate())]
        return "; ".join(said) or None

    def names(self) -> tuple[str, ...]:
        """Return the names of all forecasts of which anything is recorded, sorted."""
        return self._images.names()

    def source(self, spec: Mapping[str, Json], root: Path) -> SourceFacts:
        """Look at a forecast's source and future data."""
        return self._sources.look(spec, root)

    def secret(self, name: str) -> str:
        """Return a secret's value."""
        return secret(self._clients, name)

    @property
    def project(self) -> str:
        """The Google Cloud project's id."""
        return self._clients.project

    def fetch(self, spec: Mapping[str, Json], root: Path, folder: Path) -> tuple[Mapping[str, Json], Path]:
        """Bring what a spec reads into `folder`, and return the spec that reads it there, with its root."""
        return self._sources.fetch(spec, root, folder)

    def observe(self, forecast: str) -> Observed:
        """Return what is held of one forecast, with what is missing of its files and what Vertex AI does otherwise."""
        one = self._of(forecast)
        if one.lease is not None:
            found = one.record.observe(forecast)
        else:
            trusted = self._turn is not None and forecast not in self._turn
            with one.files.looked_at(trusted=trusted):
                found = one.record.observe(forecast)
            if trusted:
                return found
        deployment = found.seen.get("deployment")
        if deployment is None or deployment.damage:
            return found
        if one.lease is None or not one.looked:  # under a lease nobody else moves it: once is enough
            one.strays, one.looked = self._strays(forecast, deployment), True
        return replace(found, seen={**found.seen, "deployment": replace(deployment, damage=one.strays)})

    def _strays(self, forecast: str, deployment: Seen) -> str | None:
        """Return where Vertex AI does otherwise than recorded.

        An account that may not look there, as that of a forecast's own steps, knows of nothing; the loop's looks at every pass.
        """
        try:
            return self._serving.damage(forecast, deployment)
        except TargetError:
            return None

    @contextmanager
    def lock(self, forecast: str, operation: str, since: str, timeout: float) -> Iterator[None]:
        """Hold one forecast alone, on whichever machine."""
        one, name = self._of(forecast), f"{FOLDER}{forecast}/lease"
        with ExitStack() as stack:
            held = stack.enter_context(
                hold(self._state, name, forecast, operation, since, timeout, lambda: self._images.touch(forecast))
            )
            stack.enter_context(one.database.under(held))
            stack.enter_context(one.files.looked_at())
            one.lease, one.looked = held, False
            try:
                with still_there(f"work on {forecast}"):
                    yield
            finally:
                one.lease = None

    def journal(self, forecast: str, resource: str, phase: str, detail: str, at: str) -> None:
        """Write a line of the journal."""
        self._of(forecast).record.journal(forecast, resource, phase, detail, at)

    def step(self, forecast: str, step: str, key: str) -> FiledStep | None:
        """Return the finished step of this key, if it was filed and its files are whole."""
        return self._of(forecast).record.step(forecast, step, key)

    def file_step(
        self, forecast: str, step: str, key: str, outputs: Mapping[str, Path], facts: Mapping[str, Json], at: str
    ) -> FiledStep:
        """Take a step's files into the store and record the step."""
        return self._of(forecast).record.file_step(forecast, step, key, outputs, facts, at)

    def settle(self, settlement: Settlement, at: str) -> None:
        """Record one effect whole."""
        self._of(settlement.forecast).record.settle(settlement, at)

    def route(
        self,
        forecast: str,
        spec: Mapping[str, Json],
        traffic: Mapping[str, int],
        main: str,
        versions: Mapping[str, Version],
    ) -> None:
        """Let Vertex AI serve these versions as `traffic` says, before it is recorded."""
        one = self._of(forecast)
        for version in versions.values():
            one.files.lay_out(version.files, f"{forecast}/versions/{version.version}")
        self._serving.route(forecast, spec, traffic, main, versions, lambda: _confirm(one.lease, forecast))
        one.strays, one.looked = None, True

    def run_far(self, step: FarStep) -> StepResult:
        """Run a step in a container of the forecast's own."""
        return Elsewhere(self._clients, self._state, self._models, self._place, self._serving.image).run(step)

    def take(self, address: str, folder: Path) -> Path:
        """Bring an object into `folder`, for a step that was handed its address."""
        return step_io.take(self._clients, address, folder)

    def give(self, address: str, files: Mapping[str, Path], value: Mapping[str, Json]) -> None:
        """Write a step's files and its result below an address."""
        step_io.give(self._clients, address, files, value)

    def publish(self, forecast: str, spec: Mapping[str, Json], run: ForecastRun) -> None:
        """Write a forecast into its table, before it is recorded."""
        self._warehouse.publish(forecast, spec, run, self.path(forecast, run.files["forecast"]))

    def measured(self, forecast: str, points: Sequence[Point], at: str) -> None:
        """Write what was measured to Cloud Monitoring."""
        monitoring.write(self._clients, forecast, points, at)

    def path(self, forecast: str, ref: FileRef) -> Path:
        """Return where a copy of a stored file can be read, after checking it against its sha256."""
        return self._of(forecast).files.path(ref)

    def damaged(self, forecast: str, refs: Collection[FileRef]) -> frozenset[FileRef]:
        """Return which of these stored files are gone or were changed, by name and size: one list call."""
        return self._of(forecast).files.damaged(refs)

    def versions(self, forecast: str) -> tuple[Version, ...]:
        """Return all versions, newest first."""
        return self._of(forecast).record.versions(forecast)

    def releases(self, forecast: str) -> tuple[Release, ...]:
        """Return all releases, newest first."""
        return self._of(forecast).record.releases(forecast)

    def runs(self, forecast: str) -> tuple[ForecastRun, ...]:
        """Return all forecasts made, newest first."""
        return self._of(forecast).record.runs(forecast)

    def events(self, forecast: str) -> tuple[Event, ...]:
        """Return all events, newest first."""
        return self._of(forecast).record.events(forecast)

    def conditions(self, forecast: str) -> tuple[Condition, ...]:
        """Return the present conditions."""
        return self._of(forecast).record.conditions(forecast)

    def due(self, at: str) -> tuple[Pending, ...]:
        """Return the notices of all forecasts whose next attempt is due, the longest overdue first."""
        # One that is worked on could not record its delivery, and would be told again at every pass: it waits.
        busy = lease.held(self._state)
        with self._images.session():
            found = [each for name in self.names() if name not in busy for each in self._due(name, at)]
        return tuple(sorted(found, key=lambda each: each.next_at or ""))

    def _due(self, forecast: str, at: str) -> tuple[Pending, ...]:
        """Return one forecast's notices; none where its record cannot be read, which its own pass says."""
        with suppress(StateError, TargetError):
            return self._of(forecast).record.due(at)
        return ()

    def undelivered(self, forecast: str) -> tuple[Pending, ...]:
        """Return the notices of a forecast that a receiver has not taken, newest first."""
        return self._of(forecast).record.undelivered(forecast)

    def told(self, pending: Pending, delivered_at: str | None) -> None:
        """Record how an attempt at delivery went; where the forecast is being worked on for long, a later pass tells it again."""
        forecast = pending.notice.forecast
        with suppress(LockHeld), self.lock(forecast, "tell", pending.notice.at, _PATIENCE):
            self._of(forecast).record.told(pending, delivered_at)

    def count_served(self, _minutes: Sequence[Served]) -> None:
        """Refuse: what an endpoint serves, Vertex AI counts itself."""
        raise TargetError(
            f"target '{self.name}': an endpoint's requests are counted by Vertex AI, not by a server's own record",
            hint="look at the metrics aiplatform.googleapis.com/prediction/online",
        )

    def served(self, forecast: str, since: str) -> tuple[Served, ...]:
        """Return what Vertex AI counted at the forecast's endpoint, a row an hour; nothing where this account may not read it.

        Nothing is no verdict: an alert that nobody can measure moves nothing, and holds up no pass.
        """
        specs = [(each.version, each.spec["deployment"]) for each in self.releases(forecast)]
        if not specs or specs[0][1]["serve"] == "batch":
            return ()
        machines = {wanted["machine"]["type"] for _, wanted in specs}
        versions = {deployment_id(version, machine): version for version, _ in specs for machine in machines}
        endpoint = derived_names(forecast)["Vertex AI endpoint"]
        with suppress(TargetError):
            return self._counts.of(forecast, endpoint, versions, since)
        return ()

    def forget(self, forecast: str, kinds: tuple[Kind, ...], *, purge: bool, at: str) -> None:
        """Take down what apply made. With `purge` the record and the files go too, without it history stays."""
        one = self._of(forecast)
        _confirm(one.lease, forecast)
        self._serving.clear(forecast, purge=purge)
        one.record.forget(forecast, kinds, purge=purge, at=at)
        if purge:
            for stored in self._models.list(f"{forecast}/"):
                self._models.delete(stored.name)
            for stored in self._state.list(f"{FOLDER}{forecast}/steps/"):
                self._state.delete(stored.name)
            one.database.remove()

    def _of(self, forecast: str) -> _One:
        if forecast not in self._kept:
            files = Files(self._models, forecast, Artifacts(self.folder / "artifacts"))
            database = Database(self._images, forecast, self._lineage)
            self._kept[forecast] = _One(Record(database, files), database, files)
        return self._kept[forecast]

    def _lineage(self) -> str:
        """Return the state's identity, made now where it has none: of two who make it at once, one is heard.

        An account that sees one forecast alone, as a forecast's own steps do, gives that record one of its own.
        """
        with suppress(TargetError):
            if not self.lineage:
                with suppress(Moved):
                    self._state.write(_LINEAGE, str(uuid.uuid4()).encode(), NEW)
                del self.lineage
            return self.lineage
        return str(uuid.uuid4())

    def hand_over(self, names: Sequence[str]) -> None:
        """Let the loop's own job make these forecasts, under its account; does not wait for it."""
        self._serving.expect_image(os.environ.get("TF_VAR_image"))  # noqa: SIM112  (terraform reads it by this name)
        chosen = [word for name in names for word in ("--select", name)]
        Executions(self._clients, LOOP_JOB).start(["reconcile", "--once", "--yes", "--target", self.name, *chosen])


@dataclass
class _One:
    """One forecast's record and files. While this process holds the lease, `following` says whether Vertex AI was looked at."""

    record: Record
    database: Database
    files: Files
    lease: Lease | None = None
    looked: bool = False
    strays: str | None = None


def whose_turn(names: Sequence[str]) -> frozenset[str]:
    """Return the forecasts whose files and deployments are looked at in one pass: all of few, of many TURN, by lot.

    No pass knows of the one before, and a clock would keep step with the schedule that starts them.
    """
    return frozenset(random.sample(list(names), min(TURN, len(names))))


def _confirm(held: Lease | None, forecast: str) -> None:
    if held is not None:
        held.confirm(forecast)
