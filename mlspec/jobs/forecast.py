"""Step `forecast`: forecasts every series with quantiles, by its version in the traffic split, with the user's column names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from mlspec.errors import DataError, UsageError
from mlspec.forecast.cold_start import made_by
from mlspec.forecast.entrant_forecasts import CHAMPION
from mlspec.forecast.fates import BY_END
from mlspec.forecast.frame import CUTOFF, ID, MEAN, STEP, TARGET, TIME, Layout, cross_periods
from mlspec.forecast.quantiles import RAW, Calibration, has_own_quantiles, own_column, quantile_column
from mlspec.forecast.scales import FLOOR, SCALE, series_scales
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import THIS_PROCESS, Workers
from mlspec.jobs.context import (
    ended_series,
    forecast_names,
    panel_layout,
    read_cutoff,
    read_spec,
    require_input,
)
from mlspec.jobs.files import read_chosen_rows, read_schema, read_table, write_pieces, write_table
from mlspec.jobs.forecast_rows import ForecastRows, RowMaker, split_by_traffic, with_user_columns
from mlspec.jobs.isolation import forecast_from_file
from mlspec.jobs.levels import write_levels
from mlspec.jobs.moment import panel_as_of
from mlspec.jobs.parted_panel import open_panel
from mlspec.jobs.predictions import ExpectedForecast, write_instances
from mlspec.jobs.process_workers import processors_of_this_machine
from mlspec.jobs.reconciled import is_reconciled, reconcile_forecast
from mlspec.spec.forecast import Forecast
from mlspec.spec.output_columns import METHOD
from mlspec.state.resource import Json
from mlspec.state.split import series_partition, version_for
from mlspec.state.step import INSTANCES, PREDICTIONS, Progress, StepRequest, StepResult


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Forecast from the panel's cutoff.

    The option `traffic` has each version's share of the series, in percent. A version's model is the input `model-VERSION`, and its
    backtest, whose residuals give the quantiles, is `backtest-VERSION`. A version without a share forecasts all series into the
    output `shadow`. With the option `version` for a single version, the inputs are `model` and `backtest`. With the option
    `cutoffs`, it forecasts from each of these earlier cutoffs, with the data known then. With the option `as_of` (RFC 3339), it
    forecasts from the last period that was over at that moment.

    Batch prediction jobs can compute the forecast instead. With the option `instances`, the step writes the input of each version's
    job (`instances-VERSION`). With the jobs' answers as inputs (`predictions-…`), it writes the forecast from them.
    """
    spec = read_spec(request)
    names = forecast_names(request, spec)
    if request.options.get(INSTANCES):
        return _write_instances(request, names)
    answers = [path for role, path in sorted(request.inputs.items()) if role.startswith(PREDICTIONS)]
    if answers:
        return _write_answers(request, spec, names, answers)
    panel, traffic = open_panel(request, spec), _traffic_shares(request)
    if request.options.get("cutoffs"):
        return _forecast_cutoffs(request, progress, spec, panel, names)
    panel = panel_as_of(request, panel, spec.dataset.timezone)
    forecasts = {}
    for position, version in enumerate(traffic):
        progress(position, len(traffic), f"forecast with {version}")
        forecasts[version] = forecast_version(
            request, spec, panel, names, version, alone=len(traffic) == 1, workers=processors_of_this_machine()
        )
    progress(len(traffic), len(traffic), "periods predicted")
    rows = split_by_traffic(forecasts, names, traffic)
    files = {"forecast": write_pieces(rows.divide(), request.out / "forecast.parquet")}
    if spec.dataset.hierarchy is not None:
        files |= write_levels(request, spec, panel, rows.whole(), traffic)
    shadows = [forecasts[version] for version, share in traffic.items() if share == 0]
    if shadows:
        files["shadow"] = write_pieces(ForecastRows.join(shadows).divide(), request.out / "shadow.parquet")
    return StepResult(files, _forecast_facts(len(rows), panel.layout, panel.cutoff))


def _write_instances(request: StepRequest, names: pd.DataFrame) -> StepResult:
    """Write the instances of each version's own series. A version that no series belongs to has none."""
    traffic = _traffic_shares(request)
    versions = pd.Series([version_for(series_partition(key), traffic) for key in names.index], names.index)
    files = {
        f"{INSTANCES}-{version}": write_instances(
            names[(versions == version).to_numpy()], request.out / f"{version}.jsonl"
        )
        for version in sorted(set(versions))
    }
    return StepResult(files, {"series": len(names)})


def _write_answers(request: StepRequest, spec: Forecast, names: pd.DataFrame, answers: Sequence[Path]) -> StepResult:
    """Write the forecast of batch prediction jobs in the same form as the step's own forecast."""
    layout, cutoff = panel_layout(spec), read_cutoff(request)
    columns = (MEAN, *(quantile_column(q) for q in spec.model.quantiles))
    predicted = ExpectedForecast(
        names, layout, cutoff, spec.dataset.time, columns, _traffic_shares(request), spec.dataset.timezone
    ).read_answers(answers)
    rows = with_user_columns(spec, cutoff, names, predicted)
    files = {"forecast": write_table(rows, request.out / "forecast.parquet")}
    if spec.dataset.hierarchy is not None:
        files |= write_levels(request, spec, open_panel(request, spec), rows, _traffic_shares(request))
    return StepResult(files, _forecast_facts(len(rows), layout, cutoff))


def forecast_by_traffic(request: StepRequest, spec: Forecast, panel: PartedPanel, names: pd.DataFrame) -> pd.DataFrame:
    """Return the forecast of each series by the version that serves it, with the user's columns."""
    shares = {version: share for version, share in _traffic_shares(request).items() if share}
    forecasts = {
        version: forecast_version(
            request, spec, panel, names, version, alone=len(shares) == 1, workers=processors_of_this_machine()
        )
        for version in shares
    }
    return split_by_traffic(forecasts, names, shares).whole().reset_index(drop=True)


def _forecast_facts(rows: int, layout: Layout, cutoff: pd.Timestamp) -> dict[str, Json]:
    text, times = layout.frequency.format_period, layout.frequency.periods_after(cutoff, layout.horizon)
    return {
        "rows": rows, "series": rows // len(times), "cutoff": text(cutoff), "start": text(times[0]), "end": text(times[-1]),
    }  # fmt: skip


def _forecast_cutoffs(
    request: StepRequest, progress: Progress, spec: Forecast, panel: PartedPanel, names: pd.DataFrame
) -> StepResult:
    """Forecast from earlier cutoffs with one version, each with the data known at that cutoff."""
    (version,), cutoffs, forecasts = _traffic_shares(request), request.options["cutoffs"], []
    for position, cutoff in enumerate(cutoffs):
        progress(position, len(cutoffs), f"forecast with {version} from {cutoff}")
        forecasts.append(
            forecast_version(
                request,
                spec,
                panel.known_at(pd.Timestamp(cutoff)),
                names,
                version,
                alone=True,
                workers=processors_of_this_machine(),
            )
        )
    progress(len(cutoffs), len(cutoffs), "periods of all cutoffs predicted")
    rows = ForecastRows.join(forecasts)
    return StepResult({"forecast": write_pieces(rows.divide(), request.out / "forecast.parquet")}, {"rows": len(rows)})


def _traffic_shares(request: StepRequest) -> dict[str, int]:
    """Return each version's share. Raises UsageError if no version is given."""
    shares = request.options.get("traffic") or request.options.get("version")
    if not shares:
        raise UsageError("step forecast needs the option 'version'", hint="add --option version=VALUE")
    return dict(shares) if isinstance(shares, Mapping) else {str(shares): 100}


def forecast_version(
    request: StepRequest,
    spec: Forecast,
    panel: PartedPanel,
    names: pd.DataFrame,
    version: str,
    *,
    alone: bool,
    workers: Workers = THIS_PROCESS,
) -> ForecastRows:
    """Return one version's forecast of all series, sorted; those that are new or have ended get what the spec says."""
    role = "" if alone and "model" in request.inputs else f"-{version}"
    backtest = require_input(request, f"backtest{role}")
    times = panel.layout.horizon_after(panel.cutoff)
    _refuse_short_plan(panel, times)
    model = require_input(request, f"model{role}")
    predicted, scales = forecast_from_file(model, panel, version, workers), series_scales(panel).set_index(ID)
    if is_reconciled(spec):
        known = {FLOOR: predicted[ID].map(scales[FLOOR]), STEP: times.get_indexer(predicted[TIME]) + 1}
        rows = predicted.assign(**known)
        rows = reconcile_forecast(request, spec, panel, rows, read_table(backtest), model, workers)
        predicted = rows[[*predicted]]
    calibration = Calibration.of(
        _read_champion(backtest, spec.model.quantiles),
        spec.model.quantiles,
        with_own=has_own_quantiles(predicted, spec.model.quantiles),
    )
    series = scales[[SCALE, FLOOR]].assign(**{METHOD: made_by(pd.Series(scales.index, scales.index), panel)})
    ended = ended_series(request, panel.cutoff)
    if len(ended):
        zeros = cross_periods(pd.Series(ended), times).assign(**{MEAN: 0.0})
        predicted = pd.concat([predicted, zeros], ignore_index=True).sort_values([ID, TIME], ignore_index=True)
        series = pd.concat([series, pd.DataFrame({METHOD: BY_END}, index=ended)])
    maker = RowMaker(spec, version, panel.cutoff, times, names, series, calibration)
    return ForecastRows.of(predicted, maker)


def _read_champion(backtest: Path, quantiles: Sequence[float]) -> pd.DataFrame:
    """Return the champion's rows of a backtest, with what quantiles are made of."""
    raw = RAW if RAW in read_schema(backtest).names else MEAN
    columns = (ID, CUTOFF, STEP, TARGET, raw, SCALE, *map(own_column, quantiles), CHAMPION)
    return read_chosen_rows(backtest, lambda rows: rows[CHAMPION], columns, coded=[ID])


def _refuse_short_plan(panel: PartedPanel, times: pd.DatetimeIndex) -> None:
    """Raise DataError if the known covariates end before the horizon: the gate kept out a version with a shorter one."""
    if not panel.layout.known or panel.future[TIME].max() >= times[-1]:
        return
    known_to, wanted = (panel.layout.frequency.format_period(time) for time in (panel.future[TIME].max(), times[-1]))
    raise DataError(
        f"the newest data was checked for a shorter horizon: known covariates end at {known_to}, and the forecast at {wanted}",
        hint="set model.horizon back and apply, or apply a spec whose version passes its gate",
    )
