"""`mlspec report`: one HTML file with the charts a person would look at."""

from __future__ import annotations

from pathlib import Path

import click

from mlspec.cli import options
from mlspec.cli.clock import utc_now
from mlspec.cli.target import open_here
from mlspec.engine.report import gather_facts
from mlspec.errors import StateError
from mlspec.render.report import render_report


@click.command(short_help="Write one HTML file with the charts a person would look at.")
@click.argument("name")
@options.target
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to; NAME-report.html, if left out.",
)
def command(name: str, target: str, out: Path | None) -> None:
    """Write one self-contained HTML file: forecast and interval per series, why this model, where it errs, stock, data, history."""
    page = render_report(gather_facts(open_here(target), name, utc_now()))
    out = out or Path(f"{name}-report.html")
    try:
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise StateError(f"cannot write {out}: {error.strerror}", hint="choose another --out") from error
    click.echo(f"wrote {out}: open it in a browser")
