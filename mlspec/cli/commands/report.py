"""`mlspec report`: writes an HTML report with charts."""

from __future__ import annotations

from pathlib import Path

import click

from mlspec.cli import options
from mlspec.cli.clock import utc_now
from mlspec.cli.target import open_here
from mlspec.engine.report import gather_facts
from mlspec.errors import StateError
from mlspec.render.report import render_report


@click.command(short_help="Write an HTML report with charts.")
@click.argument("name")
@options.target
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The file; NAME-report.html, if left out.",
)
def command(name: str, target: str, out: Path | None) -> None:
    """Write one self-contained HTML file: forecasts with intervals, the choice of the model, its errors, stock, data, history."""
    page = render_report(gather_facts(open_here(target), name, utc_now()))
    out = out or Path(f"{name}-report.html")
    try:
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise StateError(f"cannot write {out}: {error.strerror}", hint="choose another --out") from error
    click.echo(f"wrote {out}: open it in a browser")
