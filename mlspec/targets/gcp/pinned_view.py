"""What a container of an endpoint serves: one version alone, whatever the record says. Its deployment's traffic is Vertex AI's.

Model and spec come from the files that Vertex AI copied for the container. So does the data, if its endpoint is private; else it is
the newest checked data of the record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mlspec.errors import Refused, UsageError
from mlspec.state.notice import PendingNotice
from mlspec.state.observed import Observed, ObservedResource
from mlspec.state.record import FileRef, Release, Version
from mlspec.state.request_counts import RequestCount
from mlspec.state.resource import Resource
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.serving_view import ServingView
from mlspec.targets.gcp.vertex.artifact import VersionArtifact, read_artifact

_RELEASE = 1  # a version is answered under no release of the record


class PinnedView:
    """One version of one forecast, in the form of a record in which it serves alone."""

    def __init__(self, served: VersionArtifact, paths: Mapping[str, Path], record: ServingView) -> None:
        self._served, self._paths, self._record = served, paths, record

    @property
    def serial(self) -> int:
        """The newest generation of the record; 1 if nothing is read from it."""
        return 1 if self._served.data else self._record.serial

    def forecast_names(self) -> tuple[str, ...]:
        """Return the forecast's name."""
        return (self._served.forecast,)

    def observe_forecast(self, forecast: str) -> Observed:
        """Return the version's deployment, and the data that it predicts from, if any was checked."""
        facts = {"release": _RELEASE, "version": self._served.version, "traffic": {self._served.version: 100}}
        deployment = ObservedResource(Resource("deployment", forecast, {}), facts)
        data = self._find_data(forecast)
        return Observed(forecast, {"deployment": deployment, **({"data": data} if data else {})})

    def _find_data(self, forecast: str) -> ObservedResource | None:
        if self._served.data:
            return ObservedResource(Resource("data", forecast, {}), {}, self._served.data)
        return self._record.observe_forecast(forecast).resources.get("data")

    def load_releases(self, forecast: str) -> tuple[Release, ...]:
        """Return the one release, with the spec that the version was made with."""
        return (Release(forecast, _RELEASE, self._served.version, "", "", self._served.spec),)

    def load_versions(self, forecast: str) -> tuple[Version, ...]:
        """Return the one version."""
        return (Version(forecast, self._served.version, "", "", {}, {}, "passed", self._served.model),)

    def fetch_file(self, forecast: str, ref: FileRef) -> Path:
        """Return the path of a file, which Vertex AI copied or which the record names."""
        return self._paths.get(ref.sha256) or self._record.fetch_file(forecast, ref)

    def load_undelivered_notices(self, _forecast: str) -> tuple[PendingNotice, ...]:
        """Return nothing: an endpoint's containers count no notices."""
        return ()

    def add_request_counts(self, _minutes: Sequence[RequestCount]) -> None:
        """Do nothing: Vertex AI counts the requests of each deployment."""


def open_pinned_view(clients: Clients, address: str, folder: Path, record: ServingView, *, version: str) -> PinnedView:
    """Return the version whose files are at `address`. Raises Refused if they are those of another version."""
    if not address:
        raise UsageError(
            "--version is for a container of Vertex AI, and AIP_STORAGE_URI is not set",
            hint="leave --version out: the server then answers by the versions that serve",
        )
    served, paths = read_artifact(clients, address, folder)
    if (served.forecast, served.version) != (record.forecast_names()[0], version):
        raise Refused(f"the files at {address} are those of {served.forecast} {served.version}, not of {version}")
    return PinnedView(served, paths, record)
