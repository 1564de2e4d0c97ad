"""What the engine asks of a target. Every kind of target answers the same questions.

The port is narrow on purpose: facts about sources, a lock, a store of files by content, finished steps by key, and settlements,
which are recorded whole or not at all. `tests/targets/` holds every promise made here against each target.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from mlspec.errors import MlspecError
from mlspec.spec.forecast import Forecast
from mlspec.state.notice import PendingNotice
from mlspec.state.observed import Observed, Settlement, SourceFacts, StoredStep
from mlspec.state.point import MetricPoint
from mlspec.state.record import Condition, Event, FileRef, ForecastRun, Release, Version
from mlspec.state.request_counts import RequestCount
from mlspec.state.resource import Json, Kind
from mlspec.state.step import RemoteStep, StepResult


class TargetView(Protocol):
    """A target as far as it can be looked at: all that a plan needs."""

    @property
    def name(self) -> str:
        """The target's name in mlspec.yaml."""
        ...

    @property
    def protect(self) -> bool:
        """Whether a person has to say yes before anything is applied."""
        ...

    @property
    def lineage(self) -> str:
        """Identity of the state, made when it was first written; empty where nothing was ever applied."""
        ...

    @property
    def serial(self) -> int:
        """Number of writes to the state so far."""
        ...

    def inspect_source(self, spec: Forecast, root: Path) -> SourceFacts:
        """Look at a forecast's source and future files. Raises DataError where one is missing or out of reach."""
        ...

    def observe_forecast(self, forecast: str) -> Observed:
        """Return what is held of one forecast; never writes."""
        ...


class Target(TargetView, Protocol):
    """Where forecasts live: it can be looked at, and written to."""

    def read_session(self) -> AbstractContextManager[None]:
        """Make many looks at the state cheap for the length of a block; each still sees what was recorded before it.

        Nothing is to be forked inside the block.
        """
        ...

    def hash_files_once(self) -> AbstractContextManager[None]:
        """Read each file on this machine for its sha256 once for the length of a block.

        A file that is changed inside the block is read again, and the next block reads every file anew. The lock of a forecast is
        such a block too.
        """
        ...

    def forecast_names(self) -> tuple[str, ...]:
        """Return the names of all forecasts of which anything is recorded, sorted."""
        ...

    def lock_forecast(self, forecast: str, operation: str, since: str, timeout: float) -> AbstractContextManager[None]:
        """Hold one forecast alone. Raises LockHeld, naming the holder, after `timeout` seconds."""
        ...

    def write_journal(self, forecast: str, resource: str, phase: str, detail: str, at: str) -> None:
        """Write a line of the journal: an effect is `started`, `done` or `failed`."""
        ...

    def find_step(self, forecast: str, step: str, key: str) -> StoredStep | None:
        """Return the finished step of this key, if it was filed and its files are whole."""
        ...

    def file_step(
        self, forecast: str, step: str, key: str, outputs: Mapping[str, Path], facts: Mapping[str, Json], at: str
    ) -> StoredStep:
        """Take a step's files into the store and record the step. Filing the same step twice is the same as once.

        Only the holder of the forecast's lock files steps.
        """
        ...

    def record_settlement(self, settlement: Settlement, at: str) -> Observed:
        """Record one effect whole, with the journal's `done` line for its resource.

        Return what is held of the forecast after it: the same as `observe_forecast`.
        """
        ...

    def fetch_source(self, spec: Forecast, root: Path, folder: Path) -> tuple[Forecast, Path]:
        """Bring what a spec reads near: return the spec as it is to be read, and the root that its paths start at.

        `folder` is an empty one for what has to be fetched. Raises DataError where data is missing or out of reach.
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
        """Let whoever serves outside of mlspec follow `traffic` (percent by version), before that is recorded.

        `main` carries the forecast. Nothing to do where the record itself is what servers go by. Twice with the same is as once.
        """
        ...

    def publish_forecast(self, forecast: str, spec: Forecast, run: ForecastRun) -> None:
        """Write a forecast where others read it, before it is recorded. Twice the same run is as once."""
        ...

    def record_metrics(self, forecast: str, points: Sequence[MetricPoint], at: str) -> None:
        """Hand what was measured at `at` to whoever watches outside of mlspec. Raises TargetError where they cannot be told."""
        ...

    def fetch_file(self, forecast: str, ref: FileRef) -> Path:
        """Return where a stored file can be read, after checking it against its sha256. Raises StateError if it is damaged."""
        ...

    def find_damaged_files(self, forecast: str, refs: Collection[FileRef]) -> frozenset[FileRef]:
        """Return which of these stored files are gone or were changed; of files that are far away, by name and size alone."""
        ...

    def load_versions(self, forecast: str) -> tuple[Version, ...]:
        """Return all versions, newest first."""
        ...

    def load_releases(self, forecast: str) -> tuple[Release, ...]:
        """Return all releases, newest first."""
        ...

    def load_runs(self, forecast: str) -> tuple[ForecastRun, ...]:
        """Return all forecasts made, newest first."""
        ...

    def load_events(self, forecast: str) -> tuple[Event, ...]:
        """Return all events, newest first."""
        ...

    def load_conditions(self, forecast: str) -> tuple[Condition, ...]:
        """Return the present conditions."""
        ...

    def load_due_notices(self, at: str) -> tuple[PendingNotice, ...]:
        """Return the notices whose next attempt is due at `at`, the longest overdue first."""
        ...

    def load_undelivered_notices(self, forecast: str) -> tuple[PendingNotice, ...]:
        """Return the notices of a forecast that a receiver has not taken, newest first."""
        ...

    def mark_delivered(self, pending: PendingNotice, delivered_at: str | None) -> None:
        """Record how an attempt at delivery went: `pending` carries the attempts and the next moment; None was not delivered."""
        ...

    def add_request_counts(self, minutes: Sequence[RequestCount]) -> None:
        """Add a server's counts to those of the same minute and version."""
        ...

    def load_request_counts(self, forecast: str, since: str) -> tuple[RequestCount, ...]:
        """Return what servers counted from the minute `since` (RFC 3339) on, oldest first."""
        ...

    def remove_forecast(self, forecast: str, kinds: tuple[Kind, ...], *, purge: bool, at: str) -> None:
        """Take down what apply made. With `purge` the records and files go too, without it history stays."""
        ...


class ContainerRuntime(Protocol):
    """What a target brings that runs steps, and the loop itself, in containers of its own."""

    def run_remote_step(self, step: RemoteStep) -> StepResult:
        """Run a step in a container of the forecast's own, and return what it hands back."""
        ...

    def download_input(self, address: str, folder: Path) -> Path:
        """Bring a stored object into `folder`, for a step that was handed its address."""
        ...

    def upload_outputs(self, address: str, files: Mapping[str, Path], value: Mapping[str, Json]) -> None:
        """Write a step's files and its result below an address."""
        ...

    def upload_error(self, address: str, error: MlspecError) -> None:
        """Write below an address why a step failed, for whoever waits for it."""
        ...

    def hand_over(self, names: Sequence[str]) -> None:
        """Let the loop's own job make these forecasts; does not wait for it."""
        ...


class OpenedTarget(Target, Protocol):
    """A target as the table of kinds opens it (`engine.target_kinds`): with what commands ask of it beside the engine."""

    @property
    def supports_fork(self) -> bool:
        """Whether several forecasts may be worked on at once, in processes that are forked."""
        ...

    @property
    def project(self) -> str | None:
        """The Google Cloud project that its Pub/Sub topics are in; None where it belongs to none."""
        ...

    @property
    def containers(self) -> ContainerRuntime | None:
        """What runs steps elsewhere; None where they run in this process alone."""
        ...

    def read_secret(self, name: str) -> str:
        """Return a secret's value. Raises StateError or TargetError where it cannot be read."""
        ...

    def migrate_schema(self) -> str | None:
        """Bring the state of an older mlspec to this one's schema, and say where its backup is; None where it is up to date."""
        ...
