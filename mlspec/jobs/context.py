"""What every step starts from: the spec as an object, and the panel that `check` wrote."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from mlspec.errors import SpecError, UsageError
from mlspec.forecast.frame import ID, PREFIX, TIME, Layout, Panel, horizon_frame
from mlspec.forecast.frequency import frequency
from mlspec.forecast.load import KEY
from mlspec.jobs.files import read_table
from mlspec.spec.forecast import Forecast
from mlspec.state.step import StepRequest


def spec_of(request: StepRequest) -> Forecast:
    """Return the request's spec. Raises SpecError when it is not a resolved spec."""
    try:
        return Forecast.model_validate(dict(request.spec))
    except ValidationError as error:
        first = error.errors()[0]
        raise SpecError(
            f"the spec is not valid at {'.'.join(map(str, first['loc']))}: {first['msg']}", hint="run mlspec validate"
        ) from error


def layout_of(spec: Forecast) -> Layout:
    """Return what the columns of this spec's panel mean."""
    found, cov = frequency(spec.dataset.frequency), spec.dataset.covariates

    def prefixed(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(PREFIX + name for name in names)

    return Layout(
        found, spec.model.horizon, found.season, prefixed(cov.known), prefixed(cov.past), prefixed(cov.static)
    )


def input_of(request: StepRequest, role: str) -> Path:
    """Return the file of a role. Raises UsageError when the caller gave none."""
    try:
        return request.inputs[role]
    except KeyError as error:
        raise UsageError(f"step {request.step} needs the input '{role}'", hint=f"add --in {role}=FILE") from error


def panel_of(request: StepRequest, spec: Forecast) -> Panel:
    """Read the panel, its series and the plan of known covariates."""
    layout = layout_of(spec)
    frame, series = read_table(input_of(request, "panel")), read_table(input_of(request, "series"))
    bare = Panel(frame, series[[ID, *layout.static]], frame[[ID, "ds"]][:0], layout)
    future = read_table(input_of(request, "future")) if layout.known else horizon_frame(bare)
    return Panel(frame, bare.series, future, layout)


def cutoff_of(request: StepRequest) -> pd.Timestamp:
    """Read the panel's newest period, and nothing else of it."""
    return read_table(input_of(request, "panel"), [TIME])[TIME].max()


def own_names(request: StepRequest, spec: Forecast) -> pd.DataFrame:
    """Return the user's series columns, by unique_id."""
    series = read_table(input_of(request, "series")).set_index(ID)
    return series[[KEY + name for name in spec.dataset.series]].rename(columns=lambda name: str(name).removeprefix(KEY))


def option(options: Mapping[str, Any], name: str, step: str) -> Any:
    """Return an option. Raises UsageError when the caller gave none."""
    if options.get(name) is None:
        raise UsageError(f"step {step} needs the option '{name}'", hint=f"add --option {name}=VALUE")
    return options[name]
