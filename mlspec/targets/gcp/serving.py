"""Makes Vertex AI follow the record.

Versions that serve are registered, the one that carries the forecast is the default, and where a forecast serves online, its
endpoint splits the traffic as the record says.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from mlspec.errors import TargetError
from mlspec.spec.names import derived_names
from mlspec.spec.place import Place
from mlspec.state.observed import Seen
from mlspec.state.record import Version
from mlspec.state.resource import Json
from mlspec.targets.gcp.calls import TIMEOUT, patiently
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.deployed import Machine
from mlspec.targets.gcp.endpoint import Endpoint
from mlspec.targets.gcp.registry import Registry, Wanted
from mlspec.targets.gcp.storage import Bucket

LOOP_JOB = "mlspec-reconcile"
_MACHINE = ("type", "min_replicas", "max_replicas")  # keys of `deployment.machine`


class Serving:
    """What Vertex AI holds of one target's forecasts."""

    def __init__(self, clients: Clients, place: Place, models: Bucket) -> None:
        self._clients, self._place, self._models = clients, place, models
        self._registry = Registry(clients)
        self._defaults: dict[str, frozenset[str]] | TargetError | None = None
        self._session = False

    def begin(self) -> None:
        """Look at the whole registry once, for all the looks that follow; a no is remembered as well, and said to each of them."""
        self._session = True

    def end(self) -> None:
        """Look anew from now on."""
        self._session, self._defaults = False, None

    def route(
        self, forecast: str, spec: Mapping[str, Json], traffic: Mapping[str, int], main: str,
        versions: Mapping[str, Version], confirm: Callable[[], None],
    ) -> None:  # fmt: skip
        """Let Vertex AI serve `versions` as `traffic` says, in percent; `main` carries the forecast. Twice is as once."""
        confirm()
        models = {
            name: self._registry.register(forecast, self._wanted(forecast, version))
            for name, version in versions.items()
        }
        self._registry.promote(forecast, main)
        if _online(spec):
            machine = self._machine(forecast, spec["deployment"]["machine"])
            self._endpoint(forecast).route(traffic, models, machine, confirm)
        else:
            self._endpoint(
                forecast
            ).clear()  # it served online once: Terraform cannot remove an endpoint that still does

    def damage(self, forecast: str, seen: Seen) -> str | None:
        """Return where Vertex AI does not follow a recorded deployment, or None."""
        main = str(seen.facts.get("version"))
        if main not in self._default(forecast):
            return f"{main} is not the default version in the model registry"
        recorded = seen.resource.fields
        if recorded.get("deployment.serve") == "batch":
            return None
        machine = self._machine(forecast, {key: recorded[f"deployment.machine.{key}"] for key in _MACHINE})
        return self._endpoint(forecast).strays(seen.facts.get("traffic", {}), machine)

    def clear(self, forecast: str, *, purge: bool) -> None:
        """Take down what serves; with `purge` the registered versions go too."""
        self._endpoint(forecast).clear()
        if purge:
            self._registry.remove(forecast)

    def _default(self, forecast: str) -> frozenset[str]:
        if not self._session:
            return self._registry.defaults_of(forecast)
        if self._defaults is None:
            self._defaults = self._all_defaults()
        if isinstance(self._defaults, TargetError):
            raise self._defaults
        return self._defaults.get(forecast, frozenset())

    def _all_defaults(self) -> dict[str, frozenset[str]] | TargetError:
        try:
            return self._registry.defaults()
        except TargetError as error:
            return error

    def _wanted(self, forecast: str, version: Version) -> Wanted:
        folder = f"gs://{self._models.name}/{forecast}/versions/{version.version}"
        return Wanted(
            version.version, folder, self.image(), self._place.key, ("serve", forecast, "--target", self._place.target)
        )

    def image(self) -> str:
        """Return the image that steps and servers run in: the environment's, else the loop's own."""
        return os.environ.get("MLSPEC_IMAGE") or self._loop_image()

    def expect_image(self, image: str | None) -> None:
        """Raise TargetError where the loop's job runs another image than this one, which holds the specs of now."""
        if image and (found := self._loop_image()) != image:
            raise TargetError(
                f"the job {LOOP_JOB} runs {found}, which holds other specs than the image of this build",
                hint=f"apply infra/ with step_image={image}, then the same command again",
            )

    def _loop_image(self) -> str:
        from google.api_core.exceptions import NotFound

        name = f"projects/{self._clients.project}/locations/{self._clients.region}/jobs/{LOOP_JOB}"
        try:
            job = patiently(
                lambda: self._clients.jobs.get_job(name=name, retry=None, timeout=TIMEOUT),
                f"look at the job {LOOP_JOB}",
            )
        except NotFound as error:
            raise TargetError(
                f"there is no job {LOOP_JOB} to tell which image serves",
                hint="apply infra/ with step_image, or set MLSPEC_IMAGE",
            ) from error
        return str(job.template.template.containers[0].image)

    def _endpoint(self, forecast: str) -> Endpoint:
        number = derived_names(forecast)["Vertex AI endpoint"]
        return Endpoint(
            self._clients, f"projects/{self._clients.project}/locations/{self._clients.region}/endpoints/{number}"
        )

    def _machine(self, forecast: str, wanted: Mapping[str, Json]) -> Machine:
        account = derived_names(forecast)["service account of serving"]
        kind, fewest, most = (wanted[key] for key in _MACHINE)
        return Machine(kind, fewest, most, f"{account}@{self._clients.project}.iam.gserviceaccount.com")


def _online(spec: Mapping[str, Json]) -> bool:
    return bool(spec["deployment"]["serve"] != "batch")
