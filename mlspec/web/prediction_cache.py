"""The server's cache: for each forecast, the current traffic split and the predictions of each version with a share.

It is loaded from the target's record, and reloaded when the record changes. So the server follows a rollout, a rollback or new data
without a restart. A forecast's entry is replaced as a whole, so a request never mixes two traffic splits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from mlspec.errors import LostProcess, MlspecError, StateError, StateUnreachable
from mlspec.plan.ready import DESTROYED
from mlspec.plan.releases import release_spec
from mlspec.plan.serving import observed_traffic, spec_shape
from mlspec.spec.forecast import Forecast
from mlspec.state.observed import Observed
from mlspec.state.predicted import Predictions
from mlspec.state.record import FileRef, Release, Version
from mlspec.state.resource import Json
from mlspec.state.step import StepRequest, panel_parts
from mlspec.targets.base import ServedRecord
from mlspec.temporary_folder import temporary_folder

logger = logging.getLogger(__name__)
Predict = Callable[[StepRequest], Predictions]
_LOADING = "it is being loaded"
_UNSERVED = "no version serves yet: run `mlspec apply`"
MOST_CALLS = 60  # between two tries of a prediction whose process was lost; the server refreshes once a second


@dataclass(frozen=True, slots=True)
class VersionPredictions:
    """A version's predictions, or the reason why it has none. `basis` holds the inputs that they depend on.

    `is_lost`: the process that computed newer ones ended, so another try may succeed.
    """

    basis: tuple[Json, ...]
    predictions: Predictions | str
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class CachedForecast:
    """The data to answer requests for one forecast.

    `spec` is the release's; `traffic` has the share in percent of each version that has one.
    """

    release: Release
    spec: Forecast
    traffic: Mapping[str, int]
    versions: Mapping[str, VersionPredictions]

    @property
    def any_predictions(self) -> Predictions | None:
        """The predictions of any version; all versions predict the same series. None if no version has any."""
        return next(
            (version.predictions for version in self.versions.values() if isinstance(version.predictions, Predictions)),
            None,
        )


class PredictionCache:
    """The cached forecasts by name. One thread refreshes the cache; any number of threads read it.

    `names` are the forecasts to serve; empty means all of the target. `say` prints a sentence for the server's operator.
    """

    def __init__(
        self, target: ServedRecord, names: Sequence[str], predict: Predict, say: Callable[[str], None]
    ) -> None:
        self._target, self._names, self._predict, self._say = target, tuple(names), predict, say
        self._serial: int | None = None
        self._forecasts: dict[str, CachedForecast | str] = dict.fromkeys(self._names, _LOADING)
        self._given_up: dict[str, int] = {}
        self._tries, self._calls = 0, 0  # in a row: tries after a loss, and calls of `refresh` since the last of them

    def find_forecast(self, name: str) -> CachedForecast | str | None:
        """Return a cached forecast, the reason why there is none, or None if it is not served."""
        return self._forecasts.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the served forecasts."""
        return tuple(self._forecasts)

    @property
    def given_up_notices(self) -> Mapping[str, int]:
        """The number of notices of each forecast that were given up."""
        return self._given_up

    @property
    def is_loaded(self) -> bool:
        """Whether the target was read once, so that every recorded version of these forecasts was loaded."""
        return self._serial is not None

    @property
    def why_not_ready(self) -> dict[str, str]:
        """The reason why a forecast has no predictions, by name; empty if all forecasts have some."""
        return {
            name: _describe_failure(cached)
            for name, cached in self._forecasts.items()
            if isinstance(cached, str) or not cached.any_predictions
        }

    @property
    def is_ready(self) -> bool:
        """Whether requests may come: every forecast that was named has predictions; without names every one that serves.

        A forecast that is new, kept out by its gate, or destroyed takes no other one from who asks.
        """
        absent = (_UNSERVED, DESTROYED, *([_LOADING] if self.is_loaded else []))
        expected = self._names or [name for name, cached in self._forecasts.items() if cached not in absent]
        return bool(expected) and self.why_not_ready.keys().isdisjoint(expected)

    def refresh(self) -> None:
        """Reload the forecasts if the target's serial has changed. Raises the target's errors; the next call tries again.

        A prediction whose process was lost is tried again too, after 1, 2, 4 and at most MOST_CALLS calls.
        """
        serial = self._target.serial
        if serial == self._serial and not self._is_try_due():
            return
        names = self._names or self._target.forecast_names()
        self._forecasts = {name: self._forecasts.get(name, _LOADING) for name in names}
        self._given_up = {name: self._given_up.get(name, 0) for name in names}
        for name in names:
            self._forecasts = {**self._forecasts, name: self._load_or_keep(name)}
        self._serial = serial

    def _is_try_due(self) -> bool:
        cached = [forecast for forecast in self._forecasts.values() if isinstance(forecast, CachedForecast)]
        if not any(version.is_lost for forecast in cached for version in forecast.versions.values()):
            self._tries = self._calls = 0
            return False
        self._calls += 1
        if self._calls < min(2**self._tries, MOST_CALLS):
            return False
        self._tries, self._calls = self._tries + 1, 0
        return True

    def _count_given_up(self, name: str) -> int:
        return sum(pending.is_given_up for pending in self._target.load_undelivered_notices(name))

    def _load_or_keep(self, name: str) -> CachedForecast | str:
        """Load a forecast. If its record cannot be read, keep what is served, or say why nothing is: the others are loaded."""
        try:
            self._given_up[name] = self._count_given_up(name)
            return self._load_forecast(name)
        except StateUnreachable:
            raise  # the next call tries again
        except StateError as error:
            logger.debug("the record of %s cannot be read", name, exc_info=error)
            self._say(f"{name}: {error.message}")
            cached = self._forecasts[name]
            return cached if isinstance(cached, CachedForecast) else error.message

    def _load_forecast(self, name: str) -> CachedForecast | str:
        observed = self._target.observe_forecast(name)
        number = observed.find_fact("deployment", "release")
        releases = self._target.load_releases(name)
        if number is None or "data" not in observed.resources:
            return DESTROYED if releases and not observed.resources else _UNSERVED
        release = next((item for item in releases if item.release == number), None)
        if release is None:
            return f"release {number} serves but is missing from the state: restore the state from a backup"
        try:
            spec = release_spec(release)
        except StateError as error:
            return error.message
        shares = {version: share for version, share in observed_traffic(observed).items() if share}
        versions = {item.version: item for item in self._target.load_versions(name)}
        previous_forecast = self._forecasts.get(name)
        previous_versions = previous_forecast.versions if isinstance(previous_forecast, CachedForecast) else {}
        predictions = {
            item: self._predict_version(observed, release, item, versions.get(item), previous_versions.get(item))
            for item in shares
        }
        return CachedForecast(release, spec, shares, predictions)

    def _predict_version(
        self,
        observed: Observed,
        release: Release,
        name: str,
        version: Version | None,
        previous: VersionPredictions | None,
    ) -> VersionPredictions:
        """Return a version's predictions. Reuse the previous ones if the inputs are equal, or if the version fails on new data."""
        try:
            files = _input_files(observed, name, version)
            basis = (
                spec_shape(release_spec(release)),
                sorted((role, ref.sha256) for role, ref in files.items()),
            )
            if previous and previous.basis == basis:
                return previous
            return VersionPredictions(basis, self._run_prediction(release, files))
        except MlspecError as error:
            logger.debug("%s cannot predict", name, exc_info=error, extra={"forecast": release.forecast})
            keeps_previous = previous and isinstance(previous.predictions, Predictions)
            then = "; the server keeps its predictions from the earlier data" if keeps_previous else ""
            self._say(f"{release.forecast}: {name} cannot predict: {error.message}{then}")
            predictions = previous.predictions if previous and keeps_previous else error.message
            return VersionPredictions((), predictions, is_lost=isinstance(error, LostProcess))
        except Exception as error:  # only the requests of this version fail; a canary exists to detect this
            logger.debug("%s cannot predict", name, exc_info=error, extra={"forecast": release.forecast})
            self._say(f"{release.forecast}: {name} cannot predict: {type(error).__name__}: {error}")
            return VersionPredictions((), f"its prediction raised {type(error).__name__}")

    def _run_prediction(self, release: Release, files: Mapping[str, FileRef]) -> Predictions:
        inputs = {role: self._target.fetch_file(release.forecast, ref) for role, ref in files.items()}
        with temporary_folder() as folder:
            request = StepRequest("forecast", release.spec, folder, folder, inputs)
            try:
                return self._predict(request)
            except LostProcess as error:  # once more at once: until then the release before goes on answering
                logger.debug("a prediction was lost, and is computed again", exc_info=error)
                return self._predict(request)


def _input_files(observed: Observed, name: str, version: Version | None) -> dict[str, FileRef]:
    if version is None:
        raise StateError(f"the version {name} is missing from the state", hint="restore the state from a backup")
    data = observed.resources["data"].files
    checked = {**panel_parts(data), **{role: data[role] for role in ("series", "future") if role in data}}
    return checked | {role: version.files[role] for role in ("model", "backtest")}


def _describe_failure(cached: CachedForecast | str) -> str:
    if isinstance(cached, str):
        return cached
    return "; ".join(f"{name}: {cast('str', version.predictions)}" for name, version in cached.versions.items())
