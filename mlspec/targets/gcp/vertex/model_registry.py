"""Vertex AI's model registry: a forecast is one model there, and each serving version is a version of it, found by its alias.

mlspec labels its models and never changes a model without its labels. Before an upload, the version is searched. So a version whose
upload's answer was lost is not uploaded twice
(https://cloud.google.com/vertex-ai/docs/model-registry/versioning).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlspec.errors import Refused
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.retry import TIMEOUT, call_with_retries

DEFAULT = "default"  # Vertex AI's alias of the default version, which carries the forecast
_PAGE = 100
_LONG = 1800.0  # seconds to wait for an operation of Vertex AI
OURS = {"managed-by": "mlspec"}


@dataclass(frozen=True, slots=True)
class ModelUpload:
    """A version to register: its name, the folder of its files and the image that serves it."""

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
        """Return the aliases of each forecast's default version. Makes one list call per hundred forecasts."""
        request = {"parent": self._place, "filter": 'labels.managed-by="mlspec"', "page_size": _PAGE}
        models = call_with_retries(
            lambda: list(self._model_service.list_models(request=request, retry=None, timeout=TIMEOUT)),
            "list the models",
        )
        return {model.labels.get("mlspec-forecast", ""): frozenset(model.version_aliases) for model in models}

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

    def find_version(self, forecast: str, alias: str) -> str | None:
        """Return the full name of a registered version, `…/models/ID@N`; None if there is none."""
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
        """Upload a version unless it is registered, and return its full name. Raises Refused if the model is not mlspec's."""

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
        """Make a registered version the default version."""
        call_with_retries(
            lambda: self._model_service.merge_version_aliases(
                name=f"{self._model_name(forecast)}@{version}", version_aliases=[DEFAULT], retry=None, timeout=TIMEOUT
            ),
            f"make {version} the default version",
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
                f"the model {model.name} was not made by mlspec, so mlspec does not change it",
                hint="rename that model, or the forecast",
            )

    def _model_name(self, forecast: str) -> str:
        return f"{self._place}/models/mlspec-{forecast}"

    @property
    def _model_service(self) -> Any:
        return self._clients.models
