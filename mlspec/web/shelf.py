"""What the server answers from: for each forecast, the traffic of now and what each version that has a share of it predicts.

Taken from the target's record, and taken anew when that moves: a rollout's step, a rollback or new data is answered by without a
restart. Each forecast is replaced whole, so a request sees one split and the predictions that belong to it.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from mlspec.errors import MlspecError, StateError
from mlspec.plan.serving import shape, traffic
from mlspec.state.observed import Observed
from mlspec.state.predicted import Predictions
from mlspec.state.record import FileRef, Release, Version
from mlspec.state.resource import Json
from mlspec.state.step import StepRequest
from mlspec.targets.base import Target

logger = logging.getLogger(__name__)
Predict = Callable[[StepRequest], Predictions]
_LOADING = "it is being loaded"


@dataclass(frozen=True, slots=True)
class Made:
    """What a version predicts, or why it cannot; `basis` is what that follows from."""

    basis: tuple[Json, ...]
    found: Predictions | str


@dataclass(frozen=True, slots=True)
class Answers:
    """All that requests about one forecast are answered from. `traffic` are the versions with a share, in percent."""

    release: Release
    traffic: Mapping[str, int]
    made: Mapping[str, Made]

    @property
    def whole(self) -> bool:
        """Whether every version with a share can answer."""
        return all(isinstance(each.found, Predictions) for each in self.made.values())

    @property
    def any(self) -> Predictions | None:
        """What some version predicts: all of them predict the same series."""
        return next((each.found for each in self.made.values() if isinstance(each.found, Predictions)), None)


class Shelf:
    """The answers by forecast. One thread refreshes it, any number read.

    `names` are the forecasts to serve; none means all that the target has. `say` takes a sentence for whoever runs the server.
    """

    def __init__(self, target: Target, names: Sequence[str], predict: Predict, say: Callable[[str], None]) -> None:
        self._target, self._names, self._predict, self._say = target, tuple(names), predict, say
        self._serial: int | None = None
        self._kept: dict[str, Answers | str] = dict.fromkeys(self._names, _LOADING)

    def of(self, name: str) -> Answers | str | None:
        """Return a forecast's answers, why there are none, or None where it is not served."""
        return self._kept.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The forecasts that are served."""
        return tuple(self._kept)

    @property
    def looked(self) -> bool:
        """Whether the target was looked at, and all that it holds for these forecasts was loaded, or found not to be there."""
        return self._serial is not None

    @property
    def why_not_ready(self) -> dict[str, str]:
        """Why a forecast has nothing to answer with, by its name; empty where all have."""
        return {name: _why(found) for name, found in self._kept.items() if isinstance(found, str) or not found.any}

    def refresh(self) -> None:
        """Look at the target, if anything was written since. Raises what the target raises; then it is looked at again."""
        serial = self._target.serial
        if serial == self._serial:
            return
        names = self._names or self._target.names()
        self._kept = {name: self._kept.get(name, _LOADING) for name in names}
        for name in names:
            self._kept = {**self._kept, name: self._look(name)}
        self._serial = serial

    def _look(self, name: str) -> Answers | str:
        observed = self._target.observe(name)
        number = observed.fact("deployment", "release")
        if number is None or "data" not in observed.seen:
            return "nothing serves yet: run `mlspec apply`"
        release = next((each for each in self._target.releases(name) if each.release == number), None)
        if release is None:
            return f"the state names release {number} and holds no record of it: restore it from a backup"
        shares = {version: share for version, share in traffic(observed).items() if share}
        versions = {each.version: each for each in self._target.versions(name)}
        before = self._kept.get(name)
        old = before.made if isinstance(before, Answers) else {}
        made = {each: self._made(observed, release, each, versions.get(each), old.get(each)) for each in shares}
        return Answers(release, shares, made)

    def _made(
        self, observed: Observed, release: Release, name: str, version: Version | None, before: Made | None
    ) -> Made:
        """Return what a version predicts: as it was, where nothing changed; what it was before, where it fails on new data."""
        try:
            files = _files(observed, name, version)
            basis = (shape(release.spec), sorted((role, ref.sha256) for role, ref in files.items()))
            if before and before.basis == basis:
                return before
            return Made(basis, self._predicted(release, files))
        except MlspecError as error:
            logger.debug("%s cannot predict", name, exc_info=error, extra={"forecast": release.forecast})
            kept = before and isinstance(before.found, Predictions)
            then = "; it keeps answering from the data before" if kept else ""
            self._say(f"{release.forecast}: {name} cannot predict: {error.message}{then}")
            return Made((), before.found if before and kept else error.message)
        except Exception as error:  # a version that breaks is what a canary is for: its requests fail, no others
            logger.debug("%s cannot predict", name, exc_info=error, extra={"forecast": release.forecast})
            self._say(f"{release.forecast}: {name} cannot predict: {type(error).__name__}: {error}")
            return Made((), f"it broke with {type(error).__name__}")

    def _predicted(self, release: Release, files: Mapping[str, FileRef]) -> Predictions:
        inputs = {role: self._target.path(release.forecast, ref) for role, ref in files.items()}
        with tempfile.TemporaryDirectory(prefix="mlspec-") as folder:
            return self._predict(StepRequest("forecast", release.spec, Path(folder), Path(folder), inputs))


def _files(observed: Observed, name: str, version: Version | None) -> dict[str, FileRef]:
    if version is None:
        raise StateError(f"the state holds no record of {name}", hint="restore the state file from a backup")
    data = observed.seen["data"].files
    return {role: data[role] for role in ("panel", "series", "future") if role in data} | {
        role: version.files[role] for role in ("model", "backtest")
    }


def _why(found: Answers | str) -> str:
    if isinstance(found, str):
        return found
    return "; ".join(f"{name}: {cast('str', each.found)}" for name, each in found.made.items())
