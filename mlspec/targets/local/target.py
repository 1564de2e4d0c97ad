"""The target on this machine. Implements `targets.base.Target` with the project's files as sources and a record in a store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlspec.spec.forecast import Forecast
from mlspec.state.ledger import StartedWork
from mlspec.state.observed import SourceFacts
from mlspec.state.point import MetricPoint
from mlspec.state.record import FileRef, ForecastRun, Version
from mlspec.targets.local.artifacts import FolderFiles
from mlspec.targets.local.database import SqliteDatabase
from mlspec.targets.local.digest_cache import DigestCache
from mlspec.targets.local.lock import FolderLocks
from mlspec.targets.local.secrets import secret_value
from mlspec.targets.local.sources import inspect_source_files
from mlspec.targets.record.record import Record
from mlspec.targets.record.store import Store


class LocalTarget(Record):
    """A folder with `state.db`, `artifacts/` and `locks/`, created by the first apply; or the shared store of a team."""

    supports_fork = True
    containers = None  # steps run in this process

    def __init__(self, folder: Path, *, name: str = "local", protect: bool = False, store: Store | None = None) -> None:
        store = store or embedded_store(folder)
        super().__init__(store.database, store.files)
        self.folder = folder
        self.name = name
        self.protect = protect
        self._locks = store.locks
        self._source_digests = DigestCache()

    def inspect_source(self, spec: Forecast, root: Path) -> SourceFacts:
        """Return the facts of a forecast's source and future files. Raises DataError if one cannot be read."""
        return inspect_source_files(spec, root, self._source_digests)

    @property
    def project(self) -> str | None:
        """None: a local target has no Google Cloud project."""
        return None

    def read_secret(self, name: str) -> str:
        """Return a secret's value. Raises StateError if it is missing or other users can read its file."""
        return secret_value(self.folder, name)

    def fetch_source(self, spec: Forecast, root: Path, _folder: Path) -> tuple[Forecast, Path]:
        """Return the spec and its root unchanged: a local target reads the project's files in place."""
        return spec, root

    def route_traffic(
        self,
        forecast: str,
        spec: Forecast,
        traffic: Mapping[str, int],
        main: str,
        versions: Mapping[str, Version],
    ) -> None:
        """Do nothing: `mlspec serve` and the batch forecast read the record itself."""

    def is_work_over(self, _started: StartedWork) -> bool:
        """Return True: everything runs in this process, so nothing outlasts it."""
        return True

    def wait_for_work(self, started: Sequence[StartedWork], _seconds: float) -> tuple[StartedWork, ...]:
        """Return all of it: nothing runs outside of this process."""
        return tuple(started)

    def cancel_work(self, _started: StartedWork) -> None:
        """Do nothing: nothing runs outside of this process."""

    def publish_forecast(self, forecast: str, spec: Forecast, run: ForecastRun) -> None:
        """Do nothing: users read the forecast from the record."""

    publishes_actuals = False  # `mlspec errors` and the report have them

    def publish_actuals(self, forecast: str, year: str, file: FileRef) -> None:
        """Do nothing: nobody reads them here."""

    def record_metrics(self, forecast: str, points: Sequence[MetricPoint], at: str) -> None:
        """Do nothing: the loop itself evaluates the alerts."""

    @contextmanager
    def hash_files_once(self) -> Iterator[None]:
        """Compute the sha256 of each stored file and each source once per block."""
        with self._file_store.hash_files_once(), self._source_digests.keep():
            yield

    @contextmanager
    def lock_forecast(self, forecast: str, operation: str, since: str, timeout: float) -> Iterator[None]:
        """Lock one forecast for this process."""
        with self._locks.lock_forecast(forecast, operation, since, timeout), self.hash_files_once():
            yield


def embedded_store(folder: Path) -> Store:
    """Return the store in one folder of this machine."""
    return Store(SqliteDatabase(folder / "state.db"), FolderFiles(folder / "artifacts"), FolderLocks(folder / "locks"))
