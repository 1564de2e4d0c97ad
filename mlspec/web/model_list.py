"""What is served: the list of forecasts, and one of them in detail.

The first two fields, and the list, are those of KServe's V1 protocol (github.com/kserve/kserve,
python/kserve/kserve/protocol/rest/v1_endpoints.py: `models` and `model_ready`); there, a model that is not ready is an error 503.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from mlspec.web.kserve import frequency_words
from mlspec.web.prediction_cache import CachedForecast
from mlspec.web.problem import ClientError


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelList(_Answer):
    """The names of the served forecasts."""

    models: list[str]


class ModelDescription(_Answer):
    """A forecast that answers, and what a request for it may name."""

    name: str
    ready: bool
    release: int
    traffic: dict[str, int] = Field(description="The share of each version, in percent of the series.")
    cutoff: str = Field(description="The last period of the history that the newest forecast is made from.")
    time: str = Field(description="The column that names a period in a prediction.")
    series: list[str] = Field(description="The columns that name a series in an instance.")
    series_count: int
    frequency: str = Field(description="The spec's frequency, as a pandas offset alias.")
    kserve_frequency: list[str] = Field(description="The same in KServe's words; empty if it has none.")
    horizon: int = Field(description="The most periods that can be asked for.")
    quantiles: list[float]


def describe_model(name: str, cached: CachedForecast | str) -> ModelDescription:
    """Return the description of a forecast. Raises ClientError with status 503 if it cannot answer."""
    predictions = None if isinstance(cached, str) else cached.any_predictions
    if isinstance(cached, str) or predictions is None:
        why = cached if isinstance(cached, str) else "none of its versions can predict; see the server log"
        raise ClientError(f"{name} is not ready: {why}", 503)
    spec = cached.spec
    return ModelDescription(
        name=name, ready=True, release=cached.release.release, traffic=dict(cached.traffic), cutoff=predictions.cutoff,
        time=spec.dataset.time, series=list(spec.dataset.series), series_count=len(predictions.positions),
        frequency=spec.dataset.frequency, kserve_frequency=list(frequency_words(spec)), horizon=spec.model.horizon,
        quantiles=list(spec.model.quantiles),
    )  # fmt: skip
