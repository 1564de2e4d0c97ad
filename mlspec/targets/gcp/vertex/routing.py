"""Changes Vertex AI to match the record.

The serving versions are registered, and the version that carries the forecast is the default. If a forecast serves online, its
endpoint gets the record's traffic split.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from mlspec.errors import TargetError
from mlspec.spec.forecast import Forecast, Machine
from mlspec.spec.gcp.location import GcpLocation
from mlspec.spec.gcp.resource_names import derived_names
from mlspec.state.observed import ObservedResource
from mlspec.state.record import Version
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.record.bucket import Bucket
from mlspec.targets.gcp.retry import TIMEOUT, call_with_retries
from mlspec.targets.gcp.vertex.deployments import ServingMachine
from mlspec.targets.gcp.vertex.endpoint import Endpoint
from mlspec.targets.gcp.vertex.model_registry import ModelRegistry, ModelUpload

LOOP_JOB = "mlspec-reconcile"


class VertexServing:
    """The models and endpoints of one target's forecasts on Vertex AI."""

    def __init__(self, clients: Clients, place: GcpLocation, models: Bucket) -> None:
        self._clients, self._place, self._models = clients, place, models
        self._registry = ModelRegistry(clients)
        self._defaults: dict[str, frozenset[str]] | TargetError | None = None
        self._session = False

    def begin_session(self) -> None:
        """From now on read the whole registry in one call and cache the answer, also an error."""
        self._session = True

    def end_session(self) -> None:
        """Stop caching."""
        self._session, self._defaults = False, None

    def route_traffic(
        self, forecast: str, spec: Forecast, traffic: Mapping[str, int], main: str,
        versions: Mapping[str, Version], confirm: Callable[[], None],
    ) -> None:  # fmt: skip
        """Serve `versions` with the shares in `traffic` (percent); `main` carries the forecast. Idempotent."""
        confirm()
        models = {
            name: self._registry.register_version(forecast, self._model_upload(forecast, version))
            for name, version in versions.items()
        }
        self._registry.promote_version(forecast, main)
        if _serves_online(spec):
            machine = self._serving_machine(forecast, spec.deployment.machine)
            self._open_endpoint(forecast).route_traffic(traffic, models, machine, confirm)
        else:
            self._open_endpoint(
                forecast
            ).undeploy_all()  # it may have served online before: Terraform cannot remove an endpoint with deployments

    def find_mismatch(self, forecast: str, deployment: ObservedResource) -> str | None:
        """Return how Vertex AI differs from a recorded deployment, or None."""
        main = str(deployment.facts.get("version"))
        if main not in self._default_aliases(forecast):
            return f"{main} is not the default version in the model registry"
        recorded = deployment.resource.fields
        if recorded.get("deployment.serve") == "batch":
            return None
        machine = self._serving_machine(
            forecast, Machine(**{key: recorded[f"deployment.machine.{key}"] for key in Machine.model_fields})
        )
        return self._open_endpoint(forecast).find_mismatch(deployment.facts.get("traffic", {}), machine)

    def take_down(self, forecast: str, *, purge: bool) -> None:
        """Undeploy all versions; with `purge`, also remove the registered versions."""
        self._open_endpoint(forecast).undeploy_all()
        if purge:
            self._registry.remove_model(forecast)

    def _default_aliases(self, forecast: str) -> frozenset[str]:
        if not self._session:
            return self._registry.default_aliases(forecast)
        if self._defaults is None:
            self._defaults = self._list_default_aliases()
        if isinstance(self._defaults, TargetError):
            raise self._defaults
        return self._defaults.get(forecast, frozenset())

    def _list_default_aliases(self) -> dict[str, frozenset[str]] | TargetError:
        try:
            return self._registry.list_default_aliases()
        except TargetError as error:
            return error

    def _model_upload(self, forecast: str, version: Version) -> ModelUpload:
        folder = self._models.address_of(f"{forecast}/versions/{version.version}")
        return ModelUpload(
            version.version,
            folder,
            self.find_image(),
            self._place.key,
            ("serve", forecast, "--target", self._place.target),
        )

    def find_image(self) -> str:
        """Return the image of steps and servers: from MLSPEC_IMAGE, else the image of the loop's job."""
        return os.environ.get("MLSPEC_IMAGE") or self._loop_image()

    def expect_image(self, image: str | None) -> None:
        """Raise TargetError if the loop's job does not run `image`, which contains the current specs."""
        if image and (loop_image := self._loop_image()) != image:
            raise TargetError(
                f"the job {LOOP_JOB} runs {loop_image}, not the image of this build, so its specs may differ",
                hint=f"apply infra/ with step_image={image}, then run the same command again",
            )

    def _loop_image(self) -> str:
        from google.api_core.exceptions import NotFound

        name = f"projects/{self._clients.project}/locations/{self._clients.region}/jobs/{LOOP_JOB}"
        try:
            job = call_with_retries(
                lambda: self._clients.jobs.get_job(name=name, retry=None, timeout=TIMEOUT),
                f"look at the job {LOOP_JOB}",
            )
        except NotFound as error:
            raise TargetError(
                f"the job {LOOP_JOB}, whose image serves, does not exist",
                hint="apply infra/ with step_image, or set MLSPEC_IMAGE",
            ) from error
        return str(job.template.template.containers[0].image)

    def _open_endpoint(self, forecast: str) -> Endpoint:
        number = derived_names(forecast)["Vertex AI endpoint"]
        return Endpoint(
            self._clients, f"projects/{self._clients.project}/locations/{self._clients.region}/endpoints/{number}"
        )

    def _serving_machine(self, forecast: str, machine: Machine) -> ServingMachine:
        account = (
            f"{derived_names(forecast)['service account of serving']}@{self._clients.project}.iam.gserviceaccount.com"
        )
        return ServingMachine(machine.type, machine.min_replicas, machine.max_replicas, account)


def _serves_online(spec: Forecast) -> bool:
    return spec.deployment.serve != "batch"
