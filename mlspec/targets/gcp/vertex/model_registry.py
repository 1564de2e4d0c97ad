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
from mlspec.targets.gcp.retry import TIMEOUT, patiently

DEFAULT = "default"  # Vertex AI's own alias: here, the version that carries the forecast
_PAGE = 100
_LONG = 1800.0  # seconds that Vertex AI has for an operation
OURS = {"managed-by": "mlspec"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A version as it is to be registered: under which name, from which folder of files, served by which image."""

    version: str
    folder: str
    image: str
    kms_key: str | None
    arguments: tuple[str, ...] = ()


class Registry:
    """The models of one project and region."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._place = f"projects/{clients.project}/locations/{clients.region}"

    def defaults(self) -> dict[str, frozenset[str]]:
        """Return the aliases of each forecast's default version, the one that carries it: one list call a hundred forecasts."""
        asked = {"parent": self._place, "filter": 'labels.managed-by="mlspec"', "page_size": _PAGE}
        found = patiently(
            lambda: list(self._models.list_models(request=asked, retry=None, timeout=TIMEOUT)), "list the models"
        )
        return {each.labels.get("mlspec-forecast", ""): frozenset(each.version_aliases) for each in found}

    def defaults_of(self, forecast: str) -> frozenset[str]:
        """Return the aliases of one forecast's default version; none where there is no such model."""
        from google.api_core.exceptions import NotFound

        try:
            found = patiently(
                lambda: self._models.get_model(name=self._model(forecast), retry=None, timeout=TIMEOUT),
                "look at the model registry",
            )
        except NotFound:
            return frozenset()
        return frozenset(found.version_aliases)

    def version(self, forecast: str, alias: str) -> str | None:
        """Return the full name of a registered version, `…/models/ID@N`; None where there is none."""
        from google.api_core.exceptions import NotFound

        try:
            found = patiently(
                lambda: self._models.get_model(name=f"{self._model(forecast)}@{alias}", retry=None, timeout=TIMEOUT),
                f"look for {alias} in the model registry",
            )
        except NotFound:
            return None
        self._refuse_strange(found)
        return f"{self._model(forecast)}@{found.version_id}"

    def register(self, forecast: str, wanted: Wanted) -> str:
        """Upload a version, once, and return its full name. Raises Refused where a model of that name is not mlspec's."""

        def once() -> str:
            found = self.version(forecast, wanted.version)
            if found is not None:
                return found
            done = self._models.upload_model(
                request=self._upload(forecast, wanted), retry=None, timeout=TIMEOUT
            ).result(timeout=_LONG)
            return f"{done.model}@{done.model_version_id}"

        return patiently(once, f"register {wanted.version}")

    def promote(self, forecast: str, version: str) -> None:
        """Let a registered version be the default one."""
        patiently(
            lambda: self._models.merge_version_aliases(
                name=f"{self._model(forecast)}@{version}", version_aliases=[DEFAULT], retry=None, timeout=TIMEOUT
            ),
            f"let {version} be the default version",
        )

    def remove(self, forecast: str) -> None:
        """Remove a forecast's model with all its versions; nothing happens where there is none."""
        from google.api_core.exceptions import NotFound

        def once() -> None:
            try:
                self._refuse_strange(self._models.get_model(name=self._model(forecast), retry=None, timeout=TIMEOUT))
                self._models.delete_model(name=self._model(forecast), retry=None, timeout=TIMEOUT).result(timeout=_LONG)
            except NotFound:
                return

        patiently(once, f"remove the model of {forecast}")

    def _upload(self, forecast: str, wanted: Wanted) -> Mapping[str, Any]:
        from google.api_core.exceptions import NotFound

        labels = {**OURS, "mlspec-forecast": forecast, "mlspec-version": wanted.version}
        model: dict[str, Any] = {
            "display_name": f"mlspec-{forecast}",
            "version_aliases": [wanted.version],
            "labels": labels,
            "artifact_uri": wanted.folder,
            "container_spec": {
                "image_uri": wanted.image,
                "args": list(wanted.arguments),
                "ports": [{"container_port": 8080}],
                "predict_route": "/predict",
                "health_route": "/healthz",
            },
        }
        if wanted.kms_key:
            model["encryption_spec"] = {"kms_key_name": wanted.kms_key}
        request: dict[str, Any] = {"parent": self._place, "model": model}
        try:
            self._refuse_strange(self._models.get_model(name=self._model(forecast), retry=None, timeout=TIMEOUT))
        except NotFound:
            return {**request, "model_id": self._model(forecast).rpartition("/")[2]}
        return {**request, "parent_model": self._model(forecast)}

    def _refuse_strange(self, found: Any) -> None:
        if found.labels.get("managed-by") != "mlspec":
            raise Refused(
                f"the model {found.name} was not made by mlspec, which changes nothing that it did not make",
                hint="rename that model, or the forecast",
            )

    def _model(self, forecast: str) -> str:
        return f"{self._place}/models/mlspec-{forecast}"

    @property
    def _models(self) -> Any:
        return self._clients.models
