"""The options for logging. Both can be given before and after the command's name."""

from __future__ import annotations

from typing import Any

import click

LEVELS = ("debug", "info", "warning", "error")
FORMS = ("text", "json")
_LEVEL, _FORM = "mlspec.log_level", "mlspec.log_format"


def set_up_logging(context: click.Context) -> None:
    """Set up logging by the options that were read so far."""
    from mlspec.cli import log_setup

    log_setup.set_up(context.meta.get(_LEVEL), context.meta.get(_FORM))


def log_options(*, of_group: bool) -> list[click.Option]:
    """Return the two options: of the whole command line, or of each command, where they are not listed in --help."""
    return [
        click.Option(
            ["--log-level"], type=click.Choice(LEVELS, case_sensitive=False), expose_value=False, hidden=not of_group,
            envvar="MLSPEC_LOG_LEVEL" if of_group else None, show_envvar=True, callback=_note(_LEVEL),
            help="Log from this level on, to stderr.  [default: warning; info with json]",
        ),
        click.Option(
            ["--log-format"], type=click.Choice(FORMS, case_sensitive=False), expose_value=False, hidden=not of_group,
            envvar="MLSPEC_LOG_FORMAT" if of_group else None, show_envvar=True, callback=_note(_FORM),
            help="The form of a line of the log.  [default: text; json in a job on Google Cloud]",
        ),
    ]  # fmt: skip


def _note(key: str) -> Any:
    def note(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value is None:
            return
        context.meta[key] = value
        if context.parent is not None:  # a command's own: the group's were read before, and logging is set up
            set_up_logging(context)

    return note
