"""Shared inputs of all steps: the spec as an object, and the panel that `check` wrote."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mlspec.errors import DataError, SpecError, StateError, UsageError
from mlspec.forecast.fates import ENDED_FROM
from mlspec.forecast.frame import ID, PREFIX, TIME, Layout, Panel, horizon_frame
from mlspec.forecast.load import KEY
from mlspec.forecast.open_days import dataset_frequency
from mlspec.forecast.stock.term_columns import known_terms
from mlspec.jobs.files import read_table
from mlspec.jobs.panel_parts import read_panel_frame
from mlspec.spec.forecast import Forecast
from mlspec.spec.inventory import Inventory
from mlspec.spec.stored import read_stored_spec
from mlspec.state.step import PANEL, StepRequest


def read_spec(request: StepRequest) -> Forecast:
    """Return the request's spec. Raises SpecError if it is not a resolved spec."""
    try:
        return read_stored_spec(request.spec, f"the spec that step {request.step} was given")
    except StateError as error:
        hint = "give a spec file, or the `spec` of one forecast in the output of `mlspec show --output json`"
        raise SpecError(error.message, hint=hint) from error


def panel_layout(spec: Forecast) -> Layout:
    """Return what the columns of this spec's panel mean."""
    parsed_frequency = dataset_frequency(spec.dataset).with_seasons(spec.model.season)
    cov = spec.dataset.covariates

    def add_prefix(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(PREFIX + name for name in names)

    return Layout(
        parsed_frequency,
        spec.model.horizon,
        parsed_frequency.season,
        add_prefix((*cov.known, *cov.computed)),
        add_prefix(cov.past),
        add_prefix(cov.static),
        computed=add_prefix(cov.computed),
        cold_start=spec.dataset.new_series == "cold-start",
    )


def require_input(request: StepRequest, role: str) -> Path:
    """Return the input file of a role. Raises UsageError if it is missing."""
    try:
        return request.inputs[role]
    except KeyError as error:
        raise UsageError(
            f"step {request.step} needs the input '{role}'",
            hint=f"add --in {role}=FILE, or --in with the folder of an earlier step",
        ) from error


def read_panel(request: StepRequest, spec: Forecast) -> Panel:
    """Read the panel, its series and the plan of known covariates.

    Raises DataError if the data was checked under another spec, and lacks a covariate of this one.
    """
    layout = panel_layout(spec)
    require_input(request, PANEL)
    frame, series = read_panel_frame(request.inputs), active_series(request)
    refuse_other_covariates(layout, frame.columns, series)
    bare = Panel(frame, series[[ID, *layout.static]], frame[[ID, TIME]][:0], layout)
    future = read_table(require_input(request, "future")) if layout.known else horizon_frame(bare)
    return Panel(frame, bare.series, future, layout)


def refuse_other_covariates(layout: Layout, columns: Collection[str], series: pd.DataFrame) -> None:
    """Raise DataError for a covariate that the data lacks: a version that the gate kept out had its data checked, too."""
    lacking = [name for name in (*layout.known, *layout.past) if name not in columns]
    lacking += [name for name in layout.static if name not in series]
    if lacking:
        names = ", ".join(f"'{name.removeprefix(PREFIX)}'" for name in lacking)
        raise DataError(
            f"the newest data was checked under another spec, and lacks {names}, which the version that serves uses",
            hint="name the covariate again in dataset.covariates, or apply a spec whose version passes its gate",
        )


def read_cutoff(request: StepRequest) -> pd.Timestamp:
    """Return the panel's newest period. Reads only the time column of the newest file."""
    return read_table(require_input(request, PANEL), [TIME])[TIME].max()


def _read_series(request: StepRequest) -> pd.DataFrame:
    """Return the series that are forecast, and when each of those that have ended counts as such."""
    series = read_table(require_input(request, "series"))
    return series if ENDED_FROM in series else series.assign(**{ENDED_FROM: pd.NaT})


def active_series(request: StepRequest) -> pd.DataFrame:
    """Return the series that have not ended, with the columns that `check` wrote of them."""
    series = _read_series(request)
    return series[series[ENDED_FROM].isna()].reset_index(drop=True)


def ended_series(request: StepRequest, cutoff: pd.Timestamp) -> pd.Index:
    """Return the series that are forecast as ended, those that count as such at this cutoff."""
    series = _read_series(request)
    return pd.Index(series.loc[(series[ENDED_FROM] <= cutoff).to_numpy(dtype=bool), ID])


def series_terms(request: StepRequest, inventory: Inventory) -> pd.DataFrame | None:
    """Return the terms of orders that are read by series, by unique_id; None if the spec reads none.

    Raises DataError if the data were checked for a spec that read others.
    """
    if not inventory.term_columns:
        return None
    terms = known_terms(_read_series(request), inventory)
    if terms is None:
        raise DataError("the checked data lack the columns that `inventory` names", hint="run the step check again")
    return terms


def forecast_names(request: StepRequest, spec: Forecast) -> pd.DataFrame:
    """Return the user's series columns of all series that are forecast, also as ended, by unique_id."""
    return _name_series(_read_series(request), spec)


def _name_series(series: pd.DataFrame, spec: Forecast) -> pd.DataFrame:
    named = series.set_index(ID)[[KEY + name for name in spec.dataset.series]]
    return named.rename(columns=lambda name: str(name).removeprefix(KEY))


def segment_columns(request: StepRequest, spec: Forecast) -> pd.DataFrame:
    """Return the series and static columns of the panel's series by unique_id, with the user's names. They define segments."""
    series = active_series(request)
    static = {name: static_segments(series, name) for name in spec.dataset.covariates.static}
    return _name_series(series, spec).assign(**static)


def static_segments(series: pd.DataFrame, name: str) -> pd.Series:
    """Return the value of a static column by unique_id; an empty text where there is none, which is a segment like all others."""
    values = series.set_index(ID)[PREFIX + name]
    return values.astype(object).where(values.notna(), "") if values.isna().any() else values


def hierarchy_columns(request: StepRequest, spec: Forecast) -> pd.DataFrame:
    """Return the series columns and the columns of levels of all series that are forecast, also as ended, by unique_id."""
    series = _read_series(request)
    names = _name_series(series, spec)
    static = [name for name in spec.dataset.hierarchy_columns if name not in names]
    return names.assign(**{name: static_segments(series, name) for name in static})


def require_option(options: Mapping[str, Any], name: str, step: str) -> Any:
    """Return an option. Raises UsageError if it is missing."""
    if options.get(name) is None:
        raise UsageError(f"step {step} needs the option '{name}'", hint=f"add --option {name}=VALUE")
    return options[name]
