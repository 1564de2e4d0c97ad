"""Vertex AI's model registry: a forecast is one model there, and each serving version is a version of it, found by its alias. Its
container is started with the version's name, and so answers with that version alone.

mlspec labels its models and never changes a model without its labels. Before an upload, the version is searched. So a version whose
upload's answer was lost is not uploaded twice
(https://cloud.google.com/vertex-ai/docs/model-registry/versioning).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mlspec.errors import Refused, TargetError
from mlspec.spec.gcp.labels import FORECAST_LABEL, MANAGED_BY, MANAGED_FILTER
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.retry import TIMEOUT, call_with_retries
from mlspec.targets.gcp.vertex.operations import FindStarted, Operations, nothing_started

DEFAULT = "default"  # Vertex AI's alias of the default version, which carries the forecast
_PAGE = 100
_LONG = 1800.0  # seconds to wait for an operation of Vertex AI
VERSION_LABEL = "mlspec-version"
DATA_LABEL = "mlspec-data"  # what a registered version predicts from
FROM_RECORD = "record"  # the newest data, which its container reads from the record


@dataclass(frozen=True, slots=True)
class ModelUpload:
    """A version to register: its name, the folder of its files and the image that serves it.

    `write_files` writes the files, and is called only if the version is not registered. `data` is the digest of the data among
    them, or FROM_RECORD.
    """

    version: str
    folder: str
    image: str
    kms_key: str | None
    write_files: Callable[[], None]
    arguments: tuple[str, ...] = ()
    data: str = FROM_RECORD

    @property
    def alias(self) -> str:
        """The alias under which it is registered."""
        return version_alias(self.version, self.data)


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A registered version: its full name, `…/models/ID@N`, and what it predicts from, as in `ModelUpload.data`."""

    name: str
    data: str


def version_alias(version: str, data: str = FROM_RECORD) -> str:
    """Return a version's alias. With each data of its own it is registered anew, under an alias that it never had."""
    return version if data == FROM_RECORD else f"{version}-{data}"


def aliased_version(alias: str) -> str:
    """Return the version that an alias names."""
    return alias.partition("-")[0]


class ModelRegistry:
    """The models of one project and region. `registers` says whether this process may register a version."""

    def __init__(self, clients: Clients, *, registers: bool = True) -> None:
        self._clients, self._registers = clients, registers
        self._place = f"projects/{clients.project}/locations/{clients.region}"

    def list_default_aliases(self) -> dict[str, frozenset[str]]:
        """Return the aliases of each forecast's default version. Makes one list call per hundred forecasts."""
        request = {"parent": self._place, "filter": MANAGED_FILTER, "page_size": _PAGE}
        models = call_with_retries(
            lambda: list(self._model_service.list_models(request=request, retry=None, timeout=TIMEOUT)),
            "list the models",
        )
        return {model.labels.get(FORECAST_LABEL, ""): frozenset(model.version_aliases) for model in models}

    def default_aliases(self, forecast: str) -> frozenset[str]:
        """Return the aliases of one forecast's default version; empty if the model does not exist."""
        from google.api_core.exceptions import NotFound

        try:
            model = call_with_retries(
                lambda: self._model_service.get_model(name=self._model_name(forecast), retry=None, timeout=TIMEOUT),
                "look at the model registry",
            )
        except NotFound:
            return frozenset()
        return frozenset(model.version_aliases)

    def find_version(self, forecast: str, alias: str) -> RegisteredVersion | None:
        """Return what is registered under an alias; None if nothing is."""
        from google.api_core.exceptions import NotFound

        try:
            model = call_with_retries(
                lambda: self._model_service.get_model(
                    name=f"{self._model_name(forecast)}@{alias}", retry=None, timeout=TIMEOUT
                ),
                f"look for {alias} in the model registry",
            )
        except NotFound:
            return None
        self._refuse_foreign(model)
        return self._to_registered(forecast, model)

    def _to_registered(self, forecast: str, model: Any) -> RegisteredVersion:
        return RegisteredVersion(f"{self._model_name(forecast)}@{model.version_id}", model.labels.get(DATA_LABEL, ""))

    def _find_latest(self, forecast: str, version: str) -> RegisteredVersion | None:
        """Return a version as it was registered last with data of its own; None if it never was."""
        of_version = [model for model in self._list_with_data(forecast) if model.labels[VERSION_LABEL] == version]
        return self._to_registered(forecast, of_version[-1]) if of_version else None

    def _list_with_data(self, forecast: str) -> list[Any]:
        """Return what is registered with data of its own, the oldest first."""
        from google.api_core.exceptions import NotFound

        request = {"name": self._model_name(forecast), "page_size": _PAGE}
        try:
            models = list(self._model_service.list_model_versions(request=request, retry=None, timeout=TIMEOUT))
        except NotFound:  # of this forecast no version was ever registered
            return []
        ours = [
            model
            for model in models
            if MANAGED_BY.items() <= dict(model.labels).items() and VERSION_LABEL in model.labels
        ]
        with_data = [model for model in ours if model.labels.get(DATA_LABEL, FROM_RECORD) != FROM_RECORD]
        return sorted(with_data, key=lambda model: int(model.version_id))

    def prune_versions(
        self, forecast: str, usable: Collection[str], deployed: Collection[tuple[str, str]]
    ) -> frozenset[tuple[str, str]]:
        """Delete what is registered with data of its own and needed by nothing; return the versions that stay, with their data.

        What is `deployed` stays, and of each usable version what was registered last: traffic may move back to it.
        """
        stays, goes = self.split_versions(forecast, usable, deployed)
        for model in goes:
            self._delete_version(self._to_registered(forecast, model))
        return frozenset((model.labels[VERSION_LABEL], model.labels[DATA_LABEL]) for model in stays)

    def split_versions(
        self, forecast: str, usable: Collection[str], deployed: Collection[tuple[str, str]]
    ) -> tuple[list[Any], list[Any]]:
        """Return what is registered with data of its own: what stays in a prune, and what goes."""
        models = call_with_retries(lambda: self._list_with_data(forecast), f"list the versions of {forecast}")
        newest = {model.labels[VERSION_LABEL]: model.version_id for model in models}

        def is_needed(model: Any) -> bool:
            version, data = model.labels[VERSION_LABEL], model.labels[DATA_LABEL]
            is_newest = version in usable and newest[version] == model.version_id
            # Google refuses to delete the default version, as long as it is that.
            return is_newest or (version, data) in deployed or DEFAULT in model.version_aliases

        return [model for model in models if is_needed(model)], [model for model in models if not is_needed(model)]

    def _delete_version(self, registered: RegisteredVersion) -> None:
        from google.api_core.exceptions import NotFound

        def delete_if_there() -> None:
            with suppress(NotFound):
                # Nothing waits for its end: a later prune finds what is still there.
                self._model_service.delete_model_version(name=registered.name, retry=None, timeout=TIMEOUT)

        call_with_retries(delete_if_there, f"delete {registered.name.rpartition('/')[2]}")

    def register_version(
        self, forecast: str, upload: ModelUpload, find_started: FindStarted = nothing_started
    ) -> RegisteredVersion:
        """Upload a version unless it is registered with the same data, and return it.

        Where this process registers nothing, return the version with the data that it was registered with last. Raises
        WorkUnderWay while the version is uploaded, and Refused if the model is not mlspec's.
        """
        what = f"register {upload.version}"

        def find_or_upload() -> RegisteredVersion:
            registered = self.find_version(forecast, upload.alias)
            if registered is not None and registered.data == upload.data:
                return registered
            if self._registers:
                return self._upload_version(forecast, upload, find_started)
            older = None if upload.data == FROM_RECORD else self._find_latest(forecast, upload.version)
            if older is None:
                raise TargetError(
                    f"cannot {what}: it is not registered, and this process registers nothing",
                    hint="the next pass of the loop registers it",
                )
            return older

        return call_with_retries(find_or_upload, what)

    def _upload_version(self, forecast: str, upload: ModelUpload, find_started: FindStarted) -> RegisteredVersion:
        """Upload a version. Raises WorkUnderWay until it is registered."""
        what = f"register {upload.version}"
        operations = Operations(self._model_service, self._model_name(forecast), "upload", find_started)
        upload.write_files()
        request = self._upload_request(forecast, upload)
        operations.start_or_raise(
            f"register {upload.alias}",
            what,
            lambda: self._model_service.upload_model(request=request, retry=None, timeout=TIMEOUT).operation,
        )
        registered = self.find_version(forecast, upload.alias)
        if registered is None:
            raise TargetError(
                f"cannot {what}: it was uploaded, and is not in the registry",
                hint="it was removed meanwhile: run the same command again",
            )
        return registered

    def promote_version(self, registered: RegisteredVersion) -> None:
        """Make a registered version the default version."""
        call_with_retries(
            lambda: self._model_service.merge_version_aliases(
                name=registered.name, version_aliases=[DEFAULT], retry=None, timeout=TIMEOUT
            ),
            f"make {registered.name.rpartition('/')[2]} the default version",
        )

    def remove_model(self, forecast: str) -> None:
        """Remove a forecast's model with all its versions, if it exists."""
        from google.api_core.exceptions import NotFound

        def delete_if_there() -> None:
            try:
                self._refuse_foreign(
                    self._model_service.get_model(name=self._model_name(forecast), retry=None, timeout=TIMEOUT)
                )
                self._model_service.delete_model(name=self._model_name(forecast), retry=None, timeout=TIMEOUT).result(
                    timeout=_LONG
                )
            except NotFound:
                return

        call_with_retries(delete_if_there, f"remove the model of {forecast}")

    def _upload_request(self, forecast: str, upload: ModelUpload) -> Mapping[str, Any]:
        from google.api_core.exceptions import NotFound

        labels = {**MANAGED_BY, FORECAST_LABEL: forecast, VERSION_LABEL: upload.version, DATA_LABEL: upload.data}
        model: dict[str, Any] = {
            "display_name": f"mlspec-{forecast}",
            "version_aliases": [upload.alias],
            "labels": labels,
            "artifact_uri": upload.folder,
            "container_spec": {
                "image_uri": upload.image,
                "args": list(upload.arguments),
                "ports": [{"container_port": 8080}],
                "predict_route": "/predict",
                "health_route": "/healthz",
            },
        }
        if upload.kms_key:
            model["encryption_spec"] = {"kms_key_name": upload.kms_key}
        request: dict[str, Any] = {"parent": self._place, "model": model}
        try:
            self._refuse_foreign(
                self._model_service.get_model(name=self._model_name(forecast), retry=None, timeout=TIMEOUT)
            )
        except NotFound:
            return {**request, "model_id": self._model_name(forecast).rpartition("/")[2]}
        return {**request, "parent_model": self._model_name(forecast)}

    def _refuse_foreign(self, model: Any) -> None:
        if not MANAGED_BY.items() <= dict(model.labels).items():
            raise Refused(
                f"the model {model.name} was not made by mlspec, so mlspec does not change it",
                hint="rename that model, or the forecast",
            )

    def _model_name(self, forecast: str) -> str:
        return f"{self._place}/models/mlspec-{forecast}"

    @property
    def _model_service(self) -> Any:
        return self._clients.models
