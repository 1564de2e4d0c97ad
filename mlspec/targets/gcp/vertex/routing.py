"""Changes Vertex AI to match the record.

The serving versions are registered, and the version that carries the forecast is the default. If a forecast serves online, its
endpoint gets the record's traffic split.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from mlspec.errors import TargetError, WorkUnderWay
from mlspec.spec.forecast import Forecast, Machine
from mlspec.spec.gcp.location import GcpLocation
from mlspec.spec.gcp.resource_names import derived_names
from mlspec.state.observed import ObservedResource
from mlspec.state.record import FileRef
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs.loop_job import LoopJob
from mlspec.targets.gcp.record.bucket import Bucket
from mlspec.targets.gcp.retry import poll_until
from mlspec.targets.gcp.vertex.artifact import VersionArtifact, data_digest
from mlspec.targets.gcp.vertex.deployments import (
    DeploymentContent,
    Mismatch,
    ServingMachine,
    deployed_contents,
    deployed_version,
    find_leftover,
    find_mismatch,
)
from mlspec.targets.gcp.vertex.endpoint import Endpoint
from mlspec.targets.gcp.vertex.endpoint_directory import EndpointDirectory
from mlspec.targets.gcp.vertex.model_registry import FROM_RECORD, ModelRegistry, ModelUpload, aliased_version
from mlspec.targets.gcp.vertex.operations import LIMIT, FindStarted, is_operation_over


class VertexServing:
    """The models and endpoints of one target's forecasts on Vertex AI. `registers` is as in `ModelRegistry`."""

    def __init__(
        self, clients: Clients, place: GcpLocation, models: Bucket, loop_job: LoopJob, *, registers: bool = True
    ) -> None:
        self._clients, self._place, self._models, self._loop_job = clients, place, models, loop_job
        self._registry = ModelRegistry(clients, registers=registers)
        self._endpoints = EndpointDirectory(clients)
        self._defaults: dict[str, frozenset[str]] | TargetError | None = None
        self._session = False

    def begin_session(self) -> None:
        """From now on read the whole registry, and all endpoints, in one call each and cache the answers, also errors."""
        self._session = True
        self._endpoints.begin_session()

    def end_session(self) -> None:
        """Stop caching."""
        self._session, self._defaults = False, None
        self._endpoints.end_session()

    def route_traffic(
        self, forecast: str, spec: Forecast, traffic: Mapping[str, int], main: str,
        artifacts: Mapping[str, VersionArtifact], write: Callable[[VersionArtifact], None], confirm: Callable[[], None],
        find_started: FindStarted,
    ) -> None:  # fmt: skip
        """Serve the versions of `artifacts` with the shares in `traffic` (percent); `main` carries the forecast. Idempotent.

        `write` writes the files of a version that is not registered yet. Raises WorkUnderWay while Vertex AI registers or deploys a
        version. Until then the default version and the traffic stay.
        """
        confirm()
        models = {
            name: self._registry.register_version(forecast, self._model_upload(artifact, write), find_started)
            for name, artifact in artifacts.items()
        }
        if _serves_online(spec):
            machine = self._serving_machine(forecast, spec.deployment.machine)
            self._open_endpoint(forecast, find_started).route_traffic(traffic, models, machine, confirm)
        elif (endpoint := self._endpoints.find_endpoint(forecast, fresh=True)) is not None:
            Endpoint(self._clients, endpoint.name, find_started).undeploy_all()  # it served online before
        self._registry.promote_version(models[main])

    def undeploy_all(self, forecast: str) -> None:
        """Undeploy all versions, and wait until they are gone: Google deletes no endpoint with a deployment."""
        found = self._endpoints.find_endpoint(forecast, fresh=True)
        if found is not None:
            self._undeploy_and_wait(Endpoint(self._clients, found.name))

    def _undeploy_and_wait(self, endpoint: Endpoint) -> None:
        while True:
            try:
                endpoint.undeploy_all()
            except WorkUnderWay as under_way:
                poll_until(partial(is_operation_over, self._clients.endpoints, under_way.name), bool, LIMIT)
            else:
                return

    def find_endpoint_id(self, forecast: str) -> str | None:
        """Return the id of a forecast's endpoint; None if it has none."""
        found = self._endpoints.find_endpoint(forecast)
        return str(found.name).rpartition("/")[2] if found is not None else None

    def find_mismatch(
        self, forecast: str, deployment: ObservedResource, data: Sequence[Mapping[str, FileRef]], *, fresh: bool
    ) -> Mismatch | None:
        """Return how Vertex AI differs from a recorded deployment, or None.

        `data` has the files of each data that the containers of a private endpoint may bring along, the wanted one first. `fresh`
        says that the endpoint is read now, also inside a session.
        """
        main = str(deployment.facts.get("version"))
        if main not in map(aliased_version, self._default_aliases(forecast)):
            return Mismatch(f"{main} is not the default version in the model registry")
        recorded = deployment.resource.fields
        if recorded.get("deployment.serve") == "batch":
            return None
        machine = self._serving_machine(
            forecast, Machine(**{key: recorded[f"deployment.machine.{key}"] for key in Machine.model_fields})
        )
        endpoint = self._endpoints.find_endpoint(forecast, fresh=fresh)
        traffic = deployment.facts.get("traffic", {})
        if endpoint is None:
            return Mismatch("the endpoint does not exist")
        private = recorded.get("deployment.endpoint.access") == "private"
        digests = [data_digest(files) for files in data] if private else [FROM_RECORD]
        wanted = [{version: DeploymentContent(version, digest) for version in traffic} for digest in digests]
        sentences = [find_mismatch(endpoint, traffic, contents, machine) for contents in wanted]
        if None in sentences:
            return self._find_leftover(endpoint, wanted[sentences.index(None)], machine)
        there = deployed_contents(endpoint, traffic, machine) if private else None
        if there and find_mismatch(endpoint, traffic, there, machine) is None:
            names = " and ".join(traffic)
            return Mismatch(f"{names} answers from other data than that of the newest forecast", only_data=True)
        return Mismatch(sentences[0]) if sentences and sentences[0] else None

    def _find_leftover(
        self, endpoint: Any, served: Mapping[str, DeploymentContent], machine: ServingMachine
    ) -> Mismatch | None:
        """Return what is still deployed beside what serves, or None.

        No pass waits until a version is undeployed. One that nobody undeploys now was forgotten, as by a call that failed.
        """
        leftover = find_leftover(endpoint, served, machine)
        if leftover is None or Endpoint(self._clients, endpoint.name).is_changing():
            return None
        return Mismatch(leftover)

    def prune_registered(self, forecast: str, usable: Collection[str]) -> frozenset[tuple[str, str]]:
        """Delete what is registered with data that nothing needs; return the versions that stay registered, with their data."""
        return self._registry.prune_versions(forecast, usable, self._deployed_data(forecast))

    def find_unneeded(self, forecast: str, usable: Collection[str]) -> tuple[int, int]:
        """Return how many versions that are registered with data of their own stay in a prune, and how many go."""
        stays, goes = self._registry.split_versions(forecast, usable, self._deployed_data(forecast))
        return len(stays), len(goes)

    def _deployed_data(self, forecast: str) -> frozenset[tuple[str, str]]:
        endpoint = self._endpoints.find_endpoint(forecast, fresh=True)
        contents = map(deployed_version, endpoint.deployed_models if endpoint else ())
        return frozenset((content.version, content.data) for content in contents)

    def take_down(self, forecast: str, *, purge: bool) -> None:
        """Undeploy all versions, and wait until they are gone; with `purge`, also remove the registered versions."""
        self.undeploy_all(forecast)
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

    def _model_upload(self, artifact: VersionArtifact, write: Callable[[VersionArtifact], None]) -> ModelUpload:
        return ModelUpload(
            artifact.version,
            self._models.address_of(artifact.folder),
            self.find_image(),
            self._place.key,
            partial(write, artifact),
            ("serve", artifact.forecast, "--target", self._place.target, "--version", artifact.version),
            artifact.data_digest,
        )

    def find_image(self) -> str:
        """Return the image of steps and servers: from MLSPEC_IMAGE, else this process's own, else the loop's job's."""
        return os.environ.get("MLSPEC_IMAGE") or self._loop_job.own_image or self._loop_job.image()

    def _open_endpoint(self, forecast: str, find_started: FindStarted) -> Endpoint:
        """Return the forecast's endpoint. Raises TargetError if there is none."""
        found = self._endpoints.find_endpoint(forecast, fresh=True)
        if found is None:
            raise TargetError(f"{forecast} has no endpoint", hint="run `mlspec apply`: it creates the endpoint")
        return Endpoint(self._clients, found.name, find_started)

    def _serving_machine(self, forecast: str, machine: Machine) -> ServingMachine:
        account = (
            f"{derived_names(forecast)['service account of serving']}@{self._clients.project}.iam.gserviceaccount.com"
        )
        return ServingMachine(machine.type, machine.min_replicas, machine.max_replicas, account)


def _serves_online(spec: Forecast) -> bool:
    return spec.deployment.serve != "batch"
