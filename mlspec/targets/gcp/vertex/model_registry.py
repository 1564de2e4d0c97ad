"""Vertex AI's model registry: each version that serves is a version of the forecast's one model there, found by its alias.

What mlspec registers carries its labels; what does not is never touched. A version is looked for before it is uploaded, so that an
upload whose answer was lost is found by the next attempt, and never made twice
(https://cloud.google.com/vertex-ai/docs/model-registry/versioning).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlspec.errors import Refused
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.retry import TIMEOUT, call_with_retries

DEFAULT = "default"  # Vertex AI's own alias: here, the version that carries the forecast
_PAGE = 100
_LONG = 1800.0  # seconds that Vertex AI has for an operation
OURS = {"managed-by": "mlspec"}


@dataclass(frozen=True, slots=True)
class ModelUpload:
    """A version as it is to be registered: under which name, from which folder of files, served by which image."""

    version: str
    folder: str
    image: str
    kms_key: str | None
    arguments: tuple[str, ...] = ()


class ModelRegistry:
    """The models of one project and region."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._place = f"projects/{clients.project}/locations/{clients.region}"

    def list_default_aliases(self) -> dict[str, frozenset[str]]:
        """Return the aliases of each forecast's default version, the one that carries it: one list call a hundred forecasts."""
        request = {"parent": self._place, "filter": 'labels.managed-by="mlspec"', "page_size": _PAGE}
        models = call_with_retries(
            lambda: list(self._model_service.list_models(request=request, retry=None, timeout=TIMEOUT)),
            "list the models",
        )
        return {model.labels.get("mlspec-forecast", ""): frozenset(model.version_aliases) for model in models}

    def default_aliases(self, forecast: str) -> frozenset[str]:
        """Return the aliases of one forecast's default version; none where there is no such model."""
        from google.api_core.exceptions import NotFound

        try:
            model = call_with_retries(
                lambda: self._model_service.get_model(name=self._model_name(forecast), retry=None, timeout=TIMEOUT),
                "look at the model registry",
            )
        except NotFound:
            return frozenset()
        return frozenset(model.version_aliases)

    def find_version(self, forecast: str, alias: str) -> str | None:
        """Return the full name of a registered version, `…/models/ID@N`; None where there is none."""
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
        return f"{self._model_name(forecast)}@{model.version_id}"

    def register_version(self, forecast: str, upload: ModelUpload) -> str:
        """Upload a version, once, and return its full name. Raises Refused where a model of that name is not mlspec's."""

        def find_or_upload() -> str:
            registered = self.find_version(forecast, upload.version)
            if registered is not None:
                return registered
            uploaded = self._model_service.upload_model(
                request=self._upload_request(forecast, upload), retry=None, timeout=TIMEOUT
            ).result(timeout=_LONG)
            return f"{uploaded.model}@{uploaded.model_version_id}"

        return call_with_retries(find_or_upload, f"register {upload.version}")

    def promote_version(self, forecast: str, version: str) -> None:
        """Let a registered version be the default one."""
        call_with_retries(
            lambda: self._model_service.merge_version_aliases(
                name=f"{self._model_name(forecast)}@{version}", version_aliases=[DEFAULT], retry=None, timeout=TIMEOUT
            ),
            f"let {version} be the default version",
        )

    def remove_model(self, forecast: str) -> None:
        """Remove a forecast's model with all its versions; nothing happens where there is none."""
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

        labels = {**OURS, "mlspec-forecast": forecast, "mlspec-version": upload.version}
        model: dict[str, Any] = {
            "display_name": f"mlspec-{forecast}",
            "version_aliases": [upload.version],
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
        if model.labels.get("managed-by") != "mlspec":
            raise Refused(
                f"the model {model.name} was not made by mlspec, which changes nothing that it did not make",
                hint="rename that model, or the forecast",
            )

    def _model_name(self, forecast: str) -> str:
        return f"{self._place}/models/mlspec-{forecast}"

    @property
    def _model_service(self) -> Any:
        return self._clients.models
