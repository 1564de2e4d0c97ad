"""`mlspec rollback`: moves a forecast to an earlier good release by hand."""

from __future__ import annotations

import click

from mlspec.cli import comparison_text, options
from mlspec.cli.complete import complete_names
from mlspec.cli.escape import printable
from mlspec.cli.manual_operations import open_applied_spec
from mlspec.cli.progress import Progress
from mlspec.engine import manual_operations
from mlspec.engine.assembly import ignore_progress
from mlspec.engine.rollback_preview import RollbackPreview, preview_rollback
from mlspec.errors import UsageError
from mlspec.state.predicted import Predictions
from mlspec.state.step import StepRequest
from mlspec.targets.user import current_user

_SHOWN_SERIES = 24


@click.command(short_help="Move a forecast to an earlier good release, and hold it there.")
@click.argument("name", shell_complete=complete_names)
@options.target
@click.option(
    "--to",
    callback=options.parse_release,
    metavar="R",
    help="The release, 1 or r1; if left out, the newest good one before, or the one that a rollout would replace.",
)
@click.option(
    "--reason",
    metavar="TEXT",
    callback=options.parse_reason,
    help="The reason, which is needed; it is kept in the history.",
)
@click.option("--preview", is_flag=True, help="Say what would serve and what would change, and do nothing.")
@options.lock_timeout
def command(name: str, target: str, to: int | None, reason: str | None, preview: bool, lock_timeout: float) -> None:
    """Move a forecast to an earlier good release now, make the forecast with it, and hold it there.

    The version that served goes into quarantine: the loop never promotes it again. The hold ends with `mlspec resume`, or when
    the spec changes.
    """
    if preview:
        engine, spec = open_applied_spec(name, target, ignore_progress)
        click.echo(_preview_text(preview_rollback(engine, spec, to, _predict)))
        return
    if reason is None:
        raise UsageError("a rollback needs a reason", hint='add --reason "…", or look first with --preview')
    with Progress() as progress:
        engine, spec = open_applied_spec(name, target, progress)
        sentence = manual_operations.roll_back(engine, spec, to, current_user(), reason, lock_timeout)
    click.echo(f"{name}: {printable(sentence)}")


def _predict(request: StepRequest) -> Predictions:
    from mlspec import jobs

    return jobs.predict(request)


def _preview_text(preview: RollbackPreview) -> str:
    successor = f"{preview.version.version} ({preview.version.candidate}, release {preview.release.release})"
    lines = [
        f"{preview.forecast}: {successor} would take over from {preview.serves} ({preview.serving.candidate})",
        *(f"  {printable(sentence)}" for sentence in preview.meaning),
    ]
    if preview.changes is None:
        return "\n".join([*lines, f"what changes in the forecast is not known: {printable(preview.problem)}"])
    periods = preview.changes.periods
    lines.append(f"the forecast, as sums over {len(periods):,} periods, {comparison_text.period_span(periods)}:")
    return "\n".join([*lines, *comparison_text.table_lines(preview.series, preview.changes, _SHOWN_SERIES)])
