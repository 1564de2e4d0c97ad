"""`mlspec report`: writes an HTML report with charts."""

from __future__ import annotations

from pathlib import Path

import click

from mlspec.cli import options
from mlspec.cli.complete import complete_names
from mlspec.cli.output_file import write_output
from mlspec.cli.target import open_here
from mlspec.clock import utc_now
from mlspec.engine.report import gather_facts
from mlspec.render.report import render_report


@click.command(short_help="Write an HTML report with charts.")
@click.argument("name", shell_complete=complete_names)
@options.target
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The file; NAME-report.html, if left out.",
)
def command(name: str, target: str, out: Path | None) -> None:
    """Write one self-contained HTML file: forecasts with intervals, the choice of the model, its errors, stock, data, history.

    Only you can read the file, as it shows data.
    """
    page = render_report(gather_facts(open_here(target), name, utc_now()))
    out = out or Path(f"{name}-report.html")
    write_output(out, page)
    click.echo(f"wrote {out}: open it in a browser")
