"""What is recorded of a forecast that serves, for commands that compute from it and record nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlspec.engine.effects import checked_files
from mlspec.errors import StateError
from mlspec.plan.select import recorded_name
from mlspec.plan.serving import keys_checked_otherwise, stable_version
from mlspec.state.observed import Observed
from mlspec.state.record import FileRef, Release, Version
from mlspec.state.step import StepName, StepRequest
from mlspec.targets.base import Target


@dataclass(frozen=True, slots=True)
class ServingRecord:
    """What is observed of a forecast, the newest release of the version that serves, and that version."""

    observed: Observed
    release: Release
    version: Version

    def step_request(
        self, target: Target, step: StepName, root: Path, files: Mapping[str, FileRef], options: Mapping[str, Any]
    ) -> StepRequest:
        """Return the request of a step under the release's spec, on the newest data that was checked, with further files.

        Raises StateError if the data was checked under a spec with other series, periods or values.
        """
        name = self.observed.forecast
        if keys := keys_checked_otherwise(self.observed, self.release.spec):
            raise StateError(
                f"the newest data of {name} was checked under another spec than that of the version that serves: {', '.join(keys)}",
                hint="apply a spec whose version passes its gate, or set these keys back and apply",
            )
        refs = {**checked_files(self.observed.resources["data"].files), **files}
        inputs = {role: target.fetch_file(name, ref) for role, ref in refs.items()}
        return StepRequest(step=step, spec=self.release.spec, root=root, out=root, inputs=inputs, options=options)


def load_serving(target: Target, name: str) -> ServingRecord:
    """Return what serves. Raises UsageError for an unknown name, and StateError if nothing serves."""
    name = recorded_name(name, target.forecast_names())
    observed = target.observe_forecast(name)
    serves = stable_version(observed)
    release = next((one for one in target.load_releases(name) if one.version == serves), None)
    version = next((one for one in target.load_versions(name) if one.version == serves), None)
    if release is None or version is None or "data" not in observed.resources:
        raise StateError(f"nothing of {name} serves", hint="`mlspec status` says why; `mlspec apply` makes a forecast")
    return ServingRecord(observed, release, version)
