"""`mlspec report`: writes an HTML report with charts."""

from __future__ import annotations

from pathlib import Path

import click

from mlspec.cli import options
from mlspec.cli.complete import complete_names
from mlspec.cli.output_file import write_output
from mlspec.cli.project import find_root
from mlspec.cli.target import open_here, timestamp
from mlspec.clock import utc_now
from mlspec.engine.overview import load_overview
from mlspec.engine.project_specs import page_language
from mlspec.engine.report import gather_facts
from mlspec.engine.series_curves import load_curves, load_total_curve
from mlspec.render.forecast_page import render_report
from mlspec.render.reader import LANGUAGES, Reader
from mlspec.render.series_listing import SeriesIndex
from mlspec.state.overview import ForecastOverview
from mlspec.state.step import StepRequest


@click.command(short_help="Write an HTML report with charts.")
@click.argument("name", shell_complete=complete_names)
@options.target
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The file; NAME-report.html, if left out.",
)
@options.language("the report")
@click.option("--utc", is_flag=True, help="Times of day in UTC instead of the time zone of the forecast.")
def command(name: str, target: str, out: Path | None, language: str | None, utc: bool) -> None:
    """Write one self-contained HTML file: all series with intervals, errors, what changed, the model, stock, data, time line.

    It needs a browser and nothing else. Only you can read the file, as it shows data.
    """
    opened = open_here(target)
    now = utc_now()
    zone = "UTC" if utc else None
    overview = load_overview(opened, name, timestamp(), find_root(), _make_overview)
    source = gather_facts(opened, name, now, SeriesIndex(overview), zone)
    reader = Reader(LANGUAGES[page_language(find_root(), language)], source.facts.zone)
    page = render_report(source.facts, load_total_curve(source.curves), load_curves(source.curves), reader)
    out = out or Path(f"{name}-report.html")
    write_output(out, page)
    click.echo(f"wrote {out}: open it in a browser")


def _make_overview(request: StepRequest) -> ForecastOverview:
    from mlspec import jobs

    jobs.require_models()
    from mlspec.jobs.overview import make_overview

    return make_overview(request)
