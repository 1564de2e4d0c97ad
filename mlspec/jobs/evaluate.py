"""Step `evaluate`: what each alert of the spec is about, measured on the forecasts that were made and the actuals that came since.

It measures and judges nothing. A metric that no step of the pipeline can know (errors and latency of a server) has no value here:
it is measured on what servers counted (`plan.answered`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from mlspec.forecast import drift
from mlspec.forecast.frame import ID, PREFIX, TIME, Panel
from mlspec.forecast.metrics import NAMES
from mlspec.forecast.realised import CUTOFF, Maturity, beside_actuals, by_lead, matched, measures, newest, windows
from mlspec.jobs.context import own_names, panel_of, spec_of
from mlspec.jobs.files import read_table, write_json
from mlspec.jobs.moment import moment
from mlspec.spec.forecast import Alert, Forecast
from mlspec.state.step import Progress, StepRequest, StepResult

# forecast-1 is the newest; shadow-1 is what a version that serves nothing yet forecast beside it.
FORECAST, SHADOW = "forecast-", "shadow-"
VERSION = "version"
_KEY = [ID, TIME, CUTOFF]  # what a forecast of one series and period is told from another by


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Measure at `now` (RFC 3339). The facts list each alert's values, the newest evaluation first, by segment.

    Forecasts by the versions of the option `quarantined` count no more. `by_version` holds each version's own evidence, for those
    of the option `versions`: on the series that it forecast, its shadows included, over as many mature periods as it has; `made_at`
    names the cutoffs of those forecasts. The option `instead` names one version of `versions` and another: the input `instead` has
    what the other would have forecast from these cutoffs, and it is measured on the same series and periods.
    """
    spec, now = spec_of(request), moment(request, "evaluate")
    panel = panel_of(request, spec)
    progress(0, 1, "hold forecasts against their actuals")
    maturity = Maturity(pd.Timedelta(spec.dataset.actuals.available_after), spec.dataset.actuals.min_coverage)
    every, shadows = _forecasts(request, spec, FORECAST), _forecasts(request, spec, SHADOW)
    # What served is looked for before a version is left out: an older forecast does not count where a bad one took its place.
    served = newest(every) if every else pd.DataFrame(columns=[ID, TIME, VERSION])
    good = served[~served[VERSION].isin(request.options.get("quarantined") or ())]
    rows = beside_actuals(panel, good, maturity, now) if len(good) else good
    own = {name: _own(name, panel, [*shadows, served], maturity, now) for name in request.options.get("versions") or ()}
    for served_by, other in (request.options.get("instead") or {}).items():
        made = _under_ids(request, spec, [read_table(request.inputs["instead"])])
        own[other] = beside_actuals(panel, _same(made, own[served_by]), maturity, now)
    measure = _Measure(spec, panel, rows, own, _groups(request, spec), now)
    facts = {
        "periods": int(rows[TIME].nunique()) if len(rows) else 0,
        "metrics": measures(rows, spec.model.quantiles),
        "by_horizon": [
            {"step": step, "metrics": measures(part, spec.model.quantiles)}
            for step, part in by_lead(panel, every, maturity, now).items()
        ],
        "alerts": [measure.of(alert) for alert in spec.alerts],
    }
    progress(1, 1, "evaluated")
    return StepResult({"evaluation": write_json(facts, request.out / "evaluation.json")}, facts)


def _own(
    version: str, panel: Panel, forecasts: list[pd.DataFrame], maturity: Maturity, now: pd.Timestamp
) -> pd.DataFrame:
    """Return what one version served, or forecast in the shadow of another, beside its actuals."""
    made = [part for part in (rows[rows[VERSION] == version] for rows in forecasts) if len(part)]
    return matched(panel, made, maturity, now)


def _same(made: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return of the forecasts that were `made` those of the same series, period and cutoff as `rows`."""
    return made.merge(rows[_KEY], on=_KEY, how="inner") if len(rows) else made[:0]


@dataclass(frozen=True)
class _Measure:
    """What alerts are measured on: all that was forecast and came true, and what each version forecast of it."""

    spec: Forecast
    panel: Panel
    rows: pd.DataFrame
    own: Mapping[str, pd.DataFrame]
    groups: pd.DataFrame
    now: pd.Timestamp

    @cached_property
    def table(self) -> pd.DataFrame:
        """The panel as a wide table, made once for all alerts on the data."""
        return drift.wide(self.panel)

    def of(self, alert: Alert) -> dict[str, Any]:
        """Return one alert's values, in all and by version: a list a segment, as long as `for` asks for."""
        count = int(alert.for_.split(" of ")[1]) if alert.for_ else 1
        if alert.metric == "data_age":
            age = (self.now - self.panel.layout.frequency.end(self.panel.cutoff)).total_seconds()
            return {"name": alert.name, "segments": {"": [max(age, 0.0)] * count}, "by_version": {}}
        if alert.metric not in NAMES:
            return {"name": alert.name, "segments": self._of_the_data(alert, count), "by_version": {}}
        length = alert.window or 1
        parts = {name: self._windows(rows, length, count) for name, rows in self.own.items()}
        return {
            "name": alert.name,
            "segments": self._values(alert, windows(self.rows, length, count)),
            "by_version": {name: self._values(alert, each) for name, each in parts.items()},
            "made_at": {name: self._cutoffs(each) for name, each in parts.items()},
        }

    def _cutoffs(self, parts: Sequence[pd.DataFrame]) -> list[str]:
        """Return the cutoffs of the forecasts in some windows, oldest first."""
        found = {cutoff for part in parts if len(part) for cutoff in part[CUTOFF]}
        return [self.panel.layout.frequency.text(each) for each in sorted(found)]

    def _of_the_data(self, alert: Alert, count: int) -> dict[str, list[float | None]]:
        """Return a data metric's values by segment; of a server's metrics, none: they come from its own record."""
        measure, season = _DATA.get(alert.metric), self.panel.layout.season
        ids = self.groups.index
        keys = _keys(self.groups, alert.by) if alert.by else pd.Series("", index=ids)
        return {
            str(segment): [
                measure(self.table[members], season, alert, back) if measure else None for back in range(count)
            ]
            for segment, members in ids.to_series().groupby(keys, sort=True).groups.items()
        }

    def _windows(self, own: pd.DataFrame, length: int, count: int) -> list[pd.DataFrame]:
        """Return a version's own rows in the last windows. It need not fill one: one mature period is evidence about it."""
        periods = sorted({*(self.rows[TIME] if len(self.rows) else ()), *(own[TIME] if len(own) else ())})
        ends = [len(periods) - back for back in range(count)]
        return [own[own[TIME].isin(periods[max(end - length, 0) : max(end, 0)])] if len(own) else own for end in ends]

    def _values(self, alert: Alert, parts: Sequence[pd.DataFrame]) -> dict[str, list[float | None]]:
        found: dict[str, list[float | None]] = {}
        for place, part in enumerate(parts):
            for segment, inside in _segments(part, self.groups, alert.by):
                values = found.setdefault(segment, [None] * len(parts))
                values[place] = measures(inside, self.spec.model.quantiles)[alert.metric]
        return found


def _distance(table: pd.DataFrame, season: int, alert: Alert, back: int) -> float | None:
    baseline = drift.Baseline(alert.baseline or "same-season", season)
    expected, actual = drift.samples(table, baseline, alert.window or DRIFT_WINDOW, back)
    return (drift.psi if alert.metric == "psi" else drift.ks)(expected, actual)


def _volume(table: pd.DataFrame, season: int, _alert: Alert, back: int) -> float | None:
    return drift.volume(table, season, back)


def _moved(table: pd.DataFrame, _season: int, alert: Alert, back: int) -> float | None:
    found = drift.came_and_went(table, alert.window or 1, back)
    return None if found is None else found[0 if alert.metric == "new_series" else 1]


DRIFT_WINDOW = 8  # periods, where an alert on drift names none: with four series, enough values for a verdict
# Metrics of the data itself, measured as it stood so many periods ago.
_DATA: dict[str, Callable[[pd.DataFrame, int, Alert, int], float | None]] = {
    "psi": _distance, "ks": _distance, "volume": _volume, "new_series": _moved, "vanished_series": _moved,
}  # fmt: skip


def _keys(groups: pd.DataFrame, by: tuple[str, ...]) -> pd.Series:
    """Return each series' segment, as it is named in what is said."""
    return f"{','.join(by)}=" + groups[list(by)].astype(str).agg(",".join, axis=1)


def _segments(rows: pd.DataFrame, groups: pd.DataFrame, by: tuple[str, ...]) -> list[tuple[str, pd.DataFrame]]:
    if not by or not len(rows):
        return [("", rows)] if not by else []
    return [(str(key), part) for key, part in rows.groupby(rows[ID].map(_keys(groups, by)), sort=True)]


def _forecasts(request: StepRequest, spec: Forecast, prefix: str) -> list[pd.DataFrame]:
    """Return the forecasts that were made as one table, the oldest first; none where none was made."""
    numbers = sorted(
        (int(role.removeprefix(prefix)) for role in request.inputs if role.startswith(prefix)), reverse=True
    )
    made = [read_table(request.inputs[f"{prefix}{number}"]) for number in numbers]
    return [_under_ids(request, spec, made)] if made else []


def _under_ids(request: StepRequest, spec: Forecast, made: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return forecasts as one table under unique_id and ds; files have the user's own names."""
    names = own_names(request, spec)
    frame = pd.concat(made, ignore_index=True).rename(columns={spec.dataset.time: TIME})
    if not len(names.columns):
        return frame.assign(**{ID: names.index[0]})
    return frame.merge(names.reset_index(), on=list(names.columns), how="inner")


def _groups(request: StepRequest, spec: Forecast) -> pd.DataFrame:
    series = read_table(request.inputs["series"]).set_index(ID)
    static = {name: series[PREFIX + name] for name in spec.dataset.covariates.static}
    return own_names(request, spec).assign(**static)
