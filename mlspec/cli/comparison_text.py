"""What changed from one forecast to another, as text and as rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from mlspec.cli import rows
from mlspec.cli.output_file import write_output
from mlspec.cli.table import format_percent, format_table
from mlspec.engine.forecast_comparison import ForecastComparison
from mlspec.engine.rows import PlainRows
from mlspec.plan.forecast_changes import ForecastChanges, SeriesChange
from mlspec.state.record import ForecastRun

_COLUMNS = ("before", "after", "change", "change_share")


def print_comparison(name: str, found: ForecastComparison, output: str, limit: int, out: Path | None = None) -> None:
    """Print a comparison in the requested form, or write it to a file; only text is limited."""
    if output == "text" and out is None:
        click.echo(as_text(name, found, limit or None))
    elif output == "json":
        text = json.dumps(as_json(name, found), indent=2, allow_nan=False)
        if out is None:
            click.echo(text)
        else:
            write_output(out, f"{text}\n")
    else:
        rows.print_rows(name, as_rows(found), output, limit, out)


def as_text(name: str, found: ForecastComparison, limit: int | None) -> str:
    """Return which forecasts are compared, the total, and the first `limit` series, those that moved most first."""
    changes, periods = found.changes, found.changes.periods
    lines = [
        f"{name}: from {_run_text(found.before)} to {_run_text(found.after)}",
        f"sums over {len(periods):,} period{'s' if len(periods) > 1 else ''} that both have, {period_span(periods)}",
    ]
    only_one = [
        f"{count:,} series {words}" for count, words in ((changes.new, "are new"), (changes.gone, "are gone")) if count
    ]
    lines += [f"{' and '.join(only_one)}, and not in the total"] if only_one else []
    return "\n".join([*lines, *table_lines(found.series, changes, limit)])


def period_span(periods: Sequence[str]) -> str:
    """Return the first and the last of some periods in words; a single one by itself."""
    return periods[0] if len(periods) == 1 else f"{periods[0]} to {periods[-1]}"


def table_lines(columns: tuple[str, ...], changes: ForecastChanges, limit: int | None) -> Iterator[str]:
    """Yield a table of the total and of the first `limit` series, and how many more there are. `columns` name a series."""
    shown = changes.series[:limit]
    titles = [*columns, "before", "after", "change", "in %"]
    total = ["total", *[""] * (len(columns) - 1)] if columns else []
    table = [
        [*total, *_cells(changes.total)],
        *([[*map(str, each.series), *_cells(each)] for each in shown] if columns else []),
    ]
    yield format_table(titles, table)
    more = len(changes.series) - len(shown)
    if more:
        yield f"… and {more:,} more series (--limit 0 or --output csv prints all)"


def _run_text(run: ForecastRun) -> str:
    return f"{run.cutoff} by {run.version}"


def _cells(change: SeriesChange) -> list[object]:
    return [change.before, change.after, change.change, format_percent(change.share)]


def as_rows(found: ForecastComparison) -> PlainRows:
    """Return one row a series, those that moved most first."""
    return PlainRows([*found.series, *_COLUMNS], [[*each.series, *_values(each)] for each in found.changes.series])


def as_json(name: str, found: ForecastComparison) -> dict[str, object]:
    """Return which forecasts are compared, their common periods, the total, and one object a series."""
    return {
        "forecast": name,
        "from": _run_json(found.before),
        "to": _run_json(found.after),
        "periods": list(found.changes.periods),
        **changes_json(found.series, found.changes),
    }


def changes_json(columns: tuple[str, ...], changes: ForecastChanges) -> dict[str, object]:
    """Return the total, and one object a series. `columns` name a series."""
    return {
        "total": dict(zip(_COLUMNS, _values(changes.total), strict=True)),
        "series": [
            {**dict(zip(columns, each.series, strict=True)), **dict(zip(_COLUMNS, _values(each), strict=True))}
            for each in changes.series
        ],
    }


def _values(change: SeriesChange) -> tuple[float | None, ...]:
    return change.before, change.after, change.change, change.share


def _run_json(run: ForecastRun) -> dict[str, str]:
    return {"cutoff": run.cutoff, "version": run.version, "created": run.created}
