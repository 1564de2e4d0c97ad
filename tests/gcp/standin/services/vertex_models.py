"""Vertex AI's models: versions of one name, aliases that are each on one version.

See https://cloud.google.com/vertex-ai/docs/model-registry/versioning, and the comments of model_service.proto.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from google.cloud.aiplatform_v1.types import DeployedModelRef, UploadModelResponse
from google.protobuf.empty_pb2 import Empty

from tests.gcp.standin import standard
from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import Refused, invalid, not_found, precondition
from tests.gcp.standin.rpcs import Rpc
from tests.gcp.standin.services.vertex_artifacts import copy_artifacts

_ALIAS = re.compile(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]")
_OF_MODEL, _OF_VERSION = {"display_name", "description", "labels"}, {"version_description", "labels"}


@dataclass
class Registered:
    """A name in the registry: its versions by number, and the labels that are of the model and not of one version."""

    versions: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    last: int = 0

    def version(self, word: str) -> Any | None:
        """Return the version of a number or an alias."""
        found = self.versions.get(word)
        return found or next((each for each in self.versions.values() if word in each.version_aliases), None)

    def give(self, version: Any, alias: str) -> None:
        """Put an alias on a version, and take it from the one that had it."""
        for each in self.versions.values():
            if alias in each.version_aliases:
                each.version_aliases.remove(alias)
        version.version_aliases.append(alias)


class Models:
    """The registry of one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.all: dict[str, Registered] = {}

    def find(self, name: str) -> tuple[Registered, Any]:
        """Return a name's entry and the version that it means; without one the default. Raises Refused."""
        base, _, word = name.partition("@")
        registered = self.all.get(base)
        found = registered.version(word or "default") if registered else None
        if registered is None or found is None:
            raise not_found(name)
        return registered, found

    def upload_model(self, rpc: Rpc, request: Any) -> Any:
        """Register a model, or a new version of the one that `parent_model` names."""
        if not request.model.display_name:
            raise invalid("Model.display_name is required.")
        standard.check_labels(request.model)
        for alias in request.model.version_aliases:
            _check_alias(alias)
        base = request.parent_model.partition("@")[0]
        if base:
            self.find(base)
        else:
            base = f"{request.parent}/models/{request.model_id or self._cloud.next_id()}"
            if base in self.all:
                raise Refused("ALREADY_EXISTS", f"Model {base} already exists.")
        return self._cloud.operations.start(base, lambda: self._add(base, request.model), method=rpc.name)

    def _add(self, base: str, given: Any) -> Any:
        registered = self.all.setdefault(base, Registered())
        registered.last += 1
        version = standard.copy(given)
        version.name, version.version_id = base, str(registered.last)
        version.ClearField("version_aliases")
        registered.versions[version.version_id] = version
        copy_artifacts(self._cloud, version)
        first = ["default"] if len(registered.versions) == 1 else []
        for alias in dict.fromkeys([*first, *given.version_aliases]):
            registered.give(version, alias)
        self._cloud.stamp(version, created=True)
        version.version_create_time.CopyFrom(version.create_time)
        version.version_update_time.CopyFrom(version.create_time)
        return UploadModelResponse.pb()(model=base, model_version_id=version.version_id)

    def get_model(self, rpc: Rpc, request: Any) -> Any:
        """Return a version by number, by alias, or the default one."""
        return self._shown(*self.find(request.name))

    def _shown(self, registered: Registered, version: Any) -> Any:
        found = standard.copy(version)
        for key, value in registered.labels.items():
            found.labels.setdefault(key, value)
        for endpoint, deployed in self._deployments(version.name, version.version_id):
            found.deployed_models.append(DeployedModelRef.pb()(endpoint=endpoint.name, deployed_model_id=deployed.id))
        return found

    def _deployments(self, base: str, version: str | None = None) -> list[tuple[Any, Any]]:
        endpoints = [each for each in self._cloud.resources.values() if each.DESCRIPTOR.name == "Endpoint"]
        return [
            (endpoint, deployed)
            for endpoint in endpoints
            for deployed in endpoint.deployed_models
            if deployed.model.partition("@")[0] == base and version in {None, deployed.model_version_id}
        ]

    def list_models(self, rpc: Rpc, request: Any) -> Any:
        """Return the default version of each model."""
        below = f"{request.parent}/models/"
        found = [self._shown(*self.find(name)) for name in sorted(self.all) if name.startswith(below)]
        return standard.page(rpc, request, found)

    def list_model_versions(self, rpc: Rpc, request: Any) -> Any:
        """Return a model's versions, the oldest first."""
        registered, _ = self.find(request.name.partition("@")[0])
        return standard.page(rpc, request, [self._shown(registered, each) for each in registered.versions.values()])

    def update_model(self, rpc: Rpc, request: Any) -> Any:
        """Change what is of the model, or with `@` in the name what is of the version; one call never changes both."""
        base, _, word = request.model.name.partition("@")
        registered, version = self.find(base if word == "-" else request.model.name)
        of_version = word not in {"", "-"}
        paths = list(request.update_mask.paths)
        wrong = set(paths) - (_OF_VERSION if of_version else _OF_MODEL)
        if wrong or not paths:
            raise invalid(f"Unsupported update_mask for {request.model.name}: {sorted(wrong)}")
        standard.check_labels(request.model)
        if "labels" in paths and not of_version:
            registered.labels = dict(request.model.labels)
            paths.remove("labels")
        for each in [version] if of_version else registered.versions.values():
            if paths:
                standard.merge(each, request.model, paths)
            self._cloud.stamp(each)
        return self._shown(registered, version)

    def merge_version_aliases(self, rpc: Rpc, request: Any) -> Any:
        """Put aliases on a version; `-alias` takes one off. The default moves, and is never off."""
        registered, version = self.find(request.name)
        for word in request.version_aliases:
            _check_alias(word.removeprefix("-"))
            if word == "-default":
                raise invalid("The default version alias cannot be removed, only moved to another version.")
        for word in request.version_aliases:
            if not word.startswith("-"):
                registered.give(version, word)
            elif word[1:] in version.version_aliases:
                version.version_aliases.remove(word[1:])
        self._cloud.stamp(version)
        return self._shown(registered, version)

    def delete_model_version(self, rpc: Rpc, request: Any) -> Any:
        """Delete a version that is neither deployed, nor the default, nor the only one."""
        if "@" not in request.name:
            raise invalid("The name must say which version: models/MODEL@VERSION.")
        registered, version = self.find(request.name)
        if len(registered.versions) == 1:
            raise precondition("The only version of a model cannot be deleted: delete the model.")
        if "default" in version.version_aliases:
            raise precondition("The default version cannot be deleted: give the alias to another version first.")
        self._not_deployed(version.name, version.version_id)

        def land() -> Empty:
            registered.versions.pop(version.version_id, None)
            return Empty()

        return self._cloud.operations.start(version.name, land)

    def delete_model(self, rpc: Rpc, request: Any) -> Any:
        """Delete a model with all its versions, where none is deployed."""
        base = request.name.partition("@")[0]
        self.find(base)
        self._not_deployed(base)

        def land() -> Empty:
            self.all.pop(base, None)
            return Empty()

        return self._cloud.operations.start(base, land)

    def _not_deployed(self, base: str, version: str | None = None) -> None:
        where = [endpoint.name for endpoint, _ in self._deployments(base, version)]
        if where:
            raise precondition(f"The model {base} is deployed to {', '.join(where)}: undeploy it first.")


def _check_alias(alias: str) -> None:
    if not _ALIAS.fullmatch(alias):
        raise invalid(f"The version alias {alias!r} must match {_ALIAS.pattern}")
