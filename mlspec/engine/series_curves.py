"""Reads what a chart shows of series: history, backtest, the newest forecast with its quantiles, and the forecast before it.

Only the rows of the wanted series are taken from the stored files, or sums over all series. Rows never become Python objects one by
one, so that one of 30,000 series is there in a moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from mlspec.engine.overview import find_previous_run
from mlspec.engine.rows import plain_rows
from mlspec.errors import MissingExtra, NotFound, UsageError
from mlspec.models import OBSERVED, SERIES, TARGET, TIME
from mlspec.render.chart import Value
from mlspec.render.page_facts import SeriesCurve
from mlspec.spec.faults import did_you_mean, hint_on_series
from mlspec.spec.forecast import Forecast
from mlspec.spec.hierarchy import TOTAL
from mlspec.spec.output_columns import LEVEL
from mlspec.state.observed import ObservedResource
from mlspec.state.record import ForecastRun, Version
from mlspec.state.step import LEVELS, panel_parts
from mlspec.targets.base import Target

Points = dict[str, list[tuple[Any, Any]]]  # (time, value) of each series


@dataclass(frozen=True, slots=True)
class CurveSource:
    """Where the curves of a forecast come from: local files, the spec of the release, and the champion's name."""

    spec: Forecast
    panel: Sequence[Path]
    series: Path
    backtest: Path
    candidate: str
    forecast: Path
    earlier: Path | None
    zone: str | None
    levels: Path | None = None


def open_curves(
    target: Target, name: str, spec: Forecast, run: ForecastRun, data: ObservedResource, version: Version
) -> CurveSource:
    """Return where the curves of a run come from. Raises StateError if a file is damaged."""
    previous = find_previous_run(target, name, run)
    return CurveSource(
        spec=spec,
        panel=[target.fetch_file(name, ref) for ref in panel_parts(data.files).values()],
        series=target.fetch_file(name, data.files["series"]),
        backtest=target.fetch_file(name, version.files["backtest"]),
        candidate=version.candidate,
        forecast=target.fetch_file(name, run.files["forecast"]),
        earlier=target.fetch_file(name, previous.files["forecast"]) if previous else None,
        zone=data.facts.get("timezone"),
        levels=target.fetch_file(name, run.files[LEVELS]) if LEVELS in run.files else None,
    )


def load_curves(source: CurveSource, ids: Sequence[str] | None = None) -> dict[str, SeriesCurve]:
    """Return the curves of series by their ids; of all of them, if none is named. A series that does not exist has none."""
    keys = _series_keys(source, ids)
    if not keys:
        return {}
    names = {key: unique_id for unique_id, key in keys.items()}
    only = list(keys) if ids is not None else None
    history = _actual_points(source.panel, only)
    tested = _points_by_id([source.backtest], only, "mean", candidate=source.candidate)
    newest = _run_points(source, source.forecast, names, few=ids is not None)
    earlier = _run_points(source, source.earlier, names, few=ids is not None) if source.earlier else {}
    texts = _period_texts(
        source.zone,
        *history.values(),
        *tested.values(),
        *(run["mean"] for run in (*newest.values(), *earlier.values())),
    )
    return {
        unique_id: _curve(
            source, texts, history.get(unique_id, []), tested.get(unique_id, []), newest.get(unique_id, {}),
            earlier.get(unique_id, {}).get("mean", []),
        )
        for unique_id in keys
    }  # fmt: skip


def load_means(source: CurveSource, ids: Sequence[str] | None = None) -> dict[str, dict[str, float | None]]:
    """Return the mean of the newest forecast by period (ISO text) of series by their ids; of all of them, if none is named."""
    names = {key: unique_id for unique_id, key in _series_keys(source, ids).items()}
    if not names:
        return {}
    runs = _run_points(source, source.forecast, names, few=ids is not None)
    texts = _period_texts(source.zone, *(run["mean"] for run in runs.values()))
    return {unique_id: {texts[time]: value for time, value in run["mean"]} for unique_id, run in runs.items()}


def find_series(source: CurveSource, wanted: Mapping[str, str]) -> str:
    """Return the id of the one series with these values in its series columns.

    Raises UsageError for a column that names no series, or if several series have the values, and NotFound if none has.
    """
    columns = source.spec.dataset.series
    for column in wanted:
        if column not in columns:
            raise UsageError(f"'{column}' names no series", hint=did_you_mean(column, columns))
    places = [(columns.index(column), value) for column, value in wanted.items()]
    keys = _series_keys(source, None)
    found = [unique_id for unique_id, key in keys.items() if all(str(key[at]) == value for at, value in places)]
    pairs = " ".join(f"{column}={value}" for column, value in wanted.items())
    if not found:
        known = {column: [str(key[columns.index(column)]) for key in keys.values()] for column in wanted}
        raise NotFound(f"there is no series {pairs}", hint=hint_on_series(wanted, known, source.spec.metadata.name))
    if len(found) > 1:
        raise UsageError(f"{len(found):,} series have {pairs}", hint=f"name one series by all of {', '.join(columns)}")
    return found[0]


def load_total_curve(source: CurveSource) -> SeriesCurve:
    """Return the sums over all series. Quantiles are those of the total level, if there is one: they are no sum of quantiles.

    A period has an actual sum where enough series have a value (`dataset.actuals.min_coverage`), as levels have.
    """
    time = source.spec.dataset.time
    history = _sum_actuals(source.panel, source.spec.dataset.actuals.min_coverage)
    newest = _sum_by(_read([source.forecast], [time, "mean"]), time, "mean")
    earlier = _sum_by(_read([source.earlier], [time, "mean"]), time, "mean") if source.earlier else []
    texts = _period_texts(source.zone, history, newest, earlier)
    return _curve(source, texts, history, [], {"mean": newest, **_total_quantiles(source)}, earlier)


def _total_quantiles(source: CurveSource) -> dict[str, list[tuple[Any, Any]]]:
    if source.levels is None:
        return {}
    time, names = source.spec.dataset.time, quantile_names(source.spec)
    table = _read([source.levels], [time, *names], [(LEVEL, "=", TOTAL)])
    lists = _lists(table, [], time, names)
    return {name: lists[name][()] for name in names}


def _arrow() -> Any:
    try:
        import pyarrow as pa
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtra("pyarrow", "forecast") from error
    return pa


def _read(paths: Sequence[Path | None], columns: Sequence[str], where: Any = None) -> Any:
    pa = _arrow()
    tables = [
        pa.parquet.read_table(path, columns=list(columns), filters=where, partitioning=None) for path in paths if path
    ]
    return pa.concat_tables(tables)


def _series_keys(source: CurveSource, ids: Sequence[str] | None) -> dict[str, tuple[Any, ...]]:
    names = [f"id_{column}" for column in source.spec.dataset.series]
    table = _read([source.series], [SERIES, *names], None if ids is None else [(SERIES, "in", list(ids))])
    columns = [table.column(name).to_pylist() for name in (SERIES, *names)]
    return {str(unique_id): key for unique_id, *rest in zip(*columns, strict=True) for key in [tuple(rest)]}


def _actual_points(paths: Sequence[Path], ids: Sequence[str] | None) -> Points:
    """Return the values of each series that somebody recorded: one that mlspec filled in is None."""
    table = _read_actuals(paths, [SERIES], [(SERIES, "in", list(ids))] if ids is not None else None)
    return {str(unique_id): points for (unique_id,), points in _lists(table, [SERIES], TIME, [TARGET])[TARGET].items()}


def _read_actuals(paths: Sequence[Path], keys: Sequence[str], where: Any = None) -> Any:
    table = _read(paths, [*keys, TIME, TARGET, OBSERVED], where)
    known = _arrow().compute.if_else(table.column(OBSERVED), table.column(TARGET), None)
    return table.set_column(table.schema.get_field_index(TARGET), TARGET, known)


def _sum_actuals(paths: Sequence[Path], coverage: float) -> list[tuple[Any, Any]]:
    """Return the sum of the recorded values of each period; None where too few series have one."""
    table = _read_actuals(paths, [])
    counted = [(TARGET, "sum"), (TARGET, "count"), (OBSERVED, "count")]
    sums = table.group_by([TIME]).aggregate(counted).sort_by([(TIME, "ascending")]).to_pydict()
    columns = (sums[name] for name in (TIME, f"{TARGET}_sum", f"{TARGET}_count", f"{OBSERVED}_count"))
    return [
        (time, total if known and known >= coverage * rows else None)
        for time, total, known, rows in zip(*columns, strict=True)
    ]


def _points_by_id(paths: Sequence[Path], ids: Sequence[str] | None, value: str, candidate: str | None = None) -> Points:
    where: list[tuple[str, str, Any]] = [(SERIES, "in", list(ids))] if ids is not None else []
    where += [("candidate", "=", candidate)] if candidate else []
    table = _read(paths, [SERIES, TIME, value], where or None)
    return {str(unique_id): points for (unique_id,), points in _lists(table, [SERIES], TIME, [value])[value].items()}


def _run_points(
    source: CurveSource, path: Path, names: Mapping[tuple[Any, ...], str], *, few: bool
) -> dict[str, Mapping[str, list[tuple[Any, Any]]]]:
    """Return mean and quantiles of each series in a forecast's file, by the series' id."""
    pa, columns, time = _arrow(), source.spec.dataset.series, source.spec.dataset.time
    known = pa.parquet.read_schema(path).names
    values = [name for name in ("mean", *quantile_names(source.spec)) if name in known]
    where = [[(column, "=", part) for column, part in zip(columns, key, strict=True)] for key in names] if few else None
    table = _read([path], [*columns, time, *values], where if columns else None)
    lists = _lists(table, list(columns), time, values)
    return {
        unique_id: {value: lists[value][key] for value in values}
        for key, unique_id in names.items()
        if key in lists["mean"]
    }


def quantile_names(spec: Forecast) -> list[str]:
    """Return the columns of a forecast's quantiles in rising order."""
    return [f"q{quantile:g}" for quantile in sorted(spec.model.quantiles)]


def _lists(
    table: Any, keys: list[str], time: str, values: list[str]
) -> dict[str, dict[tuple[Any, ...], list[tuple[Any, Any]]]]:
    """Return, for each value column, the points in order of time of each key."""
    ordered = table.sort_by([(time, "ascending")])
    if not keys:
        times = ordered.column(time).to_pylist()
        return {value: {(): list(zip(times, ordered.column(value).to_pylist(), strict=True))} for value in values}
    grouped = ordered.group_by(keys, use_threads=False).aggregate([(name, "list") for name in (time, *values)])
    parts = list(zip(*(grouped.column(name).to_pylist() for name in keys), strict=True))
    times = grouped.column(f"{time}_list").to_pylist()
    return {
        value: {
            key: list(zip(at, found, strict=True))
            for key, at, found in zip(parts, times, grouped.column(f"{value}_list").to_pylist(), strict=True)
        }
        for value in values
    }


def _sum_by(table: Any, time: str, value: str) -> list[tuple[Any, Any]]:
    sums = table.group_by([time]).aggregate([(value, "sum")]).sort_by([(time, "ascending")])
    return list(zip(sums.column(time).to_pylist(), sums.column(f"{value}_sum").to_pylist(), strict=True))


def _curve(
    source: CurveSource,
    texts: dict[Any, str],
    history: Sequence[tuple[Any, Any]],
    tested: Sequence[tuple[Any, Any]],
    newest: Mapping[str, Sequence[tuple[Any, Any]]],
    earlier: Sequence[tuple[Any, Any]],
) -> SeriesCurve:
    """Return points of several lines as lines over the same periods. `texts` are the periods as ISO text."""
    lines = {"actual": dict(history), "backtest": dict(tested), "earlier": dict(earlier)}
    lines |= {name: dict(points) for name, points in newest.items()}
    times = sorted({time for line in lines.values() for time in line})

    def values(name: str) -> list[Value]:
        line = lines.get(name, {})
        return [value if value is not None and isfinite(value) else None for value in map(line.get, times)]

    return SeriesCurve(
        times=[texts[time] for time in times],
        actual=values("actual"),
        backtest=values("backtest"),
        earlier=values("earlier"),
        mean=values("mean"),
        quantiles={name: values(name) for name in quantile_names(source.spec) if name in lines},
    )


def _period_texts(zone: str | None, *lines: Iterable[tuple[Any, Any]]) -> dict[Any, str]:
    """Return each period of some points as ISO text; with times of day, if one of them has some."""
    times = sorted({time for line in lines for time, _ in line})
    return dict(zip(times, (row[0] for row in plain_rows(["time"], [times], zone).values), strict=True))
