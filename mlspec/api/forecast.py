"""One forecast of an open project: its tables as data frames."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlspec.api.chart import ForecastChart
from mlspec.api.frames import to_frame
from mlspec.clock import utc_now
from mlspec.engine.backtest_rows import load_backtest, load_realised
from mlspec.engine.error_request import error_request
from mlspec.engine.error_rows import ErrorsRequest, error_rows, load_errors
from mlspec.engine.history_rows import version_rows
from mlspec.engine.importance import find_drivers
from mlspec.engine.level_rows import ALL_LEVELS, load_level_rows
from mlspec.engine.project_specs import page_language
from mlspec.engine.report import gather_facts
from mlspec.engine.rows import PlainRows, checked_facts, choose_run, load_rows
from mlspec.engine.series_curves import find_series, load_curves, load_total_curve
from mlspec.engine.target_kinds import ConfiguredTarget
from mlspec.engine.what_if import compare_what_if
from mlspec.errors import UsageError
from mlspec.plan.moments import format_moment
from mlspec.plan.select import recorded_name
from mlspec.render.chart_file import chart_file
from mlspec.render.reader import LANGUAGES, Reader
from mlspec.state.assumptions import Assumptions
from mlspec.targets.base import OpenedTarget

if TYPE_CHECKING:
    import pandas as pd

_GROUPINGS = ("all", "series", "horizon", "segment")


class ForecastHandle:
    """One forecast. Each call reads the record of now, so that a handle never shows what has changed since.

    The frames have the columns of the command line's CSV. Every method raises UsageError if the forecast was never applied,
    StateError if the record has not what is asked for, TargetError if the target cannot be reached, and MissingExtra without
    pandas.
    """

    def __init__(self, name: str, root: Path, target: ConfiguredTarget) -> None:
        self._name, self._root, self._target = name, root, target

    def __repr__(self) -> str:
        return f"<forecast '{self._name}' on target '{self._target.name}'>"

    @property
    def name(self) -> str:
        """The forecast's name, `metadata.name` in its spec."""
        return self._name

    def forecast(self, cutoff: str | None = None, *, release: int | None = None) -> pd.DataFrame:
        """Return the newest forecast, as `mlspec forecast`: series, time, `cutoff`, `mean`, a column a quantile, `version`.

        `cutoff` (an ISO date or time) names the one that was made from the data up to that period, `release` the last one that
        this release made. Raises UsageError if there is none, with the cutoffs or releases that there are.
        """
        return self._load_run("forecast", cutoff, release)

    def levels(
        self, level: str = ALL_LEVELS, *, by: Literal["week"] | None = None, cutoff: str | None = None
    ) -> pd.DataFrame:
        """Return the forecast of sums of series, as `mlspec forecast --level`: of one level, or of all with a column `level`.

        With `by="week"` of a forecast of days, sums by week. Raises UsageError for a level that there is not, and without
        `dataset.hierarchy`.
        """
        target = self._open()
        run = choose_run(target, self._name, cutoff=cutoff)
        return self._frame(target, load_level_rows(target, self._name, run, level=level, by=by))

    def inventory(self, cutoff: str | None = None) -> pd.DataFrame:
        """Return the stock levels of each series, as `mlspec inventory`. Raises StateError if the spec asks for none."""
        return self._load_run("inventory", cutoff, None)

    def backtest(self, version: str | None = None, *, all_candidates: bool = False) -> pd.DataFrame:
        """Return what was forecast at earlier cutoffs, and the `actual` values: of the version that serves, or of `version`.

        The rows are those of the champion, with `all_candidates` those of everyone who competed.
        """
        target = self._open()
        return self._frame(target, load_backtest(target, self._name, version, all_candidates=all_candidates))

    def realised(self) -> pd.DataFrame:
        """Return each period that is over, with the forecast that was newest before it and the `actual` value.

        Empty if no forecast that served has actual values yet.
        """
        target = self._open()
        request = error_request(target, self._name, format_moment(utc_now()), self._root)
        from mlspec import jobs

        jobs.require_models()
        from mlspec.jobs.realised_errors import realised_rows

        rows = realised_rows(request)
        if rows.empty:
            return rows
        return self._frame(
            target,
            load_realised(target, self._name, list(rows.columns), [list(rows[column]) for column in rows.columns]),
        )

    def errors(
        self, by: Literal["all", "series", "horizon", "segment"] = "all", *, cutoff: str | None = None
    ) -> pd.DataFrame:
        """Return how wrong the forecast is, as `mlspec errors`: columns `realised_*` beside `backtest_*`, the worst first.

        `by` says what a row is about. `cutoff` narrows both sides to forecasts from that cutoff. Raises UsageError if nothing can
        be measured.
        """
        if by not in _GROUPINGS:
            raise UsageError(f"by='{by}' is no grouping of errors", hint=f"known: {', '.join(_GROUPINGS)}")
        from mlspec import jobs

        jobs.require_models()
        from mlspec.jobs.realised_errors import compare_errors

        target = self._open()
        request = ErrorsRequest(self._name, by, cutoff, format_moment(utc_now()), self._root)
        columns, found = load_errors(target, request, compare_errors)
        return self._frame(target, error_rows(found, columns))

    def what_if(
        self,
        values: Mapping[str, float | str],
        *,
        series: Mapping[str, str] | None = None,
        first: str | None = None,
        last: str | None = None,
    ) -> pd.DataFrame:
        """Return what the forecast would be with other known covariates, as `mlspec what-if`: series, time, `before`, `after`.

        `values` has a number, a text of the history or a share to add (`-10%`) for each covariate; `series` narrows them to some
        series, `first` and `last` (ISO dates) to some periods. Nothing is recorded. Raises UsageError for what a plan cannot have.
        """
        texts = {column: str(value) for column, value in values.items()}
        assumed = Assumptions(texts, dict(series or {}), first, last)
        from mlspec import jobs

        target = self._open()
        found = compare_what_if(target, self._name, self._root, assumed, jobs.forecast_what_if)
        return self._frame(target, found.rows)

    def drivers(self, by: str | None = None) -> pd.DataFrame:
        """Return what each covariate is worth to what serves, as `mlspec drivers`: its metrics, and `without_*` the covariate.

        `by` names a series column or a static covariate: then for each of its values. It takes about as long as the backtest did.
        Nothing is recorded. Warns where only some of the series were measured, those of one part of a large panel.
        """
        from mlspec import jobs

        target = self._open()
        found = find_drivers(target, self._name, self._root, jobs.measure_importance, lambda *_: None, by)
        if note := found.note():
            warnings.warn(f"{self._name}: {note}", stacklevel=2)
        return self._frame(target, found.rows)

    def plot(
        self, series: Mapping[str, str] | None = None, *, language: Literal["en", "pt-BR"] | None = None
    ) -> ForecastChart:
        """Return a picture of the history, the backtest and the newest forecast with its intervals: that of the forecast's page.

        `series` names one series by its columns (`{"store": "1"}`); without it, the sums over all series. Raises UsageError if it
        names several, NotFound if it names none. Without `language`, it is that of mlspec.yaml.
        """
        source = gather_facts(self._open(), self._name, utc_now())
        reader = Reader(LANGUAGES[page_language(self._root, language)], source.facts.zone)
        if not series:
            curve, title = load_total_curve(source.curves), reader.say("All series")
        else:
            unique_id = find_series(source.curves, series)
            curve, title = load_curves(source.curves, [unique_id])[unique_id], " ".join(series.values())
        title = f"{self._name}: {title}"
        return ForecastChart(title, chart_file(curve, title, source.facts.target_column, reader))

    def versions(self) -> pd.DataFrame:
        """Return all versions, newest first: when and from what they were made, their `state`, and their backtest's metrics.

        `state` is `passed`, `rejected` (by the gate) or `quarantined`. `traffic` is the share that a version serves, in percent.
        """
        return to_frame(version_rows(self._open(), self._name), "UTC")

    def _open(self) -> OpenedTarget:
        target = self._target.open(self._root)
        recorded_name(self._name, target.forecast_names())
        return target

    def _load_run(self, role: str, cutoff: str | None, release: int | None) -> pd.DataFrame:
        if cutoff is not None and release is not None:
            raise UsageError("cutoff and release each name a forecast", hint="leave one of them out")
        target = self._open()
        run = choose_run(target, self._name, cutoff=cutoff, release=release)
        return self._frame(target, load_rows(target, self._name, role, run))

    def _frame(self, target: OpenedTarget, rows: PlainRows) -> pd.DataFrame:
        return to_frame(rows, checked_facts(target, self._name).get("timezone"))
